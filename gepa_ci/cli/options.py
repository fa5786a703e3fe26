"""Owns the options that several commands share, so that they are spelled and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gepa_ci.cli.words import OneOf
from gepa_ci.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


FORMATS = ("text", "json", "markdown", "html", "junit", "sarif", "jsonl")
"""Formats of a result."""
ENDINGS = {
    ".html": "html",
    ".md": "markdown",
    ".xml": "junit",
    ".sarif": "sarif",
    ".jsonl": "jsonl",
    ".json": "json",
    ".txt": "text",
}
"""Format of a report by the ending of its file."""
DEFAULT_CONFIG = "gepa-ci.yml"

F = TypeVar("F", bound="Callable[..., Any]")


class ReportFile(click.Path):
    """A file whose ending says which report to write to it."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path, or say which endings there are."""
        path = Path(str(super().convert(value, param, ctx)))
        format_of(path)
        return path


def format_of(path: Path) -> str:
    """Return the format of a report that the ending of its file stands for.

    Raises:
        UsageError: it stands for none.
    """
    try:
        return ENDINGS[path.suffix.lower()]
    except KeyError as error:
        raise UsageError(
            f"the ending of '{path.name}' says no format of a report",
            hint=f"known endings: {', '.join(ENDINGS)}",
        ) from error


config_option = click.option(
    "--config",
    "config_path",
    default=DEFAULT_CONFIG,
    show_default=True,
    metavar="FILE",
    help="Config file; its folder is the root that all paths are relative to.",
)

format_option = click.option(
    "--format",
    "output_format",
    type=OneOf(["text", "json"]),
    default="text",
    show_default=True,
    help="With json, stdout is one JSON document and nothing else.",
)

report_format_option = click.option(
    "--format",
    "output_format",
    type=OneOf(list(FORMATS)),
    default="text",
    show_default=True,
    help="How the result is printed on stdout.",
)

report_option = click.option(
    "--report",
    "reports",
    type=ReportFile(),
    multiple=True,
    metavar="FILE",
    help=f"Also write a report to this file, by its ending: {', '.join(ENDINGS)}. May be repeated.",
)

output_option = click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the result as JSON to this file.",
)

state_option = click.option(
    "--state",
    "state_dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="GEPA_CI_STATE",
    metavar="DIR",
    help="Folder of the response cache and checkpoints; .gepa-ci beside the config if not given.",
)

task_argument = click.argument("task_name", metavar="[TASK]", required=False)


def run_options(command: F) -> F:
    """Add the options of every command that calls models."""
    for option in (
        state_option,
        report_option,
        output_option,
        report_format_option,
        config_option,
    ):
        command = option(command)
    return command
