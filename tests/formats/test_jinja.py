from __future__ import annotations

import time

import pytest

from gepa_ci.errors import PromptError
from gepa_ci.formats import placeholders, read_prompt, render


def rendered(template: str, **inputs: object) -> str:
    prompt = read_prompt("a.j2", b"---\nrole: user\n---\n" + template.encode())
    return render(prompt, inputs).messages[-1].content  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("template", "inputs", "expected"),
    [
        ("{{ a }}", {"a": "<b>&{{ a }}"}, "<b>&{{ a }}"),
        ("{{ a }} {{ b }} {{ c }}", {"a": True, "b": None, "c": [1, "é"]}, 'true null [1,"é"]'),
        ("{% for x in a %}{{ loop.index }}{{ x.n }};{% endfor %}", {"a": [{"n": 1}]}, "11;"),
        ("{% for k, v in a.items() %}{{ k }}={{ v }}{% endfor %}", {"a": {"b": 2}}, "b=2"),
        ("{% for k, v in a|items %}{{ k }}{% endfor %}", {"a": {"b": 2}}, "b"),
        ("{% for c in a %}{{ c }}.{% endfor %}", {"a": "xy"}, "x.y."),
        ("{% if a == 'x' and not b %}yes{% else %}no{% endif %}\n", {"a": "x", "b": 0}, "yes\n"),
        ("{{ a.b|default('none') }}", {"a": {}}, "none"),
        ("{{ a|join(', ') }} {{ a|tojson }} {{ 'q'|tojson }}", {"a": [1, "x"]}, '1, x [1,"x"] "q"'),
        ("{{ a|join }}{{ a|join(d='-') }}", {"a": "xy"}, "xyx-y"),
        ("{# gone #}{% raw %}{{ x }}{% endraw %}", {}, "{{ x }}"),
        ("a\r\nb\nc\rd{{ x }}\r\n", {"x": "\r\n\x1c"}, "a\r\nb\nc\rd\r\n\x1c\r\n"),
        ("{% for x in a -%}\r\n  {{ x }}\r\n{%- endfor %}", {"a": [1, 2]}, "12"),
        ("a\r{{ x }}", {"x": {"\x1c": ["\x1d", 1]}}, 'a\r{"\\u001c":["\\u001d",1]}'),
    ],
)
def test_a_template_renders_its_inputs(
    template: str, inputs: dict[str, object], expected: str
) -> None:
    assert rendered(template, **inputs) == expected


@pytest.mark.parametrize("inside", ["(" * 5000, "9" * 5000])
def test_what_jinja_itself_cannot_parse_is_an_error(inside: str) -> None:
    with pytest.raises(PromptError, match=r"^a\.j2:1: not valid Jinja: nested too deep"):
        read_prompt("a.j2", f"{{{{ {inside} }}}}".encode())


def test_what_jinja_cannot_compile_is_an_error() -> None:
    with pytest.raises(PromptError, match=r"^a\.j2:1: not valid Jinja: keyword argument repeated"):
        read_prompt("a.j2", b"\n{{ a|join(d=1, d=2) }}")


def test_variables_are_those_that_the_template_does_not_bind() -> None:
    prompt = read_prompt("a.md.j2", b"{% for x in xs %}{{ x }}{{ y }}{% endfor %}")

    assert prompt.variables == ("xs", "y")


