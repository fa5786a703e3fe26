"""Owns writing to stdout and stderr: a reader that went away never changes the exit code."""

from __future__ import annotations

import io
import os
import sys

import click


def say(text: str | bytes, *, err: bool = False) -> None:
    """Print a text and a line end; drop it when nobody reads any more."""
    try:
        click.echo(text, err=err)
    except BrokenPipeError:
        _mute(sys.stderr if err else sys.stdout)


def _mute(stream: io.TextIOBase | object) -> None:
    # What is left in the buffer would raise once more when the interpreter ends.
    if isinstance(stream, io.TextIOWrapper):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
