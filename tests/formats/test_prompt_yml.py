from __future__ import annotations

import json
import time

import pytest

from gepa_ci.core.digests import canonical_json
from gepa_ci.core.prompt import Evaluator, Prompt
from gepa_ci.errors import PromptError
from gepa_ci.formats import read_prompt, render, write_texts

MESSAGES = "messages:\n- {role: user, content: hi}\n"


def read(text: str) -> Prompt:
    return read_prompt("a.prompt.yml", text.encode())


def problems(text: str | bytes) -> list[tuple[int | None, str, str | None]]:
    source = text.encode() if isinstance(text, str) else text
    with pytest.raises(PromptError) as caught:
        read_prompt("a.prompt.yml", source)
    assert all(problem.path == "a.prompt.yml" for problem in caught.value.problems)
    return [(p.line, p.message, p.hint) for p in caught.value.problems]


CHAT = """\
messages:
  - role: system
    content: Sort {{kind}}.
  - role: user
    content: one
  - role: assistant
    content: eins
  - role: user
    content: two
  - role: assistant
    content: zwei
  - role: user
    content: '{{input}}'
"""


def test_components_are_messages_with_pairs_before_the_last_user_message_as_demos() -> None:
    prompt = read(CHAT)

    assert list(prompt.texts) == ["system", "demos", "user"]
    assert [turn["content"] for turn in json.loads(prompt.texts["demos"])] == [
        "one", "eins", "two", "zwei",
    ]  # fmt: skip
    assert prompt.variables == ("input", "kind")
    assert [component.line for component in prompt.components] == [3, 4, 13]


def test_spans_are_bytes_of_the_file() -> None:
    prompt = read("\ufeff# é🎉\nmessages:\n- role: user\n  content: naïve\n")

    span = prompt.component("user").span
    assert prompt.source[span.start : span.end].decode() == "naïve"


def test_messages_render_in_the_order_of_the_file() -> None:
    rendered = render(read(CHAT), {"input": "drei", "kind": "words"})

    assert [(m.role.value, m.content) for m in rendered.messages] == [
        ("system", "Sort words."), ("user", "one"), ("assistant", "eins"),
        ("user", "two"), ("assistant", "zwei"), ("user", "drei"),
    ]  # fmt: skip


def test_later_messages_of_a_role_are_numbered() -> None:
    prompt = read(
        "messages:\n- {role: user, content: a}\n- {role: system, content: b}\n"
        "- {role: user, content: c}\n- {role: assistant, content: d}\n"
    )

    assert prompt.texts == {"user": "a", "system": "b", "demos": "[]", "user_2": "c",
                            "assistant": "d"}  # fmt: skip


def test_placeholders_in_demos_are_filled_in() -> None:
    prompt = read(CHAT.replace("eins", "'{{one}}'"))

    assert prompt.variables == ("input", "kind", "one")
    rendered = render(prompt, {"input": "i", "kind": "k", "one": "1"})
    assert rendered.messages[2].content == "1"


def test_a_placeholder_has_no_blanks() -> None:
    assert read("messages:\n- {role: user, content: '{{ a }} {{b-c.d}} {{}}'}").variables == (
        "b-c.d",
    )


def test_model_and_parameters_come_in_our_words() -> None:
    prompt = read(
        f"model: openai/gpt-4o\nmodelParameters: {{maxTokens: 5, temperature: 0, topP: 0.5,"
        f" stop: [a], seed: 7, max_completion_tokens: 9, custom: 1}}\n{MESSAGES}"
    )

    assert prompt.model == "openai/gpt-4o"
    assert prompt.parameters == {
        "max_tokens": 5, "temperature": 0, "top_p": 0.5, "stop": ["a"], "seed": 7,
        "max_completion_tokens": 9,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("responseFormat: text\n", {}),
        ("responseFormat: json_object\n", {"response_format": {"type": "json_object"}}),
        (
            'responseFormat: json_schema\njsonSchema: \'{"name": "n", "schema": {}}\'\n',
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": {}},
                }
            },
        ),
        ("modelParameters:\ntestData:\nevaluators:\n", {}),
    ],
)
def test_the_response_format_has_the_shape_of_the_api(text: str, expected: object) -> None:
    assert read(text + MESSAGES).parameters == expected


