"""Tests of gepa_ci.optimizers.custom_proposer: a user's function in a process without keys."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from fakes import SPEC, examples, prompt
from test_gepa_search import REFLECTION, World, adds_a_rule

from gepa_ci.core.call import Purpose
from gepa_ci.core.config import Proposer
from gepa_ci.core.optimization import Origin
from gepa_ci.core.score import Score, Step, Trial
from gepa_ci.errors import ConfigError, GepaCiError, InfraError, ProgramError
from gepa_ci.optimizers.custom_proposer import CodeProposer, build_code_proposer
from gepa_ci.optimizers.proposers import Observation, Occasion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gepa_ci.core.call import Call
    from gepa_ci.optimizers.proposers import Ask

LEARNER = """\
import os
from beside import HEAD


def propose(occasion, reflect):
    (name,) = occasion.components
    assert "OPENAI_API_KEY" not in os.environ
    failed = [seen for seen in occasion.observations if seen.score < 1]
    kinds = {seen.expected[-1] for seen in failed}
    missing = [k for k in sorted(kinds) if f"Rule {k}." not in occasion.texts[name]]
    if not missing:
        return None
    return {name: HEAD + f"Rule {missing[0]}. " + occasion.texts[name]}
"""


def build(
    source: str,
    *,
    ask: Ask | None = None,
    spec: Any = REFLECTION,
    function: str = "propose",
    rules: Callable[[str], list[str]] = lambda name: [f"about {name}"],
) -> CodeProposer:
    files = {"own/p.py": source, "own/beside.py": "HEAD = ''\n"}

    def read(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(2, "No such file", path)
        return files[path].encode()

    return build_code_proposer(
        f"own/p.py:{function}",
        read,
        where="gepa-ci.yml",
        line=7,
        spec=spec,
        ask=ask or (lambda call: "unasked"),
        rules=rules,
    )


@pytest.fixture
def built() -> Iterator[Callable[..., CodeProposer]]:
    """Return a function that builds proposers which are closed in the end."""
    made: list[CodeProposer] = []

    def make(*arguments: Any, **named: Any) -> CodeProposer:
        made.append(build(*arguments, **named))
        return made[-1]

    yield make
    for proposer in made:
        proposer.close()


def occasion() -> Occasion:
    (example,) = examples(1, kinds=1)
    trial = Trial(
        example_id=example.id,
        number=0,
        output="no idea",
        score=Score(value=0.25, feedback="wrong", parts={"tone": 1.0}),
        steps=(Step(prompt="system", inputs={"q": 1}, output="hm", fields={"a": "b"}),),
        trace="far",
    )
    seen = Observation(example=example, trial=trial, feedback={"system": "say more"})
    texts = {"system": "Name the kind.", "user": "{{text}}"}
    return Occasion(texts=texts, components=("system",), observations=(seen,))


def test_a_search_finds_rules_by_a_users_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    world = World(code=lambda ask, rules: build(LEARNER, ask=ask, rules=rules))

    result = world.run(proposer=Proposer.CODE, proposer_code="own/p.py:propose", proposals=1)

    assert result.candidates[result.best].val_mean == 1.0
    assert result.candidates[1].origin is Origin.CODE
    assert result.proposer == "code"
    assert world.asked(Purpose.REFLECTION) == []
    assert "OPENAI_API_KEY" in os.environ


def test_the_function_is_shown_all_that_a_proposal_may_be_made_from(
    built: Callable[..., CodeProposer],
) -> None:
    proposer = built(
        "import json\n"
        "def propose(occasion, reflect):\n"
        "    (seen,) = occasion.observations\n"
        "    (step,) = seen.steps\n"
        "    shown = [occasion.components, occasion.refused, occasion.attempt, occasion.rules,\n"
        "        seen.id, seen.inputs, seen.expected, seen.output, seen.score, seen.parts,\n"
        "        seen.feedback, seen.component_feedback, seen.trace,\n"
        "        step.prompt, step.inputs, step.output, step.fields]\n"
        "    return {'system': json.dumps(shown)}\n"
    )

    texts = proposer.propose(occasion(), attempt=2, refused="Too long.")

    assert texts == {
        "system": '[["system"], "Too long.", 2, {"system": ["about system"], "user": ["about '
        'user"]}, "e0", {"text": "letter e0 about 0"}, "kind 0", "no idea", 0.25, {"tone": 1.0}, '
        '"wrong", {"system": "say more"}, "far", "system", {"q": 1}, "hm", {"a": "b"}]'
    }
    assert proposer.components(prompt()) == ("system", "user")
    assert proposer.digest != built("def propose(occasion, reflect): pass\n").digest


def test_it_can_ask_the_reflection_lm_and_equal_prompts_are_independent_calls(
    built: Callable[..., CodeProposer],
) -> None:
    asked: list[Call] = []

    def ask(call: Call) -> str:
        asked.append(call)
        return f"answer {len(asked)}"

    proposer = built(
        "async def propose(occasion, reflect):\n"
        "    return {'system': reflect('Better?') + ', ' + reflect('Better?')}\n",
        ask=ask,
    )

    assert proposer.propose(occasion(), attempt=3, refused="") == {"system": "answer 1, answer 2"}
    assert [call.trial for call in asked] == [3000, 3001]
    assert {call.purpose for call in asked} == {Purpose.REFLECTION}
    assert asked[0].spec == REFLECTION
    assert asked[0].messages[0].content == "Better?"


def test_an_error_of_the_reflection_lm_is_no_error_of_the_function(
    built: Callable[..., CodeProposer],
) -> None:
    def ask(call: Call) -> str:
        raise InfraError("overloaded")

    proposer = built(
        "def propose(occasion, reflect):\n"
        "    try:\n"
        "        return {'system': reflect('Better?')}\n"
        "    except BaseException:\n"
        "        return {'system': 'swallowed'}\n",
        ask=ask,
    )

    with pytest.raises(InfraError, match="overloaded"):
        proposer.propose(occasion(), attempt=0, refused="")


def test_a_search_with_a_reflecting_function_takes_what_the_lm_says() -> None:
    source = (
        "def propose(occasion, reflect):\n"
        "    told = '\\n'.join(f'### Score\\n{s.score:g}\\n### Feedback\\n{s.feedback}'\n"
        "        for s in occasion.observations)\n"
        "    text = occasion.texts['system']\n"
        "    answer = reflect(f'<current_text>\\n{text}\\n</current_text>\\n{told}')\n"
        "    return {'system': answer.split('```text\\n')[1].split('\\n```')[0]}\n"
    )
    world = World(
        reflection=adds_a_rule, code=lambda ask, rules: build(source, ask=ask, rules=rules)
    )

    result = world.run(proposer=Proposer.CODE)

    assert result.candidates[result.best].val_mean == 1.0
    assert world.asked(Purpose.REFLECTION)


FAULTS = {
    "return {'system': 1}": (
        "proposer 'propose' returned dict: {'system': 1}",
        1,
        "return {component: text}, or None for nothing",
    ),
    "return {'sytem': 'x'}": (
        "proposer 'propose' returned a text for 'sytem'",
        1,
        "components: system, user",
    ),
    "x = 1\n    return occasion.text": ("proposer 'propose' raised AttributeError", 3, None),
    "import os\n    os._exit(3)": (
        "proposer 'propose' failed: its process ended (exit code 3)",
        1,
        "return texts, or raise an exception, instead of ending the process",
    ),
    "return {'system': reflect('')}": ("raised TypeError: reflect() takes the text", 2, None),
    "return {'system': reflect('x')}": ("the config names no reflection LM", 2, None),
}


@pytest.mark.parametrize("body", FAULTS)
def test_what_is_wrong_names_the_file_and_the_line(
    built: Callable[..., CodeProposer], body: str
) -> None:
    said, line, hint = FAULTS[body]
    proposer = built(f"def propose(occasion, reflect):\n    {body}\n", spec=None)

    with pytest.raises(ProgramError) as caught:
        proposer.propose(occasion(), attempt=0, refused="")

    (problem,) = caught.value.problems
    assert said in problem.message
    assert (problem.path, problem.line) == ("own/p.py", line)
    if hint is not None:
        assert problem.hint == hint


def test_nothing_new_is_no_proposal(built: Callable[..., CodeProposer]) -> None:
    proposer = built("def propose(occasion, reflect, *rest):\n    return dict(occasion.texts)\n")

    assert proposer.propose(occasion(), attempt=0, refused="") is None


@pytest.mark.parametrize(
    ("source", "function", "said", "path"),
    [
        (
            "def propose(a, b): pass",
            "prepose",
            "'own/p.py' has no function 'prepose'",
            "gepa-ci.yml",
        ),
        ("def propose(a): pass", "propose", "cannot be called with two arguments", "own/p.py"),
        ("def propose(a, b, c): pass", "propose", "cannot be called with two", "own/p.py"),
        ("def propose(", "propose", "is not valid Python", "own/p.py"),
        ("import nowhere_at_all", "propose", "cannot be imported", "own/p.py"),
    ],
)
def test_a_proposer_that_cannot_be_loaded_is_an_error_of_the_config(
    source: str, function: str, said: str, path: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        build(source, function=function)

    assert said in caught.value.problems[0].message
    assert caught.value.problems[0].path == path


def test_a_builtin_callable_needs_no_signature(built: Callable[..., CodeProposer]) -> None:
    # Python cannot tell what `dict.get` takes, or it takes what is asked.
    proposer = built("propose = vars\n")
    with pytest.raises(GepaCiError):
        proposer.propose(occasion(), attempt=0, refused="")
    assert SPEC.model
