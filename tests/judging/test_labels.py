from __future__ import annotations

import json
from typing import Any

import pytest

from gepa_ci.core.judging import Scale
from gepa_ci.errors import SuiteError
from gepa_ci.judging.labels import read_labels

SCALE = Scale()


def rows(*first: dict[str, Any], count: int = 12) -> bytes:
    rest = (
        {"inputs": {"q": f"{number}"}, "output": "text", "score": 1 + number % 5}
        for number in range(count - len(first))
    )
    return "".join(json.dumps(row) + "\n" for row in (*first, *rest)).encode()


def test_labels_are_read_with_what_their_example_has() -> None:
    full = {"id": "a", "inputs": "Why?", "output": "So.", "expected": None, "score": 2.5}

    first, second, *_ = read_labels("l.jsonl", rows(full), SCALE)

    assert first.score == 2.5
    assert first.output.example.inputs == {"input": "Why?"}
    assert (first.output.id, first.output.labelled) == ("a", True)
    assert (second.output.id, second.output.labelled) == ("line 2", False)


def test_a_table_has_columns_for_output_and_score() -> None:
    lines = [f"why {number},because {number},{number % 2}" for number in range(12)]
    content = "\n".join(["question,output,score", *lines]).encode()

    first, *_ = read_labels("l.csv", content, Scale(low=0.0, high=1.0))

    assert first.output.inputs == {"question": "why 0"}
    assert first.output.output == "because 0"
    assert first.score == 0.0


def test_shares_become_scores_of_the_scale() -> None:
    content = rows(
        *(
            {"inputs": {"q": f"{number}"}, "output": "t", "score": number / 11}
            for number in range(12)
        )
    )

    scores = [label.score for label in read_labels("l.jsonl", content, SCALE)]

    assert (scores[0], scores[-1]) == (1.0, 5.0)


GOOD = {"inputs": {"q": "?"}, "output": "t", "score": 3}
BAD: dict[str, tuple[bytes, str]] = {
    "key": (rows({**GOOD, "rating": 3}), "unknown key 'rating' in a labelled output"),
    "inputs": (rows({**GOOD, "inputs": {}}), "the row has no 'inputs'"),
    "output": (rows({**GOOD, "output": 3}), "the row has no 'output'"),
    "score": (rows({**GOOD, "score": True}), "the row has no 'score'"),
    "scale": (rows({**GOOD, "score": 7}), "the score '7' is not within 1 to 5"),
    "few": (rows(count=11), "there are 11 labelled outputs, and at least 12 are needed"),
    "equal": (rows(*[GOOD] * 12), "all human scores are the same"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_wrong_labels_are_suite_errors(content: bytes, message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        read_labels("l.jsonl", content, SCALE)


def test_a_cell_that_is_no_number_is_no_score() -> None:
    lines = [f"why {number},because,good" for number in range(12)]
    content = "\n".join(["question,output,score", *lines]).encode()

    with pytest.raises(SuiteError, match="the row has no 'score'"):
        read_labels("l.csv", content, SCALE)
