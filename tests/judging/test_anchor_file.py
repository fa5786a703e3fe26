from __future__ import annotations

import json
from typing import Any

import pytest

from gepa_ci.core.judging import Anchor, Anchors, JudgedOutput, Scale
from gepa_ci.errors import ConfigError
from gepa_ci.judging.anchor_file import read_anchors, write_anchors

SCALE = Scale()
ANCHORS = Anchors(
    path="a.jsonl",
    judge="abc",
    model="openai/x",
    at="2026-05-01T10:00:00+00:00",
    anchors=tuple(
        Anchor(
            output=JudgedOutput(
                inputs={"q": f"é {number}"},
                output="two\nlines",
                expected=None,
                labelled=number % 2 == 0,
                id=f"anchor on line {number + 1}",
                line=number + 1,
            ),
            scores=(1.0, 2.0, 4.0),
        )
        for number in range(12)
    ),
)


def changed(number: int = 3, **values: Any) -> bytes:
    rows = [json.loads(line) for line in write_anchors(ANCHORS).splitlines()]
    rows[number] = {
        key: value for key, value in (rows[number] | values).items() if value != "nothing"
    }
    return "\n".join(json.dumps(row) for row in rows).encode()


def test_what_is_written_is_read_again() -> None:
    text = write_anchors(ANCHORS)

    assert read_anchors("a.jsonl", f"{text}\n \n".encode(), SCALE) == ANCHORS
    assert json.loads(text.splitlines()[0])["score"] == 2.3333
    assert "é" in text


BAD: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "it is not valid JSON"),
    "a list": (b"[]", "the line is not an object"),
    "no output": (changed(output="nothing"), "it needs 'inputs', an object, and 'output'"),
    "no model": (changed(model="nothing"), "it needs 'judge', 'model' and 'at'"),
    "no samples": (changed(samples=[]), "it needs 'samples', a list of scores"),
    "text": (changed(samples=["1"]), "it needs 'samples'"),
    "off the scale": (changed(samples=[9]), r"its samples \[9\] are not within 1 to 5"),
    "two judges": (changed(judge="other"), "of several judges or rubrics"),
    "few": (b"\n".join(changed().splitlines()[:11]), "there are 11 anchors, and at least 12"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_a_file_that_is_none_of_ours_is_a_config_error(content: bytes, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_anchors("a.jsonl", content, SCALE)

    problem = caught.value.problems[0]
    assert problem.path == "a.jsonl"
    assert "--write-anchors" in str(problem.hint)
