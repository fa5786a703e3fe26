"""Owns the way from a suite file's bytes to its changed bytes, whatever its format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.config.documents import decode
from gepa_ci.config.problems import shown
from gepa_ci.errors import Problem, SuiteError
from gepa_ci.suites.edit_csv import edited_table, table_texts
from gepa_ci.suites.edit_json import edited_lines, edited_list, line_texts, list_texts
from gepa_ci.suites.edit_yaml import block_texts, edited_blocks
from gepa_ci.suites.edits import Added, CannotEditError
from gepa_ci.suites.files import MAX_BYTES
from gepa_ci.suites.load import read_examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.suites.edits import Edit
    from gepa_ci.suites.rows import Row

_BOM = b"\xef\xbb\xbf"
_KINDS = {
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".json": "list",
    ".csv": "table",
    ".yml": "blocks",
    ".yaml": "blocks",
}


def rewritten(
    path: str, source: bytes, edit: Edit, planned: Sequence[Row], problems: list[Problem]
) -> bytes:
    """Return the bytes of a suite file with an edit made; what it cannot hold is reported.

    The result reads back as exactly the planned rows, or a problem says which one does not.
    """
    text = decode(source, path=path, limit=MAX_BYTES, error=SuiteError)
    try:
        edited = _edited(path, text, edit, problems)
    except CannotEditError as error:
        problems.append(Problem(message=f"the file {error}", path=path, hint=error.hint))
        return source
    result = (_BOM if source.startswith(_BOM) else b"") + edited.encode()
    # A suite that is wrong already would only be found wrong once more.
    if not problems:
        problems += _differences(path, result, planned)
    return result


def additions(
    path: str, target: str, source: bytes, rows: Sequence[tuple[int, Row]]
) -> list[Added]:
    """Return rows of one file, by their numbers, as rows that come into another."""
    columns: tuple[str, ...] = ()
    texts: list[str] = []
    kind = _kind(path)
    if kind == _kind(target):
        text = decode(source, path=path, limit=MAX_BYTES, error=SuiteError)
        try:
            columns, texts = _texts(kind, text)
        except CannotEditError:
            texts = []
    return [
        Added(row=row, text=_verbatim(kind, texts, number, row), columns=columns)
        for number, row in rows
    ]


def _kind(path: str) -> str:
    return _KINDS[path[path.rfind(".") :].lower()]


def _texts(kind: str, text: str) -> tuple[tuple[str, ...], list[str]]:
    match kind:
        case "lines":
            return (), line_texts(text)
        case "list":
            return (), list_texts(text)
        case "table":
            return table_texts(text)
        case _:
            return (), block_texts(text)


def _verbatim(kind: str, texts: Sequence[str], number: int, row: Row) -> str | None:
    """Return the text of a row, unless it means something else when it stands alone."""
    if not texts:
        return None
    text = texts[number]
    if kind != "blocks":
        return text
    try:
        (alone,) = read_examples("row.yaml", text.encode())
    except (SuiteError, ValueError):
        return None
    return text if _says(alone)[:-1] == _says(row)[:-1] else None


def _edited(path: str, text: str, edit: Edit, problems: list[Problem]) -> str:
    match _kind(path):
        case "lines":
            return edited_lines(text, edit)
        case "list":
            return edited_list(text, edit)
        case "table":
            return edited_table(text, edit, problems)
        case _:
            return edited_blocks(text, edit, problems)


def _differences(path: str, source: bytes, planned: Sequence[Row]) -> list[Problem]:
    hint = "write the row in another way, or the suite in another format"
    try:
        found = read_examples(path, source)
    except SuiteError as error:
        first = error.problems[0]
        message = f"the file could not be read any more: {first.message}"
        return [Problem(message=message, path=path, hint=hint)]
    for row, wanted in zip(found, planned, strict=False):
        if _says(row) != _says(wanted):
            example = wanted.example
            message = f"'{path}' cannot hold example {shown(example.id)} as it is"
            return [Problem(message=message, path=example.path, line=example.line, hint=hint)]
    if len(found) == len(planned):
        return []
    message = f"the file would hold {len(found)} of {len(planned)} examples"
    return [Problem(message=message, path=path, hint=hint)]


def _says(row: Row) -> tuple[object, ...]:
    """Return all that a row says, apart from where it stands; its part comes last."""
    example = row.example
    return (
        example.id if row.has_id else None,
        example.digest,
        example.group,
        example.weight,
        example.tags,
        row.part,
    )
