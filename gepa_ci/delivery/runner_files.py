"""Owns every word to the runner of GitHub Actions: outputs and the job summary.

GITHUB_ENV and GITHUB_PATH are never written: they decide what later steps execute.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from gepa_ci.errors import GepaCiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MOST_SUMMARY_BYTES = 1024 * 1024 - 1
"""GitHub drops the summary of a step that has more."""
MOST_OUTPUT_BYTES = 1_000_000
"""All outputs of a job together, counted in UTF-16."""

_LEFT_OUT = "\n\nThe rest is left out here, as a job summary can have 1 MiB only.\n"
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


class Output(StrEnum):
    """Name of an output of the action; there are no others."""

    VERDICT = "verdict"
    REPORT_PATH = "report-path"
    PAGE_PATH = "page-path"
    PULL_REQUEST_NUMBER = "pull-request-number"
    PULL_REQUEST_URL = "pull-request-url"
    PULL_REQUEST_OPERATION = "pull-request-operation"
    SCORE_BASE = "score-base"
    SCORE_HEAD = "score-head"
    USD = "usd"
    RESULT = "result"
    """Everything, as one JSON object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerFiles:
    """The files by which a step tells the runner something."""

    output: Path | None = None
    """What GITHUB_OUTPUT names; None outside of Actions."""
    summary: Path | None = None
    """What GITHUB_STEP_SUMMARY names; None outside of Actions."""

    def write_outputs(self, values: Mapping[Output, str]) -> tuple[Output, ...]:
        """Append outputs, and return those that were left out as too long for the runner.

        Raises:
            GepaCiError: a value holds the random delimiter, which nothing but malice explains.
        """
        room, left_out = MOST_OUTPUT_BYTES, []
        blocks = []
        # Short ones first, so that a long JSON cannot keep the verdict out.
        for name, value in sorted(values.items(), key=lambda item: (len(item[1]), item[0])):
            size = len(f"{name}{value}".encode("utf-16-le", "replace"))
            if size > room:
                left_out.append(name)
                continue
            room -= size
            blocks.append(heredoc(name, value, secrets.token_hex(16)))
        if self.output is not None:
            _append(self.output, "".join(blocks))
        return tuple(left_out)

    def write_summary(self, markdown: str) -> None:
        """Append Markdown to the job summary, cut where it fits."""
        if self.summary is None:
            return
        taken = self.summary.stat().st_size if self.summary.exists() else 0
        _append(self.summary, cut_summary(markdown, MOST_SUMMARY_BYTES - taken))


def heredoc(name: Output, value: str, delimiter: str) -> str:
    """Return the lines that set an output, with a value of any number of lines.

    Raises:
        GepaCiError: the value holds the delimiter.
    """
    if delimiter in value:
        raise GepaCiError(
            f"the value of the output '{name}' holds the delimiter that was drawn for it",
            hint="run it again; if it happens again, something reads our random numbers",
        )
    return f"{Output(name)}<<{delimiter}\n{value}\n{delimiter}\n"


def cut_summary(markdown: str, most_bytes: int) -> str:
    """Cut Markdown between two blocks, outside of fences and folds, and say so there."""
    if len(markdown.encode(errors="replace")) <= most_bytes:
        return markdown
    room = most_bytes - len(_LEFT_OUT.encode())
    # Without room even for the sentence there is nothing sensible to say.
    if room < 0:
        return ""
    ends = (position for position, size in _ends_of_blocks(markdown) if size <= room)
    return f"{markdown[: max(ends, default=0)]}{_LEFT_OUT}"


def _ends_of_blocks(markdown: str) -> Iterator[tuple[int, int]]:
    """Yield where a blank line parts blocks outside of fences and folds: characters and bytes."""
    position = size = folds = 0
    fence = ""
    for line in markdown.splitlines(keepends=True):
        if not fence and not folds and not line.strip():
            yield position, size
        position += len(line)
        size += len(line.encode(errors="replace"))
        fence = _fence_after(line, fence)
        if not fence:
            folds += line.count("<details") - line.count("</details>")


def _fence_after(line: str, fence: str) -> str:
    """Return the fence that is open after a line."""
    found = _FENCE.match(line)
    if found is None:
        return fence
    if not fence:
        return found[1]
    closes = found[1].startswith(fence) and not line[found.end() :].strip()
    return "" if closes else fence


def _append(path: Path, text: str) -> None:
    # Bytes, as the runner wants line feeds everywhere; half a surrogate pair cannot be written.
    with path.open("ab") as file:
        file.write(text.encode(errors="replace"))
