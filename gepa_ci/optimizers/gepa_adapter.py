"""Owns what GEPA calls: evaluation, proposals, stopping, and the record of candidates."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from gepa_ci.core.digests import digest
from gepa_ci.core.optimization import CandidateRecord, Origin, Rejection
from gepa_ci.core.prompt import DEMOS
from gepa_ci.evaluate import Job
from gepa_ci.evaluate.pool import run_all
from gepa_ci.optimizers.admission import Refusal
from gepa_ci.optimizers.budget import MetricCalls
from gepa_ci.optimizers.combination import Combination
from gepa_ci.optimizers.proposers import Observation, Occasion
from gepa_ci.optimizers.rounds import RoundSize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.prompt import Prompt
    from gepa_ci.core.score import Trial
    from gepa_ci.core.suite import Example
    from gepa_ci.optimizers.search import Search

# GEPA's merge draws an ancestor with its val score as the weight, and fails when all weights are 0.
# A power of two, so that it adds to scores of 0 and 1 without rounding.
_MERGE_FLOOR = 2.0**-30
# A search whose proposals are all refused makes no metric calls on children; it must end all the
# same, and long before it has paid for the parents' minibatches with the whole budget.
_FRUITLESS_ROUNDS = 20
_FEWEST_TOGETHER = 2


class FailedSearch(BaseException):
    """Carries an error of ours through a library that catches `Exception`."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Adapter:
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
        self._combined: set[str] = set()
        self._asked: Counter[str] = Counter()
        self.merges = search.policy.use_merge and len(search.components) > 1
        self._since_best = 0
        self._fruitful = True
        self._fruitless = 0
        reflects = search.policy.proposer.value == "reflection"
        self.origin = Origin.REFLECTION if reflects else Origin.EXAMPLES

    @property
    def accepted(self) -> int:
        """Return how many candidates besides the baseline reached val."""
        return max(0, len(self.records) - 1)

    @property
    def budget_reason(self) -> str:
        """Return why there is no budget for another step, as a finished sentence."""
        if self._search.budget.warning is not None and not self.accepted:
            return self._search.budget.warning
        return (
            f"The budget is used: {self.calls.used} of {self.calls.limit} metric calls, and the "
            "next step would not fit."
        )

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
            raise FailedSearch(error) from error
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
    ) -> list[tuple[Any, Adapter]]:
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
            raise FailedSearch(error) from error
        self.proposals += len(jobs)
        self.rejections += [
            Rejection(reason=r.reason, component=r.component, text=r.text)
            for _, refusals in proposed
            for r in refusals
        ]
        self._fruitful = any(texts for texts, _ in proposed)
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

    def combine(
        self, parent: Mapping[str, str], children: Sequence[Mapping[str, str]]
    ) -> Mapping[str, str] | None:
        """Put proposals of one parent together, as many as are admitted in one candidate."""
        combination = Combination(parent)
        members: list[Mapping[str, str]] = []
        for child in children:
            wider = combination.added(child)
            if wider is not None and self._fits(wider.texts):
                combination = wider
                members.append(child)
        texts = combination.texts
        if len(members) < _FEWEST_TOGETHER or any(texts == child for child in members):
            return None
        ids = [i for child in members for i in self._sources.get(digest(dict(child)), ())]
        self._sources.setdefault(digest(texts), tuple(dict.fromkeys(ids)))
        self._combined.add(digest(texts))
        return texts

    def _fits(self, texts: Mapping[str, str]) -> bool:
        if DEMOS in texts and len(json.loads(texts[DEMOS])) > 2 * self._search.policy.max_demos:
            return False
        return not isinstance(self._search.admission.check(texts), Refusal)

    # Stopping and the record

    def should_stop(self, state: Any) -> bool:
        """Say at the top of a round whether to stop; the reason is kept in words."""
        del state
        self._fruitless = 0 if self._fruitful else self._fruitless + 1
        # A round whose minibatches are all perfect does not ask for proposals at all.
        self._fruitful = False
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
            self.stop_reason = self.budget_reason
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
        if digest(texts) in self._combined:
            origin = Origin.COMBINATION
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
