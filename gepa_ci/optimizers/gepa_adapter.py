"""Owns what GEPA calls: evaluation, proposals, stopping, and the record of candidates."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gepa_ci.core.config import Proposer
from gepa_ci.core.digests import digest
from gepa_ci.core.optimization import Origin
from gepa_ci.core.prompt import ComponentKind
from gepa_ci.evaluate.pool import run_all
from gepa_ci.optimizers.admission import Refusal
from gepa_ci.optimizers.combination import Combination
from gepa_ci.optimizers.lessons import lessons
from gepa_ci.optimizers.predictor_feedback import feedback_by_component
from gepa_ci.optimizers.proposers import Observation, Occasion
from gepa_ci.optimizers.rounds import RoundSize
from gepa_ci.optimizers.workbench import FailedSearch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.suite import Example
    from gepa_ci.optimizers.workbench import Workbench

# GEPA's merge draws an ancestor with its val score as the weight, and fails when all weights are 0.
# A power of two, so that it adds to scores of 0 and 1 without rounding.
_MERGE_FLOOR = 2.0**-30
_FEWEST_TOGETHER = 2
_ORIGINS = {
    Proposer.REFLECTION: Origin.REFLECTION,
    Proposer.EXAMPLES: Origin.EXAMPLES,
    Proposer.CODE: Origin.CODE,
}


class Adapter:
    """What GEPA calls: evaluation, proposals, stopping, and the record of candidates."""

    propose_new_texts = None

    def __init__(self, bench: Workbench) -> None:
        self._search = search = bench.search
        self.bench = bench
        self.size = RoundSize(
            calls=self.bench.calls,
            proposals=search.policy.proposals,
            minibatch=min(search.policy.reflection_minibatch_size, len(search.tuning.train)),
            val=len(search.tuning.val),
            lessons=lessons(bench),
        )
        self.stop_reason = "The search ended."
        self._sources: dict[str, tuple[str, ...]] = {}
        self._combined: set[str] = set()
        self._numbers: list[int] = []
        self._asked: Counter[str] = Counter()
        self.merges = search.policy.use_merge and len(search.components) > 1
        self._since_best = 0
        self._fruitful = True
        self._fruitless = 0
        self.origin = _ORIGINS[search.policy.proposer]

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
                objective_scores=[self.bench.objectives.of(trial) for trial in trials],
            )
            for trials in self.bench.trials(items)
        ]

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

        self.bench.stoppers.check()
        try:
            workers = self._search.evaluator.concurrency
            # The metric may have something to say of single predictors, and runs in a process.
            occasions = run_all(jobs, lambda job: self._occasion(*job), workers=workers)
            numbered = [(occasion, self._attempt(occasion)) for occasion in occasions]
            proposed = run_all(
                numbered,
                lambda item: self._propose(*item),
                workers=workers,
                patience=self._search.patience or 0.0,
            )
        except Exception as error:
            raise FailedSearch(error) from error
        self.bench.proposals += len(jobs)
        # A text that was proposed before may cost nothing at all, and for ever.
        self._fruitful = False
        for occasion, texts in zip(occasions, proposed, strict=True):
            if texts:
                ids = tuple(o.example.id for o in occasion.observations)
                child = {**occasion.texts, **texts}
                self._fruitful |= digest(child) not in self._sources
                self._sources.setdefault(digest(child), ids)
                self.bench.lineage.proposed(occasion.texts, child, ids)
        return [
            (ReflectionProposal(new_texts=texts, prompts={}, raw_lm_outputs={}), self)
            for texts in proposed
        ]

    def _occasion(
        self, candidate: dict[str, str], dataset: Mapping[str, Any], components: list[str]
    ) -> Occasion:
        examples = {example.id: example for example in self._search.tuning.train}
        trials = [row["trial"] for row in next(iter(dataset.values()))]
        return Occasion(
            texts=dict(candidate),
            components=tuple(components),
            observations=tuple(
                Observation(
                    example=examples[trial.example_id],
                    trial=trial,
                    feedback=feedback_by_component(
                        self._search.evaluator.metric,
                        examples[trial.example_id],
                        trial,
                        components,
                    ),
                )
                for trial in trials
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

    def _propose(self, occasion: Occasion, attempt: int) -> dict[str, str]:
        """Propose, and once more with the reason when the first text is not admitted."""
        refused = ""
        for _ in range(2):
            texts = self._search.proposer.propose(occasion, attempt=attempt, refused=refused)
            if texts is None:
                break
            admitted = self.bench.admit({**occasion.texts, **texts})
            if not isinstance(admitted, Refusal):
                return texts
            refused = admitted.reason
        return {}

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
        prompt, most = self._search.prompt, 2 * self._search.policy.max_demos
        if any(
            prompt.component(name).kind is ComponentKind.DEMOS and len(json.loads(text)) > most
            for name, text in texts.items()
        ):
            return False
        return not isinstance(self._search.admission.check(texts), Refusal)

    # Stopping and the record

    def should_stop(self, state: Any) -> bool:
        """Say at the top of a round whether to stop; the reason is kept in words."""
        del state
        bench, fruitful = self.bench, self._fruitful
        # A round whose minibatches are all perfect does not ask for proposals at all.
        self._fruitful = False
        reason = bench.stoppers.round(
            bench.best, accepted=bench.accepted, proposals=bench.proposals, fruitful=fruitful
        )
        if reason is None and self.size.affordable == 0:
            reason = bench.budget_reason
        if reason is None and bench.proposals >= self._search.budget.proposals:
            reason = f"The budget stands for {bench.proposals} proposals, and they were made."
        self.stop_reason = reason or self.stop_reason
        return reason is not None

    def sample_tasks(self, state: Any, selector: Any, sampler: Any, trainset: Any) -> list[Any]:
        """Return pairs of parent and minibatch: as many as the budget and the stoppers leave."""
        most = self._search.budget.proposals
        if (asked := self._search.policy.stop_after_proposals) is not None:
            most = min(most, asked)
        room = min(self.size.proposals, most - self.bench.proposals)
        size = replace(self.size, proposals=room)
        return size.sample_tasks(state, selector, sampler, trainset)

    def on_valset_evaluated(self, event: Mapping[str, Any]) -> None:
        """Keep a candidate's val scores."""
        texts = dict(event["candidate"])
        # The records may hold what an earlier optimizer of a chain has found.
        parents = tuple(self._numbers[int(p)] for p in event["parent_ids"] if p is not None)
        origin = Origin.MERGE if len(parents) > 1 else self.origin
        if digest(texts) in self._combined:
            origin = Origin.COMBINATION
        before = self.bench.best
        sources = self._sources.get(digest(texts), ())
        record = None if self._numbers else self.bench.recorded(texts)
        if record is None:
            record = self.bench.record(texts, origin=origin, parents=parents, examples=sources)
        assert len(self._numbers) == int(event["candidate_idx"])
        self._numbers.append(record.number)
        if before is None or (record.val_mean or 0.0) > (before.val_mean or 0.0):
            self.bench.stoppers.since_best = 0
