"""Modules of DSPy as programs: run in real workers, with every call made by our client."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from fakes import ScriptedEngines
from program_world import python

from gepa_ci.core.call import Reply
from gepa_ci.core.prompt import Prompt, PromptSet
from gepa_ci.core.score import ModelFailure
from gepa_ci.core.suite import Example
from gepa_ci.errors import ConfigError, InfraError, ProgramError
from gepa_ci.formats import read_prompt
from gepa_ci.lm.failures import Rejected, Transient
from gepa_ci.programs import Field, Predictor

if TYPE_CHECKING:
    from gepa_ci.core.call import Call

MODULE = '''
import dspy

class Find(dspy.Signature):
    """Write a query."""

    question: str = dspy.InputField(desc="what is asked")
    query: str = dspy.OutputField()

class Pipeline(dspy.Module):
    def __init__(self):
        self.find = dspy.ChainOfThought(Find)
        self.answer = dspy.Predict("query -> answer, score: float")

    def forward(self, question):
        if question == "early":
            raise ValueError("no such question")
        found = self.find(question=question)
        if question == "late":
            raise ValueError(f"cannot use {found.query}")
        return self.answer(query=found.query)

async def unrelated(): ...

def factory():
    return Pipeline()

class Short(dspy.Module):
    def __init__(self):
        self.say = dspy.ChainOfThought("question -> answer")

    async def aforward(self, question):
        return await self.say.acall(question=question)
'''
EXAMPLE = Example(id="e1", inputs={"question": "where?"})
TEXTS = PromptSet(
    files=(read_prompt("find.md", b"Find {it}.\n"), read_prompt("answer.md", b"Answer well."))
)


def fields_of(**fields: str) -> str:
    return "\n\n".join(f"[[ ## {name} ## ]]\n{text}" for name, text in fields.items())


def model(call: Call) -> str:
    """Answer in the form of DSPy's chat adapter."""
    if "`query` (str)" in call.messages[0].content.partition("output fields")[2]:
        return fields_of(reasoning="because", query="a query", completed="")
    return fields_of(answer="42", score="0.5", completed="")


def state(**instructions: str) -> Prompt:
    """Return the saved state of the pipeline, with these instructions and one demo."""
    signature = {"fields": [{"prefix": f"{n}:", "description": n} for n in ("A", "B", "C")]}
    predictors = {
        name: {
            "traces": [],
            "train": [],
            "demos": [{"query": "demo query", "answer": "demo answer", "score": 1.0}]
            if name == "answer"
            else [],
            "signature": signature | {"instructions": text},
            "lm": None,
        }
        for name, text in instructions.items()
    }
    versions = {"dependency_versions": {"python": "3.11", "dspy": "3.4.1"}}
    source = json.dumps({**predictors, "metadata": versions})
    return read_prompt("pipeline.json", source.encode())


def test_instructions_are_put_in_and_steps_tell_predictors_and_fields() -> None:
    engines = ScriptedEngines(model)
    with python(MODULE, target="p.py:factory", model=engines) as program:
        assert program.is_dspy
        assert program.check(TEXTS, [EXAMPLE]) == []
        predictors = program.predictors(TEXTS)
        output = program.run(TEXTS, EXAMPLE, 0)
        early, late = (Example(id=name, inputs={"question": name}) for name in ("early", "late"))
        with pytest.raises(ProgramError, match="raised ValueError on example 'early'"):
            program.run(TEXTS, early, 0)
        failed = program.run(TEXTS, late, 0)

    assert predictors[0] == Predictor(
        name="find.predict",
        instructions="Find {it}.",
        inputs=(Field(name="question", description="what is asked"),),
        outputs=(Field(name="reasoning", description=""), Field(name="query", description="")),
    )
    assert predictors[1].instructions == "Answer well."
    assert "Find {it}." in engines.texts[0]
    assert "Answer well." in engines.texts[1]
    assert output.fields == {"answer": "42", "score": 0.5}
    assert output.text == '{"answer":"42","score":0.5}'
    assert [(s.prompt, s.inputs, s.fields) for s in output.steps] == [
        (
            "find.predict",
            {"question": "where?"},
            {"reasoning": "because", "query": "a query"},
        ),
        ("answer", {"query": "a query"}, {"answer": "42", "score": 0.5}),
    ]
    assert output.steps[0].output.startswith("[[ ## reasoning ## ]]")
    assert output.usage.calls == 2
    assert failed.failure is ModelFailure.PROGRAM
    assert failed.detail == "ValueError: cannot use a query (p.py:20)"
    assert [step.prompt for step in failed.steps] == ["find.predict"]