def test_test_data_is_read_by_the_core_schema() -> None:
    prompt = read(
        f"{MESSAGES}testData:\n- input: a\n  expected: no\n"
        "- {a: 12:30, b: 007, c: 2026-01-01, d: 0x10, e: -1.5e3, f: true, g: ~, h: [1, {i: 0o7}]}\n"
    )

    assert prompt.test_data == (
        {"input": "a", "expected": "no"},
        {"a": "12:30", "b": "007", "c": "2026-01-01", "d": 16, "e": -1500.0, "f": True, "g": None,
         "h": [1, {"i": 7}]},
    )  # fmt: skip
    assert prompt.test_data_lines == (4, 6)


def test_evaluators_take_the_first_operator_that_says_something() -> None:
    prompt = read(
        f"{MESSAGES}evaluators:\n- {{name: a, string: {{endsWith: z, contains: y, equals: ''}}}}\n"
        "- name: b\n  llm: {modelId: m, choices: [{choice: '1', score: 1}]}\n"
        "- {name: c, uses: github/similarity}\n- string: {startsWith: '{{expected}}'}\n"
    )

    llm = canonical_json({"modelId": "m", "choices": [{"choice": "1", "score": 1}]})
    assert prompt.evaluators == (
        Evaluator(name="a", operator="contains", value="y"),
        Evaluator(name="b", operator="llm", value=llm),
        Evaluator(name="c", operator="uses", value="github/similarity"),
        Evaluator(name="evaluator 4", operator="startsWith", value="{{expected}}"),
    )