@pytest.mark.parametrize(
    ("template", "message", "hint"),
    [
        ("{{ a", "not valid Jinja", None),
        ("{% if a %}", "not valid Jinja", None),
        ("{{ a|join(**b) }}", "'*' and '**' are not allowed in the arguments of 'join'", "write"),
        ("{% set a = 1 %}", "'{% set %}' is not allowed", "prepare the value"),
        ("{% set a %}x{% endset %}", "'{% set %}' is not allowed", "prepare the value"),
        ("{% with a = 1 %}{% endwith %}", "'{% with %}' is not allowed", "prepare"),
        ("{% macro m() %}{% endmacro %}", "'{% macro %}' is not allowed", "prepare"),
        ("{% call m() %}{% endcall %}", "'{% call %}' is not allowed", "prepare"),
        ("{% filter upper %}{% endfilter %}", "'{% filter %}' is not allowed", "prepare"),
        ("{% block b %}{% endblock %}", "'{% block %}' is not allowed", "prepare"),
        ("{% extends 'x' %}", "'{% extends %}' is not allowed", "prepare"),
        ("{% include 'x' %}", "'{% include %}' is not allowed", "prepare"),
        ("{% import 'x' as y %}", "'{% import %}' is not allowed", "prepare"),
        ("{% from 'x' import y %}", "'{% from %}' is not allowed", "prepare"),
        ("{% autoescape true %}{% endautoescape %}", "'{% autoescape %}' is not", "prepare"),
        ("{{ a * 9 }}", "'*' is not allowed", "prepare"),
        ("{{ 9 ** 9 }}", "'**' is not allowed", "prepare"),
        ("{{ a ~ a }}", "'~' is not allowed", "prepare"),
        ("{{ a + a }}", "'+' is not allowed", "prepare"),
        ("{{ '%s' % a }}", "'%' is not allowed", "prepare"),
        ("{{ a|center(999999999) }}", "unknown or unbounded filter 'center'", "use one of"),
        ("{{ a|joim }}", "unknown or unbounded filter 'joim'", "did you mean 'join'?"),
        ("{% if a is strin %}{% endif %}", "unknown test 'strin'", "did you mean 'string'?"),
        ("{% for x in range(9) %}{% endfor %}", "a call is not allowed", "only the methods"),
        ("{{ a.format(b) }}", "a call is not allowed", "only the methods"),
        ("{{ a.items(1) }}", "a call is not allowed", "only the methods"),
        ("{% for x in a recursive %}{% endfor %}", "a recursive loop is not", "levels"),
        ("{{ ﬁ }}", "the name 'ﬁ' is not in normal form", "plain letters"),
        ("{{ " + " or ".join("a" * 200) + " }}", "nested too deep", "make it flat"),
        ("{{ a }}" * 4000, "more than 3000 expressions", "use a program"),
        ("{% for x in a %}" * 6 + "{% endfor %}" * 6, "loops in each other", "make it flat"),
    ],
)
def test_what_can_blow_up_is_refused_when_the_file_is_read(
    template: str, message: str, hint: str | None
) -> None:
    with pytest.raises(PromptError) as caught:
        read_prompt("a.j2", b"---\n---\n\n" + template.encode())

    first = caught.value.problems[0]
    assert (first.path, first.line) == ("a.j2", 4)
    assert message in first.message
    assert (hint or "") in (first.hint or "")


@pytest.mark.parametrize(
    ("template", "inputs", "message"),
    [
        ("{{ a.b }}", {"a": {}}, "has no attribute 'b'"),
        ("{{ a.__class__ }}", {"a": ""}, "fails on these inputs"),
        ("{{ a.upper }}", {"a": "x"}, "fails on these inputs"),
        ("{{ a|sort }}", {"a": [1, "x"]}, "fails on these inputs"),
        ("{% for x in a %}{% endfor %}", {"a": 1}, "fails on these inputs"),
        ("{% for x in a %}{% endfor %}", {"a": [0] * 10_001}, "run more than 10,000 times"),
        ("{% for x in a %}{% for y in a %}{% endfor %}{% endfor %}", {"a": [0] * 200}, "10,000"),
        ("{{ a }}{{ a }}", {"a": "x" * 600_000}, "the text has more than 1,048,576"),
        ("{{ a }}", {"a": ["x" * 600_000] * 2}, "a value has more than 1,048,576"),
        ("{{ a|join(b) }}", {"a": "xy" * 1000, "b": "x" * 1000}, "'join' makes more than"),
        ("{% for x in a %}{% if b|join %}{% endif %}{% endfor %}",
         {"a": [0] * 9, "b": ["x" * 1_000_000]}, "the filters make more than"),
        ("a\r{{ a }}", {"a": "\x1c\x1d\x1e\x1f\u1680\u2000\u2001\u205f"}, "cannot be kept"),
        ('{{ "\\ud800" }}', {"a": ""}, "half of a surrogate pair"),
    ],
)  # fmt: skip
def test_a_rendering_that_fails_or_is_too_large_is_an_error(
    template: str, inputs: dict[str, object], message: str
) -> None:
    with pytest.raises(PromptError, match=message):
        rendered(template, **inputs)


def test_lists_in_lists_that_double_are_bounded() -> None:
    nested = "".join(
        f"{{% for {new} in [[{','.join([old] * 20)}]] %}}"
        for old, new in zip("abcde", "bcdef", strict=True)
    )
    started = time.perf_counter()

    with pytest.raises(PromptError, match="a value has more than"):
        rendered(nested + "{{ f }}" + "{% endfor %}" * 5, a="x")

    assert time.perf_counter() - started < 5


def test_placeholders_are_all_tags_and_expressions_as_written() -> None:
    text = "{% if a -%}\n {{ b | upper }} {# c #}{% raw %}{{ d }}{% endraw %}{%- endif %} {{b}}"

    assert placeholders("jinja", text)[:2] == ["{% if a -%}", "{{ b | upper }}"]
    assert placeholders("jinja", text)[-2:] == ["{%- endif %}", "{{b}}"]


def test_placeholders_of_a_broken_template_are_an_error() -> None:
    with pytest.raises(PromptError, match="not valid Jinja"):
        placeholders("jinja", "{{")
