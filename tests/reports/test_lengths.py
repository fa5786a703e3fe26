"""Tests of gepa_ci.reports.lengths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gepa_ci.reports.lengths import length


@pytest.mark.parametrize(
    ("text", "sentences"),
    [("", 0), (" \n ", 0), ("One", 1), ("One. Two", 2), ("One.\n\nTwo?  ", 2), ("e.g.this", 1)],
)
def test_sentences_end_with_their_mark_or_their_line(text: str, sentences: int) -> None:
    assert length(text) == {"characters": len(text), "sentences": sentences}


@given(st.text(alphabet="a.!? \n\t", max_size=40))
def test_there_is_a_sentence_a_line_at_least_and_a_word_at_most(text: str) -> None:
    lines = [line for line in text.split("\n") if line.strip()]

    assert len(lines) <= int(str(length(text)["sentences"])) <= len(text.split())
