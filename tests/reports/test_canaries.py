"""Hostile text in every field of a result, rendered in every format."""

from __future__ import annotations

import copy
import functools
import json
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt
from report_samples import SAMPLES, gate_guards, gate_three_tasks, hold_confirm, promote

from gepa_ci.reports import render, result_document

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARIES = {
    "html": "<img src=x onerror=alert(1)><script>alert(1)</script></details><!-- gepa-ci -->",
    "link": "[click](https://evil.example/?q=1) ![pixel](http://evil.example/p.png) www.evil.org",
    "mention": "@octocat @org/team #12 org/repo#3 GH-4 fixes #5 a@evil.example <me@evil.example>",
    "fence": "```\n````\n~~~~\n# heading\n</details>\n- item\n| a | b |\n",
    "table": "a | b \\| c \\\\| d `|` e",
    "jinja": "{{ 7 * 7 }}{% for x in y %}{# c #}{{ ''.__class__ }}",
    "runner": "::add-mask::x\n::set-output name=a::b\n##[group]c\n  ::error::d",
    "hidden": "a\u202eb\u2066c\u200bd\x1b[31me\x00f\rg\u2028h\ufeffi\U000e0041",
    "reference": "[x]: https://evil.example\n\n[x]\n\n&lt;b&gt; &#64;octocat :tada: $x^2$ ~~no~~",
}
OUR_HTML = re.compile(r"</?(details( open)?|summary|sub)>")
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value[:1]):
            yield from places(item, (*path, number))
    elif isinstance(value, str):
        yield path


@functools.cache
def poisoned(text: str) -> tuple[dict[str, Any], ...]:
    return tuple(poison(text))


def poison(text: str) -> Iterator[dict[str, Any]]:
    """Put the text into every field of some results, and into the names of open objects."""
    results = (promote(), hold_confirm(), gate_three_tasks(), gate_guards())
    for result in (*results, SAMPLES["evaluated"]()):
        document = json.loads(render(result_document(result, texts=True), "json"))
        for task in document["tasks"]:
            # The first one is poisoned; the last ones keep the tables of changes filled.
            task["examples"] = [*task["examples"][:2], *task["examples"][-12:]]
        everywhere = copy.deepcopy(document)
        for path in places(document):
            place = everywhere
            for step in path[:-1]:
                place = place[step]
            if path[-1] != "verdict":
                place[path[-1]] = text
        for task in everywhere["tasks"]:
            task["spend_by_model"] = [{"purpose": text, "model": text, **task["spend"]}]
            task["phases"] = {text: 1.0}
        everywhere["versions"] = {text: text}
        yield everywhere


def assert_harmless(markdown: str) -> None:
    """Check what a forge would make of the report."""
    prose = []
    for block in MARKDOWN.parse(markdown):
        if block.type == "html_block":
            assert "<" not in OUR_HTML.sub("", block.content)
        for token in block.children or ():
            assert token.type not in {"link_open", "image", "s_open"}
            assert token.type != "html_inline" or OUR_HTML.fullmatch(token.content)
            if token.type in {"text", "text_special"}:
                prose.append(token.content)
    text = "".join(prose)
    assert re.search(r"@\w|#\d|://|www\.|gh-\d", text, re.IGNORECASE) is None


@pytest.mark.parametrize("name", CANARIES)
def test_markdown_shows_hostile_text_and_does_nothing(name: str) -> None:
    for document in poisoned(CANARIES[name]):
        markdown = render(document, "markdown")

        assert_harmless(markdown)
        assert "evil" in markdown or "evil" not in CANARIES[name]


@pytest.mark.parametrize("name", CANARIES)
@pytest.mark.parametrize("output", ["markdown", "json", "junit", "terminal"])
def test_no_format_gives_a_command_to_a_runner(name: str, output: Any) -> None:
    for document in poisoned(CANARIES[name]):
        text = render(document, output)

        assert re.search(r"(?m)^\s*::", text) is None
        assert "##[" not in text


@pytest.mark.parametrize("name", CANARIES)
@pytest.mark.parametrize("output", ["markdown", "junit", "terminal"])
def test_no_hidden_character_is_left(name: str, output: Any) -> None:
    for document in poisoned(CANARIES[name]):
        text = render(document, output)

        assert (
            re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]", text) is None
        )


@pytest.mark.parametrize("name", CANARIES)
def test_junit_stays_valid_xml(name: str) -> None:
    for document in poisoned(CANARIES[name]):
        root = ET.fromstring(render(document, "junit").encode())

        assert {child.tag for child in root} == {"testsuite"}


def test_jinja_in_a_field_is_not_run() -> None:
    for document in poisoned(CANARIES["jinja"]):
        assert "49" not in render(document, "markdown").split("<sub>")[0].split("\n")[0]
        assert "{{ 7 \\* 7 }}" in render(document, "markdown")
