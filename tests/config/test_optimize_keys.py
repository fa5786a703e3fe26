"""Tests of the keys of `optimize`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gepa_ci.config import config_schema, read_config
from gepa_ci.core.config import Mlflow, OptimizePolicy, Proposer, Tracking, Wandb
from gepa_ci.errors import ConfigError


def config(**policy: Any) -> dict[str, Any]:
    task = {"prompts": ["p.md"], "suite": "s.jsonl", "metric": "exact_match", "optimize": policy}
    return {"version": 1, "tasks": {"t": task}}


def read(**policy: Any) -> OptimizePolicy:
    """Read a policy; JSON is YAML too."""
    found = config(**policy)
    Draft202012Validator(config_schema()).validate(found)
    (task,) = read_config("gepa-ci.yml", json.dumps(found).encode()).tasks
    return task.optimize


def test_a_search_stops_by_many_keys() -> None:
    found = read(
        stop_after_minutes=1.5,
        stop_after_proposals=20,
        stop_after_candidates=4,
        stop_at_usd=2,
        objectives=["score", "cost", "tone"],
    )

    assert (found.stop_after_minutes, found.stop_after_proposals) == (1.5, 20)
    assert (found.stop_after_candidates, found.stop_at_usd) == (4, 2.0)
    assert found.objectives == ("score", "cost", "tone")


def test_a_proposer_is_a_built_in_one_or_a_function() -> None:
    own = read(proposer="tools/p.py:propose")

    assert (own.proposer, own.proposer_code) == (Proposer.CODE, "tools/p.py:propose")
    assert read(proposer="examples").proposer is Proposer.EXAMPLES
    assert read().proposer_code == ""


@pytest.mark.parametrize("given", ["code", "../p.py:f", "p.txt:f", "reflect"])
def test_another_proposer_is_a_problem_that_names_those_that_there_are(given: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config("gepa-ci.yml", json.dumps(config(proposer=given)).encode())

    (problem,) = caught.value.problems
    assert problem.message == f"'{given}' is not a value for tasks.t.optimize.proposer"
    assert "reflection, examples; or path.py:function" in str(problem.hint)


def test_tracking_names_where() -> None:
    found = read(
        tracking={"mlflow": {"uri": "http://m"}, "wandb": {"project": "p", "mode": "offline"}}
    )

    assert found.tracking == Tracking(
        mlflow=Mlflow(uri="http://m"), wandb=Wandb(project="p", mode="offline")
    )
    assert read(tracking={"mlflow": {}}).tracking == Tracking(mlflow=Mlflow())


@pytest.mark.parametrize(
    ("tracking", "said"),
    [
        ({}, "tasks.t.optimize.tracking has no 'mlflow' or 'wandb'"),
        ({"wandb": {"mode": "shared"}}, "'shared' is not a value"),
        ({"mlfow": {}}, "unknown key 'mlfow'"),
    ],
)
def test_tracking_nowhere_is_a_problem(tracking: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config("gepa-ci.yml", json.dumps(config(tracking=tracking)).encode())

    assert said in caught.value.problems[0].message
