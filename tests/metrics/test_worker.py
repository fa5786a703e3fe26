"""A worker's side, run within the test's own process."""

from __future__ import annotations

import decimal
import math
import sys
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest
from metric_examples import example

from gepa_ci.core.score import Score
from gepa_ci.metrics.views import ExampleView, PredictionView
from gepa_ci.metrics.worker import serve
from gepa_ci.workers.channel import Printed
from gepa_ci.workers.returned import NotAScoreError, read_score

DEFINE = "def quality(example, output):\n"


class Script:
    """A channel whose requests are known beforehand."""

    def __init__(self, *requests: dict[str, Any]) -> None:
        self._requests = deque({"nonce": "n", **request} for request in requests)
        self.answers: list[dict[str, Any]] = []

    def receive(self) -> dict[str, Any] | None:
        return self._requests.popleft() if self._requests else None

    def send(self, answer: dict[str, Any]) -> None:
        assert answer.pop("nonce") == "n"
        self.answers.append(answer)


def loading(source: str, *, path: str = "m.py") -> dict[str, Any]:
    return {
        "path": path,
        "file": f"/{path}",
        "source": source,
        "is_package": False,
        "function": "quality",
    }


def calling(output: str, *, is_dspy: bool = False) -> dict[str, Any]:
    given: dict[str, Any] = {"id": "a", "inputs": {}, "expected": None, "tags": [], "group": None}
    return {"example": given, "output": output, "is_dspy": is_dspy, "rest": 0}


def test_a_worker_loads_a_file_with_its_neighbours_and_answers_calls() -> None:
    source = (
        f"import near\n{DEFINE}    print(near.x)\n    if output == 'raise': [][0]\n"
        "    if output == 'none': return None\n    return 0.5\n"
    )
    channel = Script(
        loading(source),
        loading("x = 'caf\xc3\xa9'", path="near.py"),
        *map(calling, ("", "raise", "none")),
    )

    serve(channel, Printed())

    asked, loaded, scored, raised, none = channel.answers
    assert asked == {"neighbour": "near"}
    assert loaded["functions"] == ["quality"]
    assert scored["score"] == {"score": 0.5, "feedback": "", "parts": {}}
    assert (raised["raised"]["type"], raised["raised"]["line"]) == ("IndexError", 4)
    assert none["not_a_score"].startswith("None")


def test_a_worker_awaits_coroutines_and_gives_predictions() -> None:
    source = "async def quality(gold, pred):\n    return pred.n\n"
    channel = Script(loading(source), calling('{"n": 0.5}', is_dspy=True))

    serve(channel, Printed())

    assert channel.answers[1]["score"]["score"] == 0.5


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("def (", "invalid"),
        ("1 / 0", "failed"),
        ("import nowhere.deep", "failed"),
        ("", "function"),
    ],
)
def test_a_worker_tells_why_a_file_cannot_be_used(source: str, key: str) -> None:
    channel = Script(loading(source))

    serve(channel, Printed())

    assert key in channel.answers[-1] or channel.answers == [{"neighbour": "nowhere"}]


def test_modules_of_the_standard_library_are_not_asked_for() -> None:
    channel = Script(loading("import json.nothing"))

    serve(channel, Printed())

    (answer,) = channel.answers
    assert answer["failed"]["module"] == "json.nothing"


def test_a_callable_without_a_signature_is_told_without_parameters() -> None:
    channel = Script(loading("quality = type"))

    serve(channel, Printed())

    (answer,) = channel.answers
    assert answer["function"] == {"line": None, "shown": "quality", "parameters": None}


def test_an_error_outside_of_the_file_has_no_frames() -> None:
    channel = Script(loading("import math\nquality = math.dist\n"), calling(""))

    serve(channel, Printed())

    told = channel.answers[1]["raised"]
    assert (told["type"], told["frames"], told["line"]) == ("ValueError", "", None)


def test_what_is_told_of_an_error_is_short_and_does_not_fail_itself() -> None:
    source = "class Odd(Exception):\n    def __str__(self): raise self\n"
    source += f"{DEFINE}    if output: raise Odd\n    raise ValueError('x' * 5000)\n"
    channel = Script(loading(source), calling("odd"), calling(""))

    serve(channel, Printed())

    _, odd, long = channel.answers
    assert odd["raised"]["text"] == "<its text raised Odd>"
    assert long["raised"]["text"] == f"{'x' * 4000}... (1000 more characters)"


def test_what_stands_in_for_stdout_counts_what_it_leaves_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    printed = Printed()
    printed.redirect()

    sys.stdout.write("a\ud800")
    sys.stderr.buffer.write(b"b" * 70_000)

    assert sys.stdout.fileno() == 1
    assert printed.take() == f"a\\ud800{'b' * 65529}\n... (4471 more bytes were printed)\n"
    assert printed.take() == ""


@pytest.mark.parametrize(
    ("value", "score"),
    [
        (True, Score(value=1.0)),
        (decimal.Decimal("0.5"), Score(value=0.5)),
        ((0.5, "half"), Score(value=0.5, feedback="half")),
        ({"score": 0.5, "parts": {"a": 1}}, Score(value=0.5, parts={"a": 1.0})),
        (SimpleNamespace(score=1, feedback=None), Score(value=1.0)),
        (SimpleNamespace(shape=(), item=lambda: 0.5), Score(value=0.5)),
        (Score(value=0.5, feedback="half"), Score(value=0.5, feedback="half")),
    ],
)
def test_a_score_is_read_from_many_shapes(value: object, score: Score) -> None:
    assert read_score(value) == score


@pytest.mark.parametrize(
    "value",
    [
        *(None, "0.5", "x" * 500, [1] * 500, math.nan, 10**400, -1, 1j, {}, (1, 2, 3), (1, 2)),
        {"score": 1, "parts": 3},
        {"score": 1, "parts": dict.fromkeys(map(str, range(1001)), 1)},
        (1, "x" * 1_000_001),
        Score(value=1, feedback="x", parts={"a": 2}),
    ],
)
def test_anything_else_is_no_score(value: object) -> None:
    with pytest.raises(NotAScoreError):
        read_score(value)


def test_an_example_is_read_like_dspys() -> None:
    view = ExampleView(example({"city": "Rome"}, mail="hi"))

    assert view.inputs() == view.inputs == {"mail": "hi"}
    assert (view.city, view["mail"], view.get("x", 7), "city" in view) == ("Rome", "hi", 7, True)
    assert list(view) == list(view.keys()) == ["expected", "answer", "city", "mail"]
    assert len(view) == len(view.values()) == len(view.items()) == 4
    assert view.toDict()["mail"] == "hi"
    assert repr(view) == "ExampleView(id='e1')"
    with pytest.raises(AttributeError, match="has no field 'x'"):
        view.x  # noqa: B018 - reading it is the test
    with pytest.raises(AttributeError, match="_x"):
        view._x  # noqa: B018 - reading it is the test
    with pytest.raises(KeyError, match="has no field 'x'"):
        view["x"]


@pytest.mark.parametrize("output", ['So: {"n": 2}', "[1]"])
def test_a_prediction_is_the_output_with_the_fields_of_its_json(output: str) -> None:
    view = PredictionView(output)

    assert str(view) == view.text == view.answer == output
    assert view.get("n") == (2 if "n" in output else None)
