"""Owns the rules of the SARIF report: what each finding means, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON

PAGE = "https://github.com/gepa-ci/gepa-ci"
_HELP = f"{PAGE}/blob/main/docs/reports.md#sarif"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of finding."""

    id: str
    """Stable: alerts are tracked by it."""
    name: str
    """The same for readers, in one word."""
    level: str
    """error, warning or note."""
    precision: str
    """How often such a finding is right, as code scanning orders them: very-high to low."""
    short: str
    """One finished sentence."""
    full: str
    """Finished sentences: how it is found."""
    advice: str
    """Finished sentences: what to do."""

    def descriptor(self) -> dict[str, JSON]:
        """Return the rule as SARIF describes one."""
        severity = "recommendation" if self.level == "note" else self.level
        return {
            "id": self.id,
            "name": self.name,
            "shortDescription": {"text": self.short},
            "fullDescription": {"text": self.full},
            "help": {
                "text": f"{self.full} {self.advice}",
                "markdown": f"{self.full}\n\n{self.advice}",
            },
            "helpUri": _HELP,
            "defaultConfiguration": {"level": self.level},
            "properties": {
                "tags": ["prompts", "quality"],
                "precision": self.precision,
                "problem.severity": severity,
            },
        }


RULES = (
    Rule(
        id="regression",
        name="Regression",
        level="error",
        precision="high",
        short="The changed prompt scores lower.",
        full=(
            "The prompt before the change and the prompt after it were run on the same held-out "
            "examples. The mean score fell by more than chance explains, and a loss beyond the "
            "tolerated margin is not ruled out."
        ),
        advice=(
            "Look in the report at the examples that got worse, and change the prompt or take the "
            "change back. Where the loss is wanted, raise the task's margin."
        ),
    ),
    Rule(
        id="guard-regression",
        name="GuardRegression",
        level="error",
        precision="high",
        short="The changed prompt is worse on a guard.",
        full=(
            "A guard is a further metric, or a measure such as cost or latency, that must not get "
            "worse. With the changed prompt it got worse by more than chance explains."
        ),
        advice=(
            "Look in the report at what the guard measured before and after. Change the prompt, or "
            "raise what the guard tolerates."
        ),
    ),
    Rule(
        id="inconclusive",
        name="Inconclusive",
        level="warning",
        precision="medium",
        short="The held-out examples do not decide whether the changed prompt is worse.",
        full=(
            "The mean scores before and after the change are too close, or the examples too few, "
            "to show a loss or to rule one out."
        ),
        advice=(
            "Add held-out examples, or run more trials of each: the report says how many would "
            "probably decide it."
        ),
    ),
    Rule(
        id="ruler-changed",
        name="RulerChanged",
        level="warning",
        precision="high",
        short="The judge does not score as it did when it was calibrated.",
        full=(
            "The judge scored its anchors again and gave them other scores than on the day of its "
            "calibration, so its scores say nothing about the prompts. Nothing was compared."
        ),
        advice="Calibrate the judge again, and commit the anchors that this writes.",
    ),
    Rule(
        id="tag-worse",
        name="TagWorse",
        level="note",
        precision="medium",
        short="The changed prompt looks worse on the examples with one tag.",
        full=(
            "The scores of the examples with a tag fell by more than chance explains, adjusted for "
            "the number of tags. It is for reading and never blocks a merge."
        ),
        advice="Look in the report at the examples with that tag that got worse.",
    ),
)
