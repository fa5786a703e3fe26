"""Owns the keys of a model in the config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.config.leaves import choice, integer, number, raw_text, text
from gepa_ci.config.records import Fields, Key, Record
from gepa_ci.config.shapes import FreeMapping, Listing, Mapped, OneOf
from gepa_ci.core.config import ModelSpec
from gepa_ci.core.spend import Price

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON

PARAMETERS = ("temperature", "top_p", "max_tokens", "stop", "seed", "response_format")
"""Keys that go into the request as they are."""

MODEL_NAME = text("a model string such as openai/gpt-5-mini, or local", r"^[^\s/][^\s]*$")
"""Model string of DSPy or LiteLLM."""

PRICE = Record(
    about="a price",
    keys=(
        Key("input", number(0, 1_000_000), "Dollars per million tokens sent.", is_required=True),
        Key(
            "output",
            number(0, 1_000_000),
            "Dollars per million tokens received.",
            is_required=True,
        ),
    ),
    build=lambda found: Price(**found.values),
)


def _model(found: Fields) -> ModelSpec:
    parameters: dict[str, JSON] = {
        name: found.values[name] for name in PARAMETERS if name in found.values
    }
    rest = {name: value for name, value in found.values.items() if name not in PARAMETERS}
    return ModelSpec(parameters=parameters, **rest)


_STOP = OneOf(
    (raw_text("a text"), Mapped(Listing(raw_text("a text")), lambda items, _: list(items))),
    "a text or a list of texts",
)
_RESPONSE_FORMAT = OneOf(
    (
        Mapped(choice("text", "json_object"), lambda name, _: {"type": name}),
        FreeMapping(),
    ),
    "text, json_object or a mapping as the provider documents it",
)

MODEL = Record(
    about="a model",
    of=ModelSpec,
    build=_model,
    misnomers={
        "api_key": "name the environment variable that holds it, api_key_env: MY_KEY; "
        "never write a key into a file",
        "base_url": "did you mean 'api_base'?",
        "name": "did you mean 'model'?",
    },
    keys=(
        Key("model", MODEL_NAME, "Model string of DSPy or LiteLLM, or `local`.", is_required=True),
        Key(
            "api_base",
            text("a URL that begins with http:// or https://", r"^https?://\S+$"),
            "Base URL of an OpenAI-compatible endpoint.",
        ),
        Key(
            "api_key_env",
            text(
                "the name of an environment variable, never the key itself",
                r"^[A-Za-z_][A-Za-z0-9_]*$",
                is_secret=True,
            ),
            "Name of the environment variable that holds the key.",
        ),
        Key("temperature", number(0, 100), "Sampling temperature."),
        Key("top_p", number(0, 1, above=True), "Nucleus sampling."),
        Key("max_tokens", integer(1), "Most tokens of one answer."),
        Key("stop", _STOP, "Texts that end an answer."),
        Key("seed", integer(0, 2**63 - 1), "Seed that is passed to the provider."),
        Key("response_format", _RESPONSE_FORMAT, "Form of the answer that is asked for."),
        Key(
            "timeout",
            number(0, 86_400, above=True),
            "Seconds without a byte of answer until a call counts as hung.",
        ),
        Key("retries", integer(0, 100), "Further attempts after a rate limit or server error."),
        Key("price", PRICE, "Dollars per million tokens, for models without a known price."),
    ),
)

MODEL_OR_NAME = OneOf((MODEL_NAME, MODEL), "a model string or a mapping with the key model")
"""A model as a string or with its parameters."""