def test_a_scalar_that_is_no_string_is_read_as_it_is_written() -> None:
    assert read("messages: [{role: user, content: 1.50}]").texts["user"] == "1.50"


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("", 1, "the file must be a mapping with the key 'messages'", "format"),
        ("- a", 1, "the file must be a mapping with the key 'messages'", "format"),
        ("model: m", 1, "the key 'messages' is missing", "add `messages:`"),
        ("message: []", 1, "the key 'messages' is missing", "rename 'message'"),
        ("messages: []", 1, "'messages' is empty", "add a message"),
        ("messages: text", 1, "'messages' must be a list, and is 'text'", None),
        ("messages: &a [{role: user, content: *a}]", 1, "'messages' has an anchor", "write the"),
        ("messages: [{role: user, content: !x y}]", 1, "'messages' has an anchor", "write the"),
        ("a: &a b\nmessages: [*a]", 2, "'messages' has an anchor, an alias", "write the"),
        ("messages: [hi]", 1, "message 1 must be a mapping, and is 'hi'", None),
        ("messages: [{role: user, content: x}, {content: y}]", 1, "message 2 has no 'role'", None),
        ("messages:\n- role: user", 2, "message 1 has no 'content'", None),
        ("messages:\n- content: x", 2, "message 1 has no 'role'", None),
        ("messages: [{role: usr, content: x}]", 1, "unknown role 'usr'", "did you mean 'user'?"),
        ("messages: [{role: xyz, content: x}]", 1, "unknown role 'xyz'", "use system, user"),
        ("messages: [{role: user, content: }]", 1, "the content of message 1 must be text", '""'),
        ("messages: [{role: user, content: [a]}]", 1, "must be text, and is a list", '""'),
        ('messages: [{role: user, content: "\\ud800"}]', 1, "half of a surrogate pair", "itself"),
        (f"{MESSAGES}model: [a]", 3, "'model' must be text, and is a list", '""'),
        (f"{MESSAGES}messages: []", 3, "the file has the key 'messages' twice", "remove one"),
        (f"{MESSAGES}? [a]\n: b", 3, "a key of the file is a list", "write keys as text"),
        (f"{MESSAGES}modelParameters: 1", 3, "'modelParameters' must be a mapping", None),
        (f"{MESSAGES}modelParameters: {{temprature: 1}}", 3, "unknown parameter", "'temperature'"),
        (f"{MESSAGES}modelParameters: {{temperature: hot}}", 3, "must be a number, and is", None),
        (f"{MESSAGES}modelParameters: {{temperature: true}}", 3, "must be a number, and is", None),
        (f"{MESSAGES}modelParameters: {{maxTokens: 0}}", 3, "must be a whole number above 0", None),
        (f"{MESSAGES}modelParameters: {{seed: 1.5}}", 3, "must be a whole number", None),
        (f"{MESSAGES}modelParameters: {{stop: [1]}}", 3, "must be text or a list of texts", None),
        (f"{MESSAGES}modelParameters: {{reasoning_effort: 1}}", 3, "must be text", None),
        (f"{MESSAGES}modelParameters: {{topP: 1, top_p: 1}}", 3, "says 'top_p' again", "remove"),
        (f"{MESSAGES}modelParameters: {{topP: .inf}}", 3, "which JSON cannot hold", None),
        (f"{MESSAGES}modelParameters: {{seed: 1{'0' * 5000}}}", 3, "JSON cannot hold", None),
        (f"{MESSAGES}responseFormat: josn_object", 3, "unknown response format", "'json_object'"),
        (f"{MESSAGES}responseFormat: xml", 3, "unknown response format 'xml'", "use text,"),
        (f"{MESSAGES}responseFormat: []", 3, "the response format must be text", '""'),
        (f"{MESSAGES}responseFormat: json_schema", 3, "needs a JSON Schema", "`jsonSchema`"),
        (f"{MESSAGES}jsonSchema: '{{'", 3, "'jsonSchema' is not JSON", None),
        (f"{MESSAGES}jsonSchema: '[]'", 3, "'jsonSchema' must be an object", None),
        (f'{MESSAGES}jsonSchema: \'{{"name": "n"}}\'', 3, "'jsonSchema' has no object", None),
        (f"{MESSAGES}jsonSchema: []", 3, "'jsonSchema' must be text", '""'),
        (f"{MESSAGES}testData: {{}}", 3, "'testData' must be a list, and is a mapping", None),
        (f"{MESSAGES}testData: [1]", 3, "row 1 of 'testData' must be a mapping", None),
        (f"{MESSAGES}testData: [{{a: .nan}}]", 3, "the number '.nan', which JSON cannot", None),
        (f"{MESSAGES}testData: [{{a: !x y}}]", 3, "has the tag '!x', which is not", None),
        (f"{MESSAGES}testData: [{{a: 1, a: 2}}]", 3, "has the key 'a' twice", "remove"),
        (f"{MESSAGES}testData: [{{<<: {{a: 1}}}}]", 3, "has a merge key", "write the values out"),
        (f"{MESSAGES}evaluators: 1", 3, "'evaluators' must be a list", None),
        (f"{MESSAGES}evaluators: [1]", 3, "evaluator 1 must be a mapping", None),
        (f"{MESSAGES}evaluators: [{{name: a}}]", 3, "evaluator 1 has no 'string', 'llm' or", None),
        (f"{MESSAGES}evaluators: [{{string: {{equals: }}}}]", 3, "checks nothing", "give one of"),
        ("a: b: c", 1, "not valid YAML", None),
        ("a: [", 1, "not valid YAML", None),
        ("a: 1\n---\nb: 1", 2, "not valid YAML", None),
        ("a: *b", 1, "not valid YAML: found undefined alias", None),
        ("\n\ta: \x00", 2, "the character 'U+0000' is not allowed in YAML", "escape"),
        ('"\\UFFFFFFFF"', 1, "not valid YAML", None),
        ('a: "\\U00110000"', 1, "not valid YAML", None),
        ("[" * 1000, 1, "nested more than 50 levels deep", None),
        ("a: &a x\nb: [" + "*a, " * 200 + "]", 2, "more than 100 aliases", None),
    ],
)
def test_a_broken_file_is_an_error_with_line_and_hint(
    text: str, line: int, message: str, hint: str | None
) -> None:
    found = problems(text)

    assert len(found) == 1
    assert found[0][0] == line
    assert message in found[0][1]
    assert (hint or "") in (found[0][2] or "")
    assert len(found[0][1]) < 200


def test_all_problems_of_a_file_come_at_once() -> None:
    found = problems(
        "messages:\n- {role: usr, content: x}\nmodelParameters: {seed: a}\ntestData: 1\n"
    )

    assert [line for line, _, _ in found] == [2, 3, 4]


def test_aliases_that_double_are_refused_quickly() -> None:
    levels = "\n".join(
        f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" if n else "x0: &x0 [lol]"
        for n in range(10)
    )
    started = time.perf_counter()

    found = problems(f"{levels}\n{MESSAGES}testData: [{{a: *x9}}]\n")

    assert "aliases make row 1 of 'testData' too large" in found[0][1]
    assert time.perf_counter() - started < 5


