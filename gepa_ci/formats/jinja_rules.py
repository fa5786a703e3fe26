"""Owns what a Jinja prompt may say: only what is cheap to render, whatever its inputs."""

from __future__ import annotations

import difflib
import unicodedata
from typing import TYPE_CHECKING

from jinja2 import nodes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

FILTERS = [
    "capitalize",
    "count",
    "d",
    "default",
    "first",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "reverse",
    "sort",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
]
TESTS = [
    "boolean",
    "defined",
    "eq",
    "even",
    "ge",
    "gt",
    "in",
    "integer",
    "float",
    "le",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sequence",
    "string",
    "true",
    "false",
    "undefined",
]
METHODS = ("items", "keys", "values")
_MAX_DEPTH = 60
_MAX_LOOPS = 5
_MAX_NODES = 3_000

_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr,
    nodes.Getitem, nodes.Slice, nodes.If, nodes.For, nodes.CondExpr, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Test, nodes.Filter, nodes.List, nodes.Tuple,
    nodes.Dict, nodes.Pair, nodes.Call, nodes.Keyword,
    nodes.Scope,
)  # fmt: skip
# Each of these lets a short prompt build a text that doubles with every line.
_NAMES = {
    nodes.Assign: "{% set %}", nodes.AssignBlock: "{% set %}", nodes.With: "{% with %}",
    nodes.Macro: "{% macro %}", nodes.CallBlock: "{% call %}", nodes.FilterBlock: "{% filter %}",
    nodes.Block: "{% block %}", nodes.Extends: "{% extends %}", nodes.Include: "{% include %}",
    nodes.Import: "{% import %}", nodes.FromImport: "{% from %}",
    nodes.ScopedEvalContextModifier: "{% autoescape %}",
    nodes.Concat: "~", nodes.Add: "+", nodes.Sub: "-", nodes.Mul: "*", nodes.Div: "/",
    nodes.FloorDiv: "//", nodes.Mod: "%", nodes.Pow: "**", nodes.Pos: "+", nodes.NSRef: "namespace",
}  # fmt: skip


def violations(template: nodes.Template) -> Iterator[tuple[str, int, str | None]]:
    """Yield message, line and hint for everything in a template that is not allowed."""
    # Not recursive: a long chain of `or` nests as deep as it is long.
    stack: list[tuple[nodes.Node, int, int, int]] = [(template, 1, 0, 0)]
    count = 0
    while stack:
        node, above, depth, loops = stack.pop()
        line: int = node.lineno or above
        count += not isinstance(node, nodes.TemplateData)
        loops += isinstance(node, nodes.For)
        if count > _MAX_NODES:
            yield f"more than {_MAX_NODES} expressions", line, "use a program"
            return
        if depth > _MAX_DEPTH or loops > _MAX_LOOPS:
            what = f"loops in each other, more than {_MAX_LOOPS}"
            yield what if loops > _MAX_LOOPS else "nested too deep", line, "make it flat"
            return
        for message, hint in _of_node(node):
            yield message, line, hint
        children = list(node.iter_child_nodes())
        stack += [(child, line, depth + 1, loops) for child in reversed(children)]


def _of_node(node: nodes.Node) -> Iterator[tuple[str, str | None]]:
    if not isinstance(node, _ALLOWED):
        name = _NAMES.get(type(node), type(node).__name__)
        yield f"'{name}' is not allowed in a prompt", "prepare the value in the example's inputs"
    elif isinstance(node, nodes.Filter) and node.name not in FILTERS:
        yield f"unknown or unbounded filter '{node.name}'", _near(node.name, FILTERS)
    elif isinstance(node, nodes.Test) and node.name not in TESTS:
        yield f"unknown test '{node.name}'", _near(node.name, TESTS)
    elif isinstance(node, nodes.Filter | nodes.Test) and (node.dyn_args or node.dyn_kwargs):
        yield f"'*' and '**' are not allowed in the arguments of '{node.name}'", "write them out"
    elif isinstance(node, nodes.For) and node.recursive:
        yield "a recursive loop is not allowed in a prompt", "write the levels out"
    elif isinstance(node, nodes.Call) and not _is_allowed_call(node):
        hint = f"only the methods {', '.join(METHODS)} can be called"
        yield "a call is not allowed in a prompt", hint
    elif isinstance(node, nodes.Name) and unicodedata.normalize("NFKC", node.name) != node.name:
        # Python would take two different spellings for one name.
        yield f"the name '{node.name}' is not in normal form", "use plain letters"


def _is_allowed_call(node: nodes.Call) -> bool:
    has_arguments = node.args or node.kwargs or node.dyn_args or node.dyn_kwargs
    is_method = isinstance(node.node, nodes.Getattr) and node.node.attr in METHODS
    return is_method and not has_arguments


def _near(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(sorted(known))}"
