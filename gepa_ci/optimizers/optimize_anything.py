"""Owns the optimizer `optimize_anything`: gepa's interface for any text, over our workbench.

`generalization` reflects on train and selects on val; `multi_task` selects on train, whose examples
are problems of their own; `single_task` knows one score, the mean of train.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gepa_ci.core.digests import digest
from gepa_ci.core.optimization import Origin
from gepa_ci.core.prompt import Message, Role
from gepa_ci.optimizers.admission import Refusal
from gepa_ci.optimizers.budget import BudgetReached
from gepa_ci.optimizers.dspy_lm import Reflection
from gepa_ci.optimizers.gepa_rounds import Rounds
from gepa_ci.optimizers.proposers import like
from gepa_ci.optimizers.quiet import Quiet
from gepa_ci.optimizers.recording import begin, keep
from gepa_ci.optimizers.scored import FINALISTS, Scored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.score import Trial
    from gepa_ci.core.suite import Example
    from gepa_ci.optimizers.workbench import Workbench

GENERALIZATION, MULTI_TASK, SINGLE_TASK = "generalization", "multi_task", "single_task"
MODES = (GENERALIZATION, MULTI_TASK, SINGLE_TASK)
_WORST = 10
"""Examples of a single task's score that the reflection LM is shown."""


def run(bench: Workbench) -> str:
    """Search, and return why the search ended.

    Raises:
        BudgetReached: there is no room to score the baseline on val.
        FailedSearch: a call or the user's code failed.
        Enough: there is no reason to go on.
    """
    from gepa.optimize_anything import optimize_anything

    begin(bench)
    options = bench.search.policy.options
    mode = str(options.get("mode", GENERALIZATION))
    world = _World(bench, mode)
    tuning, quiet = bench.search.tuning, Quiet()
    try:
        with quiet.kept():
            optimize_anything(
                bench.start,
                batch_evaluator=world.evaluate,
                dataset=None if mode == SINGLE_TASK else [e.id for e in tuning.train],
                valset=[e.id for e in tuning.val] if mode == GENERALIZATION else None,
                objective=_text(options.get("objective")),
                background=_text(options.get("background")),
                config=world.config(),
            )
        reason = world.rounds.reason
    except BudgetReached:
        reason = bench.budget_reason
    world.finish()
    return reason


class _World:
    """What optimize_anything is given: an evaluator, settings, and the reflection LM."""

    def __init__(self, bench: Workbench, mode: str) -> None:
        self._bench = bench
        self._mode = mode
        tuning = bench.search.tuning
        self._examples = {example.id: example for example in (*tuning.train, *tuning.val)}
        self._start = bench.start
        self._seen = {digest(self._start)}
        begun = bench.recorded(self._start)
        self._parents = () if begun is None else (begun.number,)
        self.scored = Scored(bench, reserve=0 if mode == GENERALIZATION else len(tuning.val))
        self.rounds = Rounds(bench, self._texts, records=mode == GENERALIZATION)

    def evaluate(self, pairs: Sequence[tuple[Any, Any]]) -> list[tuple[float, dict[str, Any]]]:
        """Score candidates on examples, all at once; a refused candidate costs no call."""
        wanted = [(self._texts(candidate), self._batch(example)) for candidate, example in pairs]
        refused = {}
        for texts, _ in wanted:
            admitted = self._bench.admit(texts)
            self._see(digest(texts))
            if isinstance(admitted, Refusal):
                refused[digest(texts)] = admitted.reason
        items = [item for item in wanted if digest(item[0]) not in refused]
        found = iter(self.scored.run(items))
        return [
            (0.0, {"Feedback": refused[digest(texts)], "scores": {"score": 0.0}})
            if digest(texts) in refused
            else self._told(batch, next(found))
            for texts, batch in wanted
        ]

    def config(self) -> Any:
        """Return the settings of GEPA's parts."""
        from gepa import optimize_anything as parts

        policy, spec = self._bench.search.policy, self._bench.search.reflection
        options, train = policy.options, self._bench.search.tuning.train
        assert spec is not None
        reflection = Reflection(self._bench, spec)

        def ask(prompt: str | Sequence[Mapping[str, Any]]) -> str:
            asked = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
            return reflection.ask(
                [Message(role=Role(m["role"]), content=str(m["content"])) for m in asked]
            )

        refinements = options.get("max_refinements")
        size = 1 if self._mode == SINGLE_TASK else policy.reflection_minibatch_size
        return parts.GEPAConfig(
            engine=parts.EngineConfig(
                seed=policy.seed,
                raise_on_exception=True,
                track_best_outputs=False,
                candidate_selection_strategy=policy.candidate_selection_strategy,
                frontier_type=policy.frontier_type,
                acceptance_criterion=policy.acceptance,
                parallel=False,
            ),
            reflection=parts.ReflectionConfig(
                reflection_lm=ask,
                skip_perfect_score=policy.skip_perfect_score,
                perfect_score=1.0,
                reflection_minibatch_size=min(size, len(train)),
                module_selector=policy.component_selector,
            ),
            merge=parts.MergeConfig(max_merge_invocations=policy.max_merge_invocations)
            if policy.use_merge
            else None,
            refiner=parts.RefinerConfig(max_refinements=refinements) if refinements else None,
            tracking=parts.TrackingConfig(logger=_Silence()),
            stop_callbacks=[self.rounds.should_stop],
            callbacks=[self.rounds],
        )

    def finish(self) -> None:
        """Record the best on train, where val was not what selected."""
        if self._mode == GENERALIZATION:
            return
        for texts in self.scored.best()[:FINALISTS]:
            try:
                keep(self._bench, texts, origin=Origin.REFLECTION, parents=self._parents)
            except BudgetReached:
                return

    def _texts(self, candidate: Mapping[str, Any]) -> dict[str, str]:
        # A refiner brings a prompt of its own along, and may leave something out.
        return {
            name: old if (new := candidate.get(name, old)) == old else like(old, str(new))
            for name, old in self._start.items()
        }

    def _batch(self, example: Any) -> tuple[Example, ...]:
        if self._mode == SINGLE_TASK:
            return self._bench.search.tuning.train
        return (self._examples[example],)

    def _see(self, key: str) -> None:
        self._bench.proposals += key not in self._seen
        self._seen.add(key)

    def _told(
        self, examples: Sequence[Example], trials: Sequence[Trial]
    ) -> tuple[float, dict[str, Any]]:
        mean = sum(trial.score.value for trial in trials) / len(trials)
        if self._mode != SINGLE_TASK:
            return mean, _side(examples[0], trials[0])
        worst = sorted(zip(examples, trials, strict=True), key=lambda pair: pair[1].score.value)
        told = [_side(example, trial) for example, trial in worst[:_WORST]]
        return mean, {"Examples": told, "scores": {"score": mean}}


def _side(example: Example, trial: Trial) -> dict[str, Any]:
    told: dict[str, Any] = {"Inputs": dict(example.inputs)}
    if trial.steps:
        told["Steps"] = [
            {"Prompt": step.prompt, "Inputs": dict(step.inputs), "Output": step.output}
            for step in trial.steps
        ]
    told |= {"Output": trial.output, "Feedback": trial.score.feedback}
    if trial.trace:
        told["Trace"] = trial.trace
    return told | {"scores": {"score": trial.score.value, **trial.score.parts}}


def _text(value: object) -> str | None:
    return None if value is None else value if isinstance(value, str) else json.dumps(value)


class _Silence:
    def log(self, message: str) -> None:
        """Drop a message."""
