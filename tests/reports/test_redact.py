from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import EMAIL, promote

from gepa_ci.reports import render, result_document
from gepa_ci.reports.diff import unified_diff
from gepa_ci.reports.redact import HIDDEN, MOST_WORDS, TOO_LONG, hide_runs, without_texts

WORDS = st.lists(st.text("abcdefghij", min_size=3, max_size=8), min_size=10, max_size=40)


@given(WORDS, st.data())
def test_no_ten_words_of_an_input_are_left_in_a_diff(words: list[str], data: st.DataObject) -> None:
    breaks = data.draw(st.lists(st.sampled_from([" ", "\n    "]), min_size=len(words) - 1))
    body = "".join(w + b for w, b in zip(words, [*breaks[: len(words) - 1], ""], strict=True))
    diff = unified_diff("p.yml", f"model: x\n  - {body}\n", f"model: y\n  - {body}\n")

    hidden = hide_runs(diff, [" ".join(words)]).replace(HIDDEN, "").split()
    runs = {tuple(words[i : i + 10]) for i in range(len(words) - 9)}

    assert not runs & {tuple(hidden[i : i + 10]) for i in range(len(hidden))}


def test_added_and_removed_lines_that_repeat_an_example_are_hidden() -> None:
    text = "where is my red bicycle with the number nine"
    diff = unified_diff("p.md", f"Hi\n-- {text}\n", f"Hi\n{text.upper()}\n")

    assert hide_runs(diff, [text]).split("\n")[3:] == [" Hi", f"-{HIDDEN}", f"+{HIDDEN}"]


def test_label_that_the_prompt_lists_stays_readable() -> None:
    diff = unified_diff("p.md", "", "Answer with: order status and shipping question\n")

    assert hide_runs(diff, [], ["order status and shipping question"]) == diff


def test_short_input_is_hidden_whole_but_three_words_are_not() -> None:
    diff = unified_diff("p.md", "", "where is my parcel\nmy parcel please\n")

    hidden = hide_runs(diff, ["Where is my parcel?", "my parcel please"])

    assert hidden.split("\n")[3:] == [f"+{HIDDEN}", "+my parcel please"]


def test_nested_inputs_are_found() -> None:
    document: dict[str, Any] = {
        "tasks": [
            {
                "examples": [{"inputs": {"turns": [{"text": "one two three four five"}, 3, None]}}],
                "changes": [{"path": "p", "diff": "--- a\n+++ b\n@@\n+one two three four five"}],
            }
        ]
    }

    assert HIDDEN in str(without_texts(document))


def test_wrong_shapes_are_left_for_the_reader_to_refuse() -> None:
    odd: dict[str, Any] = {"tasks": [{"examples": 3, "changes": [{"diff": 7}, 8]}, 4]}

    assert without_texts(odd) == odd
    assert without_texts({"tasks": "x"}) == {"tasks": "x"}
    assert without_texts({"tasks": [{"examples": [5], "changes": "y"}]}) == {
        "tasks": [{"examples": [5], "changes": "y"}]
    }


def test_edits_that_repeat_an_example_are_hidden_and_outputs_are_left_out() -> None:
    search: Any = {
        "best": 1,
        "edits": [
            {
                "component": "system",
                "added": ["Be kind.", "Say: the blue enamel teapot arrived without\nits lid."],
                "failures": [{"example": "e1", "score": 0, "feedback": "got a teapot"}],
            }
        ],
        "best_outputs": [{"example": "v1", "candidate": 1, "output": "secret"}],
    }
    example: Any = {"id": "h", "inputs": {"text": "The blue enamel teapot arrived without its lid"}}

    document: Any = without_texts({"tasks": [{"examples": [example], "optimization": search}]})
    found = document["tasks"][0]["optimization"]

    edit = found["edits"][0]
    assert edit["added"] == ["Be kind.", HIDDEN]
    assert edit["failures"] == [{"example": "e1", "score": 0, "feedback": "got a teapot"}]
    assert found["best_outputs"] == []
    assert found["best"] == 1


def test_words_of_hostile_changes_are_searched_up_to_a_limit_and_the_rest_is_left_out() -> None:
    line = "<a" * 5_000
    changes: list[Any] = [
        {"path": "p", "diff": f"--- a\n+++ b\n{f'+{line}{n}' * 60}"} for n in range(9)
    ]
    changes += [{"path": "q", "diff": "--- a\n+++ b\n" + f"+{line}{n}\n" * 60} for n in range(60)]
    example: Any = {"inputs": {"text": "a a a a a b c d"}, "expected": "x"}

    found: Any = without_texts({"tasks": [{"examples": [example], "changes": changes}]})

    diffs = [change["diff"] for change in found["tasks"][0]["changes"]]
    assert sum(diff.count("a") for diff in diffs) < 2 * MOST_WORDS
    assert diffs[0] == f"--- a\n+++ b\n{TOO_LONG}"
    assert diffs[-1].endswith(f"\n{TOO_LONG}")


def test_edit_that_was_not_searched_is_not_shown() -> None:
    texts = [f"{n} " + "word " * (MOST_WORDS // 2) for n in range(3)]
    search: Any = {"edits": [{"added": texts}]}
    example: Any = {"inputs": {"text": "one two three four"}, "expected": ""}

    document: Any = without_texts({"tasks": [{"examples": [example], "optimization": search}]})

    added = document["tasks"][0]["optimization"]["edits"][0]["added"]
    assert [text == HIDDEN for text in added] == [False, True, True]


def test_changes_of_a_result_without_texts_are_left_as_they_are() -> None:
    diff = "--- a\n+++ b\n+" + "word " * (MOST_WORDS + 1)
    task: Any = {"examples": [{"id": "e"}], "changes": [{"path": "p", "diff": diff}]}

    assert without_texts({"tasks": [task]}) == {"tasks": [task]}


@pytest.mark.parametrize("place", ["texts", "edits", "rejections", "stop_reason"])
def test_nothing_that_a_search_tells_repeats_a_measured_example(place: str) -> None:
    document: Any = json.loads(render(result_document(promote(), texts=True), "json"))
    search = document["tasks"][0]["optimization"]
    planted = f"Learn this: {EMAIL.format(number=1007)}"
    match place:
        case "texts":
            search["candidates"][1]["texts"]["system"] += f"\n{planted}"
        case "edits":
            search["candidates"][1]["edits"][0]["added"] = [planted]
        case "rejections":
            search["rejections"][0]["text"] = planted
        case _:
            search["stop_reason"] = planted

    assert "teapot" in json.dumps(search)
    assert "teapot" not in json.dumps(without_texts(document))
