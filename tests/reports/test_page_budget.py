from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_text import Page
from report_samples import gate_three_tasks, promote

from gepa_ci.reports import result_document
from gepa_ci.reports.page import MAX_BYTES, render_page
from gepa_ci.reports.page.budget import LONGEST, common_length, cost, cut, element_text
from gepa_ci.reports.page.room import Room

SMALL = 150_000
LETTERS = ("a", "&", "\u202e", "\U000e0041", "\u00e9", "ab \n", '"', "\ud800")


def document_of(
    n: int,
    *,
    text: str,
    name: str = "mail",
    trials: int = 1,
    tags: int = 0,
    failure: str | None = None,
) -> dict[str, Any]:
    """Return a result of one task with examples that went all ways."""
    document: dict[str, Any] = {**result_document(promote(), texts=True)}
    task = {**document["tasks"][0]}
    task["examples"] = [
        {
            "id": f"{name}-{number}",
            "part": "held_out",
            "tags": [f"{name}-{tag}" for tag in range(tags)],
            "baseline": [float(number % 2)] * trials,
            "candidate": [float(number % 3 > 0)] * trials,
            "inputs": {name: text},
            "expected": text,
            "outputs": {
                "baseline": [f"{text}{k}" for k in range(trials)],
                "candidate": [f"{k}{text}" for k in range(trials)],
            },
            "feedback": {"baseline": [text] * trials, "candidate": [text] * trials},
            "failures": {"baseline": [None] * trials, "candidate": [failure] * trials},
        }
        for number in range(n)
    ]
    return {**document, "tasks": [task]}


@settings(max_examples=12)
@given(
    n=st.integers(0, 150),
    text=st.builds(lambda a, k: a * k, st.sampled_from(LETTERS), st.integers(0, 9_000)),
    name=st.builds(lambda a, k: a * k, st.sampled_from(LETTERS), st.integers(0, 400)),
    trials=st.integers(0, 4),
    tags=st.integers(0, 30),
)
def test_a_page_never_passes_its_limit_whatever_the_examples_are(
    n: int, text: str, name: str, trials: int, tags: int
) -> None:
    document = document_of(n, text=text, name=name, trials=trials, tags=tags, failure=text)

    page = render_page(document, most_bytes=SMALL)

    assert len(page.encode()) <= SMALL
    assert page.endswith("</html>\n")


def test_two_thousand_examples_with_long_texts_are_all_shown_in_three_megabytes() -> None:
    document = document_of(2_000, text="order & teapot, " * 80, trials=2, tags=2)

    start = time.process_time()
    page = render_page(document)
    seconds = time.process_time() - start

    assert 0.7 * MAX_BYTES < len(page.encode()) <= MAX_BYTES
    assert page.count("<tbody data-is=") == 2_000
    assert re.search(r"… [\d,]+ more characters are in result\.json\.", page)
    assert seconds < 15


def test_a_hundred_thousand_characters_are_shown_whole_where_there_is_room() -> None:
    page = render_page(document_of(1, text="x" * 100_000))

    assert re.sub("</?span[^>]*>", "", page).count("x" * 100_000) == 6
    assert "more character" not in page


def test_what_a_full_page_leaves_out_it_says() -> None:
    document = document_of(900, text="z" * 3_000, name="n" * 100)
    task = document["tasks"][0]
    search = task["optimization"]
    task["optimization"] = {
        **search,
        "edits": search["edits"] * 40,
        "candidates": [
            *search["candidates"],
            *({**search["candidates"][1], "number": k, "parents": [0]} for k in range(3, 90)),
        ],
    }
    task["changes"] = [
        {**task["changes"][0], "diff": "--- a\n+++ b\n@@\n" + "\n".join(["+new words"] * 9_000)}
    ]
    task["reasons"] = [f"Reason {k}." for k in range(80)]

    text = Page(render_page(document, most_bytes=SMALL)).text

    assert "most telling of 900 examples; result.json has all of them." in text
    assert re.search(r"\d+ more reasons left out here; result\.json has them\.", text)
    assert re.search(r"\d+ more edits left out here", text)
    assert re.search(r"\d+ more candidates left out here", text)
    assert re.search(r"[\d,]+ more lines of the diff left out here\.", text)
    assert "more characters are in result.json." in text


def test_names_that_take_more_than_was_thought_are_cut() -> None:
    page = render_page(document_of(40, text="x", name="&" * 400), most_bytes=SMALL)

    assert len(page.encode()) <= SMALL
    assert page.count("<tbody data-is=") == 40
    assert "&amp;…</bdi>" in page


def test_with_no_room_at_all_the_smallest_page_is_made() -> None:
    page = render_page(document_of(30, text="x" * 500), most_bytes=1)

    assert page.count("<tbody data-is=") == 20
    assert "xx" not in page


