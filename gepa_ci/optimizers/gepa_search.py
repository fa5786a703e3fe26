"""Owns the optimizer `gepa`: GEPA's search over the literal text of a prompt file.

The adapter is ours, so that the text that is scored is the text that is in the file. Budgets are
exact because a batch is refused before it is run; a run that stops for any reason keeps its best.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gepa_ci.core.digests import digest
from gepa_ci.core.optimization import CandidateRecord, Optimization, Origin, Rejection
from gepa_ci.errors import SpendError
from gepa_ci.evaluate import Evaluator, Job
from gepa_ci.evaluate.pool import run_all
from gepa_ci.optimizers.admission import Refusal
from gepa_ci.optimizers.budget import BudgetPlan, BudgetReached, MetricCalls
from gepa_ci.optimizers.proposers import Observation, Occasion
from gepa_ci.optimizers.rounds import AffordableSelection, RoundSize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gepa_ci.core.config import OptimizePolicy
    from gepa_ci.core.prompt import Prompt
    from gepa_ci.core.score import Trial
    from gepa_ci.core.spend import Usage
    from gepa_ci.core.suite import Example, TuningSet
    from gepa_ci.optimizers.admission import Admission
    from gepa_ci.optimizers.journal import Journal
    from gepa_ci.optimizers.proposers import Proposer

# GEPA's merge draws an ancestor with its val score as the weight, and fails when all weights are 0.
# A power of two, so that it adds to scores of 0 and 1 without rounding.
_MERGE_FLOOR = 2.0**-30
# A search whose proposals are all refused makes no metric calls on children; it must end all the
# same, and long before it has paid for the parents' minibatches with the whole budget.
_FRUITLESS_ROUNDS = 20


@dataclass(frozen=True, kw_only=True)
class Search:
    """All that a search needs; nothing in it can reach a held-out example."""

    prompt: Prompt
    """The baseline."""
    tuning: TuningSet
    policy: OptimizePolicy
    budget: BudgetPlan
    evaluator: Evaluator
    proposer: Proposer
    admission: Admission
    journal: Journal
    components: tuple[str, ...]
    """Names of the components that may change."""
    spent: Callable[[], Usage]
    """What the run has spent so far, for the report."""
    on_candidate: Callable[[CandidateRecord, MetricCalls], None] | None = None
    """Called after each val run, for progress."""


def optimize(search: Search) -> Optimization:
    """Run the search and return the best candidate on val, however the search ended.

    Raises:
        LMError: a model could not be called; a search that cannot ask has no result.
        MetricError: the user's metric failed.
    """
    started, before = time.perf_counter(), search.spent()
    adapter = _Adapter(search)
    reason = _run(search, adapter)
    records = adapter.records
    best = max(records, key=lambda r: (r.val_mean or 0.0, -r.number)) if records else None
    candidate = adapter.prompt(best.texts) if best is not None else search.prompt
    return Optimization(
        optimizer="gepa",
        proposer=adapter.origin.value,
        candidate=candidate,
        best=best.number if best is not None else 0,
        candidates=tuple(records),
        rejections=tuple(adapter.rejections),
        metric_calls=adapter.calls.used,
        budget=search.budget.metric_calls,
        proposals=adapter.proposals,
        stop_reason=reason,
        seed=search.policy.seed,
        usage=search.spent() - before,
        seconds=time.perf_counter() - started,
    )


def _run(search: Search, adapter: _Adapter) -> str:
    import gepa
    from gepa.strategies.proposal_selection import AllImprovements, BestImprovement

    policy = search.policy
    selections = {"all_improvements": AllImprovements, "best_improvement": BestImprovement}
    try:
        gepa.optimize(
            seed_candidate={name: search.prompt.component(name).text for name in search.components},
            trainset=_Loader(search.tuning.train, first=0),
            valset=_Loader(search.tuning.val, first=len(search.tuning.train)),
            adapter=adapter,
            reflection_strategy=adapter,
            candidate_selection_strategy=policy.candidate_selection_strategy,
            frontier_type=policy.frontier_type,
            skip_perfect_score=policy.skip_perfect_score,
            reflection_minibatch_size=adapter.size.minibatch,
            module_selector=policy.component_selector,
            use_merge=adapter.merges,
            max_merge_invocations=policy.max_merge_invocations,
            stop_callbacks=[adapter.should_stop],
            logger=_Silence(),
            callbacks=[adapter],
            track_best_outputs=False,
            cache_evaluation=False,
            seed=policy.seed,
            raise_on_exception=True,
            acceptance_criterion=policy.acceptance,
            sampling_strategy=adapter.size,
            selection_strategy=AffordableSelection(
                choice=selections[policy.selection_strategy](), size=adapter.size
            ),
        )
    except BudgetReached:
        return _budget_reason(search, adapter)
    except _Failed as failed:
        if isinstance(failed.error, SpendError):
            return (
                f"{failed.error.problems[0].message[0].upper()}"
                f"{failed.error.problems[0].message[1:]}; what the proof on held-out examples "
                "costs was kept back."
            )
        raise failed.error from failed
    return adapter.stop_reason


def _budget_reason(search: Search, adapter: _Adapter) -> str:
    if search.budget.warning is not None and not adapter.accepted:
        return search.budget.warning
    return (
        f"The budget is used: {adapter.calls.used} of {adapter.calls.limit} metric calls, and the "
        "next step would not fit."
    )


class _Failed(BaseException):
    """Carries an error of ours through a library that catches `Exception`."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class _Silence:
    """GEPA's log would print prompts and outputs on stdout."""

    def log(self, message: str) -> None:
        """Drop a message."""


