"""Owns the way from a result document, fresh or saved, to the view model; no LM, no files."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.core.result import SCHEMA_VERSION
from gepa_ci.errors import UsageError
from gepa_ci.reports.reader import Node
from gepa_ci.reports.redact import has_texts, without_texts
from gepa_ci.reports.view.examples import (
    better_of,
    examples_of,
    lowest_of,
    part_in_words,
    worse_of,
)
from gepa_ci.reports.view.guards import guards_of, slices_of
from gepa_ci.reports.view.headlines import headline_of
from gepa_ci.reports.view.ledger import expected_of, ledger_of
from gepa_ci.reports.view.model import (
    VIEW_VERSION,
    Effect,
    FileChange,
    Length,
    Report,
    Side,
    Spend,
    Task,
)
from gepa_ci.reports.view.optimization import optimization_of
from gepa_ci.reports.words import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON

_LABELS = {
    "gate": ("base", "head"),
    "evaluate": ("baseline", "current"),
    "compare": ("first", "second"),
}


def view(document: Mapping[str, JSON], *, texts: bool = False) -> Report:
    """Build the view model of a result document.

    Args:
        document: The result.
        texts: Whether examples keep their texts, where the document has them; never for a post.

    Raises:
        UsageError: the document is not a result of this schema version.
    """
    root = Node(value=document, where="result")
    version = root["schema_version"].whole()
    if version != SCHEMA_VERSION:
        raise UsageError(
            f"unknown schema_version '{version}' of a result",
            hint=f"this gepa-ci reads version {SCHEMA_VERSION}; use the one that wrote the file",
        )
    shown = texts and has_texts(document)
    root = Node(value=document if shown else without_texts(document), where="result")
    command = root["command"].text()
    tasks = tuple(_task(node, command, texts=shown) for node in root["tasks"].items())
    return Report(
        view_version=VIEW_VERSION,
        has_texts=shown,
        command=command,
        summary=_summary(tasks),
        tasks=tasks,
        spend=_spend("total", "", root["spend"]),
        seconds=root["seconds"].number(),
        config_digest=root["config_digest"].text(),
        versions=tuple((name, node.text()) for name, node in root["versions"].entries().items()),
        replay=root["replay"].text(),
    )


def _summary(tasks: tuple[Task, ...]) -> str:
    if not tasks:
        return "nothing to do"
    verdicts = Counter(task.verdict or task.status for task in tasks)
    if set(verdicts) == {"measured"}:
        return count(len(tasks), "task")
    ordered = _worst_first(verdicts)
    return ", ".join(f"{verdicts[verdict]} {verdict.replace('_', ' ')}" for verdict in ordered)


def _worst_first(verdicts: Counter[str]) -> list[str]:
    order = ["regression", "ruler_changed", "inconclusive", "hold", "pass", "improved", "promote"]
    return sorted(verdicts, key=lambda v: order.index(v) if v in order else len(order))


def _task(node: Node, command: str, *, texts: bool) -> Task:
    verdict, cause = node.maybe("verdict"), node.maybe("cause")
    sides = _sides(node, command)
    verdict_word = None if verdict is None else verdict.text()
    effect = _effect(node.maybe("comparison"))
    examples = examples_of(node, compared=effect is not None, texts=texts)
    # A comparison without its evaluations is one of the val screen, or of an earlier run.
    recalled = effect is not None and not sides and node.maybe("ledger") is not None
    trials = node["trials"].whole()
    margin = node.maybe("margin")
    task = Task(
        name=node["name"].text(),
        verdict=verdict_word,
        cause=None if cause is None else cause.text(),
        headline="",
        reasons=node["reasons"].texts(),
        notes=node["notes"].texts(),
        method=node["method"].text(),
        model=node["model"].text(),
        trials=0 if recalled else trials,
        planned=_planned(node, effect),
        part=_part(node, recalled=recalled),
        written=node["written"].texts(),
        sides=sides,
        effect=effect,
        margin=None if margin is None else margin.number(),
        recalled=recalled,
        expected=expected_of(node, verdict_word),
        ledger=ledger_of(node),
        guards=guards_of(node),
        slices=slices_of(node),
        examples=examples,
        worse=worse_of(examples),
        better=better_of(examples),
        lowest=lowest_of(examples),
        optimization=optimization_of(node),
        changes=tuple(
            FileChange(
                path=change["path"].text(),
                diff=change["diff"].text(),
                before=_length(change["before"]),
                after=_length(change["after"]),
            )
            for change in node["changes"].items()
        ),
        spend=_spends(node),
        phases=tuple((name, n.number()) for name, n in node["phases"].entries().items()),
    )
    return replace(task, headline=headline_of(task, command))


def _sides(node: Node, command: str) -> tuple[Side, ...]:
    keys = ("baseline", "candidate")
    labels = _LABELS.get(command, keys)
    rows = node["examples"].items()
    return tuple(
        Side(
            label=label,
            mean=side["mean"].number(),
            n=side["n"].whole(),
            # Counted, as calls fail and a stored evaluation may have more trials than a fresh one.
            trials=sum(len(row[key].items()) for row in rows),
            errors=side["errors"].whole(),
        )
        for label, key in zip(labels, keys, strict=True)
        if (side := node.maybe(key)) is not None
    )


def _effect(node: Node | None) -> Effect | None:
    if node is None:
        return None
    interval = node["interval"]
    return Effect(
        n=node["n"].whole(),
        missing=node["missing"].whole(),
        before=node["baseline_mean"].number(),
        after=node["candidate_mean"].number(),
        difference=node["difference"].number(),
        low=interval["low"].number(),
        high=interval["high"].number(),
        level=interval["level"].number(),
        p_value=node["p_value"].number(),
        wins=node["wins"].whole(),
        losses=node["losses"].whole(),
        ties=node["ties"].whole(),
        mde=node["mde"].number(),
    )


def _planned(node: Node, effect: Effect | None) -> int:
    planned = node["planned"].whole()
    return planned if effect is not None and effect.n + effect.missing < planned else 0


def _part(node: Node, *, recalled: bool) -> str:
    parts = {example["part"].text() for example in node["examples"].items()}
    # Without an example that was measured for the verdict, figures are those of the val screen.
    parts = parts or {"held_out" if recalled else "val"}
    return " and ".join(part_in_words(part) for part in sorted(parts))


def _length(node: Node) -> Length:
    return Length(characters=node["characters"].whole(), sentences=node["sentences"].whole())


def _spends(node: Node) -> tuple[Spend, ...]:
    parts = tuple(
        _spend(part["purpose"].text(), part["model"].text(), part)
        for part in node["spend_by_model"].items()
    )
    return parts if len(parts) == 1 else (*parts, _spend("total", "", node["spend"]))


def _spend(purpose: str, model: str, node: Node) -> Spend:
    usd = node.maybe("usd")
    return Spend(
        purpose=purpose,
        model=model,
        calls=node["calls"].whole(),
        failed=node["failed_calls"].whole(),
        cached=node["cached_calls"].whole(),
        input_tokens=node["input_tokens"].whole(),
        output_tokens=node["output_tokens"].whole(),
        usd=None if usd is None else usd.number(),
    )