def test_diffs_that_fill_the_page_are_cut_shorter() -> None:
    document = document_of(1, text="x")
    change = document["tasks"][0]["changes"][0]
    diff = "--- a\n+++ b\n@@\n" + "\n".join(["+new words"] * 9_000)
    document["tasks"][0]["changes"] = [{**change, "diff": diff}] * 2

    page = render_page(document, most_bytes=SMALL)

    assert len(page.encode()) <= SMALL
    assert page.count("more lines of the diff left out here.") == 2


def test_tasks_that_do_not_fit_are_counted() -> None:
    document: dict[str, Any] = {**result_document(gate_three_tasks(), texts=True)}
    document["tasks"] = [
        {**document["tasks"][k % 3], "name": f"task {k}", "examples": []} for k in range(50)
    ]

    page = render_page(document, most_bytes=SMALL)

    assert len(page.encode()) <= SMALL
    assert re.search(r"\d+ more tasks left out here, as the page would be too large", page)


@given(st.lists(st.integers(0, 500)), st.integers(0, 5_000))
def test_the_common_length_fills_the_budget_and_never_passes_it(
    costs: list[int], budget: int
) -> None:
    length = common_length(costs, budget)

    assert sum(min(cost, length) for cost in costs) <= budget
    if any(cost > length for cost in costs):
        assert sum(min(cost, length + 1) for cost in costs) > budget


@given(st.lists(st.integers(0, 400)), st.lists(st.integers(0, 400)), st.integers(0, 5_000))
def test_texts_share_the_room_and_what_tells_most_gets_most(
    telling: list[int], other: list[int], room: int
) -> None:
    need = Room(
        markup=0,
        telling=tuple("x" * n for n in telling),
        other=tuple("y" * n for n in other),
    )

    lengths = need.lengths(room)

    taken = [
        sum(min(n, lengths.telling) for n in telling),
        sum(min(n, lengths.other) for n in other),
    ]
    assert sum(taken) <= room
    assert taken[0] >= min(sum(telling), int(0.7 * room) - len(telling))


@given(st.text("ab &<\n\u202e\u00e9"), st.integers(0, 100))
def test_a_cut_text_fits_and_tells_what_is_left_out(text: str, limit: int) -> None:
    shown = cut(text, limit)

    assert cost(shown.text) <= limit
    assert text.startswith(shown.text)
    assert shown.more == len(text) - len(shown.text)
    if cost(text) <= limit:
        assert shown.more == 0


def test_of_an_endless_text_only_the_beginning_is_looked_at() -> None:
    lines = ("x" * 99 + "\n") * (LONGEST // 100)

    assert cost(lines + "and 12") == LONGEST
    assert cut(lines + "and 12", 10**9).more >= 6


def test_a_text_is_cut_at_the_end_of_a_word_or_line() -> None:
    assert cut("one two three four five", 20).text == "one two three four"
    assert cut("one two three\nfour five", 16).text == "one two three"
    assert cut("x" * 30, 20).text == "x" * 20


def test_hidden_characters_and_markup_are_text_in_an_element() -> None:
    assert element_text('a\tb\n"<&>\x00\u202e\u05d0') == 'a\tb\n"&lt;&amp;&gt;\\u0000\\u202e\u05d0'


@pytest.mark.parametrize(
    "text", ["ab " * 3_000, "x" * 9_000, "e\u0301" * 3_000, "short\n" + "\u05d0 " * 4_000 + "\nend"]
)
def test_a_very_long_line_is_parted_into_blocks_and_loses_nothing(text: str) -> None:
    markup = element_text(text)
    parts = re.findall("<span class=run>(.*?)</span>", markup)

    assert re.sub("</?span[^>]*>", "", markup) == text
    assert len(parts) > 1
    assert all(len(part) <= 2_000 for part in parts)
    assert not any(part.startswith("\u0301") for part in parts)


@pytest.mark.parametrize("mark", ["\u0301", "\ufe0f", "\u200d", "x\u0301"])
def test_marks_without_end_are_parted_into_few_blocks(mark: str) -> None:
    markup = element_text(mark * 20_000)

    assert markup.count("<span class=run>") <= 130


def test_lines_of_usual_length_are_not_parted() -> None:
    assert (
        element_text("word " * 300 + "\n" + "word " * 300) == "word " * 300 + "\n" + "word " * 300
    )


def test_of_two_thousand_long_examples_every_row_is_there_and_many_have_texts() -> None:
    page = render_page(document_of(2_000, text="words of a text " * 40))

    assert len(page.encode()) <= MAX_BYTES
    assert page.count("<tbody data-is=") == 2_000
    assert page.count("<div class=opened>") >= 400
