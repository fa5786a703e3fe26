from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import ANY_TEXT, NASTY_TEXTS, as_template

from gepa_ci.core.digests import canonical_json
from gepa_ci.formats import read_prompt, render, write_texts

if TYPE_CHECKING:
    from gepa_ci.core.prompt import Prompt

LAW = settings(database=None, deadline=None, derandomize=True, max_examples=15)

STYLES = {
    "plain": "content: hello there\n",
    "plain, commented": "content: hello there  # why\n",
    "plain over lines": "content: hello\n      there\n",
    "single": "content: 'hello there'\n",
    "double": 'content: "hello\\nthere"\n',
    "double over lines": 'content: "hello\n      there"   # why\n',
    "literal": "content: |\n      hello\n      there\n",
    "literal empty": "content: |\n\n",
    "literal strip": "content: |-\n      hello\n        there\n",
    "literal keep": "content: |+\n      hello\n\n\n",
    "literal indented": "content: |4-\n        hello\n",
    "literal deep": "content: |\n                  hello\n",
    "literal commented": "content: | # why\n      hello\n",
    "literal, blank lines after": "content: |\n      hello\n\n   \n\n",
    "literal, comments after": "content: |\n      hello\n    # one\n\n# two\n",
    "folded": "content: >\n      hello\n      there\n\n      you\n",
    "folded strip": "content: >-\n      hello\n",
    "folded keep": "content: >+\n      hello\n\n",
}


def yml(style: str, eol: str = "\n", bom: str = "") -> bytes:
    text = (
        f"{bom}# say: hello\nx-own: &a [1, 'é 🎉']\nmodel: openai/gpt-4o-mini\nmessages:\n"
        f"  - role: system\n    {STYLES[style]}    name: own key\n"
        "  # the question\n  - content: '{{input}}'\n    role: user\n"
        "testData: [{input: a, expected: no}]\nother: *a\n"
    )
    return text.replace("\n", eol).encode()


FILES = {
    **{f"yml {style}": ("a.prompt.yml", yml(style)) for style in STYLES},
    "yml CRLF literal": ("a.prompt.yml", yml("literal", "\r\n")),
    "yml CRLF folded": ("a.prompt.yml", yml("folded", "\r\n")),
    "yml CRLF literal keep": ("a.prompt.yml", yml("literal keep", "\r\n")),
    "yml CRLF double": ("a.prompt.yml", yml("double over lines", "\r\n")),
    "yml BOM": ("a.prompt.yml", yml("literal", "\n", "\ufeff")),
    "yml CR": ("a.prompt.yaml", yml("literal", "\r")),
    "yml flow": (
        "a.prompt.yml",
        "messages: [{role: system, content: é x}, {role: user, content: '{{input}}'}] # b".encode(),
    ),
    "yml without last newline": (
        "a.prompt.yml",
        b"messages:\n- {role: user, content: '{{input}}'}\n- role: system\n  content: |\n    x",
    ),
    "yml list in line with its key": (
        "a.prompt.yml",
        b"messages:\n-   role: system\n    content: |\n      x\n-   role: user\n    content: y",
    ),
    "text": ("a.md", b"---\n# why\nrole: system\nmodel: m\n---\nhello"),
    "text CRLF": ("a.txt", b"---\r\nrole: system\r\n---\r\nhello\r\n"),
    "text BOM": ("a.md", b"\xef\xbb\xbf---\nrole: system\n---\nhello"),
    "jinja": ("a.md.j2", b"---\nrole: system\ntemperature: 0\n---\nhello"),
    "jinja CRLF": ("a.jinja", b"---\r\nrole: system\r\n---\r\nhello"),
}


def assert_law(prompt: Prompt, name: str, text: str) -> None:
    written = write_texts(prompt, {name: text})

    assert written.texts == {**prompt.texts, name: text}
    span = prompt.component(name).span
    assert written.source.startswith(prompt.source[: span.start])
    assert written.source.endswith(prompt.source[span.end :])
    assert len(written.source) >= len(prompt.source) - (span.end - span.start)


@pytest.mark.parametrize("file", FILES)
def test_nasty_texts_read_back_and_change_only_their_span(file: str) -> None:
    prompt = read_prompt(*FILES[file])

    for text in NASTY_TEXTS:
        assert_law(prompt, "system", as_template(prompt.format, text))


@pytest.mark.parametrize("file", FILES)
def test_any_text_reads_back_and_changes_only_its_span(file: str) -> None:
    prompt = read_prompt(*FILES[file])

    @LAW
    @given(ANY_TEXT)
    def check(text: str) -> None:
        assert_law(prompt, "system", as_template(prompt.format, text))

    check()


