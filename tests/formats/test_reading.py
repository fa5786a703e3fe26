from __future__ import annotations

import pytest

from gepa_ci.errors import PromptError
from gepa_ci.formats import read_prompt, write_texts

YML = b"messages: [{role: user, content: x}]"


@pytest.mark.parametrize(
    ("path", "expected"),
    [("p/a.prompt.yml", "prompt_yml"), ("a.PROMPT.YAML", "prompt_yml"), ("a.md", "text"),
     ("a.prompt.md", "text"), ("a.markdown", "text"), ("a.txt", "text"), ("a.j2", "jinja"),
     ("a.md.j2", "jinja"), ("a.jinja", "jinja"), ("a.txt.jinja2", "jinja")],
)  # fmt: skip
def test_the_file_name_says_the_format(path: str, expected: str) -> None:
    assert read_prompt(path, YML).format == expected


@pytest.mark.parametrize(
    ("path", "hint"),
    [("a.yml", "is called '*.prompt.yml'"), ("a.prompt", ".prompt.yml, .prompt.yaml, .j2")],
)
def test_another_file_name_is_an_error_that_lists_the_known_ones(path: str, hint: str) -> None:
    with pytest.raises(PromptError, match="no prompt format has this file name") as caught:
        read_prompt(path, YML)

    assert hint in (caught.value.problems[0].hint or "")


def test_bytes_that_are_not_utf_8_are_named_with_their_offset() -> None:
    with pytest.raises(PromptError, match=r"^a.md:2: not UTF-8: byte '0xff' at offset 3$"):
        read_prompt("a.md", b"a\nb\xff")


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(PromptError, match="the file has 1,048,577 bytes"):
        read_prompt("a.md", b"x" * (2**20 + 1))


def test_a_file_may_not_grow_too_large_by_writing() -> None:
    with pytest.raises(PromptError, match="cannot hold the new text of 'system': the file has"):
        write_texts(read_prompt("a.md", b"x"), {"system": "x" * (2**20 + 1)})


def test_a_byte_order_mark_stays_and_is_not_part_of_the_text() -> None:
    prompt = read_prompt("a.md", b"\xef\xbb\xbfx")

    assert prompt.texts["system"] == "x"
    assert write_texts(prompt, {"system": "y"}).source == b"\xef\xbb\xbfy"


def test_unknown_components_and_unwritable_texts_are_all_named() -> None:
    with pytest.raises(PromptError) as caught:
        write_texts(read_prompt("a.md", b"x"), {"systm": "", "other": "", "system": "\ud800"})

    assert [problem.message for problem in caught.value.problems] == [
        "the file has no component 'systm'",
        "the file has no component 'other'",
        "the text of 'system' holds half of a surrogate pair, which UTF-8 has not",
    ]
    assert caught.value.problems[0].hint == "did you mean 'system'? components: system, demos"


def test_several_texts_are_written_at_once() -> None:
    source = b"messages:\n- {role: system, content: a}\n- role: user\n  content: b\n"
    written = write_texts(read_prompt("a.prompt.yml", source), {"user": "c\nd", "system": "e"})

    assert written.source == (
        b"messages:\n- {role: system, content: e}\n- role: user\n  content: |-\n    c\n    d\n"
    )
