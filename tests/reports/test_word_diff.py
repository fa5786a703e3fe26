from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gepa_ci.reports.diff import unified_diff
from gepa_ci.reports.word_diff import changed_segments, without_carriage_returns, word_diff

LINES = st.lists(st.text("ab c.", max_size=8), max_size=3).map("\n".join)


def words_of(before: str, after: str) -> str:
    return word_diff(unified_diff("p", before, after))


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (
            "Give the order number.\n",
            "Give the order code.\n",
            "Give the order [-number-]{+code+}.",
        ),
        ("Be very brief.\n", "Be brief.\n", "Be[- very-] brief."),
        ("a b c d e\n", "a X Y d e\n", "a [-b c-]{+X Y+} d e"),
        ("One.\n", "One.\nTwo.\n", "One.\n{+Two.+}"),
        ("One.\nTwo.\n", "One.\n", "One.\n[-Two.-]"),
        (
            "Tell the name.\n",
            "{'json': 1}\n\nNull!\n",
            "[-Tell the name.-]\n{+{'json': 1}+}\n\n{+Null!+}",
        ),
        ("Say it", "Say it now", "Say it{+ now+}"),
        ("a\nb one\nc\n", "a\nb two\nc\n", "a\nb [-one-]{+two+}\nc"),
        ("same\n", "same\n", ""),
    ],
)
def test_words_that_changed_are_marked(before: str, after: str, shown: str) -> None:
    assert words_of(before, after) == shown


def test_places_far_apart_are_parted_by_dots() -> None:
    before = "\n".join(str(n) for n in range(40))
    after = before.replace("\n3\n", "\n3 new\n").replace("\n30\n", "\n30 new\n")

    assert words_of(before, after).count("\n…\n") == 1


def test_very_long_lines_are_told_one_after_the_other() -> None:
    before, after = "a " * 3_000, "a " * 2_999 + "b "

    assert words_of(before, after) == f"[-{before}-]\n{{+{after}+}}"


def test_runs_of_words_are_told_line_by_line() -> None:
    diff = unified_diff("p", "Say it.\nOnce.\n", "Say it all.\nOnce.\n")

    assert changed_segments(diff) == [
        [("same", "Say it"), ("added", " all"), ("same", ".")],
        [("same", "Once.")],
    ]


def test_carriage_returns_are_news_only_where_a_line_has_none() -> None:
    windows = unified_diff("p", "a\r\nb\r\n", "a\r\nc\r\n")
    mixed = unified_diff("p", "a\r\n", "a\n")

    assert "\r" not in without_carriage_returns(windows)
    assert without_carriage_returns(mixed) == mixed


@given(LINES, LINES)
def test_both_texts_can_be_read_out_of_it(before: str, after: str) -> None:
    shown = words_of(before, after)
    if before == after:
        assert shown == ""
        return
    old = re.sub(r"\{\+.*?\+\}", "", shown)
    new = re.sub(r"\[-.*?-\]", "", shown)

    def squeezed(text: str) -> str:
        return "".join(text.split())

    assert squeezed(old.replace("[-", "").replace("-]", "")) == squeezed(before)
    assert squeezed(new.replace("{+", "").replace("+}", "")) == squeezed(after)
