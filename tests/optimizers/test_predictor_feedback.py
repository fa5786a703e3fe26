"""Tests of gepa_ci.optimizers.predictor_feedback: what the metric says of single predictors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakes import ScriptedMetric, is_expected
from test_gepa_search import two_parts

from gepa_ci.core.call import Purpose
from gepa_ci.core.config import MetricSpec
from gepa_ci.core.score import ModelFailure, Score, Step, Trial
from gepa_ci.core.suite import Example
from gepa_ci.metrics import build_metric
from gepa_ci.optimizers.predictor_feedback import feedback_by_component
from gepa_ci.programs import ChatProgram

if TYPE_CHECKING:
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.score import Output, Seen
    from gepa_ci.metrics import Metric

EXAMPLE = Example(id="e", inputs={"question": "Who?"}, expected="Ada")
SOURCE = """\
def both(gold, pred, trace=None, pred_name=None, pred_trace=None):
    if pred_name is None:
        return {"score": 0.5, "feedback": "about all"}
    ((name, inputs, output),) = [(pred_name, None, None)]
    return {"score": 0.5, "feedback": f"about {name}, {len(pred_trace)} steps"}


def plain(example, output):
    return {"score": 0.5, "feedback": "plain"}
"""


def metric(*names: str) -> Metric:
    return build_metric(
        tuple(MetricSpec(name=name) for name in names),
        read_code=lambda path: SOURCE.encode(),
        where="gepa-ci.yml",
        line=1,
    )


@pytest.fixture(scope="module")
def hearing() -> Metric:
    """Return a metric that is asked for one predictor."""
    return metric("m.py:both")


def trial(*names: str, failure: ModelFailure | None = None) -> Trial:
    return Trial(
        example_id="e",
        number=0,
        output="Bob",
        score=Score(value=0.5, feedback="about all"),
        failure=failure,
        steps=tuple(Step(prompt=name, inputs={"q": "?"}, output="Bob") for name in names),
    )


def test_a_component_hears_of_the_calls_of_its_own_prompt(hearing: Metric) -> None:
    found = feedback_by_component(
        hearing, EXAMPLE, trial("rewrite", "answer", "answer"), ["rewrite.system", "answer", "x"]
    )

    assert set(found) == {"rewrite.system", "answer"}
    assert found["rewrite.system"].startswith("about rewrite, ")
    assert found["answer"].startswith("about answer, ")


def test_the_longest_name_is_the_predictor(hearing: Metric) -> None:
    found = feedback_by_component(
        hearing, EXAMPLE, trial("chain", "chain.predict"), ["chain.predict.instructions"]
    )

    assert found["chain.predict.instructions"].startswith("about chain.predict, ")


def test_what_is_said_of_a_predictor_stands_beside_what_other_metrics_say() -> None:
    found = feedback_by_component(
        metric("m.py:both", "m.py:plain"), EXAMPLE, trial("answer"), ["answer.system"]
    )

    whole, own = found["answer.system"].split("\n")
    assert whole == "about all"
    assert own.startswith("m.py:both: about answer")


def test_nobody_is_asked_who_cannot_tell() -> None:
    asked = ["answer.system"]

    assert feedback_by_component(metric("m.py:plain"), EXAMPLE, trial("answer"), asked) == {}
    assert feedback_by_component(metric("exact_match"), EXAMPLE, trial("answer"), asked) == {}
    assert feedback_by_component(ScriptedMetric(is_expected), EXAMPLE, trial("answer"), asked) == {}
    both = metric("m.py:plain", "exact_match")
    assert feedback_by_component(both, EXAMPLE, trial("answer"), asked) == {}


def test_a_failure_has_nothing_to_be_judged(hearing: Metric) -> None:
    lost = trial("answer", failure=ModelFailure.REFUSAL)

    assert feedback_by_component(hearing, EXAMPLE, lost, ["answer.system"]) == {}


class Stepping(ChatProgram):
    """A program whose one call counts as that of the component `system`."""

    def run(self, prompts: Prompts, example: Example, trial: int) -> Output:
        output = super().run(prompts, example, trial)
        return replace(output, steps=(Step(prompt="system", inputs={}, output=output.text),))


class Telling(ScriptedMetric):
    """A metric that has something to say of one predictor."""

    def feedback_on(self, example: Example, output: str, seen: Seen, known: str) -> str:
        assert seen.steps[0].output == output
        return f"{seen.predictor} is to blame for {example.id}, not only: {known}"


def test_the_reflection_lm_is_shown_what_is_said_of_the_component() -> None:
    world = two_parts(program=Stepping, metric=Telling)

    world.run(proposals=1, component_selector="all", max_metric_calls=40)

    asked = [call.messages[0].content for call in world.asked(Purpose.REFLECTION)[:2]]
    system, user = sorted(asked, key=lambda text: "named `user`" in text)
    assert "### Feedback\nsystem is to blame for t" in system
    assert "not only: expected kind" in system
    assert "to blame" not in user
    assert "### Feedback\nexpected kind" in user
