"""DSPy programs as prompt files: what DSPy saved, what is refused, and what writing keeps."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import ANY_TEXT, NASTY_TEXTS

from gepa_ci.core.digests import canonical_json
from gepa_ci.core.prompt import ComponentKind, Role
from gepa_ci.errors import PromptError
from gepa_ci.formats import placeholders, read_prompt, render, write_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from gepa_ci.core.prompt import Prompt
    from gepa_ci.errors import Problem

LAW = settings(database=None, deadline=None, derandomize=True, max_examples=15)
FUZZ = settings(database=None, deadline=None, derandomize=True, max_examples=150)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(ANY_TEXT, inner, max_size=2),
    max_leaves=4,
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
DEMOS = st.lists(st.dictionaries(ANY_TEXT, VALUES, max_size=3), max_size=3)


def state(instructions: str = "Say ü.", demos: object = (), **more: object) -> dict[str, Any]:
    fields = [{"prefix": "Q:", "description": "${q}"}]
    signature = {"instructions": instructions, "fields": fields}
    return {"traces": [], "train": [], "demos": demos, "signature": signature, "lm": None, **more}


PROGRAM = {
    "rewrite.predict": state("Rewrite {it}.", [{"q": "é", "a": 1}, {"q": "two", "a": [{}]}]),
    "hops['it\\'s'][0]": state(lm={"model": "openai/gpt-4o-mini", "temperature": 0.2}),
    "flex": {"module_src": "class P: ...", "lm": None},
    "metadata": {"dependency_versions": {"dspy": "3.4.1"}},
}


def dumped(program: object = PROGRAM, **options: Any) -> bytes:
    return json.dumps(program, **{"indent": 2, "ensure_ascii": False, **options}).encode()


INDENTED = dumped()
FILES = {
    "as DSPy saves it": INDENTED + b"\n",
    "CRLF": INDENTED.replace(b"\n", b"\r\n"),
    "CR": INDENTED.replace(b"\n", b"\r"),
    "escaped": dumped(ensure_ascii=True),
    "tabs": dumped(indent="\t"),
    "no indentation": dumped(indent=0),
    "one line": dumped(indent=None),
    "compact": dumped(indent=None, separators=(",", ":")),
    "strange spaces": INDENTED.replace(b'": ', b'"\t:\n ').replace(b"[]", b"[ ]"),
    "demos on one line": re.sub(rb'\[\s+\{\s+"q".*?\]\s+\}\s+\]', b'[{"q": 1}, {}]', INDENTED,
                                count=1, flags=re.DOTALL),
    "bare": dumped(state("Say ü.", [{"q": 1}])),
}  # fmt: skip


def opened(source: bytes) -> Prompt:
    return read_prompt("p/a.json", source)


def problems(source: bytes) -> list[tuple[str, int | None]]:
    """Return message and line of all that is said against a file; nothing for one that is read."""
    found: tuple[Problem, ...] = ()
    try:
        opened(source)
    except PromptError as error:
        found = error.problems
    assert all(problem.path == "p/a.json" for problem in found)
    return [(problem.message, problem.line) for problem in found]


def assert_law(prompt: Prompt, name: str, text: str) -> None:
    written = write_texts(prompt, {name: text})

    assert written.texts == {**prompt.texts, name: text}
    span = prompt.component(name).span
    assert written.source.startswith(prompt.source[: span.start])
    assert written.source.endswith(prompt.source[span.end :])
    assert len(written.source) >= len(prompt.source) - (span.end - span.start)


# What DSPy itself writes and reads.


@pytest.fixture(scope="module")
def build() -> Callable[..., Any]:
    import dspy

    class Pipeline(dspy.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.rewrite = dspy.ChainOfThought(dspy.Signature("question -> query", "Rewrite."))
            self.hops = [dspy.Predict("a -> b"), dspy.Predict("a -> b")]
            self.named = {"it's": dspy.Predict("a -> b"), 'say "x"': dspy.Predict("a -> b")}
            self.signature = dspy.Predict("a -> b")
            self.agent = dspy.ReAct("q -> a", tools=[len])
            self.search = dspy.Flex("q -> a")

    return Pipeline


def saved(program: Any, folder: Path) -> bytes:
    path = folder / "program.json"
    program.save(path, save_program=False)
    return path.read_bytes()


def test_each_predictor_that_dspy_saves_has_instructions_and_demos(
    build: Callable[..., Any], tmp_path: Path
) -> None:
    program = build()
    predictors = dict(program.named_predictors())
    predictors["rewrite.predict"].demos = [{"question": "é {x}", "query": [1.5, None]}]

    prompt = opened(saved(program, tmp_path))

    assert list(prompt.texts) == [
        name for predictor in predictors for name in (predictor, f"{predictor}.demos")
    ]
    assert {"rewrite.predict", "hops[1]", "named['it's']", "signature", "agent.react"} <= set(
        prompt.texts
    )
    assert [prompt.texts[name] for name in predictors] == [
        predictor.signature.instructions for predictor in predictors.values()
    ]
    assert prompt.texts["rewrite.predict.demos"] == '[{"query":[1.5,null],"question":"é {x}"}]'
    assert prompt.texts["signature.demos"] == "[]"


def test_writing_gives_the_bytes_that_dspy_itself_would_have_saved(
    build: Callable[..., Any], tmp_path: Path
) -> None:
    program = build()
    before = opened(saved(program, tmp_path))
    predictor = program.rewrite.predict

    @LAW
    @given(ANY_TEXT, DEMOS, DEMOS)
    def check(instructions: str, first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
        predictor.signature.instructions = instructions
        predictor.demos = json.loads(canonical_json(first))
        program.signature.demos = json.loads(canonical_json(second))
        texts = {
            # DSPy strips instructions as Python does docstrings.
            "rewrite.predict": predictor.signature.instructions,
            "rewrite.predict.demos": canonical_json(first),
            "signature.demos": canonical_json(second),
        }

        assert write_texts(before, texts).source == saved(program, tmp_path)

    check()


def test_dspy_loads_what_was_written(build: Callable[..., Any], tmp_path: Path) -> None:
    prompt = opened(saved(build(), tmp_path))
    demos = canonical_json([{"a": "ü\u2028", "b": {"c": [1e100]}}])
    texts = {"named['it's']": "new\n\x07 {text}", "named['it's'].demos": demos}
    (tmp_path / "new.json").write_bytes(write_texts(prompt, texts).source)
    program = build()
    program.load(tmp_path / "new.json")

    assert program.named["it's"].signature.instructions == "new\n\x07 {text}"
    assert canonical_json(program.named["it's"].demos) == demos


def test_a_predictor_that_is_the_whole_program_is_called_as_dspy_calls_it(
    build: Callable[..., Any], tmp_path: Path
) -> None:
    predictor = build().rewrite.predict

    prompt = opened(saved(predictor, tmp_path))

    assert list(prompt.texts) == ["self", "self.demos"]
    assert [name for name, _ in predictor.named_parameters()] == ["self"]
    assert write_texts(prompt, {"self": "x"}).texts == {"self": "x", "self.demos": "[]"}


def test_a_program_without_predictors_is_no_prompt(
    build: Callable[..., Any], tmp_path: Path
) -> None:
    program = build()
    for name in ("rewrite", "hops", "named", "signature", "agent"):
        delattr(program, name)

    assert problems(saved(program, tmp_path)) == [
        ("the program has only the code of dspy.Flex, which is not a prompt", 1)
    ]


# What is read.


def test_a_program_names_no_model_and_its_instructions_are_no_templates() -> None:
    prompt = opened(INDENTED)

    assert prompt.format == "dspy_json"
    assert (prompt.variables, prompt.model, prompt.parameters) == ((), None, {})
    assert placeholders("dspy_json", "{{ a }} {b}") == []


def test_components_know_their_kind_their_line_and_their_bytes() -> None:
    prompt = opened(FILES["CRLF"])

    found = [(c.name, c.kind, c.role, c.line) for c in prompt.components[:2]]
    assert found == [
        ("rewrite.predict", ComponentKind.TEXT, Role.SYSTEM, 18),
        ("rewrite.predict.demos", ComponentKind.RECORDS, Role.ASSISTANT, 5),
    ]
    second = prompt.component("hops['it\\'s'][0]").span
    assert prompt.source[second.start : second.end].decode() == '"Say ü."'


def test_a_dspy_program_is_not_rendered_as_messages() -> None:
    with pytest.raises(PromptError, match="is run by `program: path") as caught:
        render(opened(INDENTED), {"q": "x"})

    assert caught.value.problems[0].path == "p/a.json"


# What writing keeps.


@pytest.mark.parametrize("file", FILES)
def test_nasty_instructions_read_back_and_change_only_their_span(file: str) -> None:
    prompt = opened(FILES[file])

    for text in NASTY_TEXTS:
        assert_law(prompt, next(iter(prompt.texts)), text)


@pytest.mark.parametrize("file", FILES)
def test_any_texts_and_demos_can_be_written_over_each_other(file: str) -> None:
    prompt = opened(FILES[file])
    name = next(iter(prompt.texts))
    values = st.lists(st.dictionaries(ANY_TEXT, VALUES | FLOATS, max_size=3), max_size=3)

    @LAW
    @given(ANY_TEXT, values, values, st.data())
    def check(text: str, first: list[Any], second: list[Any], data: st.DataObject) -> None:
        assert_law(prompt, f"{name}.demos", canonical_json(first))
        written = write_texts(prompt, {f"{name}.demos": canonical_json(first), name: text})
        mixed = data.draw(st.permutations([*first, *second]))
        assert_law(written, f"{name}.demos", canonical_json(mixed))
        assert_law(written, name, "changed\n\n")

    check()


@pytest.mark.parametrize("file", FILES)
def test_nothing_changes_when_no_text_differs(file: str) -> None:
    prompt = opened(FILES[file])

    assert write_texts(prompt, prompt.texts).source == FILES[file]


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("as DSPy saves it",
         ('[\n      {\n        "q": "two",\n        "a": [\n          {}\n        ]\n      },\n'
         '      {\n        "q": "ö",\n        "a": 2,\n        "z": []\n      }\n    ]')),
        ("CRLF",
         ('[\r\n      {\r\n        "q": "two",\r\n        "a": [\r\n          {}\r\n        ]\r\n'
         '      },\r\n      {\r\n        "q": "ö",\r\n        "a": 2,\r\n        "z": []\r\n'
         '      }\r\n    ]')),
        ("tabs",
         ('[\n\t\t\t{\n\t\t\t\t"q": "two",\n\t\t\t\t"a": [\n\t\t\t\t\t{}\n\t\t\t\t]\n\t\t\t},\n'
         '\t\t\t{\n\t\t\t\t"q": "ö",\n\t\t\t\t"a": 2,\n\t\t\t\t"z": []\n\t\t\t}\n\t\t]')),
        ("no indentation",
         '[\n{\n"q": "two",\n"a": [\n{}\n]\n},\n{\n"q": "ö",\n"a": 2,\n"z": []\n}\n]'),
        ("one line", '[{"q": "two", "a": [{}]}, {"q": "ö", "a": 2, "z": []}]'),
        ("compact", '[{"q":"two","a":[{}]},{"q":"ö","a":2,"z":[]}]'),
        ("demos on one line", '[{"q": "two", "a": [{}]}, {"q": "ö", "a": 2, "z": []}]'),
    ],
)  # fmt: skip
def test_demos_are_written_as_the_old_ones_were(file: str, expected: str) -> None:
    new: list[Any] = [{"q": "two", "a": [{}]}, {"z": [], "q": "ö", "a": 2}]

    written = write_texts(opened(FILES[file]), {"rewrite.predict.demos": canonical_json(new)})

    span = written.component("rewrite.predict.demos").span
    assert written.source[span.start : span.end].decode() == expected


@pytest.mark.parametrize(
    ("demos", "expected"),
    [
        ('[\n  {"b": 1.50, "a": "\\u0041"},\n  {"a": 3}\n ]',
         '[\n  {"b": 1.50, "a": "\\u0041"},\n  {"b": 2, "a": "x"}\n ]'),
        ("[]",
         '[\n  {\n   "a": "A",\n   "b": 1.5\n  },\n  {\n   "a": "x",\n   "b": 2\n  }\n ]'),
    ],
)  # fmt: skip
def test_a_demo_that_stays_keeps_its_bytes(demos: str, expected: str) -> None:
    source = dumped(state(), indent=1).replace(b'"demos": []', f'"demos": {demos}'.encode())
    new = canonical_json([{"a": "A", "b": 1.5}, {"a": "x", "b": 2}])

    written = write_texts(opened(source), {"self.demos": new})

    span = written.component("self.demos").span
    assert written.source[span.start : span.end].decode() == expected


def test_demos_over_lines_in_a_file_on_one_line_are_indented_by_two() -> None:
    source = dumped(state(), indent=None).replace(b'"demos": []', b'"demos": [\n{}]')

    written = write_texts(opened(source), {"self.demos": '[{"a":1}]'})

    assert b'"demos": [\n  {"a": 1}\n], "signature"' in written.source


@pytest.mark.parametrize(
    ("file", "expected"),
    [("escaped", b'"\\u00e4 \\ud83c\\udf89"'), ("as DSPy saves it", '"ä 🎉"'.encode())],
)
def test_characters_are_escaped_where_the_file_escapes_them(file: str, expected: bytes) -> None:
    texts = {"rewrite.predict": "ä 🎉", "rewrite.predict.demos": '[{"a":"ä 🎉"}]'}

    assert write_texts(opened(FILES[file]), texts).source.count(expected) == 2


def test_a_backslash_before_a_u_is_not_an_escape() -> None:
    source = dumped({"p": state("C:\\\\u00e4 \x07")}, ensure_ascii=False)

    assert '"ä"'.encode() in write_texts(opened(source), {"p": "ä"}).source


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "{}", "[1]", '[{"b":1,"a":2}]', '[{"a": 1}]', '[{"a":1,"a":1}]', '[{"a":NaN}]',
        '[{"a":"\\u00e4"}]', "[" * 5_000, '[{"a":1' + "0" * 5_000 + "}]", '[{"a":1e999}]',
        '[{"a":"\\ud800"}]', "[null]",
    ],
    ids=range(14),
)  # fmt: skip
def test_demos_must_be_canonical_json(text: str) -> None:
    with pytest.raises(PromptError, match="is not the canonical JSON of a list of objects"):
        write_texts(opened(dumped(state())), {"self.demos": text})


def test_demos_may_not_make_the_file_deeper_than_it_may_be() -> None:
    deep = '[{"a":' + "[" * 98 + "]" * 98 + "}]"

    with pytest.raises(PromptError, match="nested deeper than 100 levels"):
        write_texts(opened(dumped(state())), {"self.demos": deep})


# What is refused.


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (b"[]", ("not the saved state of a DSPy program: a list, not an object", 1)),
        (b"null", ("not the saved state of a DSPy program: null, not an object", 1)),
        (b"{}", ("not the saved state of a DSPy program: it has no predictor", 1)),
        (b'\n{"name": "x", "signature": "y"}',
         ("not the saved state of a DSPy program: it has no predictor", 1)),
        (b'{"dependency_versions": {"dspy": "3"}}',
         ("not the state of a DSPy program: it only says which versions saved one", 1)),
        (b"", ("not JSON: expecting value at column 1", 1)),
        (b"\xef\xbb\xbf{}", ("not JSON: begins with a byte order mark at column 1", 1)),
        (b"{} x", ("not JSON: expected the end of the file at column 4", 1)),
        (b"{\n a: 1}", ("not JSON: expected a key in double quotes at column 2", 2)),
        (b'{"a" 1}', ("not JSON: expected ':' at column 6", 1)),
        (b'{"a": 1 "b": 2}', ("not JSON: expected ',' or '}' at column 9", 1)),
        (b'{"a": 1,}', ("not JSON: expected a key in double quotes at column 9", 1)),
        (b"[1,]", ("not JSON: expecting value at column 4", 1)),
        (b"[1\n2]", ("not JSON: expected ',' or ']' at column 1", 2)),
        (b"[01]", ("not JSON: expected ',' or ']' at column 3", 1)),
        (b'["a\nb"]', ("not JSON: invalid control character at column 4", 1)),
        (b'["a', ("not JSON: unterminated string at column 2", 1)),
        (b"[NaN]", ("not JSON: 'NaN' is not a JSON number at column 2", 1)),
        (b"[-Infinity]", ("not JSON: '-Infinity' is not a JSON number at column 2", 1)),
        (b"[1e999]", ("not JSON: the number '1e999' does not fit in 64 bits at column 2", 1)),
        (b"[18446744073709551616]",
         ("not JSON: the number '18446744073709551616' does not fit in 64 bits at column 2", 1)),
        (b"[1" + b"0" * 5_000 + b"]",
         ("not JSON: the number '10000000000000000000...' does not fit in 64 bits at column 2", 1)),
        (b'[\n"\\ud800"]', ("a string holds half of a surrogate pair", 2)),
        (b'{"\\udc00": 1}', ("a string holds half of a surrogate pair", 1)),
        (b"\n" + b"[" * 101 + b"]" * 101, ("lists and objects are nested deeper than 100 levels",
                                           2)),
        (b'{"a": 1,\n"a": 2, "\\u0061": 3}', ("the key 'a' is there twice", 2)),
    ],
)  # fmt: skip
def test_what_is_not_a_program_in_json_is_refused_where_it_is_wrong(
    source: bytes, expected: tuple[str, int]
) -> None:
    assert problems(source)[0] == expected


def edited(**changes: object) -> Mapping[str, object]:
    merged = {**state(), **changes}
    return {key: value for key, value in merged.items() if value is not ...}


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ({"p": state(), "q": 3}, [("'q' is not the state of a module: a number", 17)]),
        ({"p": state(), "": {}}, [("'' cannot be the name of a module", 17)]),
        ({"p": state(), "a\nb": {}}, [("'a\\nb' cannot be the name of a module", 17)]),
        ({"p": edited(signature=...)}, [("'p' has no 'signature'", 2)]),
        ({"p": edited(signature=True)}, [("'signature' of 'p' is true, not an object", 6)]),
        ({"p": edited(signature={"fields": []})}, [("'p.signature' has no 'instructions'", 6)]),
        ({"p": edited(signature={"instructions": None, "fields": 1.5})},
         [("'fields' of 'p.signature' is a number, not a list", 8),
          ("'instructions' of 'p.signature' is null, not text", 7)]),
        ({"p": edited(extended_signature={})},
         [("'p' was saved by DSPy 2.5 or earlier, which later versions cannot load", 2)]),
        ({"p": edited(demos="x")}, [("'demos' of 'p' is text, not a list", 5)]),
        ({"p": edited(demos=[{}, 1, None])},
         [("demo 2 of 'p' is a number, not an object", 7),
          ("demo 3 of 'p' is null, not an object", 8)]),
        ({"p": edited(demos=...)}, [("'p' has no 'demos'", 2)]),
        ({"p": edited(lm=...)}, [("'p' has no 'lm'", 2)]),
        ({"p": edited(lm="gpt")}, [("'lm' of 'p' is text, not an object or null", 15)]),
        ({"p": state(), "p.demos": state()}, [("two components would be called 'p.demos'", 17)]),
        (edited(demos=False), [("'demos' of 'self' is false, not a list", 4)]),
    ],
)  # fmt: skip
def test_all_that_is_wrong_with_a_program_is_said_with_its_lines(
    program: object, expected: list[tuple[str, int]]
) -> None:
    assert problems(dumped(program)) == expected


PIECES = [
    *(b'"', b"\\", b"\\u", b"\\ud800", b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\x00", b"\xff"),
    *(b"NaN", b"1e999", b"-", b"null", b"{}", b"[]", b'""', b'"signature": {},', b'"demos": [3],'),
]


@FUZZ
@given(
    st.sampled_from(sorted(FILES)),
    st.lists(
        st.tuples(st.integers(0, 700), st.integers(0, 6), st.sampled_from(PIECES)), max_size=3
    ),
)
def test_mutated_files_are_read_or_refused(file: str, edits: list[tuple[int, int, bytes]]) -> None:
    source = FILES[file]
    for at, drop, piece in edits:
        source = source[:at] + piece + source[at + drop :]
    if found := problems(source):
        lines = [line for _, line in found]
        assert all(line is None or 1 <= line <= source.count(b"\n") + 1 for line in lines)
        return
    prompt = opened(source)

    assert write_texts(prompt, prompt.texts).source == source
    for component in prompt.components:
        new = "new" if component.kind is ComponentKind.TEXT else '[{"a":"b"}]'
        assert_law(prompt, component.name, new)


@pytest.mark.parametrize(
    "source",
    [b"[" * 500_000, b'{"a":' * 150_000, b'"' * 500_000, b'"\\' * 250_000, b"1" * 500_000,
     b"[" + b"1," * 100_000, b"[" + b"\n" * 500_000, b"{" + b'"a":0,' * 20_000,
     b"[" + b'"\\ud800",' * 20_000],
    ids=range(9),
)  # fmt: skip
@pytest.mark.timeout(20)
def test_long_repetitions_end_soon(source: bytes) -> None:
    assert problems(source)