def test_a_saved_program_gives_instructions_and_demos() -> None:
    saved = state(**{"find.predict": "Seek.", "answer": "Reply."})
    engines = ScriptedEngines(model)
    with python(MODULE, target="p.py:Pipeline", model=engines) as program:
        output = program.run(saved, EXAMPLE, 0)
        other = program.run(state(**{"find.predict": "Other.", "answer": "Reply."}), EXAMPLE, 0)
        names = [predictor.name for predictor in program.predictors(saved)]

    assert output.failure is other.failure is None
    assert "Seek." in engines.texts[0]
    assert re.search(r"demo query.*demo answer.*a query", engines.texts[1], re.DOTALL)
    assert "Other." in engines.texts[2]
    assert set(names) <= set(saved.texts)


def test_the_field_besides_the_reasoning_is_the_text() -> None:
    prompts = read_prompt("say.md", b"Say it.")
    answer = fields_of(reasoning="because", answer="Rome", completed="")
    with python(MODULE, target="p.py:Short", model=lambda _: answer) as program:
        output = program.run(prompts, EXAMPLE, 0)

    assert (output.text, output.fields) == ("Rome", {"reasoning": "because", "answer": "Rome"})


def test_errors_of_the_provider_are_no_answers_of_the_module() -> None:
    def limited(call: Call) -> str:
        if "Answer well." in call.messages[0].content:
            raise Transient("429: slow down", rate_limited=True)
        return model(call)

    engines = ScriptedEngines(limited)
    with python(MODULE, target="p.py:Pipeline", model=engines) as program:
        with pytest.raises(InfraError, match="slow down"):
            program.run(TEXTS, EXAMPLE, 0)

    assert len(engines.calls) == 2


def test_what_cannot_be_read_or_is_too_long_is_a_failure_of_the_model() -> None:
    def odd(call: Call) -> str | Reply:
        if call.trial == 1:
            raise Rejected(ModelFailure.CONTEXT_LENGTH, "too long")
        if call.trial == 2:
            return Reply(text="[[ ## reas", failure=ModelFailure.TRUNCATED, detail="cut off")
        return "no fields at all"

    with python(MODULE, target="p.py:Pipeline", model=odd) as program:
        unread, long, cut = (program.run(TEXTS, EXAMPLE, trial) for trial in range(3))

    assert unread.failure is ModelFailure.UNPARSABLE
    assert "expected the output fields reasoning, query; found none" in unread.detail
    assert (unread.steps[-1].prompt, unread.steps[-1].output) == (
        "find.predict",
        "no fields at all",
    )
    # DSPy asks again in JSON, which is a call of its own.
    assert unread.usage.calls == 2
    assert long.failure is ModelFailure.CONTEXT_LENGTH
    assert (cut.failure, cut.detail) == (ModelFailure.TRUNCATED, "cut off")


def test_prompts_that_do_not_fit_are_a_config_error() -> None:
    stranger = read_prompt("nobody.md", b"x")
    with python(MODULE, target="p.py:Pipeline") as program:
        with pytest.raises(ConfigError) as caught:
            program.check(stranger, [])

    assert str(caught.value) == (
        "nobody.md: the prompts do not fit program 'Pipeline': 'nobody' is no predictor of the "
        "module; predictors: find.predict, answer"
    )


def test_a_model_that_the_module_names_must_be_in_the_config() -> None:
    source = (
        f"{MODULE}\nmade = Pipeline()\nmade.answer.lm = dspy.LM('some/other', temperature=0.5)\n"
    )
    engines = ScriptedEngines(model)
    with python(source, target="p.py:made", model=engines) as program:
        output = program.run(TEXTS, EXAMPLE, 0)

    assert output.failure is ModelFailure.PROGRAM
    assert "the config names no model 'some/other'" in output.detail
    assert len(engines.calls) == 1
