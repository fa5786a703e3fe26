from __future__ import annotations

import math

import pytest

from gepa_ci.errors import PromptError
from gepa_ci.formats import placeholders, read_prompt, render

ALL = [
    ("a.prompt.yml", b"messages: [{role: user, content: 'x{{a}}y{{b}}'}]"),
    ("a.md", b"x{{a}}y{{ b }}"),
    ("a.j2", b"x{{a}}y{{ b }}"),
]


@pytest.mark.parametrize(("path", "source"), ALL)
def test_an_input_is_never_expanded_again(path: str, source: bytes) -> None:
    prompt = read_prompt(path, source)

    assert render(prompt, {"a": "{{b}}", "b": "{{a}}"}).messages[0].content == "x{{b}}y{{a}}"


@pytest.mark.parametrize(("path", "source"), ALL)
@pytest.mark.parametrize(
    ("value", "expected"),
    [("é\r\n", "é\r\n"), (1, "1"), (1.5, "1.5"), (True, "true"), (None, "null"),
     ({"k": ["é", 1]}, '{"k":["é",1]}')],
)  # fmt: skip
def test_values_that_are_not_text_are_compact_json(
    path: str, source: bytes, value: object, expected: str
) -> None:
    inputs = {"a": value, "b": ""}

    content = render(read_prompt(path, source), inputs).messages[0].content  # type: ignore[arg-type]

    assert content == f"x{expected}y"


@pytest.mark.parametrize(("path", "source"), ALL)
def test_all_missing_inputs_are_named(path: str, source: bytes) -> None:
    with pytest.raises(
        PromptError, match="asks for 'a', 'b', which the example's inputs"
    ) as caught:
        render(read_prompt(path, source), {"c": "", "d": ""})

    assert caught.value.problems[0].path == path
    assert caught.value.problems[0].hint == "inputs of this example: c, d"


def test_an_example_without_inputs_is_said_to_have_none() -> None:
    with pytest.raises(PromptError) as caught:
        render(read_prompt(*ALL[0]), {})

    assert caught.value.problems[0].hint == "inputs of this example: none"


@pytest.mark.parametrize(("path", "source"), ALL)
def test_inputs_that_are_not_mentioned_are_listed(path: str, source: bytes) -> None:
    rendered = render(read_prompt(path, source), {"a": "", "b": "", "d": "", "c": ""})

    assert rendered.unused_inputs == ("c", "d")


@pytest.mark.parametrize(
    ("inputs", "said"),
    [({"a": "", "b": ""}, "several inputs could be"), ({}, "nothing is left")],
)
def test_a_system_message_needs_to_know_the_users(inputs: dict[str, str], said: str) -> None:
    with pytest.raises(PromptError, match=said) as caught:
        render(read_prompt("a.md", b"x"), inputs)

    assert "put placeholders" in (caught.value.problems[0].hint or "")


def test_half_a_surrogate_pair_is_not_sent() -> None:
    with pytest.raises(PromptError, match="holds half of a surrogate pair"):
        render(read_prompt("a.md", b"x"), {"input": "\ud800"})


def test_a_value_that_is_no_json_is_an_error() -> None:
    with pytest.raises(PromptError, match="the input 'input' has no JSON"):
        render(read_prompt("a.md", b"x"), {"input": math.nan})


@pytest.mark.parametrize(
    ("prompt_format", "expected"),
    [("prompt_yml", ["{{b}}", "{{a}}", "{{b}}", "{{1}}"]),
     ("text", ["{{b}}", "{{ c }}", "{{a}}", "{{b}}"])],
)  # fmt: skip
def test_placeholders_come_as_written_and_as_often(prompt_format: str, expected: list[str]) -> None:
    assert placeholders(prompt_format, "{{b}} {{ c }} {{a}}{{b}} {{1}} {{}} {{a b}}") == expected
