"""Tests of how lines of a prompt are counted for a suggested change."""

from __future__ import annotations

import pytest

from gepa_ci.cli.action.suggesting import Block, changed_block, is_shown
from gepa_ci.core.result import PromptChange


def change(before: str, after: str) -> PromptChange:
    return PromptChange(path="p.md", before=before, after=after)


@pytest.mark.parametrize("odd", ["\u2028", "\x0c", "\x85", "\x1c"])
def test_only_line_feeds_are_counted_as_github_counts_them(odd: str) -> None:
    found = changed_block(change(f"a{odd}b\nc\n", f"a{odd}b\nC\n"))

    assert found == Block(start=2, end=2, text="C")


@pytest.mark.parametrize(("before", "after"), [("a\nb", "a\nc\n"), ("a\nb\n", "a\nc")])
def test_a_file_whose_end_changes_is_not_a_suggestion(before: str, after: str) -> None:
    assert changed_block(change(before, after)) is None


def test_a_line_of_a_prompt_that_looks_like_a_hunk_shows_nothing() -> None:
    patch = "@@ -1,1 +1,1 @@\n-x\n+@@ -1,99 +1,99 @@\n"

    assert not is_shown(Block(start=9, end=9, text="a"), patch)
