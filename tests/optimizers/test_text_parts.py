"""Tests of gepa_ci.optimizers.text_parts and gepa_ci.optimizers.edits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gepa_ci.core.config import Prune
from gepa_ci.core.prompt import DEMOS
from gepa_ci.optimizers.edits import sentences
from gepa_ci.optimizers.text_parts import parts_of, without

texts = st.lists(st.sampled_from(["A b c.", "D e.", "F!", "\n- g h", "\n\nI j k l."]), max_size=8)


def undone(before: str, after: str, mode: Prune = Prune.ADDED) -> str:
    """Undo everything at once."""
    return without("system", after, parts_of("system", before, after, mode))


@given(before=texts, after=texts)
def test_with_everything_undone_a_text_says_what_it_said_before(
    before: list[str], after: list[str]
) -> None:
    old, new = (" ".join(lines).strip() for lines in (before, after))

    assert undone(old, new).split() == old.split()


@given(before=texts, after=texts)
def test_the_shortest_text_has_nothing_left(before: list[str], after: list[str]) -> None:
    new = " ".join(after).strip()
    parts = [
        part if not part.units else part.otherwise
        for part in parts_of("system", " ".join(before).strip(), new, Prune.ALL)
    ]

    assert without("system", new, [part for part in parts if part is not None]) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Use e.g. a name. Go on.", ["Use e.g. a name.", " Go on."]),
        ("Rules: be kind. Stop.", ["Rules: be kind.", " Stop."]),
        ("1. Be kind.\n2. Stop.", ["1. Be kind.", "\n2. Stop."]),
        ("Say:\n```json\n{a. b}\n```\nStop.", ["Say:", "\n```json\n{a. b}\n```", "\nStop."]),
        ("Do it.or not. then stop.", ["Do it.or not. then stop."]),
    ],
    ids=["abbreviation", "colon", "number", "code", "small letter"],
)
def test_sentences_are_whole(text: str, expected: list[str]) -> None:
    assert sentences("system", text) == expected


def test_examples_are_never_cut_in_two() -> None:
    assert len(sentences(DEMOS, '[{"a":"x. y"},{"a":"z: q"}]')) == 2


def test_what_follows_begins_the_paragraph_that_what_goes_began() -> None:
    after = "One.\n\nTwo useless. Three.\n"

    assert undone("One.\n\nThree.\n", after) == "One.\n\nThree.\n"


def test_a_heading_goes_only_with_what_it_introduces() -> None:
    text = "Sort.\n\n## Care\n- one\n- two\n\n## Rest\n- three"
    heading, one, two, *_ = parts_of("system", "Sort.", text, Prune.ADDED)

    assert without("system", text, [heading, one]) == text.replace("\n- one", "")
    assert without("system", text, [heading, one, two]) == "Sort.\n\n## Rest\n- three"


def test_a_tag_is_never_half_of_a_pair() -> None:
    text = "Sort.\n<rules>\nBe kind.\n</rules>"

    assert undone("Sort.", text) == "Sort.\n<rules>\n</rules>"


def test_sentences_of_a_wholly_new_text_are_not_matched_one_by_one() -> None:
    old = " ".join(f"Old {n} x." for n in range(60))
    new = " ".join(f"New {n} y." for n in range(60))

    assert all(part.otherwise is None for part in parts_of("system", old, new, Prune.ADDED))
    assert undone(old, new) == old
