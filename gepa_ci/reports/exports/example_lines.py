"""Owns the examples as JSON Lines, one a line, which `examples.schema.json` describes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import orjson

from gepa_ci.reports.escape import json_text
from gepa_ci.reports.reader import Node
from gepa_ci.reports.redact import TEXT_FIELDS, has_texts, without_texts
from gepa_ci.reports.view import view

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gepa_ci.core.values import JSON
    from gepa_ci.reports.view.model import Task

# JSON leaves these as they are, and some readers end a line at them.
_LINE_ENDS = re.compile("[\x85\u2028\u2029]")


def render_example_lines(document: Mapping[str, JSON]) -> str:
    """Render each example of each task as one line of JSON; no line where nothing was measured.

    Texts are in the lines where the document has them.
    """
    report = view(document)
    texts = has_texts(document)
    root = Node(value=document if texts else without_texts(document), where="result")
    nodes = root["tasks"].items()
    lines = [
        _json(line)
        for task, node in zip(report.tasks, nodes, strict=True)
        for line in _lines(task, node, TEXT_FIELDS if texts else ())
    ]
    return "".join(f"{line}\n" for line in lines)


def _lines(task: Task, node: Node, texts: tuple[str, ...]) -> Iterator[dict[str, JSON]]:
    for example, raw in zip(task.examples, node["examples"].items(), strict=True):
        is_paired = example.before is not None and example.after is not None
        yield {
            "task": task.name,
            "verdict": task.verdict,
            **{field: raw[field].value for field in ("id", "part", "tags")},
            "change": example.change.value,
            "before": example.before,
            "after": example.after,
            "difference": example.difference if is_paired else None,
            **{field: raw[field].value for field in ("baseline", "candidate", "failures", *texts)},
        }


def _json(line: Mapping[str, JSON]) -> str:
    try:
        text = orjson.dumps(line).decode()
    except TypeError:
        # Half a surrogate pair or a very large number, which this fast writer refuses.
        text = json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _LINE_ENDS.sub(lambda found: f"\\u{ord(found.group()):04x}", json_text(text))