class _Loader:
    """Examples under numbers that the two parts do not share: GEPA's own count from 0 in both.

    GEPA's merge draws from sets of ids, whose order changes from process to process for strings.
    """

    def __init__(self, examples: Sequence[Example], *, first: int) -> None:
        self._examples = dict(enumerate(examples, first))

    def all_ids(self) -> list[int]:
        """Return the numbers in suite order."""
        return list(self._examples)

    def fetch(self, ids: Sequence[int]) -> list[Example]:
        """Return the examples of some numbers."""
        return [self._examples[number] for number in ids]

    def __len__(self) -> int:
        return len(self._examples)


class _Adapter:
    """What GEPA calls: evaluation, proposals, stopping, and the record of candidates."""

    propose_new_texts = None

    def __init__(self, search: Search) -> None:
        self._search = search
        self.calls = MetricCalls(search.budget.metric_calls)
        self.size = RoundSize(
            calls=self.calls,
            proposals=search.policy.proposals,
            minibatch=min(search.policy.reflection_minibatch_size, len(search.tuning.train)),
            val=len(search.tuning.val),
        )
        self.records: list[CandidateRecord] = []
        self.rejections: list[Rejection] = []
        self.proposals = 0
        self.stop_reason = "The search ended."
        self._prompts: dict[str, Prompt] = {}
        self._sources: dict[str, tuple[str, ...]] = {}
        self._asked: Counter[str] = Counter()
        self.merges = search.policy.use_merge and len(search.components) > 1
        self._since_best = 0
        self._fruitless = 0
        reflects = search.policy.proposer.value == "reflection"
        self.origin = Origin.REFLECTION if reflects else Origin.EXAMPLES

    @property
    def accepted(self) -> int:
        """Return how many candidates besides the baseline reached val."""
        return max(0, len(self.records) - 1)

    # Evaluation

    def evaluate(
        self,
        batch: list[Example],
        candidate: dict[str, str],
        capture_traces: bool = False,  # noqa: FBT001, FBT002 - GEPA's protocol
    ) -> Any:
        """Score one candidate on a batch."""
        del capture_traces
        return self.batch_evaluate([(candidate, batch)])[0]

    def batch_evaluate(self, items: list[tuple[dict[str, str], list[Example]]]) -> list[Any]:
        """Score several candidates, each on its batch, all at once."""
        from gepa.core.adapter import EvaluationBatch

        floor = _MERGE_FLOOR if self.merges else 0.0
        return [
            EvaluationBatch(
                outputs=[trial.output for trial in trials],
                scores=[floor + trial.score.value for trial in trials],
                trajectories=trials,
                objective_scores=[{"score": t.score.value, **t.score.parts} for t in trials],
            )
            for trials in self._trials(items)
        ]

    def _trials(self, items: list[tuple[dict[str, str], list[Example]]]) -> list[list[Trial]]:
        journal = self._search.journal
        self.calls.take(sum(len(batch) for _, batch in items))
        wanted = [
            (self.prompt(candidate), example) for candidate, batch in items for example in batch
        ]
        jobs = {
            (prompt.digest, example.id): Job(prompt=prompt, example=example)
            for prompt, example in wanted
            if journal.rollout(prompt.digest, example.id) is None
        }
        try:
            self._search.evaluator.run(
                list(jobs.values()),
                on_done=lambda job, trial: journal.add_rollout(job.prompt.digest, trial),
            )
        except Exception as error:
            raise _Failed(error) from error
        found = iter([journal.rollout(prompt.digest, example.id) for prompt, example in wanted])
        return [[_known(next(found)) for _ in batch] for _, batch in items]

    def prompt(self, texts: Mapping[str, str]) -> Prompt:
        """Return the prompt file that a candidate would be."""
        key = digest(dict(texts))
        if key not in self._prompts:
            admitted = self._search.admission.check(texts)
            # Proposals were checked before they came here, and merges only recombine them.
            assert not isinstance(admitted, Refusal), admitted.reason
            self._prompts[key] = admitted
        return self._prompts[key]

    # Proposals

    def make_reflective_dataset(
        self, candidate: dict[str, str], evaluation: Any, components: list[str]
    ) -> dict[str, list[dict[str, Any]]]:
        """Hand the minibatch on; the proposer decides what to show of it."""
        del candidate
        rows = [{"trial": trial} for trial in evaluation.trajectories]
        return dict.fromkeys(components, rows)

    def reflect_many(
        self, jobs: list[tuple[dict[str, str], Mapping[str, Any], list[str]]]
    ) -> list[tuple[Any, _Adapter]]:
        """Make several proposals at once."""
        from gepa.proposer.reflective_mutation.reflection_lm import ReflectionProposal

        try:
            occasions = [self._occasion(*job) for job in jobs]
            numbered = [(occasion, self._attempt(occasion)) for occasion in occasions]
            proposed = run_all(
                numbered,
                lambda item: self._propose(*item),
                workers=self._search.evaluator.concurrency,
            )
        except Exception as error:
            raise _Failed(error) from error
        self.proposals += len(jobs)
        self.rejections += [
            Rejection(reason=r.reason, component=r.component, text=r.text)
            for _, refusals in proposed
            for r in refusals
        ]
        self._fruitless = 0 if any(texts for texts, _ in proposed) else self._fruitless + 1
        for occasion, (texts, _) in zip(occasions, proposed, strict=True):
            if texts:
                ids = tuple(o.example.id for o in occasion.observations)
                self._sources.setdefault(digest({**occasion.texts, **texts}), ids)
        return [
            (ReflectionProposal(new_texts=texts, prompts={}, raw_lm_outputs={}), self)
            for texts, _ in proposed
        ]

    def _occasion(
        self, candidate: dict[str, str], dataset: Mapping[str, Any], components: list[str]
    ) -> Occasion:
        examples = {example.id: example for example in self._search.tuning.train}
        rows = next(iter(dataset.values()))
        return Occasion(
            texts=dict(candidate),
            components=tuple(components),
            observations=tuple(
                Observation(example=examples[row["trial"].example_id], trial=row["trial"])
                for row in rows
            ),
        )

    def _attempt(self, occasion: Occasion) -> int:
        """Number equal occasions, so that the same question later is an independent call."""
        key = digest(
            {
                "texts": dict(occasion.texts),
                "components": list(occasion.components),
                "examples": [o.example.id for o in occasion.observations],
            }
        )
        self._asked[key] += 1
        return self._asked[key] - 1

    def _propose(self, occasion: Occasion, attempt: int) -> tuple[dict[str, str], list[Refusal]]:
        """Propose, and once more with the reason when the first text is not admitted."""
        refusals: list[Refusal] = []
        for _ in range(2):
            refused = refusals[-1].reason if refusals else ""
            texts = self._search.proposer.propose(occasion, attempt=attempt, refused=refused)
            if texts is None:
                break
            admitted = self._search.admission.check({**occasion.texts, **texts})
            if not isinstance(admitted, Refusal):
                return texts, refusals
            refusals.append(admitted)
        return {}, refusals

    # Stopping and the record

    def should_stop(self, state: Any) -> bool:
        """Say at the top of a round whether to stop; the reason is kept in words."""
        del state
        policy = self._search.policy
        best = max((r.val_mean or 0.0 for r in self.records), default=0.0)
        if best >= 1.0:
            who = "A candidate" if self.accepted else "The baseline"
            self.stop_reason = f"{who} has a perfect score on val."
        elif policy.stop_at_score is not None and best >= policy.stop_at_score:
            self.stop_reason = f"The best val score reached {best:.3f}, the score to stop at."
        elif (
            policy.stop_without_improvement is not None
            and self._since_best >= policy.stop_without_improvement
        ):
            rounds = policy.stop_without_improvement
            self.stop_reason = f"No better candidate was found in {rounds} rounds."
        elif self._fruitless >= _FRUITLESS_ROUNDS:
            self.stop_reason = f"{_FRUITLESS_ROUNDS} rounds in a row brought no proposal to try."
        elif self.size.affordable == 0:
            self.stop_reason = _budget_reason(self._search, self)
        else:
            self._since_best += 1
            return False
        return True

    def on_valset_evaluated(self, event: Mapping[str, Any]) -> None:
        """Keep a candidate's val scores."""
        number, texts = int(event["candidate_idx"]), dict(event["candidate"])
        parents = tuple(int(p) for p in event["parent_ids"] if p is not None)
        rollout, key = self._search.journal.rollout, self.prompt(texts).digest
        scores = {e.id: _known(rollout(key, e.id)).score.value for e in self._search.tuning.val}
        origin = Origin.MERGE if len(parents) > 1 else self.origin
        record = CandidateRecord(
            number=number,
            origin=Origin.BASELINE if number == 0 else origin,
            parents=parents,
            texts=texts,
            val_scores=scores,
            examples=self._sources.get(digest(texts), ()),
        )
        best = max((r.val_mean or 0.0 for r in self.records), default=-1.0)
        if (record.val_mean or 0.0) > best:
            self._since_best = 0
        self.records.append(record)
        if self._search.on_candidate is not None:
            self._search.on_candidate(record, self.calls)


def _known(trial: Trial | None) -> Trial:
    assert trial is not None
    return trial
