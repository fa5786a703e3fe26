from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from metric_examples import example

from gepa_ci.core.config import MetricSpec
from gepa_ci.core.prompt import Evaluator
from gepa_ci.metrics import Metric, build_metric, check_labels

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON


def evaluators(*checks: tuple[str, str, str]) -> Metric:
    return build_metric(
        (MetricSpec(name="evaluators"),),
        evaluators=tuple(Evaluator(name=n, operator=o, value=v) for n, o, v in checks),
        where="a.prompt.yml",
        line=None,
    )


@pytest.mark.parametrize(
    ("operator", "value", "output", "passes"),
    [
        ("equals", "Yes", "Yes", True),
        ("equals", "Yes", "yes", False),
        ("equals", "Yes", "Yes\n", False),
        ("contains", "YES", "oh yes!", True),
        ("contains", "yes", "no", False),
        ("startsWith", "YES", "yes sir", True),
        ("startsWith", "yes", "oh yes", False),
        ("endsWith", "Yes", "OH YES", True),
        ("endsWith", "yes", "yes sir", False),
    ],
)
def test_only_equals_minds_the_case(
    operator: str, value: str, output: str, *, passes: bool
) -> None:
    result = evaluators(("check", operator, value))(example(), output)

    assert result.value == float(passes)
    assert result.parts == {"check": float(passes)}


def test_a_score_is_1_only_when_every_check_passes() -> None:
    built = evaluators(("a", "contains", "x"), ("b", "contains", "y"))

    assert built(example(), "x").value == 0.0
    assert built(example(), "x").parts == {"a": 1.0, "b": 0.0}
    assert built(example(), "xy").value == 1.0


@pytest.mark.parametrize(
    ("value", "expected", "filled"),
    [
        ("{{expected}}", "Rome", "Rome"),
        ("{{expected}} in {{country}}", "Rome", "Rome in Italy"),
        ("{{expected}}", 5, "5"),
        ("{{expected}}", True, "true"),
        ("{{ expected }}", "Rome", "{{ expected }}"),
        ("{{unknown}}", "Rome", "{{unknown}}"),
        ("{{expected}}", "{{country}}", "{{country}}"),
    ],
)
def test_placeholders_are_replaced_literally_and_once(
    value: str, expected: JSON, filled: str
) -> None:
    built = evaluators(("check", "equals", value))

    assert built(example(expected, country="Italy"), filled).value == 1.0


def test_a_placeholder_of_a_missing_label_stays_as_it_is() -> None:
    built = evaluators(("check", "equals", "{{expected}}"))

    assert built(example(labelled=False), "{{expected}}").value == 1.0


def test_labels_are_needed_only_where_a_check_mentions_them() -> None:
    assert evaluators(("a", "equals", "{{expected}}")).needs_expected
    assert not evaluators(("a", "equals", "x")).needs_expected


def test_a_label_that_is_no_text_is_a_problem() -> None:
    built = evaluators(("a", "equals", "{{expected}}"))

    assert len(check_labels(built, [example(["a"]), example("a")])) == 1


@pytest.mark.parametrize(
    ("operator", "value", "output", "feedback"),
    [
        ("equals", "Yes", "yes", "must be exactly 'Yes'. Only upper and lower case differ"),
        ("contains", "yes", "no", "must contain 'yes'. That text is not in it."),
        (
            "startsWith",
            "yes",
            "oh yes",
            "start with 'yes'. It holds that text, but not at the start",
        ),
        ("endsWith", "yes", "yes sir", "end with 'yes'. It holds that text, but not at the end"),
        ("contains", "yes", "", "The output is empty."),
    ],
)
def test_feedback_names_each_failed_check(
    operator: str, value: str, output: str, feedback: str
) -> None:
    result = evaluators(("check", operator, value))(example(), output)

    assert result.feedback.startswith(f"Got '{output}'. Failed:\n- check: the output must ")
    assert feedback in result.feedback


def test_checks_of_one_name_are_told_apart() -> None:
    built = evaluators(("a", "contains", "x"), ("a", "contains", "y"), ("", "equals", "z"))

    assert list(built(example(), "x").parts) == ["a", "a_2", "equals"]


def test_without_metrics_the_evaluators_are_the_metric() -> None:
    checks = (Evaluator(name="a", operator="equals", value="x"),)

    built = build_metric((), evaluators=checks, where="a.prompt.yml", line=None)

    assert built.name == "evaluators"
    assert built.digest != evaluators(("a", "equals", "y")).digest
