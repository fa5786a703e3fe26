"""A python program's worker, run within the test's own process."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from host_line import Line

from gepa_ci.programs.host import serve
from gepa_ci.programs.host_hub import CallError, Hub, ModelError, text_of
from gepa_ci.programs.host_outcome import NotAnOutputError, outcome, plain
from gepa_ci.programs.host_prompts import LM, PromptViews, prompt_view
from gepa_ci.workers.channel import Printed

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = [{"path": "ask.txt", "source": "Ask {{q}}"}]


@contextmanager
def host(source: str, *, function: str = "answer") -> Iterator[tuple[Line, dict[str, Any]]]:
    """Serve a source, and yield the way to it with what it told of itself."""
    line = Line()
    serving = threading.Thread(target=serve, args=(line, Printed()))
    serving.start()
    try:
        file = {"path": "h.py", "file": "/h.py", "source": source, "is_package": False}
        yield line, line.ask(nonce="n", function=function, **file)
    finally:
        line.requests.put(None)
        serving.join()


def run(line: Line, **inputs: Any) -> dict[str, Any]:
    return line.ask(id="r", files=FILES, inputs=inputs, trial=0, model="m")


def test_a_run_asks_for_calls_and_answers() -> None:
    source = "def answer(prompts, inputs, lm):\n    return lm(prompts.ask, inputs) + '!'\n"
    with host(source) as (line, told):
        call = run(line, q="x")
        answer = line.ask(id="r", key=call["key"], reply={"text": "yes"})

    assert told["function"]["kind"] == "function"
    assert call["call"] == {"model": "task", "prompt": "ask", "inputs": {"q": "x"}}
    assert answer == {"id": "r", "printed": "", "output": "yes!"}


@pytest.mark.parametrize("is_async", [False, True])
def test_what_is_raised_is_told(is_async: bool) -> None:
    source = f"{'async ' if is_async else ''}def answer(prompts, inputs, lm):\n    [][0]\n"
    with host(source) as (line, _):
        answer = run(line)

    assert (answer["raised"]["type"], answer["raised"]["line"]) == ("IndexError", 2)


def test_a_function_that_returns_a_coroutine_is_awaited() -> None:
    source = "async def later(): return 'x'\ndef answer(prompts, inputs, lm): return later()\n"
    with host(source) as (line, _):
        assert run(line)["output"] == "x"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_run_that_takes_long_says_where_it_is(is_async: bool) -> None:
    source = "async def answer(prompts, inputs, lm):\n    return await lm.acall('x')\n"
    if not is_async:
        source = "def answer(prompts, inputs, lm):\n    return lm('x')\n"
    with host(source) as (line, _):
        call = run(line)
        place = line.ask(id="r", where=True)
        nowhere = line.ask(id="unknown", where=True)
        answer = line.ask(id="r", key=call["key"], reply={"text": "done"})

    assert place["where"]["line"] == 2
    assert "lm" in place["where"]["frames"]
    assert nowhere == {"id": "unknown", "where": {}}
    assert answer["output"] == "done"


def test_messages_that_were_made_of_a_prompt_remember_it() -> None:
    source = """
def answer(prompts, inputs, lm):
    view = prompts["ask"]
    made = view.render({"q": "a"}, q="b")
    return lm(made, temperature=0) + lm([{"role": "user", "content": view["user"]}]) + lm("c")
