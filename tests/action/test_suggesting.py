from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gepa_ci.cli.action.suggesting import Block, changed_block, is_shown
from gepa_ci.core.result import PromptChange

LINES = st.lists(st.sampled_from("abc"), max_size=6)


def change(before: str, after: str) -> PromptChange:
    return PromptChange(path="p.md", before=before, after=after)


def applied(before: str, block: Block) -> list[str]:
    """Do what GitHub does with a suggestion."""
    lines = before.splitlines()
    return [*lines[: block.start - 1], *block.text.split("\n"), *lines[block.end :]]


@given(before=LINES, after=LINES)
def test_a_suggestion_that_is_applied_makes_the_new_text(
    before: list[str], after: list[str]
) -> None:
    old, new = "\n".join(before), "\n".join(after)
    block = changed_block(change(old, new))

    if block is not None:
        assert applied(old, block) == new.splitlines()
        assert 1 <= block.start <= block.end <= len(old.splitlines())


@pytest.mark.parametrize(
    ("before", "after", "block"),
    [
        ("a\nb\nc\n", "a\nB\nc\n", Block(start=2, end=2, text="B")),
        ("a\nb\nc\n", "A\nb\nC\n", Block(start=1, end=3, text="A\nb\nC")),
        ("a\nb\n", "a\nnew\nb\n", Block(start=1, end=1, text="a\nnew")),
        ("a\nb\n", "new\na\nb\n", Block(start=1, end=1, text="new\na")),
        ("a\nb\n", "a\nb\nnew\n", Block(start=2, end=2, text="b\nnew")),
        ("a\nb\nc\n", "a\nc\n", Block(start=1, end=2, text="a")),
        ("a\nb\nc\n", "b\nc\n", Block(start=1, end=2, text="b")),
    ],
    ids=["one", "two", "inserted", "first", "last", "removed", "first removed"],
)
def test_a_suggestion_replaces_the_lines_that_differ(before: str, after: str, block: Block) -> None:
    assert changed_block(change(before, after)) == block


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\n", "a\n"),
        ("", "new\n"),
        ("a\n", "\u202eevil\n"),
        ("a\ufffd\n", "b\n"),
        ("a\r\nb\r\n", "a\r\nc\r\n"),
        ("a\n", ""),
        ("a\n", "\n".join("b" * 61) + "\n"),
    ],
    ids=["same", "empty", "bidi", "not text", "line ends", "nothing left", "long"],
)
def test_what_a_suggestion_cannot_say_plainly_is_not_suggested(before: str, after: str) -> None:
    assert changed_block(change(before, after)) is None


@pytest.mark.parametrize(
    ("patch", "shown"),
    [
        ("@@ -1,3 +4,3 @@\n a\n-b\n+B\n c", True),
        ("@@ -1,3 +4,2 @@\n", False),
        ("@@ -5 +5 @@\n-b\n+B", False),
        ("@@ -1,1 +1,4 @@\n@@ -9,1 +4,3 @@\n", True),
        (None, False),
    ],
)
def test_a_suggestion_fits_only_lines_that_one_hunk_shows(
    patch: str | None, *, shown: bool
) -> None:
    assert is_shown(Block(start=4, end=6, text=""), patch) is shown
