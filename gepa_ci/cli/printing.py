"""Owns writing to stdout and stderr: a reader that went away never changes the exit code."""

from __future__ import annotations

import io
import os
import re
import sys

import click

# What a CI runner takes orders from, in whatever a process prints.
_COMMAND = re.compile(r"^([\s\ufeff\u200b]*):(?=:)", re.MULTILINE)


def inert(text: str) -> str:
    """Return text that gives no order to a CI runner: it may quote what anybody has written."""
    return _COMMAND.sub(r"\1: ", text).replace("##[", "## [")


def say(text: str | bytes, *, err: bool = False, color: bool | None = None) -> None:
    """Print a text and a line end; drop it when nobody reads any more.

    Escape codes are left out where no terminal reads them, unless `color` says otherwise.
    """
    try:
        click.echo(text, err=err, color=color)
    except BrokenPipeError:
        _mute(sys.stderr if err else sys.stdout)


def _mute(stream: io.TextIOBase | object) -> None:
    # What is left in the buffer would raise once more when the interpreter ends.
    if isinstance(stream, io.TextIOWrapper):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