"""
    with host(source) as (line, _):
        calls = [run(line)]
        for _ in range(2):
            calls.append(line.ask(id="r", key=calls[-1]["key"], reply={"text": "x"}))
        answer = line.ask(id="r", key=calls[-1]["key"], reply={"text": "x"})

    assert [call["call"] for call in calls] == [
        {
            "model": "task",
            "temperature": 0,
            "prompt": "ask",
            "inputs": {"q": "b"},
            "messages": [{"role": "user", "content": "Ask b"}],
        },
        {"model": "task", "messages": [{"role": "user", "content": "Ask {{q}}"}]},
        {"model": "task", "messages": [{"role": "user", "content": "c"}]},
    ]
    assert answer["output"] == "xxx"


def test_what_is_not_there_is_said_with_what_is() -> None:
    views = PromptViews((prompt_view("ask.txt", "Ask {{q}}"),))

    assert (list(views), len(views), repr(views.ask)) == (["ask"], 1, "PromptView('ask.txt')")
    with pytest.raises(KeyError, match="no prompt 'no'; it has: ask"):
        views["no"]
    with pytest.raises(AttributeError, match="no prompt 'no'; it has: ask"):
        _ = views.no
    with pytest.raises(KeyError, match="no text 'no'; it has"):
        views.ask["no"]


def test_a_file_that_cannot_be_loaded_ends_the_worker() -> None:
    with host("1 / 0") as (_, told):
        assert told["failed"]["type"] == "ZeroDivisionError"


def test_a_worker_that_is_asked_nothing_ends() -> None:
    line = Line()
    line.requests.put(None)

    serve(line, Printed())

    assert line.answers.empty()


def test_a_module_of_dspy_is_described_and_run() -> None:
    source = "import dspy\ndef answer():\n    return dspy.Predict('q -> a')\n"
    with host(source) as (line, told):
        described = line.ask(id="d", describe=True, files=[{"path": "self.md", "source": "Do it."}])
        call = line.ask(
            id="r",
            files=[{"path": "self.md", "source": "Do it."}],
            inputs={"q": "x"},
            trial=0,
            model="openai/gpt-5-mini",
        )
        reply = {"text": "[[ ## a ## ]]\nfine\n\n[[ ## completed ## ]]"}
        answer = line.ask(id="r", key=call["key"], reply=reply)

    assert told["function"]["kind"] == "dspy"
    assert described["predictors"] == [
        {"name": "self", "instructions": "Do it.", "inputs": [["q", ""]], "outputs": [["a", ""]]}
    ]
    assert (call["call"]["model"], call["call"]["prompt"]) == ("task", "self")
    assert (answer["output"], answer["text"]) == ({"a": "fine"}, "fine")
    assert answer["steps"] == [
        {"prompt": "self", "inputs": {"q": "x"}, "fields": {"a": "fine"}, "output": reply["text"]}
    ]


def test_a_late_reply_is_nobodys() -> None:
    line = Line()
    hub = Hub(line)
    reply = hub.ask("r", {})
    hub.answer({"key": 99, "reply": {}})
    reply.cancel()

    hub.answer({"key": 0, "reply": {"text": "x"}})

    assert reply.cancelled()


def test_a_reply_is_a_text_or_an_error() -> None:
    assert text_of({"text": "x"}) == "x"
    with pytest.raises(CallError, match="no"):
        text_of({"error": "no"})
    with pytest.raises(ModelError, match="refusal: it refused") as caught:
        text_of({"text": "t", "failure": "refusal", "detail": "it refused"})
    assert caught.value.text == "t"


def test_prompts_are_read_once_and_copied_without_harm() -> None:
    import copy

    views = PromptViews((prompt_view("ask.txt", "Ask {{q}}"),))

    assert prompt_view("ask.txt", "Ask {{q}}") is views["ask"]
    assert copy.copy(views).ask is views.ask
    with pytest.raises(AttributeError, match="_private"):
        _ = views._private


def test_several_texts_have_no_one_text() -> None:
    view = prompt_view("a.md", "---\nrole: user\n---\nx")
    both = prompt_view(
        "b.prompt.yml", "messages: [{role: system, content: a}, {role: user, content: b}]\n"
    )

    assert view.text == "x"
    with pytest.raises(AttributeError, match="prompt 'b' has several texts; take one of: system"):
        _ = both.text


def test_a_text_takes_no_inputs() -> None:
    with pytest.raises(TypeError, match="inputs go together with a prompt"):
        LM(Hub(Line()), "r")("text", {})


class Model:
    def model_dump(self, mode: str) -> dict[str, str]:
        return {"mode": mode}


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (("x", {"score": 1}), {"output": "x", "score": 1}),
        (("x", {"other": 1}), {"output": ["x", {"other": 1}]}),
        (("x", {}), {"output": ["x", {}]}),
        (Model(), {"output": {"mode": "json"}}),
        ({"a": Model()}, {"output": {"a": {"mode": "json"}}}),
    ],
)
def test_what_was_returned_is_made_plain(value: object, answer: dict[str, object]) -> None:
    assert outcome(value) == answer


@pytest.mark.parametrize("value", [None, float("nan"), object(), {1: {2}}])
def test_what_has_no_json_is_no_output(value: object) -> None:
    with pytest.raises(NotAnOutputError):
        outcome(value)


def test_plain_values_are_copies() -> None:
    given = {"a": [1]}

    assert plain(given) == given
    assert plain(given) is not given
