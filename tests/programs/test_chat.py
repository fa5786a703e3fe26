"""Tests of gepa_ci.programs.chat."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakes import SPEC, ScriptedEngines, client, examples, prompt

from gepa_ci.core.call import Purpose, Reply
from gepa_ci.core.config import ModelSpec
from gepa_ci.core.prompt import Message, Role
from gepa_ci.core.score import ModelFailure
from gepa_ci.core.spend import Price, Usage
from gepa_ci.core.suite import Example
from gepa_ci.errors import PromptError
from gepa_ci.formats import read_prompt
from gepa_ci.lm.failures import Rejected
from gepa_ci.programs import ChatProgram
from gepa_ci.programs.chat import task_model

if TYPE_CHECKING:
    from pathlib import Path

    from gepa_ci.core.call import Call

(EXAMPLE,) = examples(1)


def test_the_call_is_the_filled_in_file_and_the_trial() -> None:
    call = ChatProgram(client=client(lambda call: ""), model=SPEC).call(prompt(), EXAMPLE, 2)

    assert call.messages == (
        Message(role=Role.SYSTEM, content="Name the kind."),
        Message(role=Role.USER, content="letter e0 about 0"),
    )
    assert (call.spec, call.trial, call.purpose) == (SPEC, 2, Purpose.TASK)


def test_an_answer_is_an_output_with_what_it_cost() -> None:
    reply = Reply(text="kind 0", input_tokens=1_000_000, output_tokens=2_000_000, model="real")
    spec = replace(SPEC, price=Price(input=1.0, output=2.0))

    output = ChatProgram(client=client(lambda call: reply), model=spec).run(prompt(), EXAMPLE, 0)

    assert (output.text, output.failure, output.model) == ("kind 0", None, "real")
    assert output.usage == Usage(calls=1, input_tokens=1_000_000, output_tokens=2_000_000, usd=5.0)


def test_the_price_of_an_unknown_model_is_unknown() -> None:
    output = ChatProgram(client=client(lambda call: ""), model=SPEC).run(prompt(), EXAMPLE, 0)

    assert output.usage.usd is None


def test_an_answer_from_the_cache_costs_nothing(tmp_path: Path) -> None:
    engines = ScriptedEngines(lambda call: "kind 0")
    lm = client(engines, cache=tmp_path / "c.sqlite")
    program = ChatProgram(client=lm, model=SPEC)

    program.run(prompt(), EXAMPLE, 0)
    again = program.run(prompt(), EXAMPLE, 0)
    lm.close()

    assert again.text == "kind 0"
    assert again.usage == Usage(cached_calls=1)
    assert len(engines.calls) == 1


def test_a_refusal_of_the_model_is_an_output() -> None:
    def rejects(call: Call) -> str:
        raise Rejected(ModelFailure.CONTEXT_LENGTH, "too long")

    output = ChatProgram(client=client(rejects), model=SPEC).run(prompt(), EXAMPLE, 0)

    assert (output.failure, output.detail) == (ModelFailure.CONTEXT_LENGTH, "too long")


def test_a_missing_input_is_an_error_and_no_call() -> None:
    engines = ScriptedEngines(lambda call: "")

    with pytest.raises(PromptError, match="text"):
        ChatProgram(client=client(engines), model=SPEC).run(
            prompt(), Example(id="x", inputs={"other": ""}), 0
        )

    assert engines.calls == []


def test_the_file_names_the_model_when_the_config_does_not() -> None:
    program = ChatProgram(client=client(lambda call: ""))

    assert program.spec(prompt(model="openai/gpt-5")) == ModelSpec(model="openai/gpt-5")


def test_the_config_wins_where_it_says_something() -> None:
    source = (
        b"model: file/m\nmodelParameters: {temperature: 0.5, maxTokens: 9}\n"
        b"messages: [{role: user, content: '{{text}}'}]\n"
    )
    configured = ModelSpec(model="config/m", parameters={"temperature": 1.0, "max_tokens": None})

    spec = task_model(read_prompt("p.prompt.yml", source), configured)

    assert spec.model == "config/m"
    assert spec.parameters == {"temperature": 1.0, "max_tokens": 9}


def test_the_local_model_is_repeatable_unless_something_else_is_said() -> None:
    local = ModelSpec(model="local")
    warm = ModelSpec(model="local", parameters={"temperature": 0.7})

    assert task_model(prompt(), local).parameters == {"temperature": 0}
    assert task_model(prompt(), warm).parameters == {"temperature": 0.7}
    assert task_model(prompt(model="local"), None).parameters == {"temperature": 0}


def test_a_prompt_without_a_model_anywhere_is_an_error() -> None:
    nameless = read_prompt("p.txt", b"{{text}}")

    with pytest.raises(PromptError, match="no model is named for this prompt") as caught:
        task_model(nameless, None)

    assert caught.value.problems[0].path == "p.txt"
    assert caught.value.problems[0].hint is not None
