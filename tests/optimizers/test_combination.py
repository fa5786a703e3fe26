"""Tests of gepa_ci.optimizers.combination."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gepa_ci.core.prompt import DEMOS
from gepa_ci.optimizers.combination import Combination
from gepa_ci.optimizers.proposers import demos_text
from gepa_ci.optimizers.rounds import Minibatches

PARENT = "You help. Be brief.\n\nRules:\n- one\n- two\n"
sentences = st.lists(
    st.text(alphabet="abc ", min_size=1, max_size=8).map(str.strip).filter(bool), max_size=6
)


def together(*children: str, parent: str = PARENT, name: str = "system") -> str | None:
    combination = Combination({name: parent})
    for child in children:
        wider = combination.added({name: child})
        if wider is None:
            return None
        combination = wider
    return combination.texts[name]


def test_additions_in_one_place_stand_in_the_order_of_the_children() -> None:
    assert (
        together("Sort it. Be kind.", "Sort it. Be short.", parent="Sort it.")
        == "Sort it. Be kind. Be short."
    )


def test_changes_of_different_sentences_are_both_made() -> None:
    found = together(PARENT.replace("brief", "terse"), PARENT.replace("- two", "- two\n- three"))

    assert found == "You help. Be terse.\n\nRules:\n- one\n- two\n- three\n"


def test_what_two_children_add_alike_is_added_once() -> None:
    assert together("Sort it. A. B.", "Sort it. C. B.", parent="Sort it.") == "Sort it. A. B. C."


@pytest.mark.parametrize(
    "other",
    [
        PARENT.replace("brief", "long"),
        "Something else. Wholly.\n",
        PARENT.replace("- two\n", "").replace("Be brief.\n\nRules:\n- one\n", ""),
    ],
    ids=["the same sentence", "all of it", "a span around it"],
)
def test_changes_that_meet_are_not_put_together(other: str) -> None:
    assert together(PARENT.replace("brief", "terse"), other) is None


def test_a_text_keeps_how_it_ends() -> None:
    assert together("A. B.\r\n", "A. C.\r\n", parent="A.\r\n") == "A. B. C.\r\n"


def test_examples_as_turns_are_put_together_pair_by_pair() -> None:
    first, second, third = ("q1", "a1"), ("q2", "a2"), ("q3", "a3")

    found = together(
        demos_text([first, second]),
        demos_text([first, third]),
        parent=demos_text([first]),
        name=DEMOS,
    )

    assert found == demos_text([first, second, third])


def test_components_are_put_together_each_for_itself() -> None:
    combination = Combination({"system": "A.", "user": "B."})
    first = combination.added({"system": "A. C.", "user": "B."})
    assert first is not None
    second = first.added({"system": "A.", "user": "B. D."})

    assert second is not None
    assert second.texts == {"system": "A. C.", "user": "B. D."}


@given(parent=sentences, child=sentences)
def test_one_child_alone_is_itself(parent: list[str], child: list[str]) -> None:
    before, after = ("\n".join(lines) for lines in (parent, child))

    found = together(after, parent=before)

    assert found is not None
    assert found.split() == after.split()


@given(parent=sentences, child=sentences)
def test_the_same_change_twice_is_one_change(parent: list[str], child: list[str]) -> None:
    before, after = ("\n".join(lines) for lines in (parent, child))

    assert together(after, after, parent=before) == together(after, parent=before)


class Loader:
    def __init__(self, count: int) -> None:
        self.count = count

    def all_ids(self) -> list[int]:
        return list(range(self.count))


@given(count=st.integers(1, 20), size=st.integers(1, 20), draws=st.integers(1, 30))
def test_minibatches_use_all_examples_equally_often(count: int, size: int, draws: int) -> None:
    size = min(size, count)
    sampler = Minibatches(size=size, seed=0)

    drawn = [sampler.next_minibatch_ids(Loader(count), None) for _ in range(draws)]

    assert all(len(set(batch)) == size for batch in drawn)
    seen = [sum(number in batch for batch in drawn) for number in range(count)]
    assert max(seen) - min(seen) <= 1
