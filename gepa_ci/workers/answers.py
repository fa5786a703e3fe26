"""Owns reading what a worker tells: untrusted text, made fit to be shown."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.workers.child import WorkerError

_EXCERPT = 1_000
_FRAMES = 10

# The runner of GitHub Actions takes orders from lines of stdout and of stderr.
_COMMAND = re.compile(r"^([\s\ufeff\u200b]*)::", re.MULTILINE)
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An error of the user's code."""

    type: str
    """Name of its class."""
    text: str
    """Its message."""
    frames: str
    """Its traceback from the user's file on."""
    line: int | None
    """The last line of the user's file that it came through."""
    module: str | None
    """The module that could not be found, when it is about one."""
    hint: str | None
    """What to do about it, where we know."""


def harmless(text: str) -> str:
    """Return text with no command to the runner and no invisible characters."""
    seen = _UNSEEN.sub(lambda match: ascii(match[0])[1:-1], text)
    return _COMMAND.sub(r"\1: :", seen).replace("##[", "## [")


def show_printed(answer: Mapping[str, Any]) -> None:
    """Pass on to stderr what the user's code printed."""
    printed = answer.get("printed")
    if isinstance(printed, str) and printed:
        sys.stderr.write(harmless(printed))


def read_told(value: Any, kind: str = "metric") -> Told:
    """Return what a worker tells of an error in a metric, or in what else the file is."""
    told = value if isinstance(value, dict) else {}
    line = told.get("line")
    return Told(
        type=_text(told, "type") or "an error",
        text=_text(told, "text"),
        frames=_text(told, "frames"),
        line=line if isinstance(line, int) else None,
        module=_text(told, "module") or None,
        hint=_hint(told, kind),
    )


def excerpt(error: WorkerError, path: str) -> tuple[str, int | None]:
    """Return where in the user's file a worker was when it ended, or else what it last wrote."""
    pattern = rf'^ *File "{re.escape(path)}", line (\d+) in .+$'
    frames = list(re.finditer(pattern, error.tail, re.MULTILINE))
    if frames:
        shown = "\n".join(frame[0] for frame in frames[:_FRAMES])
        return harmless(shown), int(frames[0][1])
    return harmless(error.tail.strip()[-_EXCERPT:]), None


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    return harmless(value) if isinstance(value, str) else ""


def _hint(told: Mapping[str, Any], kind: str) -> str | None:
    if re.fullmatch(r"[A-Z][A-Z0-9_]{2,}", _text(told, "key")):
        more = "" if kind == "metric" else "; name what it needs in its `environment:`"
        return f"a {kind} sees no keys, tokens or other variables of the environment{more}"
    if told.get("is_missing_file") is True:
        return f"a {kind} runs in an empty folder: open files by Path(__file__).parent"
    if told.get("is_forbidden") is True:
        return f"a {kind} may write only into its working folder and below tempfile.gettempdir()"
    if told.get("is_memory") is True:
        return f"a {kind}'s process may hold 4 GiB"
    return None
