"""Prompts and metrics that must be refused: name -> (content, part of what is said)."""

from __future__ import annotations

import json
from typing import NamedTuple


class BadPrompt(NamedTuple):
    """One prompt file that must be refused."""

    path: str
    source: bytes
    said: str
    line: int | None = None


class BadMetric(NamedTuple):
    """One metric that must be refused: its entry in the config, and metric.py when it has one."""

    entry: str
    said: str
    code: str = ""


def _p(path: str, source: str | bytes, said: str, line: int | None = None) -> BadPrompt:
    return BadPrompt(path, source if isinstance(source, bytes) else source.encode(), said, line)


_YML = "p.prompt.yml"
_GOOD = "messages:\n  - role: user\n    content: '{{text}}'\n"

BAD_PROMPTS: dict[str, BadPrompt] = {
    "unknown ending": _p("p.rst", "x", "no prompt format"),
    "plain yaml": _p("p.yml", "x", "no prompt format"),
    "not UTF-8": _p("p.md", b"abc\xff", "not UTF-8: byte '0xff'"),
    "too large": _p("p.md", b"x" * (3 * 2**20), "more than"),
    "UTF-16": _p("p.md", "hello".encode("utf-16"), "not UTF-8"),
    "asks for an input": _p("p.md", "{{ other }} {{ text }}", "'other'", 1),
    "asks for two inputs": _p("p.md", "{{ other }} {{ more }}", "'other'", 1),
    "front matter open": _p("p.md", "---\nmodel: x\n", "front matter", 1),
    "front matter yaml": _p("p.md", "---\nmodel: [\n---\n{{ text }}", "not valid YAML"),
    "front matter list": _p("p.md", "---\n- a\n---\n{{ text }}", "mapping"),
    "jinja syntax": _p("p.j2", "{% if %}{{ text }}", "not valid Jinja", 1),
    "jinja unclosed": _p("p.j2", "a\n{% if text %}", "not valid Jinja"),
    "jinja include": _p("p.j2", "{% include 'x' %}{{ text }}", "include"),
    "jinja import": _p("p.j2", "{% import 'x' as y %}{{ text }}", "import"),
    "jinja dunder": _p("p.j2", "{{ text.__class__ }}", "__class__"),
    "jinja missing": _p("p.j2", "{{ other }}", "'other'", 1),
    "jinja huge": _p("p.j2", "{{ 'x' * 100000000 }}{{ text }}", "'*' is not allowed"),
    "yml broken": _p(_YML, "messages: [", "not valid YAML"),
    "yml list": _p(_YML, "- a\n", "must be a mapping"),
    "yml empty": _p(_YML, "", "mapping"),
    "yml no messages": _p(_YML, "name: x\n", "messages"),
    "yml messages text": _p(_YML, "messages: x\n", "messages"),
    "yml no role": _p(_YML, "messages:\n  - content: x\n", "role"),
    "yml bad role": _p(_YML, "messages:\n  - role: usr\n    content: x\n", "usr"),
    "yml no content": _p(_YML, "messages:\n  - role: user\n", "content"),
    "yml content list": _p(_YML, "messages:\n  - role: user\n    content: [a]\n", "content"),
    "yml twice": _p(_YML, _GOOD + _GOOD, "messages"),
    "yml evaluator operator": _p(
        _YML, _GOOD + "evaluators:\n  - name: e\n    string:\n      equal: x\n", "equal"
    ),
    "yml evaluators text": _p(_YML, _GOOD + "evaluators: x\n", "evaluators"),
    "yml test data text": _p(_YML, _GOOD + "testData: x\n", "testData"),
    "yml parameters": _p(_YML, "modelParameters: x\n" + _GOOD, "modelParameters"),
    "yml temperature": _p(_YML, "modelParameters: {temperature: hot}\n" + _GOOD, "temperature"),
    "yml missing input": _p(_YML, "messages:\n  - role: user\n    content: '{{othr}}'\n", "othr"),
    "folder": _p("folder.md/x", "", "not a file"),
}


def _code(body: str, said: str) -> BadMetric:
    return BadMetric("metric.py:score", said, body)


BAD_METRICS: dict[str, BadMetric] = {
    "misspelt": BadMetric("exactmatch", "did you mean 'exact_match'"),
    "unknown": BadMetric("qqq", "give one of exact_match"),
    "judge": BadMetric("judge", "judge"),
    "option": BadMetric("{name: exact_match, stripp: true}", "did you mean 'strip'"),
    "option value": BadMetric("{name: exact_match, strip: 3}", "true or false"),
    "negative tolerance": BadMetric("{name: numeric, tolerance: -1}", "at least 0"),
    "text tolerance": BadMetric("{name: numeric, tolerance: a}", "a number"),
    "which": BadMetric("{name: numeric, which: lst}", "did you mean 'last'"),
    "no texts": BadMetric("{name: contains, texts: []}", "empty"),
    "pattern": BadMetric("{name: regex, pattern: '(a'}", "'(a'"),
    "schema list": BadMetric("{name: json_schema, schema: []}", "mapping"),
    "schema type": BadMetric("{name: json_schema, schema: {type: objet}}", "objet"),
    "fields of text": BadMetric("{name: json_fields, fields: [a]}", "object"),
    "choices of text": BadMetric("{name: one_of, values: 3}", "values"),
    "weight": BadMetric("[{name: exact_match, weight: 0}]", "weight"),
    "empty list": BadMetric("[]", "metric"),
    "number": BadMetric("3", "'3'"),
    "evaluators of none": BadMetric("evaluators", "evaluators"),
    "no function": BadMetric("metric.py", "path.py:function"),
    "no file": BadMetric("metrik.py:score", "metrik.py"),
    "outside": BadMetric("../metric.py:score", "metric.py"),
    "other name": _code("def scor(example, output):\n    return 1.0\n", "score"),
    "syntax": _code("def score(:\n", "metric.py"),
    "not a function": _code("score = 3\n", "score"),
    "raises": _code("raise ValueError('no')\n", "metric.py"),
    "import": _code("import no_such_module_here\n", "no_such_module_here"),
    "one argument": _code("def score(output):\n    return 1.0\n", "score"),
    "not text": BadMetric("metric.py:score", "metric.py", "\udcff"),
}


def config_with(prompt: str, metric: str) -> str:
    """Return a config with one task."""
    return (
        "version: 1\nmodels: {task: openai/mock}\ntasks:\n  t:\n"
        f"    prompts: [{json.dumps(prompt)}]\n    suite: s.jsonl\n    metric: {metric}\n"
    )
