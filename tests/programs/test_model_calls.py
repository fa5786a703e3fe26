"""Tests of gepa_ci.programs.model_calls and of how programs are built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes import SPEC, client
from program_world import EXAMPLE, TWO, echo

from gepa_ci.core.config import ModelSpec, ProgramSpec
from gepa_ci.core.prompt import Message, PromptSet, Role
from gepa_ci.core.spend import Price
from gepa_ci.core.suite import Example
from gepa_ci.errors import ConfigError
from gepa_ci.formats import read_prompt
from gepa_ci.programs import ChatProgram, build_program
from gepa_ci.programs.model_calls import Caller, CallProblemError

USER = [{"role": "user", "content": "x"}]


def named(name: str, model: str) -> Any:
    text = f"model: {model}\nmessages: [{{role: user, content: x}}]\n"
    return read_prompt(f"{name}.prompt.yml", text.encode())


def test_messages_are_sent_as_they_are_and_may_tell_their_prompt() -> None:
    wanted = Caller(client=None, model=SPEC).wanted(
        TWO, 3, {"messages": USER, "prompt": "rewrite", "inputs": {"question": "q"}, "stop": "."}
    )

    assert wanted.call.messages == (Message(role=Role.USER, content="x"),)
    assert (wanted.call.trial, wanted.call.spec.parameters) == (3, {"stop": "."})
    assert (wanted.prompt, wanted.inputs) == ("rewrite", {"question": "q"})


def test_the_local_model_is_repeatable_here_too() -> None:
    caller = Caller(client=None, model=ModelSpec(model="local"))

    assert caller.wanted(TWO, 0, {"messages": USER}).call.spec.parameters == {"temperature": 0}


def test_without_a_model_in_the_config_the_files_name_it() -> None:
    caller = Caller(client=None, model=None)
    both = PromptSet(files=(TWO.files[0], named("b", "file/b")))
    same = PromptSet(files=(named("a", "file/x"), named("b", "file/x")))
    other = PromptSet(files=(named("a", "file/x"), named("b", "file/y")))

    assert caller.wanted(both, 0, {"messages": USER}).call.spec == ModelSpec(model="file/b")
    assert caller.spec(same) == ModelSpec(model="file/x")
    assert caller.spec(other) is caller.spec(both) is None
    assert caller.price(other) is None


@pytest.mark.parametrize("asked", [None, [], "x", {"messages": "x"}, {"messages": [1]}])
def test_what_is_no_call_is_a_problem(asked: Any) -> None:
    with pytest.raises(CallProblemError):
        Caller(client=None, model=SPEC).wanted(TWO, 0, asked)


def build(**spec: Any) -> Any:
    return build_program(
        ProgramSpec(**spec),
        client=None,
        model=SPEC,
        models={},
        read_code=lambda path: b"",
        root=Path(),
        concurrency=1,
        environ={},
    )


def test_chat_is_built_without_a_client_and_bound_later() -> None:
    program = build()

    assert isinstance(program, ChatProgram)
    assert program.digest == ChatProgram(client=None).digest
    assert program.price(TWO.files[0]) is None
    assert program.bound(client(echo)).run(TWO.files[0], EXAMPLE, 0).text == (
        "<Rewrite: where is Rome?>"
    )
    program.close()


def test_chat_is_checked_on_every_example() -> None:
    program = ChatProgram(client=None, model=SPEC)
    examples = [
        Example(id="a", inputs={"question": "x", "more": 1}),
        Example(id="b", inputs={"other": "x"}, path="s.jsonl", line=3),
    ]

    assert program.check(TWO.files[0], examples[:1]) == [
        "rewrite.txt does not use these inputs: 'more'."
    ]
    assert program.check(TWO.files[0], [EXAMPLE]) == []
    with pytest.raises(ConfigError, match=r"s.jsonl:3: the prompt asks for 'question'"):
        program.check(TWO.files[0], examples)


def test_chat_has_one_prompt_file() -> None:
    with pytest.raises(ConfigError, match=r"rewrite.txt: a chat task has one prompt file"):
        ChatProgram(client=None, model=SPEC).calls(TWO, EXAMPLE, 0)


def test_chat_knows_its_model_price_and_calls() -> None:
    priced = ModelSpec(model="x/y", price=Price(input=1, output=2))
    program = ChatProgram(client=client(echo), model=priced)
    file = TWO.files[0]

    assert program.model(file) == priced
    assert program.price(file) == priced.price
    assert program.calls(file, EXAMPLE, 1) == (program.call(file, EXAMPLE, 1),)
