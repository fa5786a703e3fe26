"""Owns the SARIF report: what should stop or slow a merge, on the lines that a prompt changed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson

from gepa_ci.reports import words
from gepa_ci.reports.escape import BREAK, json_text, one_line, without_references
from gepa_ci.reports.exports.sarif_rules import PAGE, RULES
from gepa_ci.reports.posts.check import changed_lines
from gepa_ci.reports.view import view

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gepa_ci.core.values import JSON
    from gepa_ci.reports.view.model import Effect, Report, Task

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
CONFIG = "gepa-ci.yml"
"""Where a finding is shown that has no changed file: GitHub refuses a report with one nowhere."""

_ROOT = "%SRCROOT%"
_NAME = 60
_LISTED = 5
_SENTENCE = 2_000
_MOST_PLACES = 100
# A colon in the first step of a path would make a scheme of it.
_PLAIN_IN_PATH = "/-._~!$&'()*+,;=@"
# SARIF reads `[text](target)` in a message as a link.
_LINK = re.compile(r"\](?=\()")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is said about one task by one rule."""

    rule: str
    """Id of the rule."""
    sentences: tuple[str, ...]
    """Finished sentences; the first is shown where there is room for one only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a finding is shown."""

    path: str
    """Relative to the repository's root."""
    lines: tuple[tuple[int, int], ...]
    """First and last line of each changed place; the first one is where it is shown."""


def render_sarif(document: Mapping[str, JSON]) -> str:
    """Render a result as SARIF 2.1.0: a finding for each task and rule, none for good news.

    What an optimization proposes is not in the files of the commit, so nothing is found in them.
    """
    report = view(document)
    tasks = () if report.command == "optimize" else report.tasks
    results = [
        _result(task, finding, place)
        for task in tasks
        for finding in _findings(task)
        for place in _places(task)
    ]
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver(report)},
                # What stands before the last slash is what code scanning tells analyses apart by.
                "automationDetails": {"id": f"gepa-ci/{one_line(report.command, _NAME)}/"},
                "originalUriBaseIds": {
                    _ROOT: {"description": {"text": "The root of the repository."}}
                },
                "results": results,
            }
        ],
    }
    return json_text(f"{orjson.dumps(log, option=orjson.OPT_INDENT_2).decode()}\n")


def _driver(report: Report) -> dict[str, JSON]:
    version = one_line(dict(report.versions).get("gepa-ci", ""), _NAME)
    return {
        "name": "gepa-ci",
        **({"version": version} if version else {}),
        "informationUri": PAGE,
        "rules": [rule.descriptor() for rule in RULES],
    }


def _findings(task: Task) -> Iterator[Finding]:
    name = one_line(task.name, _NAME)
    worse = [guard for guard in task.guards if guard.verdict == "regression"]
    # Where a guard is what blocks, the score itself may be fine.
    lost = not worse or (task.effect is not None and task.effect.high < 0)
    if task.verdict == "regression" and lost:
        yield _finding("regression", name, f"regression{_figures(task.effect)}", task.reasons)
    if task.verdict == "regression" and worse:
        said = [reason for guard in worse for reason in guard.reasons]
        what = f"worse on {_listed([guard.name for guard in worse])}"
        yield _finding("guard-regression", name, what, said)
    if task.verdict == "inconclusive":
        yield _finding("inconclusive", name, f"inconclusive{_figures(task.effect)}", task.reasons)
    if task.verdict == "ruler_changed":
        what = "the judge has changed, so nothing was compared"
        yield _finding("ruler-changed", name, what, task.reasons)
    flagged = [item for item in task.slices if item.flagged]
    if flagged:
        what = f"worse on the examples tagged {_listed([item.tag for item in flagged])}"
        yield _finding("tag-worse", name, what, [item.sentence for item in flagged])


def _finding(rule: str, name: str, what: str, reasons: Sequence[str]) -> Finding:
    said = (f"Task '{name}': {what}.", *reasons)
    return Finding(rule=rule, sentences=tuple(one_line(s, _SENTENCE) for s in said))


def _figures(effect: Effect | None) -> str:
    if effect is None:
        return ""
    change = words.signed(effect.difference)
    return f", {words.score(effect.before)} → {words.score(effect.after)} ({change})"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    shown = ", ".join(f"'{one_line(name, _NAME)}'" for name in names[:_LISTED])
    return f"{shown} and {more} more" if more > 0 else shown


def _places(task: Task) -> Iterator[Place]:
    changes = [change for change in task.changes if _is_within(change.path)]
    for change in changes:
        yield Place(path=change.path, lines=changed_lines(change.diff) or ((1, 1),))
    if not changes:
        yield Place(path=CONFIG, lines=((1, 1),))


def _is_within(path: str) -> bool:
    """Return whether a path names a file that the repository can have."""
    return bool(path.lstrip("/")) and ".." not in path.split("/")


def _result(task: Task, finding: Finding, place: Place) -> dict[str, JSON]:
    index, rule = next((i, rule) for i, rule in enumerate(RULES) if rule.id == finding.rule)
    others = place.lines[1 : _MOST_PLACES + 1]
    related: list[JSON] = [
        {**_location(place.path, lines), "id": number, "message": {"text": "Changed here too."}}
        for number, lines in enumerate(others, start=1)
    ]
    return {
        "ruleId": rule.id,
        "ruleIndex": index,
        "level": rule.level,
        "message": {"text": _inert(" ".join(finding.sentences))},
        "locations": [_location(place.path, place.lines[0])],
        **({"relatedLocations": related} if related else {}),
        # The one fingerprint that code scanning looks at. Lines move from run to run; what is
        # found in a file does not.
        "partialFingerprints": {"primaryLocationLineHash": _fingerprint(task, rule.id, place)},
    }


def _location(path: str, lines: tuple[int, int]) -> dict[str, JSON]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(path), "uriBaseId": _ROOT},
            "region": {"startLine": lines[0], "endLine": lines[1]},
        }
    }


def _uri(path: str) -> str:
    """Return a path as a URI relative to the root: never one of another host or scheme."""
    return quote(_bytes(path).lstrip(b"/"), safe=_PLAIN_IN_PATH)


def _fingerprint(task: Task, rule: str, place: Place) -> str:
    parts = b"\0".join(_bytes(part) for part in (task.name, rule, place.path))
    return f"{sha256(parts).hexdigest()[:32]}:1"


def _bytes(text: str) -> bytes:
    try:
        # A file name that is not UTF-8 was read in this way.
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _inert(text: str) -> str:
    return _LINK.sub(f"]{BREAK}", without_references(text))
