from __future__ import annotations

import pytest
from post_samples import document

from gepa_ci.reports.outcome import Ending, Mode, Outcome, Stance, rule, rule_without_verdict
from gepa_ci.reports.view import view

GATE, OBSERVE = Stance(), Stance(mode=Mode.OBSERVE)
STRICT = Stance(strict=frozenset({"orders"}))
STRICT_OBSERVE = Stance(mode=Mode.OBSERVE, strict=frozenset({"orders"}))


@pytest.mark.parametrize(
    ("name", "stance", "outcome"),
    [
        ("gate_regression", GATE, "failure"),
        ("gate_regression", OBSERVE, "neutral"),
        ("gate_inconclusive", GATE, "neutral"),
        ("gate_inconclusive", STRICT, "failure"),
        ("gate_inconclusive", STRICT_OBSERVE, "neutral"),
        ("gate_inconclusive", Stance(strict=frozenset({"triage"})), "neutral"),
        ("gate_ruler_changed", GATE, "neutral"),
        ("gate_ruler_changed", STRICT, "failure"),
        ("gate_ruler_changed", STRICT_OBSERVE, "neutral"),
        ("gate_pass", GATE, "success"),
        ("gate_pass", STRICT_OBSERVE, "success"),
        ("gate_improved", STRICT, "success"),
        ("gate_unchanged", GATE, "neutral"),
        ("gate_new_prompt", GATE, "neutral"),
        ("gate_three_tasks", GATE, "failure"),
        ("gate_three_tasks", OBSERVE, "neutral"),
        ("nothing", GATE, "neutral"),
        ("evaluated", GATE, "neutral"),
        ("promote", GATE, "success"),
        ("hold_confirm", STRICT, "neutral"),
    ],
)
def test_outcome_of_a_verdict(name: str, stance: Stance, outcome: str) -> None:
    ruling = rule(view(document(name)), stance)

    assert ruling.outcome == outcome
    assert ruling.sentence.endswith(".")


@pytest.mark.parametrize(
    "names",
    [("gate_pass", "gate_inconclusive"), ("gate_pass", "gate_ruler_changed"), ("gate_unchanged",)],
)
def test_undecided_or_skipped_is_never_green(names: tuple[str, ...]) -> None:
    tasks = [task for name in names for task in document(name)["tasks"]]  # type: ignore[union-attr]

    assert rule(view(document("nothing", tasks=tasks)), GATE).outcome is Outcome.NEUTRAL


def test_skipped_task_beside_one_that_passes_leaves_it_green() -> None:
    tasks = [
        task
        for name in ("gate_pass", "gate_unchanged")
        for task in document(name)["tasks"]  # type: ignore[union-attr]
    ]

    assert rule(view(document("nothing", tasks=tasks)), GATE).outcome is Outcome.SUCCESS


@pytest.mark.parametrize(
    ("ending", "stance", "outcome"),
    [
        (Ending.FAILED, GATE, Outcome.FAILURE),
        (Ending.FAILED, OBSERVE, Outcome.NEUTRAL),
        (Ending.OVER_BUDGET, GATE, Outcome.NEUTRAL),
        (Ending.OVER_BUDGET, OBSERVE, Outcome.NEUTRAL),
    ],
)
def test_outcome_without_a_verdict(ending: Ending, stance: Stance, outcome: Outcome) -> None:
    assert rule_without_verdict(ending, stance).outcome is outcome


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["gate_calls_failed", "gate_uneven_failures"], "calls failed"),
        (["gate_too_few_examples"], "there are too few examples"),
        (["gate_no_scores"], "nothing could be compared"),
        (["gate_guard_undecided"], "a guard is undecided"),
        (["gate_inconclusive"], "nothing is shown either way"),
        (["gate_no_scores", "gate_calls_failed"], "nothing is shown either way"),
        (["gate_unchanged"], "no prompt was changed"),
        (["gate_unchanged", "gate_new_prompt"], "nothing was compared"),
    ],
)
def test_neutral_check_says_the_real_cause(names: list[str], why: str) -> None:
    tasks = [task for name in names for task in document(name)["tasks"]]  # type: ignore[union-attr]

    ruling = rule(view(document("nothing", tasks=tasks)), GATE)

    assert ruling.sentence == f"The check is neutral, as {why}."
