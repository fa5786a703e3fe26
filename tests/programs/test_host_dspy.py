"""Modules of DSPy in a python program's worker, run within the test's own process."""

from __future__ import annotations

import json
import threading
from typing import Any

import dspy
import pytest
from host_line import Line

from gepa_ci.programs.host_dspy import MisfitError, Modules, modules_of
from gepa_ci.programs.host_hub import Hub
from gepa_ci.programs.host_outcome import outcome


class Number(dspy.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.count = dspy.Predict("text -> number: int")

    def forward(self, text: str) -> Any:
        if text == "wrong":
            raise ValueError(text)
        return self.count(text=text) if text != "plain" else "just text"


def request(*files: tuple[str, str], **inputs: str) -> dict[str, Any]:
    given = [{"path": path, "source": source} for path, source in files]
    return {"id": "r", "files": given, "inputs": inputs, "trial": 0, "model": "openai/gpt-5-mini"}


def answers(modules: Modules, asked: dict[str, Any], *replies: dict[str, Any]) -> Any:
    """Return what a run answers, and the calls that it makes, when they are replied to."""
    line = Line()
    hub = Hub(line)
    found: list[dict[str, Any]] = []
    running = threading.Thread(
        target=lambda: found.append(modules.answer(asked, hub, __file__)), daemon=True
    )
    running.start()
    calls = []
    for reply in replies:
        calls.append(line.answers.get(timeout=20))
        hub.answer({"key": calls[-1]["key"], "reply": reply})
    running.join(20)
    return found[0], [call["call"] for call in calls]


def said(**fields: str) -> dict[str, Any]:
    text = "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in fields.items())
    return {"text": f"{text}\n\n[[ ## completed ## ]]"}


def test_the_only_field_is_the_text_whatever_its_type() -> None:
    answer, calls = answers(
        Modules(Number()), request(("count.md", "Count it."), text="x"), said(number="7")
    )

    assert (answer["output"], answer["text"]) == ({"number": 7}, "7")
    assert "Count it." in calls[0]["messages"][0]["content"]
    assert calls[0].keys() == {"messages", "model", "prompt"}


def test_a_module_may_return_something_else() -> None:
    answer, _ = answers(Modules(Number()), request(text="plain"))

    assert answer == {"output": "just text", "steps": []}


def test_what_a_module_raises_is_told() -> None:
    answer, _ = answers(Modules(Number()), request(text="wrong"))

    assert (answer["raised"]["type"], answer["raised"]["text"]) == ("ValueError", "wrong")


def test_an_answer_that_cannot_be_read_is_told_as_a_step() -> None:
    answer, calls = answers(
        Modules(Number()), request(text="x"), {"text": "no idea"}, {"text": '{"other": 1}'}
    )

    assert answer["failure"] == "unparsable"
    assert "expected the output fields number; found none" in answer["raised"]["text"]
    assert answer["steps"][0]["prompt"] == "count"
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ({"error": "no"}, "LMInvalidRequestError"),
        ({"text": "", "failure": "context_length", "detail": "long"}, "ContextWindowExceededError"),
    ],
)
def test_a_call_that_fails_is_an_error_that_dspy_knows(reply: dict[str, Any], kind: str) -> None:
    answer, _ = answers(Modules(Number()), request(text="x"), reply)

    assert answer["raised"]["type"] == kind


def test_what_a_model_that_failed_did_say_is_read_all_the_same() -> None:
    reply = said(number="3") | {"failure": "truncated", "detail": "cut"}
    answer, _ = answers(Modules(Number()), request(text="x"), reply)

    assert answer["text"] == "3"


def test_an_async_module_is_awaited() -> None:
    class Async(dspy.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.count = dspy.Predict("text -> number: int")

        async def aforward(self, text: str) -> Any:
            return await self.count.acall(text=text)

    answer, _ = answers(Modules(Async()), request(text="x"), said(number="5"))

    assert answer["text"] == "5"
    assert answer["steps"][0]["fields"] == {"number": 5}


def test_a_predictor_keeps_a_model_that_the_code_gives_it_but_not_one_of_the_file() -> None:
    module = Number()
    module.count.lm = dspy.LM("openai/own", temperature=0.5, max_tokens=7)
    modules = Modules(module)
    state = module.dump_state()
    state["count"]["signature"]["instructions"] = "From the file."
    saved = ("number.json", json.dumps(state | {"metadata": {}}))

    _, (call,) = answers(modules, request(saved, text="x"), said(number="1"))
    _, (other,) = answers(Modules(Number()), request(saved, text="x"), said(number="1"))

    assert (call["model"], call["temperature"], call["max_tokens"]) == ("openai/own", 0.5, 7)
    assert "From the file." in call["messages"][0]["content"]
    assert other["model"] == "task"


def test_prompts_that_name_no_predictor_do_not_fit() -> None:
    files = request(("nobody.md", "x"))["files"]

    with pytest.raises(MisfitError, match=r"'nobody' is no predictor of the module; .*: count"):
        Modules(Number()).described(files)


def test_copies_of_old_candidates_are_dropped() -> None:
    modules = Modules(Number())
    for number in range(40):
        modules.described(request(("count.md", f"Count {number}."))["files"])

    assert len(modules._copies) == 32
    assert modules.described([])[0]["instructions"] != "Count 39."


def test_a_module_is_told_from_a_function() -> None:
    def nothing() -> int:
        return 7

    for function in (lambda a, b, c: "", lambda *rest: "", lambda a=1, b=2: "", type):
        assert modules_of(function) is None
    for module in (Number(), Number, lambda seed=1: Number()):
        assert modules_of(module) is not None
    with pytest.raises(TypeError, match=r"made a int, which is not a dspy.Module"):
        modules_of(nothing)


def test_a_prediction_from_a_plain_function_is_its_fields() -> None:
    assert outcome(dspy.Prediction(a="x", b=1)) == {"output": {"a": "x", "b": 1}}
