"""Owns all that an optimizer may do with candidates, whichever optimizer it is.

Candidates are admitted before they cost a call, scored within the budget, kept in the journal and
recorded with their val scores; what comes out is the best of the records.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from gepa_ci.core.digests import digest
from gepa_ci.core.optimization import CandidateRecord, Optimization, Origin, Rejection
from gepa_ci.core.prompt import ComponentKind
from gepa_ci.errors import SpendError
from gepa_ci.evaluate import Job
from gepa_ci.formats import render
from gepa_ci.optimizers.admission import Refusal
from gepa_ci.optimizers.budget import MetricCalls
from gepa_ci.optimizers.lineage import Lineage, surviving
from gepa_ci.optimizers.objectives import Objectives, best_of
from gepa_ci.optimizers.stoppers import Stoppers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.call import Call
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.score import Trial
    from gepa_ci.core.suite import Example
    from gepa_ci.optimizers.search import Search


class FailedSearch(BaseException):
    """Carries an error of ours through a library that catches `Exception`."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Workbench:
    """The candidates of one search; safe to use from many threads."""

    def __init__(self, search: Search) -> None:
        """Start with no candidate and the whole budget."""
        self.search = search
        self.calls = MetricCalls(search.budget.metric_calls)
        self.records: list[CandidateRecord] = []
        self.rejections: list[Rejection] = []
        self.proposals = 0
        self.shortened: CandidateRecord | None = None
        """The best candidate without what it does not need, where something could go."""
        self.lineage = Lineage(search.journal)
        self.objectives = Objectives(search.policy.objectives)
        self.stoppers = Stoppers(search)
        self._evaluator = self.objectives.measuring(search.evaluator)
        self._started, self._before = time.perf_counter(), search.spent()
        self._admitted: dict[str, Prompts | Refusal] = {}
        self._counted: set[tuple[str, str]] = set()
        self._lock = threading.Lock()
        self._train = {example.id: example for example in search.tuning.train}
        self._asks_demos = len(search.prompt.files) == 1 and any(
            component.kind is ComponentKind.DEMOS for component in search.prompt.components
        )

    # Candidates

    @property
    def baseline(self) -> dict[str, str]:
        """Return the texts of the components that may change, as they are."""
        return {name: self.search.prompt.component(name).text for name in self.search.components}

    @property
    def start(self) -> dict[str, str]:
        """Return the texts that a search starts from: the best so far, or the baseline."""
        best = self.best
        return self.baseline if best is None else dict(best.texts)

    def admit(self, texts: Mapping[str, str]) -> Prompts | Refusal:
        """Return the prompt files that a candidate would be, or why it may not cost a call."""
        key = digest(dict(texts))
        with self._lock:
            known = self._admitted.get(key)
        if known is not None:
            return known
        found = self.search.admission.check(texts)
        with self._lock:
            if key not in self._admitted:
                self._admitted[key] = found
                if isinstance(found, Refusal):
                    self.rejections.append(
                        Rejection(reason=found.reason, component=found.component, text=found.text)
                    )
            return self._admitted[key]

    def prompt(self, texts: Mapping[str, str]) -> Prompts:
        """Return the prompt files of a candidate that is known to be admitted."""
        admitted = self.admit(texts)
        assert not isinstance(admitted, Refusal), admitted.reason
        return admitted

    # Scores

    def trials(
        self, items: Sequence[tuple[Mapping[str, str], Sequence[Example]]], *, number: int = 0
    ) -> list[list[Trial]]:
        """Score candidates on train or val examples, all at once.

        What was scored before in this search is not run again and costs no metric call; trials of
        another number are independent of it.

        Raises:
            BudgetReached: the budget has no room for all of it; nothing was run.
            Enough: the search may cost no more; nothing was run.
            FailedSearch: a call or the user's code failed.
        """
        wanted = [
            (self.prompt(texts), example) for texts, examples in items for example in examples
        ]
        self._count({(_key(prompt, number), example.id) for prompt, example in wanted})
        journal, measures = self.search.journal, self.objectives.measures
        jobs = {
            (prompt.digest, example.id): Job(
                prompt=prompt, example=example, trial=number, guards=measures
            )
            for prompt, example in wanted
            if journal.rollout(_key(prompt, number), example.id) is None
        }
        if jobs:
            self.stoppers.check()
        try:
            self._evaluator.run(
                list(jobs.values()),
                on_done=lambda job, trial: journal.add_rollout(_key(job.prompt, number), trial),
                patience=self.search.patience or 0.0,
            )
            found = [self._trial(prompt, example, number) for prompt, example in wanted]
            self.objectives.learn(found)
        except Exception as error:
            raise FailedSearch(error) from error
        rest = iter(found)
        return [[next(rest) for _ in examples] for _, examples in items]

    def _count(self, wanted: set[tuple[str, str]]) -> None:
        # Counted by what this search has asked, whatever the journal of a killed one holds: a run
        # that is started again must spend its budget in the same places.
        with self._lock:
            fresh = wanted - self._counted
            self.calls.take(len(fresh))
            self._counted |= fresh

    def _trial(self, prompt: Prompts, example: Example, number: int) -> Trial:
        trial = self.search.journal.rollout(_key(prompt, number), example.id)
        assert trial is not None
        if self._asks_demos and trial.score.value >= 1.0 and example.id in self._train:
            question = render(prompt.files[0], example.inputs).messages[-1].content
            self.search.admission.earned.add((question, trial.output))
        return trial

    def record(
        self,
        texts: Mapping[str, str],
        *,
        origin: Origin,
        parents: Sequence[int] = (),
        examples: Sequence[str] = (),
    ) -> CandidateRecord:
        """Score a candidate on all of val, and add it to the records.

        Raises:
            BudgetReached: the budget has no room for it.
            FailedSearch: a call or the user's code failed.
        """
        val = self.search.tuning.val
        (trials,) = self.trials([(texts, val)])
        number = len(self.records)
        parent = self.records[parents[0]] if parents else None
        record = CandidateRecord(
            number=number,
            origin=origin if self.records else Origin.BASELINE,
            parents=tuple(parents),
            texts=dict(texts),
            val_scores={
                example.id: trial.score.value for example, trial in zip(val, trials, strict=True)
            },
            examples=tuple(examples),
            objectives=self.objectives.means(trials),
            metric_calls=self.calls.used,
            edits=()
            if parent is None
            else self.lineage.edits(number, texts, parent, self.prompt(parent.texts), examples),
            outputs={t.example_id: t.output for t in trials}
            if self.search.policy.track_best_outputs
            else {},
        )
        self.records.append(record)
        if self.search.on_candidate is not None:
            self.search.on_candidate(record, self.calls)
        return record

    def recorded(self, texts: Mapping[str, str]) -> CandidateRecord | None:
        """Return the record of a candidate that has been scored on val."""
        wanted = dict(texts)
        return next((record for record in self.records if record.texts == wanted), None)

    @property
    def accepted(self) -> int:
        """Return how many candidates besides the baseline reached val."""
        return max(0, len(self.records) - 1)

    @property
    def best(self) -> CandidateRecord | None:
        """Return the best record on val, of equals the shortest; None before the baseline's."""
        return best_of(self.records)

    @property
    def chosen(self) -> CandidateRecord | None:
        """Return the record that is the result: the best by all objectives, as short as it gets."""
        return self.shortened or self.objectives.choice(self.records)

    # The reflection LM

    def ask(self, call: Call) -> str:
        """Return the reflection LM's answer, from the journal where it was asked before.

        Raises:
            FailedSearch: the call failed.
        """
        self.stoppers.check()
        try:
            return self.search.ask(call)
        except Exception as error:
            raise FailedSearch(error) from error

    # The end

    @property
    def budget_reason(self) -> str:
        """Return why there is no budget for another step, as a finished sentence."""
        if self.search.budget.warning is not None and not self.accepted:
            return self.search.budget.warning
        return (
            f"The budget is used: {self.calls.used} of {self.calls.limit} metric calls, and the "
            "next step would not fit."
        )

    def result(
        self, *, optimizer: str, proposer: str, reason: str, interrupted: bool = False
    ) -> Optimization:
        """Return what the search has found."""
        best = self.chosen
        return Optimization(
            optimizer=optimizer,
            proposer=proposer,
            candidate=self.search.prompt if best is None else self.prompt(best.texts),
            best=0 if best is None else best.number,
            candidates=tuple(self.records),
            rejections=tuple(self.rejections),
            metric_calls=self.calls.used,
            budget=self.calls.limit,
            proposals=self.proposals,
            stop_reason=reason,
            seed=self.search.policy.seed,
            choice=self.search.choice,
            edits=() if best is None else surviving(self.records, best),
            interrupted=interrupted,
            usage=self.search.spent() - self._before,
            seconds=time.perf_counter() - self._started,
        )


def _key(prompt: Prompts, number: int) -> str:
    return f"{prompt.digest}#{number}" if number else prompt.digest


def spend_reason(failed: FailedSearch) -> str:
    """Return why a cap ended a search, as a finished sentence.

    Raises:
        GepaCiError: the search failed for another reason; it has no result then.
    """
    if not isinstance(failed.error, SpendError):
        raise failed.error from failed
    said = failed.error.problems[0].message
    kept = "what the proof on held-out examples costs was kept back"
    return f"{said[0].upper()}{said[1:]}; {kept}."