@pytest.mark.parametrize("file", FILES)
def test_a_text_can_be_written_over_any_other_text(file: str) -> None:
    prompt = read_prompt(*FILES[file])

    @LAW
    @given(st.lists(ANY_TEXT, min_size=2, max_size=3))
    def check(texts: list[str]) -> None:
        current = prompt
        for text in texts:
            assert_law(current, "system", as_template(prompt.format, text))
            current = write_texts(current, {"system": as_template(prompt.format, text)})

    check()


@pytest.mark.parametrize("file", FILES)
def test_any_demos_read_back_and_change_only_their_span(file: str) -> None:
    prompt = read_prompt(*FILES[file])

    @LAW
    @given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=3), st.data())
    def check(pairs: list[tuple[str, str]], data: st.DataObject) -> None:
        assert_law(prompt, "demos", demos(pairs))
        written = write_texts(prompt, {"demos": demos(pairs)})
        kept = pairs[: data.draw(st.integers(0, len(pairs)))]
        more = data.draw(st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=2))
        assert_law(written, "demos", demos([*kept, *more]))
        assert_law(written, "system", "changed\n\n")

    check()


@pytest.mark.parametrize("text", NASTY_TEXTS, ids=range(len(NASTY_TEXTS)))
def test_a_whole_text_file_is_the_message_byte_for_byte(text: str) -> None:
    prompt = write_texts(read_prompt("a.md", b"x"), {"system": text})

    assert render(prompt, {"input": "i"}).messages[0].content == text
    assert prompt.source.endswith(text.encode())


@pytest.mark.parametrize("text", NASTY_TEXTS, ids=range(len(NASTY_TEXTS)))
@pytest.mark.parametrize("file", ["yml literal", "text", "jinja", "jinja CRLF"])
def test_nasty_texts_render_to_themselves(file: str, text: str) -> None:
    prompt = read_prompt(*FILES[file])
    written = write_texts(prompt, {"system": as_template(prompt.format, text)})

    assert render(written, {"input": "i"}).messages[0].content == text


@pytest.mark.parametrize("file", FILES)
def test_nothing_changes_when_no_text_differs(file: str) -> None:
    prompt = read_prompt(*FILES[file])

    assert write_texts(prompt, prompt.texts).source == FILES[file][1]


@pytest.mark.parametrize(
    ("style", "text", "expected"),
    [
        ("plain", "good day {{input}}, you", "content: good day {{input}}, you\n"),
        ("plain", "a: b", 'content: "a: b"\n'),
        ("plain", "two\nlines\n", "content: |\n      two\n      lines\n"),
        ("plain, commented", "two\nlines", 'content: "two\\nlines"  # why\n'),
        ("single", "it's", "content: 'it''s'\n"),
        ("double", "a\tb\n", 'content: "a\\tb\\n"\n'),
        ("literal", "a\n\n  b\n", "content: |\n      a\n\n        b\n"),
        ("literal", "a", "content: |-\n      a\n"),
        ("literal", "a\r\n", 'content: "a\\r\\n"\n'),
        ("literal strip", "a\n", "content: |\n      a\n"),
        ("literal keep", "a\n", "content: |+\n      a\n"),
        ("literal indented", "a", "content: |4-\n        a\n"),
        ("literal", " a\n", "content: |2\n       a\n"),
        ("literal", "\ta\n", "content: |2\n      \ta\n"),
        ("literal commented", "a\n", "content: | # why\n      a\n"),
        ("literal commented", "", 'content: "" # why\n'),
        ("literal deep", " a\n", 'content: " a\\n"\n'),
        ("literal, blank lines after", "a\n", "content: |\n      a\n\n   \n\n"),
        ("literal, blank lines after", "a\n\n", 'content: "a\\n\\n"\n\n   \n\n'),
        ("literal, comments after", "a\n", "content: |\n      a\n    # one\n\n# two\n"),
        ("folded", "a\nb\n", "content: >\n      a\n\n      b\n"),
        ("folded", " a\n", "content: |2\n       a\n"),
        ("folded strip", "a\n\nb", "content: >-\n      a\n\n\n      b\n"),
        (
            "folded",
            "it is wrapped where the old one was wrapped",
            "content: >-\n      it is wrapped where\n      the old one was\n      wrapped\n",
        ),
    ],
)
def test_a_text_is_written_like_the_old_one_where_that_can_carry_it(
    style: str, text: str, expected: str
) -> None:
    written = write_texts(read_prompt("a.prompt.yml", yml(style)), {"system": text})

    found = re.search(r"    (content: .*?)    name: own key", written.source.decode(), re.DOTALL)
    assert found is not None
    assert found[1] == expected


def demos(pairs: list[tuple[str, str]]) -> str:
    # A placeholder in an example would be filled in, so it is refused.
    return canonical_json(
        [
            {"role": role, "content": content.replace("{{", "{ ").replace("}}", "} ")}
            for pair in pairs
            for role, content in zip(("user", "assistant"), pair, strict=True)
        ]
    )
