"""Owns optimizers from outside: an installed function that is given a task and returns texts.

`Task`, `Case` and `Outcome` are what a plug-in may rely on. All else is ours: admission, budget,
journal, the record on val, and the proof on held-out examples, which a plug-in never sees.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, TypeVar

from gepa_ci.core.digests import digest
from gepa_ci.core.optimization import Origin
from gepa_ci.core.prompt import Message, Role
from gepa_ci.errors import UsageError
from gepa_ci.optimizers.admission import Refusal
from gepa_ci.optimizers.budget import BudgetReached
from gepa_ci.optimizers.dspy_lm import Reflection
from gepa_ci.optimizers.quiet import Quiet
from gepa_ci.optimizers.recording import begin, keep
from gepa_ci.optimizers.scored import FINALISTS, Scored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gepa_ci.core.values import JSON
    from gepa_ci.optimizers.workbench import Workbench

GROUP = "gepa_ci.optimizers"
"""The entry point group of plug-ins."""
_FRAMES = 3
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One train or val example."""

    id: str
    inputs: Mapping[str, JSON]
    expected: JSON
    """The label; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a candidate on one case."""

    case: Case
    output: str
    """What the program gave."""
    score: float
    """In [0, 1]; 0 for a refused candidate."""
    feedback: str
    """What the metric said; why the candidate was refused, if it was."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """Named sub-scores."""
    refused: bool = False
    """Whether the candidate was refused before it cost a call."""


class Task:
    """What a plug-in is given."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        search = bench.search
        self._scored = Scored(bench, reserve=len(search.tuning.val))
        self._quiet = Quiet()
        self._seen = {digest(bench.start)}
        begun = bench.recorded(bench.start)
        self._parents = () if begun is None else (begun.number,)
        self._reflection = (
            None if search.reflection is None else Reflection(bench, search.reflection)
        )
        self.baseline: Mapping[str, str] = bench.start
        """Component name to text: what to improve, and the shape of a candidate."""
        self.train = tuple(_case(example) for example in search.tuning.train)
        """Cases to learn from."""
        self.val = tuple(_case(example) for example in search.tuning.val)
        """Cases that candidates are selected on."""
        self.seed = search.policy.seed
        self._examples = {e.id: e for e in (*search.tuning.train, *search.tuning.val)}

    @property
    def budget_left(self) -> int:
        """Return how many metric calls `evaluate` may still make."""
        return self._scored.left

    def rules(self, name: str) -> list[str]:
        """Return the rules that a component's text has to keep, in words for an LM."""
        return self._bench.search.admission.rules(name)

    def evaluate(self, texts: Mapping[str, str], cases: Sequence[Case]) -> list[Outcome]:
        """Run a candidate on cases, all at once; what was run before costs nothing.

        When the budget has no room for all of it, the search is over: an exception that is no
        `Exception` passes through, and the best that was evaluated is kept.
        """
        whole = self.whole(texts)
        self._bench.proposals += digest(whole) not in self._seen
        self._seen.add(digest(whole))
        with self._quiet.lifted():
            admitted = self._bench.admit(whole)
            if isinstance(admitted, Refusal):
                return [
                    Outcome(case=c, output="", score=0.0, feedback=admitted.reason, refused=True)
                    for c in cases
                ]
            examples = [self._examples[case.id] for case in cases]
            (trials,) = self._scored.run([(whole, examples)])
            if self._scored.covers_val(examples):
                self.keep(whole)
        return [
            Outcome(
                case=case,
                output=trial.output,
                score=trial.score.value,
                feedback=trial.score.feedback,
                parts=dict(trial.score.parts),
            )
            for case, trial in zip(cases, trials, strict=True)
        ]

    def reflect(self, prompt: str) -> str:
        """Ask the reflection LM; asking the same again gives an answer of its own."""
        if self._reflection is None:
            raise UsageError(
                f"the optimizer '{self._bench.search.policy.optimizer}' asks a reflection LM, and "
                "the config names none",
                hint="add `models: {reflection: openai/gpt-5}` to the config",
            )
        with self._quiet.lifted():
            return self._reflection.ask([Message(role=Role.USER, content=prompt)])

    def whole(self, texts: Mapping[str, str]) -> dict[str, str]:
        """Return a candidate with the baseline's text wherever it says nothing."""
        if unknown := sorted(texts.keys() - self.baseline.keys()):
            raise UsageError(
                f"the optimizer '{self._bench.search.policy.optimizer}' gave a text for "
                f"'{unknown[0]}', which is no component that may change",
                hint=f"components: {', '.join(self.baseline)}",
            )
        return {**self.baseline, **texts}

    def evaluated(self) -> list[dict[str, str]]:
        """Return the candidates that were evaluated but not on all of val, the best first."""
        return self._scored.best()

    def keep(self, texts: Mapping[str, str]) -> None:
        """Record a candidate with its scores on all of val."""
        keep(self._bench, texts, origin=Origin.REFLECTION, parents=self._parents)


def installed() -> dict[str, EntryPoint]:
    """Return the plug-ins of this environment by name."""
    return {point.name: point for point in sorted(entry_points(group=GROUP))}


def option_problems(name: str, options: Mapping[str, JSON]) -> list[str]:
    """Return what a plug-in finds wrong with its options, where it has an attribute `check`.

    Raises:
        UsageError: the plug-in cannot be loaded, or its check failed.
    """
    return _guarded(name, lambda point: list(getattr(point.load(), "check", _fine)(options)))


def _fine(options: Mapping[str, JSON]) -> list[str]:
    del options
    return []


def run(bench: Workbench) -> str:
    """Search with the plug-in that the policy names, and return why the search ended.

    Raises:
        UsageError: the plug-in cannot be loaded, failed, or returned something else than texts.
        BudgetReached: there is no room to score the baseline on val.
        FailedSearch: a call or the user's code failed.
        Enough: there is no reason to go on.
    """
    begin(bench)
    name, options = bench.search.policy.optimizer, bench.search.policy.options
    task, quiet = Task(bench), Quiet()
    reason = f"The optimizer '{name}' has come to its end."
    texts: list[dict[str, str]] = []
    try:
        with quiet.kept():
            texts = _texts(name, _guarded(name, lambda point: point.load()(task, options)))
    except BudgetReached:
        reason = bench.budget_reason
    for one in texts or task.evaluated()[:FINALISTS]:
        whole = task.whole(one)
        if isinstance(bench.admit(whole), Refusal):
            continue
        try:
            task.keep(whole)
        except BudgetReached:
            break
    return reason


def _guarded(name: str, work: Callable[[EntryPoint], T]) -> T:
    try:
        return work(installed()[name])
    except UsageError:
        raise
    except Exception as error:  # the boundary to code that is not ours
        frames = traceback.format_exception(error)[-_FRAMES:]
        raise UsageError(
            f"the optimizer '{name}' failed: {type(error).__name__}: {error}",
            hint="".join(frames).strip(),
        ) from error


def _texts(name: str, returned: Any) -> list[dict[str, str]]:
    """Return the candidates that a plug-in has returned, the best first."""
    found = [] if returned is None else returned
    found = [found] if isinstance(found, Mapping) else list(found)
    for texts in found:
        if not isinstance(texts, Mapping) or not all(
            isinstance(key, str) and isinstance(text, str) for key, text in texts.items()
        ):
            raise UsageError(
                f"the optimizer '{name}' returned no texts",
                hint="return a mapping from component name to text, or a list of them",
            )
    return [dict(texts) for texts in found]


def _case(example: Any) -> Case:
    return Case(id=example.id, inputs=dict(example.inputs), expected=example.expected)
