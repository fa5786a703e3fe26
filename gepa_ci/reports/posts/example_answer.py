"""Owns the answer to why one example counts as won or lost, without any text of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.reports.escape import code
from gepa_ci.reports.reader import Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gepa_ci.core.values import JSON

_LISTED = 20


def render_example_answer(document: Mapping[str, JSON], wanted: str) -> str:
    """Return Markdown about the example of that id in every task that has it.

    Raises:
        UsageError: the document is not a result.
    """
    rows = list(_rows(Node(value=document, where="result")))
    found = [_sentence(task, row) for task, row in rows if row["id"].text() == wanted]
    if found:
        where = "Its texts, both outputs and the metric's feedback are in the run's result.json."
        return "\n\n".join([*found, where])
    changed = [row for _, row in rows if _numbers(row, "baseline") != _numbers(row, "candidate")]
    listed = ", ".join(code(row["id"].text()) for row in changed[:_LISTED])
    others = f" Examples whose score changed: {listed}." if listed else ""
    return f"No example has the id {code(wanted)}.{others}"


def _rows(result: Node) -> Iterator[tuple[str, Node]]:
    for task in result["tasks"].items():
        for row in task["examples"].items():
            yield task["name"].text(), row


def _sentence(task: str, row: Node) -> str:
    base, head = _numbers(row, "baseline"), _numbers(row, "candidate")
    name = f"Example {code(row['id'].text())} of task {code(task)}"
    if not base or not head:
        return f"{name} scored {_listed(head or base)}; there is nothing to compare it with."
    before, after = sum(base) / len(base), sum(head) / len(head)
    word = "won" if after > before else "lost" if after < before else "is the same"
    return (
        f"{name} {word}: the base scored {before:.3f} ({_listed(base)}) and the head "
        f"{after:.3f} ({_listed(head)})."
    )


def _numbers(row: Node, side: str) -> Sequence[float]:
    return tuple(item.number() for item in row[side].items() if item.value is not None)


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values) or "nothing"
