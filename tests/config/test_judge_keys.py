from __future__ import annotations

import pytest

from gepa_ci.config import read_config
from gepa_ci.core.config import MetricSpec, ModelSpec
from gepa_ci.errors import ConfigError

CONFIG = """\
version: 1
models: {{{models}}}
tasks:
  answer:
    prompts: [p.md]
    suite: s.jsonl
    metric: [exact_match, {{name: judge, rubric: r.md, weight: 2{more}}}]
    gate: {{guards: [cost, {{name: judge, rubric: g.md{more}}}, exact_match]}}
"""


def judges(*, models: str = "", more: str = "") -> tuple[MetricSpec, MetricSpec]:
    """Return the judge of the metric and the judge of the guards."""
    config = read_config("gepa-ci.yml", CONFIG.format(models=models, more=more).encode())
    (task,) = config.tasks
    _, metric = task.metrics
    guard = task.gate.guards[1].metric
    assert guard is not None
    return metric, guard


def test_a_judge_is_the_model_called_judge() -> None:
    metric, guard = judges(models="judge: {model: openai/gpt-5, temperature: 0}")

    wanted = ModelSpec(model="openai/gpt-5", parameters={"temperature": 0.0})
    assert metric.model == guard.model == wanted
    assert (metric.weight, metric.options) == (2.0, {"rubric": "r.md"})


def test_a_judge_can_be_another_model_by_name_or_as_a_string() -> None:
    assert judges(models="big: openai/gpt-5", more=", model: big")[1].model == ModelSpec(
        model="openai/gpt-5"
    )
    assert judges(more=", model: openai/gpt-5")[0].model == ModelSpec(model="openai/gpt-5")
    assert judges(more=", model: local")[0].model == ModelSpec(model="local")


def test_without_a_model_none_is_made_up() -> None:
    assert judges()[0].model is None


BAD = {
    "near": ("judge: openai/x", ", model: jugde", "did you mean 'judge'? name one of models"),
    "far": ("", ", model: claude", "name one of models, or write a model string"),
    "mapping": ("", ", model: {model: openai/x}", "give a name from models, or a model string"),
    "path": ("", ", anchors: /etc/passwd", "give a path inside the repository"),
}


@pytest.mark.parametrize(("models", "more", "hint"), BAD.values(), ids=BAD)
def test_wrong_judges_are_named_with_their_lines(models: str, more: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        judges(models=models, more=more)

    assert [problem.line for problem in caught.value.problems] == [7, 8]
    assert all(hint in str(problem.hint) for problem in caught.value.problems)
