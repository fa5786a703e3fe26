"""Owns what a page may do: run its one script, use its one style, and nothing else."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gepa_ci.reports.escape import without_commands

_TEMPLATES = Path(__file__).parents[1] / "templates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The style and the script of a page, with the policy that allows them alone."""

    style: str
    """CSS."""
    script: str
    """JavaScript."""

    @property
    def policy(self) -> str:
        """Return the content security policy."""
        return "; ".join(
            (
                "default-src 'none'",
                f"style-src '{_digest(self.style)}'",
                f"script-src '{_digest(self.script)}'",
                "base-uri 'none'",
                "form-action 'none'",
            )
        )


@cache
def sources() -> Sources:
    """Return our style and script as they stand in every page."""
    return Sources(style=_read("page.css"), script=_read("page.js"))


def _read(name: str) -> str:
    # A page may be printed to the log of a runner, and its policy tells what is printed.
    return without_commands((_TEMPLATES / name).read_text(encoding="utf-8"))


def _digest(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
