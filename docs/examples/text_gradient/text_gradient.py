"""An optimizer from outside: a hill climber in the style of textual gradients.

The reflection LM is asked twice a step: first for a gradient, which says in words what the prompt
lacks, and then for the prompt with the gradient applied. A step that does not gain on its minibatch
is taken back.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.optimizers.plugins import Outcome, Task

_NEW = re.compile(r"<new>\n?(.*?)\n?</new>", re.DOTALL)


def optimize(task: Task, options: Mapping[str, Any]) -> dict[str, str]:
    """Climb from the baseline, and return the best texts."""
    steps, size = int(options.get("steps", 8)), int(options.get("minibatch", 4))
    draw = random.Random(task.seed)  # noqa: S311 - nothing is kept secret by it
    best = dict(task.baseline)
    for step in range(steps):
        # Both sides of a comparison must fit, or the search would end in the middle of one.
        if task.budget_left < 2 * size:
            break
        cases = draw.sample(task.train, min(size, len(task.train)))
        before = task.evaluate(best, cases)
        failures = [outcome for outcome in before if outcome.score < 1.0]
        if not failures:
            continue
        name = list(best)[step % len(best)]
        gradient = task.reflect(_ask_gradient(name, best[name], failures))
        found = _NEW.search(task.reflect(_ask_text(task, name, best[name], gradient)))
        if found is None:
            continue
        tried = {**best, name: found[1]}
        after = task.evaluate(tried, cases)
        if _mean(after) > _mean(before):
            best = tried
    return best


def check(options: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the options of a config, each as one message."""
    unknown = sorted(options.keys() - {"steps", "minibatch"})
    return [f"'text_gradient' has no option '{name}'" for name in unknown]


# gepa-ci asks this attribute of the optimizer before a run.
optimize.check = check  # type: ignore[attr-defined]


def _ask_gradient(name: str, text: str, failures: Sequence[Outcome]) -> str:
    shown = "\n\n".join(
        f"Inputs: {dict(failure.case.inputs)}\nOutput: {failure.output}\n"
        f"What the metric says: {failure.feedback}"
        for failure in failures
    )
    return (
        f"This is the prompt '{name}':\n<prompt>\n{text}\n</prompt>\n\n"
        f"It failed here:\n\n{shown}\n\n"
        "Say in a few sentences what the prompt lacks or says wrongly. Do not rewrite it."
    )


def _ask_text(task: Task, name: str, text: str, gradient: str) -> str:
    rules = "\n".join(f"- {rule}" for rule in task.rules(name))
    return (
        f"This is the prompt '{name}':\n<prompt>\n{text}\n</prompt>\n\nCriticism of it:\n{gradient}"
        f"\n\nRules for a new one:\n{rules}\n\n"
        "Write the prompt anew so that it meets the criticism, between <new> and </new>."
    )


def _mean(outcomes: Sequence[Outcome]) -> float:
    return sum(outcome.score for outcome in outcomes) / len(outcomes)
