"""Owns how the data branch's values stand in files, and the strict reading of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gepa_ci.delivery import data_fields as fields
from gepa_ci.delivery.data_values import Baseline, Data, HistoryEntry, slug
from gepa_ci.delivery.ledger_lines import CHECKS, entry_in, line_of
from gepa_ci.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gepa_ci.core.ledger import Entry as Use
    from gepa_ci.core.values import JSON
    from gepa_ci.delivery.commits import Entry

DATA_BRANCH = "gepa-ci-data"
LARGEST = 16 * 1024 * 1024
_MOST_FILES = 4_000
_MOST_LINES = 100_000
_HINT = (
    "restore the file from an older commit of the branch, or delete the branch: scores, history "
    "and the record of held-out uses then begin anew"
)
_README = f"""\
# What gepa-ci remembers

Runs on the default branch write this branch. A run that a label on a pull request asked for adds
the lines that say it used the held-out set, and nothing else. It shares no history with your code.

- `baselines/`: the scores of each task's prompt on held-out examples, by example id.
- `history/`: one line for each time that a task was scored.
- `held-out/`: one line for each candidate that held-out examples judged, and one for the answer.
- `badges/`: one file a task for https://shields.io/badges/endpoint-badge
- `searches.json`: what the last search of each task started from.

No file has the text of an example. Delete the branch `{DATA_BRANCH}` to forget everything.
""".encode()

_BASELINE: Mapping[str, fields.Check] = {
    "task": fields.name,
    "digest": fields.name,
    "prompt_digest": fields.name,
    "suite_digest": fields.name,
    "model": fields.text,
    "trials": fields.count,
    "scores": fields.by_name(fields.trials),
    "repeats": fields.flag,
    "made_at": fields.moment,
    "commit": fields.text,
    "run": fields.text,
}
_ENTRY: Mapping[str, fields.Check] = {
    "task": fields.name,
    "at": fields.moment,
    "commit": fields.text,
    "digest": fields.name,
    "prompt_digest": fields.name,
    "model": fields.text,
    "mean": fields.or_none(fields.between(0, 1)),
    "se": fields.or_none(fields.between(0, 1)),
    "low": fields.or_none(fields.between(0, 1)),
    "high": fields.or_none(fields.between(0, 1)),
    "n": fields.count,
    "units": fields.count,
    "fresh": fields.flag,
    "verdict": fields.or_none(fields.text),
    "usd": fields.or_none(fields.number),
    "calls": fields.count,
    "run": fields.text,
}
_SEARCHES: Mapping[str, fields.Check] = {"searches": fields.by_name(fields.name)}
# The names are those of shields.io.
_BADGE: Mapping[str, fields.Check] = {
    "label": fields.text,
    "message": fields.text,
    "color": fields.text,
}


def files_of(data: Data) -> dict[str, bytes]:
    """Return the files that hold the data.

    Raises:
        GitError: a value that could not be read again, such as NaN; nothing is written then.
    """
    files = {"README.md": _README}
    if data.searches:
        files["searches.json"] = _line({"searches": dict(data.searches)})
    for task, baseline in data.baselines.items():
        files[f"baselines/{slug(task)}.json"] = _line(asdict(baseline))
    for task, entries in data.history.items():
        files[f"history/{slug(task)}.jsonl"] = b"".join(_line(asdict(e)) for e in entries)
    for name, badge in data.badges.items():
        files[f"badges/{name}.json"] = json.dumps(badge, sort_keys=True).encode() + b"\n"
    for task, uses in data.uses.items():
        path = f"held-out/{slug(task)}.jsonl"
        try:
            files[path] = b"".join(line_of(use) for use in uses)
        except ValueError as error:
            raise _wrong(path, str(error)) from error
    # What cannot be read again would stop every later run, so it is found out before it is written.
    for path, content in files.items():
        if len(content) > LARGEST:
            raise _wrong(path, f"it would have {len(content)} bytes; {LARGEST} is the most")
    read_files(files)
    return files


def check_entries(entries: Iterable[Entry]) -> dict[str, str]:
    """Return the blobs of the branch's files by path, having looked at every entry of its tree.

    Raises:
        GitError: a link, a submodule, a file that is too large, or one that we did not write.
    """
    found: dict[str, str] = {}
    for entry in entries:
        path = entry.path if entry.path.isprintable() else repr(entry.path)
        if not entry.is_file:
            raise _wrong(path, "it is not a plain file")
        if _kind(entry.path) is None:
            raise _wrong(path, "it is no file of gepa-ci")
        if (entry.size or 0) > LARGEST:
            raise _wrong(path, f"it has {entry.size} bytes; {LARGEST} is the most")
        found[entry.path] = entry.sha
    if len(found) > _MOST_FILES:
        raise GitError(
            f"branch '{DATA_BRANCH}': it has {len(found)} files; {_MOST_FILES} is the most",
            hint=_HINT,
        )
    return found


def read_files(files: Mapping[str, bytes]) -> Data:
    """Return the data that files hold.

    Raises:
        GitError: the file that is wrong, and what is wrong with it.
    """
    baselines: dict[str, Baseline] = {}
    history: dict[str, tuple[HistoryEntry, ...]] = {}
    uses: dict[str, tuple[Use, ...]] = {}
    searches: dict[str, str] = {}
    badges: dict[str, Mapping[str, JSON]] = {}
    notes: list[str] = []
    for path, content in sorted(files.items()):
        match _kind(path):
            case "searches.json":
                searches = _one(path, content, _SEARCHES)["searches"]
            case "baselines":
                one = Baseline(**_owned(path, [_one(path, content, _BASELINE)])[0])
                baselines[one.task] = one
            case "history":
                lines = _owned(path, _lines(path, content, _ENTRY, notes))
                _by_task(history, [HistoryEntry(**line) for line in lines])
            case "held-out":
                lines = _owned(path, _lines(path, content, CHECKS, notes))
                _by_task(uses, _uses(path, lines))
            case "badges":
                one_badge = _one(path, content, _BADGE, version="schemaVersion")
                badges[_stem(path)] = {"schemaVersion": 1, **one_badge}
            case _:
                # Nobody reads the README but people.
                continue
    return Data(
        baselines=baselines,
        history=history,
        uses=uses,
        searches=searches,
        badges=badges,
        notes=tuple(notes),
    )


def _kind(path: str) -> str | None:
    if path in ("README.md", "searches.json"):
        return path
    folder, _, name = path.partition("/")
    ending = {"baselines": ".json", "badges": ".json", "history": ".jsonl", "held-out": ".jsonl"}
    stem = name.removesuffix(ending.get(folder, "/"))
    is_ours = stem != name and stem.replace("-", "").isalnum() and stem.isascii()
    return folder if is_ours else None


def _line(values: Mapping[str, Any]) -> bytes:
    found = {"schema_version": fields.SCHEMA_VERSION, **values}
    return json.dumps(found, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _one(
    path: str,
    content: bytes,
    checks: Mapping[str, fields.Check],
    *,
    version: str = "schema_version",
) -> dict[str, Any]:
    try:
        return fields.record(fields.strict_json(content), checks, version=version)
    except ValueError as error:
        raise _wrong(path, str(error)) from error


def _lines(
    path: str, content: bytes, checks: Mapping[str, fields.Check], notes: list[str]
) -> list[dict[str, Any]]:
    *whole, rest = content.split(b"\n")
    if len(whole) > _MOST_LINES:
        raise _wrong(path, f"it has {len(whole)} lines; {_MOST_LINES} is the most")
    found = []
    for number, line in enumerate(whole, 1):
        try:
            found.append(fields.record(fields.strict_json(line), checks))
        except ValueError as error:
            raise _wrong(path, str(error), line=number) from error
    if rest:
        try:
            found.append(fields.record(fields.strict_json(rest), checks))
        except ValueError:
            notes.append(
                f"The last line of {path} on the branch {DATA_BRANCH} is half written and was left "
                "out."
            )
    return found


def _stem(path: str) -> str:
    return path.partition("/")[2].partition(".")[0]


def _owned(path: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Refuse records of another task than the one that the file's name stands for."""
    own = _stem(path)
    for number, found in enumerate(records, 1):
        if slug(found["task"]) != own:
            raise _wrong(path, f"it has a record of the task {found['task']!r:.80}", line=number)
    return records


def _uses(path: str, records: list[dict[str, Any]]) -> list[Use]:
    found = []
    for number, one in enumerate(records, 1):
        try:
            found.append(entry_in(one))
        except ValueError as error:
            raise _wrong(path, str(error), line=number) from error
    return found


def _by_task(into: dict[str, tuple[Any, ...]], records: list[HistoryEntry] | list[Use]) -> None:
    if records:
        into[records[0].task] = tuple(records)


def _wrong(path: str, what: str, *, line: int | None = None) -> GitError:
    where = "" if line is None else f" line {line}:"
    return GitError(f"branch '{DATA_BRANCH}':{where} {what}", path=path, hint=_HINT)
