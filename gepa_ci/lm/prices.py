"""Owns prices and answer lengths of models, from DSPy's own table or from the config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.core.spend import Price

if TYPE_CHECKING:
    from gepa_ci.core.config import ModelSpec

LOCAL = "local"
"""The model name of the bundled local model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What is known of a model before it is called."""

    price: Price | None
    """None when unknown; unknown is not zero."""
    max_output_tokens: int | None
    """The longest answer, by the request or by the model; None when unknown."""


def model_facts(spec: ModelSpec) -> ModelFacts:
    """Look up what a model costs and how long its answers can get."""
    wanted = spec.parameters.get("max_tokens")
    limit = wanted if isinstance(wanted, int) else None
    if spec.model == LOCAL:
        return ModelFacts(price=Price(input=0.0, output=0.0), max_output_tokens=limit)
    if spec.price is not None and (limit is not None or spec.price.output == 0):
        return ModelFacts(price=spec.price, max_output_tokens=limit)
    # An endpoint of the user's own is not the public service of the same name.
    if spec.api_base is not None:
        return ModelFacts(price=spec.price, max_output_tokens=limit)
    info = _table_entry(spec.model)
    price, longest = spec.price, info.get("max_output_tokens")
    if price is None and "input_cost_per_token" in info and "output_cost_per_token" in info:
        price = Price(
            input=float(info["input_cost_per_token"]) * 1_000_000,
            output=float(info["output_cost_per_token"]) * 1_000_000,
        )
    if limit is None and isinstance(longest, int):
        limit = longest
    return ModelFacts(price=price, max_output_tokens=limit)


def _table_entry(model: str) -> dict[str, float | int]:
    from dspy.clients.model_metadata import model_info

    provider, _, name = model.partition("/")
    found: dict[str, float | int] = model_info(provider, name or provider)
    return found
