"""Tests the real local model, from the file that the set-up has fetched."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from gepa_ci.core.prompt import Message, Role
from gepa_ci.errors import Interrupted, LMError
from gepa_ci.lm.local import ContextLengthExceeded, LocalModel, LocalReply
from gepa_ci.lm.local_files import SMOLLM2
from gepa_ci.lm.local_server import LocalServer, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gepa_ci.core.values import JSON

pytestmark = pytest.mark.local_model

WORDS = ["copper kettle", "desk lamp", "wool scarf", "garden hose", "bike pump", "oak shelf"]
SHORT = {"max_tokens": 16}
LONG = (
    " I need it for my mother's birthday, so please send a new one soon, and tell me when. Thanks!"
)


def ask(number: int, examples: int) -> list[Message]:
    """Return a call with some examples as turns."""
    turns = [Message(role=Role.SYSTEM, content="Answer with the item only.")]
    for word in WORDS[:examples]:
        turns += [
            Message(role=Role.USER, content=f"My {word} arrived broken, please help."),
            Message(role=Role.ASSISTANT, content=word),
        ]
    word = WORDS[number % len(WORDS)]
    return [*turns, Message(role=Role.USER, content=f"Order {number}: the {word} is too small.")]


@pytest.fixture(scope="module")
def model(model_cache: Path) -> Iterator[LocalModel]:
    model = LocalModel(model_cache, context=512)
    yield model
    model.close()


def test_examples_as_turns_teach_the_model_what_to_answer(model: LocalModel) -> None:
    reply = model.complete(ask(3, 3), SHORT)

    assert "garden hose" in reply.text
    assert reply.finish_reason == "stop"
    assert reply.input_tokens > 50
    assert 0 < reply.output_tokens <= 16


def test_answers_do_not_depend_on_the_calls_before_or_beside(model: LocalModel) -> None:
    calls = [(number, examples) for examples in (0, 2, 5) for number in (7, 8)]
    expected = {call: model.complete(ask(*call), SHORT) for call in calls}
    shuffled = random.Random(1).sample(calls, len(calls))

    with ThreadPoolExecutor(4) as pool:
        again = dict(
            zip(
                shuffled,
                pool.map(lambda call: model.complete(ask(*call), SHORT), shuffled),
                strict=True,
            )
        )

    assert again == expected


def test_not_even_the_last_bits_depend_on_the_calls_before(model_cache: Path) -> None:
    server = LocalServer(model_cache / SMOLLM2.name, context=1024, closing=threading.Event())

    def bits(number: int) -> list[float]:
        found: list[float] = []

        def take(chunk: dict[str, Any]) -> bool:
            for choice in chunk["choices"]:
                logprobs = choice.get("logprobs") or {"content": []}
                found.extend(token["logprob"] for token in logprobs["content"])
            return False

        # In short messages the last bits happen to agree, however they are cut.
        turns = [
            {"role": m.role.value, "content": m.content + (LONG if m.role is Role.USER else "")}
            for m in ask(number, 4)
        ]
        body = {"messages": turns, "id_slot": server._prepare(turns[:-1]), "cache_prompt": True}
        more = {"max_tokens": 4, "temperature": 0, "logprobs": True, "stream": True}
        server._server.handle_chat_completions({**body, **more}, take)
        return found

    first = {number: bits(number) for number in (7, 8, 9)}

    assert len(first[7]) >= 2
    assert [bits(number) for number in (9, 9, 7, 8)] == [first[n] for n in (9, 9, 7, 8)]


def test_an_answer_that_is_arriving_is_stopped_when_the_model_is_closed() -> None:
    closing = threading.Event()
    stream = Stream(closing=closing)

    assert not stream.take({"choices": []})
    closing.set()
    assert stream.take({"choices": []})


def test_max_tokens_cuts_an_answer_off(model: LocalModel) -> None:
    reply = model.complete([Message(role=Role.USER, content="Count to 100.")], {"max_tokens": 3})

    assert (reply.finish_reason, reply.output_tokens) == ("length", 3)


def test_a_response_format_is_kept(model: LocalModel) -> None:
    schema: JSON = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted: JSON = {"type": "json_schema", "json_schema": {"name": "number", "schema": schema}}

    reply = model.complete(
        [Message(role=Role.USER, content="Give me a number.")],
        {"max_tokens": 40, "response_format": wanted, "stop": None},
    )

    assert reply.text.lstrip().startswith("{")
    assert '"n"' in reply.text


def test_too_long_messages_are_an_outcome_of_their_own(model: LocalModel) -> None:
    long = [Message(role=Role.USER, content="word " * 600)]

    with pytest.raises(ContextLengthExceeded, match="the context of the local model 512"):
        model.complete(long, SHORT)

    assert isinstance(model.complete(ask(1, 0), SHORT), LocalReply)


def test_a_call_that_the_library_refuses_is_an_error(model: LocalModel) -> None:
    with pytest.raises(LMError, match="the local model refused the call"):
        model.complete(ask(1, 0), {"temperature": "warm"})


def test_closing_stops_running_and_waiting_calls_and_refuses_the_next(model_cache: Path) -> None:
    model = LocalModel(model_cache, context=2048)
    ended = []

    def run() -> None:
        try:
            model.complete([Message(role=Role.USER, content="Tell a story.")], {"max_tokens": 1500})
        except Interrupted:
            ended.append(True)

    callers = [threading.Thread(target=run) for _ in range(6)]
    for caller in callers:
        caller.start()
    callers[0].join(0.3)
    model.close()
    for caller in callers:
        caller.join(20)

    assert ended == [True] * 6
    with pytest.raises(Interrupted):
        model.complete(ask(1, 0), SHORT)


def test_ctrl_c_ends_a_call_quietly(model_cache: Path) -> None:
    script = f"""
import os, signal, sys, threading
from pathlib import Path
from gepa_ci.core.prompt import Message, Role
from gepa_ci.lm.local import LocalModel
model = LocalModel(Path({str(model_cache)!r}), context=2048)
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    model.complete([Message(role=Role.USER, content="Tell a story.")], {{"max_tokens": 1500}})
except KeyboardInterrupt:
    sys.exit(7)
"""

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")


def test_a_file_that_is_no_model_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file.gguf").write_bytes(b"GGUF, or is it?")

    with pytest.raises(LMError, match="could not be loaded"):
        LocalServer(tmp_path / "file.gguf", context=512, closing=threading.Event())


def test_without_the_library_the_error_says_what_to_install(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
sys.modules["xllamacpp"] = None
from gepa_ci.errors import LMError
from gepa_ci.lm.local import LocalModel
try:
    LocalModel(Path({str(tmp_path)!r}))
except LMError as error:
    print(error.problems[0].hint)
"""

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "pip install 'gepa-ci[local]'\n"
