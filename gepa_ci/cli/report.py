"""Owns `gepa-ci report`: a saved result, rendered again without a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from gepa_ci.cli.results import write_file
from gepa_ci.errors import UsageError

if TYPE_CHECKING:
    from gepa_ci.reports import Format


@click.command()
@click.argument("result_path", metavar="RESULT", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["markdown", "text", "json", "junit"]),
    default="markdown",
    show_default=True,
    help="What to render.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to this file in place of stdout.",
)
def report(result_path: Path, output_format: str, output: Path | None) -> None:
    """Render a result that --output wrote; calls no model."""
    from gepa_ci.reports import render

    try:
        document = json.loads(result_path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"cannot read the result: {error.strerror}", path=str(result_path)
        ) from error
    except ValueError as error:
        raise UsageError(
            "this is not JSON", path=str(result_path), hint="name a file that --output wrote"
        ) from error
    text = render(
        document, cast("Format", "terminal" if output_format == "text" else output_format)
    )
    if output is None:
        click.echo(text.rstrip("\n"))
    else:
        write_file(output, text)
