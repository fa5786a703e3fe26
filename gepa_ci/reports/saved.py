"""Owns the way back from a result document to the scores of the newer prompt in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from gepa_ci.core.evaluation import Evaluation
from gepa_ci.core.score import ModelFailure, Score, Trial
from gepa_ci.core.suite import Example, Part
from gepa_ci.errors import UsageError
from gepa_ci.reports.reader import Node
from gepa_ci.reports.redact import has_texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.values import JSON

E = TypeVar("E", bound=StrEnum)

_CANDIDATE = "candidate"
_HINT = "give the file that --output wrote, as it was written"
# Means are sums of many numbers, which may be added up in another order.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedTask:
    """The newer prompt of one task, as a result tells of it."""

    name: str
    """As in the config."""
    evaluation: Evaluation
    """Its scores; texts are empty where the document has none."""
    weighted: bool
    """Whether examples counted differently, which a document does not tell one by one."""
    grouped: bool
    """Whether examples counted in groups, which a document does not tell one by one."""
    guards: tuple[str, ...]
    """Names of its guards, of which a document has no values one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedResult:
    """A result that `--output` wrote."""

    command: str
    """The command that ran."""
    tasks: tuple[SavedTask, ...]
    """Those that have scores."""
    has_texts: bool
    """Whether examples have their inputs, answers, outputs and feedback."""
    config_digest: str
    """Digest of the config file."""
    version: str
    """Version of gepa-ci that made it; empty if unknown."""


def saved_result(document: Mapping[str, JSON]) -> SavedResult:
    """Return what a result document tells of the newer prompt of each task.

    Raises:
        UsageError: the document is not a result.
    """
    root = Node(value=document, where="result")
    texts = has_texts(document)
    version = root["versions"].entries().get("gepa-ci")
    _refuse_twice(root["tasks"].items(), "name")
    tasks = (_task(node, texts=texts) for node in root["tasks"].items())
    return SavedResult(
        command=root["command"].text(),
        tasks=tuple(task for task in tasks if task is not None),
        has_texts=texts,
        config_digest=root["config_digest"].text(),
        version="" if version is None else version.text(),
    )


def _task(node: Node, *, texts: bool) -> SavedTask | None:
    side, rows = node.maybe(_CANDIDATE), node["examples"].items()
    if side is None or not rows:
        return None
    examples = tuple(_example(row, texts=texts) for row in rows)
    _refuse_twice(rows, "id")
    trials = tuple(_trials(row, texts=texts) for row in rows)
    if not any(trials):
        return None
    evaluation = Evaluation(
        prompt_digest=side["digest"].text(),
        part=_one_of(Part, rows[0]["part"]),
        examples=examples,
        trials=trials,
        asked=node["trials"].whole(),
        model=node["model"].text(),
    )
    comparison = node.maybe("comparison")
    return SavedTask(
        name=node["name"].text(),
        evaluation=evaluation,
        weighted=abs(side["mean"].number() - evaluation.mean) > _ROUNDING,
        grouped=comparison is not None and comparison["units"].whole() != comparison["n"].whole(),
        guards=tuple(guard["name"].text() for guard in node["guards"].items()),
    )


def _refuse_twice(nodes: Sequence[Node], key: str) -> None:
    """Refuse what would be paired with one of two."""
    seen: set[str] = set()
    for node in nodes:
        if (name := node[key].text()) in seen:
            raise UsageError(f"'{node.where}.{key}' is '{name:.80}' a second time", hint=_HINT)
        seen.add(name)


def _example(row: Node, *, texts: bool) -> Example:
    return Example(
        id=row["id"].text(),
        inputs={key: item.value for key, item in row["inputs"].entries().items()} if texts else {},
        expected=row["expected"].value if texts else None,
        tags=row["tags"].texts(),
    )


def _trials(row: Node, *, texts: bool) -> tuple[Trial, ...]:
    scores = [_score(item) for item in row[_CANDIDATE].items()]
    failures = [
        None if item.value is None else _one_of(ModelFailure, item)
        for item in row["failures"][_CANDIDATE].items()
    ]
    outputs = row["outputs"][_CANDIDATE].texts() if texts else ()
    feedback = row["feedback"][_CANDIDATE].texts() if texts else ()
    return tuple(
        Trial(
            example_id=row["id"].text(),
            number=number,
            output=outputs[number] if number < len(outputs) else "",
            score=Score(value=value, feedback=feedback[number] if number < len(feedback) else ""),
            failure=failures[number] if number < len(failures) else None,
        )
        for number, value in enumerate(scores)
    )


def _score(node: Node) -> float:
    value = node.number()
    if not 0.0 <= value <= 1.0:
        raise UsageError(f"'{node.where}' is not from 0 to 1", hint=_HINT)
    return value


def _one_of(kind: type[E], node: Node) -> E:
    try:
        return kind(node.text())
    except ValueError as error:
        known = ", ".join(f"'{item.value}'" for item in kind)
        raise UsageError(f"'{node.where}' is none of {known}", hint=_HINT) from error
