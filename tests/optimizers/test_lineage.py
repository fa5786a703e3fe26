"""Tests of gepa_ci.optimizers.lineage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fakes import prompt

from gepa_ci.core.optimization import CandidateRecord, Failure, Origin
from gepa_ci.core.score import Score, Trial
from gepa_ci.optimizers.journal import Journal
from gepa_ci.optimizers.lineage import Lineage, surviving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.optimization import Edit


@dataclass
class Family:
    """Candidates of one component, and the scores of train examples under each."""

    records: list[CandidateRecord] = field(default_factory=list)
    journal: Journal = field(default_factory=lambda: Journal(None))

    def __post_init__(self) -> None:
        self.lineage = Lineage(self.journal)

    def add(
        self,
        text: str,
        *parents: int,
        examples: Sequence[str] = (),
        scores: dict[str, float] | None = None,
    ) -> CandidateRecord:
        """Add a candidate, with what it scores on train examples."""
        number, texts = len(self.records), {"system": text}
        for name, score in (scores or {}).items():
            self.journal.add_rollout(
                prompt(text).digest,
                Trial(
                    example_id=name,
                    number=0,
                    output="",
                    score=Score(value=score, feedback=f"{name} " * 101),
                ),
            )
        edits: tuple[Edit, ...] = ()
        if parents:
            parent = self.records[parents[0]]
            before = prompt(parent.texts["system"])
            edits = self.lineage.edits(number, texts, parent, before, examples)
        origin = Origin.REFLECTION if parents else Origin.BASELINE
        self.records.append(
            CandidateRecord(number=number, origin=origin, parents=parents, texts=texts, edits=edits)
        )
        return self.records[-1]


def names(edit: Edit) -> list[str]:
    return [failure.example_id for failure in edit.failures]


def test_an_edit_names_the_failures_of_its_parent_and_not_the_successes() -> None:
    family = Family()
    family.add("Sort.", scores={"t1": 0.0, "t2": 1.0, "t3": 0.5})

    (edit,) = family.add("Sort. Be kind.", 0, examples=("t1", "t2", "t3", "t9")).edits

    assert (edit.component, edit.removed, edit.added) == ("system", (), ("Be kind.",))
    assert names(edit) == ["t1", "t3"]
    assert edit.failures[0] == Failure(
        example_id="t1", score=0.0, feedback=f"{('t1 ' * 101)[:299]}…"
    )


def test_proposals_that_were_put_together_keep_their_failures_apart() -> None:
    family = Family()
    family.add("One. Two. Three.", scores={"t1": 0.0, "t2": 0.0})
    parent = {"system": "One. Two. Three."}
    family.lineage.proposed(parent, {"system": "Once. Two. Three."}, ("t1",))
    family.lineage.proposed(parent, {"system": "One. Two. Thrice."}, ("t2",))

    first, second = family.add("Once. Two. Thrice.", 0, examples=("t1", "t2")).edits

    assert (first.removed, first.added, names(first)) == (("One.",), ("Once.",), ["t1"])
    assert (second.removed, second.added, names(second)) == (("Three.",), ("Thrice.",), ["t2"])


def test_what_survives_is_traced_to_the_candidate_that_brought_it() -> None:
    family = Family()
    family.add("Ah.", scores={"t1": 0.0})
    family.add("Ah. Be. Useless.", 0, examples=("t1",), scores={"t2": 0.0})
    family.add("Ah. Be. Useless. See.", 1, examples=("t2",))
    family.add("Ah. Do.", 0, examples=("t1",))
    merged = family.add("Ah. Be. Useless. See. Do.", 2, 3)
    best = family.add("Ah. Be. See. Do.", merged.number)

    found = surviving(family.records, best)

    assert [(e.candidate, e.added, names(e)) for e in found] == [
        (1, ("Be.",), ["t1"]),
        (2, ("See.",), ["t2"]),
        (3, ("Do.",), ["t1"]),
    ]


def test_what_was_taken_away_is_traced_as_well() -> None:
    family = Family()
    family.add("Ah. Gone. Zoo.")
    family.add("Ah. Zoo.", 0)

    (edit,) = surviving(family.records, family.records[1])

    assert (edit.removed, edit.added, edit.candidate, edit.failures) == (("Gone.",), (), 1, ())


def test_the_baseline_has_no_edits_and_a_gap_in_the_line_ends_it() -> None:
    family = Family()
    family.add("Ah.")
    orphan = CandidateRecord(
        number=1, origin=Origin.MERGE, parents=(7, 0), texts={"system": "Ah. Be."}
    )

    assert surviving(family.records, family.records[0]) == ()
    assert surviving([*family.records, orphan], orphan) == ()
