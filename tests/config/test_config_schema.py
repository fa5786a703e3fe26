from __future__ import annotations

import json
from importlib import resources
from typing import Any

import jsonschema
import pytest
import yaml
from bad_configs import EXAMPLE
from jsonschema import Draft202012Validator

from gepa_ci.config import config_schema
from gepa_ci.config.guard_keys import INCREASE, LOSS
from gepa_ci.config.suite_keys import METRICS
from gepa_ci.core.config import GuardSpec
from gepa_ci.metrics.registry import known_metrics

VALIDATOR = Draft202012Validator(config_schema())


def example() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(EXAMPLE)
    return found


def keys(schema: Any, at: str = "") -> list[tuple[str, Any]]:
    """Return every described key of a schema with its place."""
    found = []
    if isinstance(schema, dict):
        for name, key in schema.get("properties", {}).items():
            found.append((f"{at}.{name}", key))
        for name, part in schema.items():
            found += keys(part, f"{at}.{name}")
    elif isinstance(schema, list):
        for part in schema:
            found += keys(part, at)
    return found


def test_the_committed_schema_is_the_generated_one() -> None:
    committed = resources.files("gepa_ci.config").joinpath("config.schema.json").read_text("utf-8")

    assert json.loads(committed) == config_schema()
    assert committed == json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n"


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(config_schema())


def test_the_schema_accepts_guards() -> None:
    config = example()
    config["tasks"]["triage"]["gate"]["guards"] = [
        "latency",
        "metrics/tone.py:polite",
        {"name": "cost", "margin": 1.5},
        {"name": "contains", "text": "Regards", "margin": 0.02},
    ]

    VALIDATOR.validate(config)


def test_the_schema_accepts_the_example() -> None:
    VALIDATOR.validate(example())


@pytest.mark.parametrize("place", [(), ("tasks", "triage"), ("tasks", "triage", "gate")])
def test_the_schema_refuses_unknown_keys(place: tuple[str, ...]) -> None:
    config = example()
    part = config
    for name in place:
        part = part[name]
    part["unknown"] = 1

    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(config)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("optimize", {"auto": "light", "max_full_evals": 2}),
        ("gate", {"margin": 1}),
        ("gate", {"guards": []}),
        ("gate", {"guards": ["latancy"]}),
        ("gate", {"guards": ["cost", "cost"]}),
        ("gate", {"guards": [{"name": "cost", "margin": 0}]}),
        ("gate", {"guards": [{"margin": 0.1}]}),
        ("metric", "latency"),
        ("prompts", ["../a.md"]),
        ("prompts", ["/a.md"]),
        ("prompts", [".git/a.md"]),
        ("prompt", "a.md"),
        ("suite", {"near_duplicates": 1}),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(name: str, value: object) -> None:
    config = example()
    config["tasks"]["triage"][name] = value

    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(config)


def test_every_key_has_a_description() -> None:
    found = keys(config_schema())

    assert len(found) > 60
    assert [at for at, key in found if not key["description"].endswith(".")] == []


def test_defaults_are_those_of_the_values() -> None:
    # Of keys of one name, the outermost counts: a guard has a margin too.
    found = sorted(keys(config_schema()), key=lambda item: -item[0].count("."))
    defaults = {at.rsplit(".", 1)[-1]: key.get("default") for at, key in found}

    assert defaults["concurrency"] == 16
    assert defaults["margin"] == "auto"
    assert defaults["proposer"] == "reflection"
    assert defaults["near_duplicates"] == 0.95
    assert defaults["stop_at_score"] is None


def test_the_names_of_metrics_are_those_of_the_built_ins() -> None:
    assert known_metrics() == METRICS


def test_the_margins_of_guards_are_described_as_they_are() -> None:
    (about,) = [
        key["description"]
        for at, key in keys(config_schema())
        if "guards" in at
        if at.endswith(".margin")
    ]

    assert f"loss of mean score ({LOSS:g} without it)" in about
    assert f"relative increase ({INCREASE:g} without it" in about
    assert GuardSpec(name="x").margin == LOSS
