"""Owns feedback on single prompts or predictors of a program, where the user's metric gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.core.score import Seen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gepa_ci.core.score import Trial
    from gepa_ci.core.suite import Example


def feedback_by_component(
    metric: object, example: Example, trial: Trial, components: Iterable[str]
) -> dict[str, str]:
    """Return the feedback for each component whose own prompt or predictor made a call.

    Only a metric that takes a predictor's name is asked, and it is no metric call: its score of the
    output is known.
    """
    ask = getattr(metric, "feedback_on", None)
    if ask is None or trial.failure is not None:
        return {}
    found: dict[str, str] = {}
    for component in components:
        predictor = _predictor(component, trial)
        if predictor is None:
            continue
        seen = Seen(fields=trial.fields, steps=trial.steps, predictor=predictor)
        told = ask(example, trial.output, seen, trial.score.feedback)
        if told:
            found[component] = told
    return found


def _predictor(component: str, trial: Trial) -> str | None:
    """Return the name under which a component's calls are known; None where it made none.

    The longest name wins: one predictor's may begin like another's.
    """
    names = {step.prompt for step in trial.steps if step.prompt}
    own = [name for name in names if component == name or component.startswith(f"{name}.")]
    return max(own, key=len, default=None)