def test_an_alias_outside_of_messages_is_followed() -> None:
    assert read(f"{MESSAGES}x: &x 1\ntestData: [{{a: *x}}]").test_data == ({"a": 1},)


def test_an_alias_that_holds_itself_is_refused() -> None:
    found = problems(f"{MESSAGES}testData: [&a {{b: *a}}]")

    assert "too large" in found[0][1]


def test_added_demos_keep_the_lines_of_the_old_ones() -> None:
    before = CHAT.replace("content: one", "content: one # first\n    note: mine")
    turns = json.loads(read(before).texts["demos"])
    turns += [{"role": "user", "content": "a\nb"}, {"role": "assistant", "content": '{"c": 1}'}]
    written = write_texts(read(before), {"demos": canonical_json(turns)})

    added = (
        "  - role: user\n    content: |-\n      a\n      b\n"
        "  - role: assistant\n    content: '{\"c\": 1}'\n"
    )
    cut = before.index("  - role: user\n    content: '{{input}}'")
    assert written.source.decode() == before[:cut] + added + before[cut:]


def test_demos_are_written_ahead_of_a_comment_on_the_last_message() -> None:
    text = "messages:\n# the question\n-  role: user\n   content: x\n"
    prompt = read(text.replace("# the", "-\n  role: system\n  content: |\n    y\n# the"))
    written = write_texts(prompt, {"demos": PAIR})

    assert written.source.decode().endswith(
        "    y\n-  role: user\n   content: q\n-  role: assistant\n   content: a\n"
        "# the question\n-  role: user\n   content: x\n"
    )


def test_demos_follow_a_dash_on_its_own_line() -> None:
    text = "messages:\n  -\n    role: user\n    content: x\n"
    written = write_texts(read(text), {"demos": PAIR})

    assert written.source.decode().startswith(
        "messages:\n  - role: user\n    content: q\n  - role: assistant\n    content: a\n  -\n"
    )


def test_demos_are_written_into_a_list_in_brackets() -> None:
    written = write_texts(read("messages: [{role: user, content: x}]"), {"demos": PAIR})

    assert written.source.decode() == (
        'messages: [{role: user, content: "q"}, {role: assistant, content: "a"}, '
        "{role: user, content: x}]"
    )
    assert write_texts(written, {"demos": "[]"}).source == b"messages: [{role: user, content: x}]"


def test_a_demo_with_a_placeholder_is_refused() -> None:
    with pytest.raises(PromptError, match=r"turn 1 of the examples holds '\{\{input\}\}'"):
        write_texts(read(CHAT), {"demos": PAIR.replace("q", "{{input}}")})


def test_a_placeholder_that_the_demos_have_already_may_stay() -> None:
    prompt = read(CHAT.replace("eins", "'{{one}}'"))
    turns = json.loads(prompt.texts["demos"])

    written = write_texts(prompt, {"demos": canonical_json(turns[:2])})

    assert written.variables == prompt.variables


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "null", "[1]", "[ ]", '[{"role":"user"}]', '[{"content":"a","role":"user"}]',
        '[{"content":"a","role":"system"},{"content":"b","role":"assistant"}]',
        '[{"content":1,"role":"user"},{"content":2,"role":"assistant"}]', "[" * 100_000,
        '[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]',
    ],
)  # fmt: skip
def test_demos_that_are_not_canonical_pairs_are_refused(text: str) -> None:
    with pytest.raises(PromptError, match="is not the canonical JSON of turns"):
        write_texts(read(CHAT), {"demos": text})


@pytest.mark.parametrize(
    "text", ["messages:\n- {role: system, content: x}\n", "messages: [{role: system, content: x}]"]
)
def test_demos_need_a_user_message_to_stand_before(text: str) -> None:
    prompt = read(text)

    assert prompt.texts["demos"] == "[]"
    with pytest.raises(PromptError, match="the file cannot hold the new text of 'demos'"):
        write_texts(prompt, {"demos": PAIR})


def test_a_system_message_alone_is_sent_alone() -> None:
    rendered = render(read("messages: [{role: system, content: x}]"), {"input": "i"})

    assert len(rendered.messages) == 1
    assert rendered.unused_inputs == ("input",)


PAIR = canonical_json([{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}])
