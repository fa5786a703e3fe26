from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gepa_ci.errors import PromptError
from gepa_ci.formats import read_prompt, render, write_texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.errors import Problem

FUZZ = settings(database=None, deadline=None, derandomize=True, max_examples=60)
SEEDS = {
    "a.prompt.yml": [
        (
            b"model: m\nmessages:\n  - role: system\n    content: |2-\n        a\n\n"
            b"  - role: user\n"
            b'    content: >+\n      b\n\n  - {role: assistant, content: "c\\n"}\n  - role: user\n'
            b"    content: 'd {{e}}'\ntestData:\n- &a {e: f}\n- *a\nevaluators:\n"
            b"- {name: g, string: {equals: '{{e}}'}}\n"
        ),
    ],
    "a.md": [b"---\nmodel: m\ndemos:\n- user: a\n  assistant: |\n    b\n---\nBody {{ x }}\r\n"],
    "a.j2": [b"---\nrole: user\n---\n{% for x in y -%}\r\n{{ x|upper }}{% endfor %}{{ z.a }}"],
}
PIECES = [
    b"\n", b"\r", b"\r\n", b" ", b"  ", b"\t", b"- ", b": ", b"|", b">", b"-", b"+", b"2", b"'",
    b'"', b"\\", b"\\x", b"\\U00110000", b"#", b"{", b"}", b"[", b"]", b"{{", b"}}", b"{%", b"%}",
    b"&a ", b"*a", b"!!str ", b"!x ", b"? ", b"---\n", b"...", b"%YAML 9.9\n", b"%TAG ! x\n",
    b"\x00", b"\xff", b"\xc2\x85", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"<<", b"~", b"1e999",
    b"role: user", b"content:", b"messages:", b"demos:",
]  # fmt: skip
EDITS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 6), st.sampled_from(PIECES)), max_size=6
)


def problems_of(action: Callable[[], object]) -> tuple[Problem, ...]:
    try:
        action()
    except PromptError as error:
        return error.problems
    return ()


def use(path: str, source: bytes) -> None:
    """Read, render and write a file: nothing but a PromptError may come of it."""
    problems = problems_of(lambda: read_prompt(path, source))
    assert all(p.path == path for p in problems)
    assert all(p.line is None or 1 <= p.line <= source.count(b"\n") + 1 for p in problems)
    if problems:
        return
    prompt = read_prompt(path, source)
    assert write_texts(prompt, prompt.texts).source == source
    for component in prompt.components:
        assert 0 <= component.span.start <= component.span.end <= len(source)
    inputs = dict.fromkeys((*prompt.variables, "input"), "v")
    assert all(p.path == path for p in problems_of(lambda: render(prompt, inputs)))
    for name in prompt.texts:
        new = {name: "[]" if name == "demos" else "new {{e}}\ntext\n"}
        assert all(p.path == path for p in problems_of(partial(write_texts, prompt, new)))


@pytest.mark.parametrize("path", SEEDS)
def test_random_bytes_are_read_or_refused(path: str) -> None:
    @FUZZ
    @given(st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(PIECES)).map(b"".join)))
    def check(source: bytes) -> None:
        use(path, source)

    check()


@pytest.mark.parametrize("path", SEEDS)
def test_mutated_files_are_read_or_refused(path: str) -> None:
    @FUZZ
    @given(st.sampled_from(SEEDS[path]), EDITS)
    def check(source: bytes, edits: list[tuple[int, int, bytes]]) -> None:
        for at, drop, piece in edits:
            source = source[:at] + piece + source[at + drop :]
        use(path, source)

    check()


@pytest.mark.parametrize(
    "source",
    [
        b"[" * 20_000, b"{" * 20_000, b"- " * 20_000, b"? " * 20_000, b"a: " * 20_000,
        b"&a " * 20_000, b"!" * 20_000, b"'" * 50_001, b'"\\' * 10_000, b"%" * 20_000,
        b"x: |\n" + b"\n" * 100_000, b"[a, " * 10_000, b"messages: [" + b"{}," * 10_000 + b"]",
        b"x: [" + b"!a b, " * 10_000 + b"]",
    ],
    ids=range(14),
)  # fmt: skip
@pytest.mark.timeout(20)
def test_long_repetitions_end_soon(source: bytes) -> None:
    use("a.prompt.yml", source)
    use("a.md", b"---\n" + source + b"\n---\n")


@pytest.mark.parametrize(
    "source",
    [b"{{" * 20_000, b"{%" * 20_000, b"{#" * 20_000, b"{{ a" + b"|a" * 10_000 + b" }}",
     b"{{ " + b"not " * 10_000 + b"a }}", b"{{ " + b"[" * 10_000, b"{{ a" + b".a" * 10_000 + b"}}",
     b"{% if a %}" * 5_000, b"{{ 'a" * 10_000, b"{{ a" + b" if a else a" * 5_000 + b" }}",
     b"{% raw %}" * 5_000, b"-%}\n" * 10_000, b"{{ a }}" + b" " * 200_000 + b"{%- if a %}"],
    ids=range(13),
)  # fmt: skip
@pytest.mark.timeout(20)
def test_long_jinja_repetitions_end_soon(source: bytes) -> None:
    use("a.j2", source)
