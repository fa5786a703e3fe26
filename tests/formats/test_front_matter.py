from __future__ import annotations

import pytest

from gepa_ci.core.digests import canonical_json
from gepa_ci.errors import PromptError
from gepa_ci.formats import read_prompt, render, write_texts

TURNS = [("q", "a"), ("yes", "b\nc")]


def turns(*pairs: tuple[str, str]) -> str:
    return canonical_json(
        [
            {"role": role, "content": content}
            for pair in pairs
            for role, content in zip(("user", "assistant"), pair, strict=True)
        ]
    )


def test_a_body_without_placeholders_is_the_system_message() -> None:
    prompt = read_prompt("a.md", b"Be \tgood. \r\n\r\n")

    assert prompt.texts == {"system": "Be \tgood. \r\n\r\n", "demos": "[]"}
    rendered = render(prompt, {"question": "Why?"})
    assert [(m.role.value, m.content) for m in rendered.messages] == [
        ("system", "Be \tgood. \r\n\r\n"), ("user", "Why?"),
    ]  # fmt: skip
    assert rendered.unused_inputs == ()


def test_a_body_with_placeholders_is_the_user_message() -> None:
    prompt = read_prompt("a.txt", b"Say {{ word }} to {{who.name-1}}, {{ not a name }}, {{{word}}}")

    assert list(prompt.texts) == ["demos", "user"]
    assert prompt.variables == ("who.name-1", "word")
    rendered = render(prompt, {"word": "{{word}}", "who.name-1": [1, "é"], "z": 1})
    assert [m.content for m in rendered.messages] == [
        'Say {{word}} to [1,"é"], {{ not a name }}, {{{word}}}'
    ]
    assert rendered.unused_inputs == ("z",)


def test_the_role_in_front_matter_wins() -> None:
    prompt = read_prompt("a.md", b"---\nrole: system\n---\nKnow {{fact}}.")

    rendered = render(prompt, {"fact": "it", "input": "go", "other": "x"})
    assert [m.content for m in rendered.messages] == ["Know it.", "go"]
    assert rendered.unused_inputs == ("other",)


def test_demos_in_front_matter_are_literal_turns_between_system_and_user() -> None:
    prompt = read_prompt(
        "a.md", b"---\nmodel: m\ndemos:\n- {user: '{{x}}', assistant: a}\n---\nBody"
    )

    rendered = render(prompt, {"input": "go"})
    assert [m.content for m in rendered.messages] == ["Body", "{{x}}", "a", "go"]
    assert prompt.variables == ()


def test_front_matter_names_model_and_parameters() -> None:
    prompt = read_prompt(
        "a.md",
        b"---\nmodel: m\ntemperature: 0.5\nmax_tokens: 3\ntop_p: 1\nstop: x\nseed: 1\nowner: me\n"
        b"response_format: {type: json_object}\n--- \nx",
    )

    assert prompt.model == "m"
    assert prompt.parameters == {
        "temperature": 0.5, "max_tokens": 3, "top_p": 1, "stop": "x", "seed": 1,
        "response_format": {"type": "json_object"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [("json_object", {"response_format": {"type": "json_object"}}), ("text", {})],
)
def test_the_response_format_can_be_one_word(value: str, expected: object) -> None:
    prompt = read_prompt("a.md", f"---\nresponse_format: {value}\n---\nx".encode())

    assert prompt.parameters == expected


@pytest.mark.parametrize(
    ("source", "line", "message", "hint"),
    [
        ("---\nmodel: m\n", 1, "the front matter is not closed", "end it with a line '---'"),
        ("---\nhello\n---\n", 2, "the front matter must be a mapping, and is 'hello'", None),
        ("---\nrole: sytem\n---\n", 2, "unknown role 'sytem'", "did you mean 'system'?"),
        ("---\nrole: xx\n---\n", 2, "unknown role 'xx'", "use system or user"),
        ("---\nrole: []\n---\n", 2, "'role' must be text", None),
        ("---\n\nseed: x\n---\n", 3, "'seed' must be a whole number", None),
        ("---\ndemos: 1\n---\n", 2, "'demos' must be a list", None),
        ("---\ndemos: [{user: a}]\n---\n", 2, "demo 1 is not a pair", "user and assistant"),
        ("---\ndemos: [1]\n---\n", 2, "demo 1 must be a mapping", None),
        ("---\ndemos: [&a {user: a, assistant: b}]\n---\n", 2, "'demos' has an anchor", "write"),
        ("---\na: [\n---\n", 3, "not valid YAML", None),
        ("---\na: 1\na: 2\n---\n", 3, "the front matter has the key 'a' twice", "remove"),
    ],
)
def test_broken_front_matter_is_an_error_with_line_and_hint(
    source: str, line: int, message: str, hint: str | None
) -> None:
    with pytest.raises(PromptError) as caught:
        read_prompt("a.md", source.encode())

    first = caught.value.problems[0]
    assert first.line == line
    assert message in first.message
    assert (hint or "") in (first.hint or "")


def test_problems_of_front_matter_and_body_come_at_once() -> None:
    with pytest.raises(PromptError) as caught:
        read_prompt("a.j2", b"---\nseed: x\nrole: y\n---\n\n{% set a = 1 %}")

    assert sorted(p.line or 0 for p in caught.value.problems) == [2, 3, 6]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Body\r\n", "---\r\ndemos:\r\n  - user: q\r\n    assistant: a\r\n---\r\nBody\r\n"),
        ("---\n# c\n---\nB", "---\n# c\ndemos:\n  - user: q\n    assistant: a\n---\nB"),
        (
            "---\ndemos: []\nmodel: m # c\n---\nB",
            "---\ndemos:\n  - user: q\n    assistant: a\nmodel: m # c\n---\nB",
        ),
        ("---\ndemos:\n---\nB", "---\ndemos:\n  - user: q\n    assistant: a\n---\nB"),
        (
            "---\ndemos:\n-  user: q # c\n   assistant: a\n-  user: x\n   assistant: y\n---\nB",
            "---\ndemos:\n-  user: q # c\n   assistant: a\n---\nB",
        ),
    ],
)
def test_demos_are_written_in_the_style_of_the_file(before: str, after: str) -> None:
    written = write_texts(read_prompt("a.md", before.encode()), {"demos": turns(("q", "a"))})

    assert written.source.decode() == after


def test_demos_can_be_removed_and_added_again() -> None:
    prompt = write_texts(read_prompt("a.md", b"B"), {"demos": turns(*TURNS)})
    emptied = write_texts(prompt, {"demos": "[]"})

    assert emptied.source == b"---\ndemos: []\n---\nB"
    assert write_texts(emptied, {"demos": turns(*TURNS)}).source == prompt.source


def test_demos_do_not_fit_into_front_matter_in_braces() -> None:
    with pytest.raises(PromptError, match="cannot hold the new text of 'demos': not valid YAML"):
        write_texts(read_prompt("a.md", b"---\n{model: m}\n---\nB"), {"demos": turns(*TURNS)})


def test_a_body_that_begins_like_front_matter_gets_an_empty_one_before_it() -> None:
    written = write_texts(read_prompt("a.md", b"x"), {"system": "---\nnot: matter\n---\n"})

    assert written.source == b"---\n---\n---\nnot: matter\n---\n"


def test_a_text_that_would_change_the_role_is_refused() -> None:
    with pytest.raises(PromptError, match="messages would be demos, user and not system, demos"):
        write_texts(read_prompt("a.md", b"x"), {"system": "{{ y }}"})
