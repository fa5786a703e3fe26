"""Owns how a result looks on stdout: in colour and as wide as the terminal, or plain."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gepa_ci.cli.printing import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON

_WIDEST = 120
"""Longer lines of prose are hard to read."""


def has_color() -> bool:
    """Return whether stdout takes colours: a terminal that does, or one that FORCE_COLOR claims.

    NO_COLOR, and TERM=dumb, say no before anything else.
    """
    from rich.console import Console

    console = Console(file=sys.stdout)
    takes_codes = console.color_system is not None and not console.legacy_windows
    return takes_codes and not console.no_color


def width_of_stdout(default: int) -> int:
    """Return the columns of the terminal; the default where stdout is none."""
    from rich.console import Console

    if not sys.stdout.isatty():
        return default
    return min(Console(file=sys.stdout).width, _WIDEST)


def say_summary(document: Mapping[str, JSON]) -> None:
    """Print the summary of a result."""
    from gepa_ci.reports.console.page import WIDTH
    from gepa_ci.reports.console.summary import render_terminal

    color = has_color()
    text = render_terminal(document, color=color, width=width_of_stdout(WIDTH))
    say(text.rstrip("\n"), color=color or None)
