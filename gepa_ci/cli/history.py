"""Owns `gepa-ci history`: the scores of a task over time, and where they drifted; no model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gepa_ci.cli.history_moments import history_of
from gepa_ci.cli.history_source import from_branch, from_results
from gepa_ci.cli.looks import has_color, width_of_stdout
from gepa_ci.cli.options import config_option
from gepa_ci.cli.printing import say
from gepa_ci.cli.results import check_outputs, write_file
from gepa_ci.cli.words import OneOf
from gepa_ci.errors import UsageError

if TYPE_CHECKING:
    from gepa_ci.cli.history_source import Source

_ENDINGS = {".html": "html", ".json": "json", ".txt": "text"}


@click.command()
@click.argument("names", metavar="[TASK] [RESULT]...", nargs=-1)
@click.option(
    "--format",
    "output_format",
    type=OneOf(["text", "json", "html"]),
    help="How it is shown; by the ending of --output, else text, if not given.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to this file in place of stdout.",
)
@config_option
def history(
    names: tuple[str, ...], output_format: str | None, output: Path | None, config_path: str
) -> None:
    """Show a task's scores over time, and where they moved by more than chance.

    They come from the branch gepa-ci-data of the config's repository. With files that --output
    wrote, or folders of them, they come from those: a first argument that is no path (no slash,
    no .json at its end) is the task.
    """
    from gepa_ci.reports.history.rendering import render_history

    task, paths = _sorted_out(names)
    if output is not None and output_format is None:
        output_format = _by_ending(output)
    check_outputs(output)
    source = from_results(paths) if paths else from_branch(Path(config_path).parent)
    shown = history_of(_task_in(source, task), source)
    if output is not None:
        write_file(output, render_history(shown, output_format or "text"))
    elif output_format in (None, "text"):
        color = has_color()
        text = render_history(shown, "text", color=color, width=width_of_stdout(default=0))
        say(text.rstrip("\n"), color=color or None)
    else:
        say(render_history(shown, output_format).rstrip("\n"))


def _by_ending(output: Path) -> str:
    """Return the format that the ending of a file stands for, or say which endings there are."""
    found = _ENDINGS.get(output.suffix.lower())
    if found is None:
        raise UsageError(
            f"the ending of '{output.name}' says no format of a history",
            hint=f"known endings: {', '.join(_ENDINGS)}; or name one with --format",
        )
    return found


def _sorted_out(names: tuple[str, ...]) -> tuple[str | None, list[Path]]:
    """Return the task, if one is named, and the saved results."""
    first = names[:1]
    if first and not _is_path(first[0]):
        return first[0], [Path(name) for name in names[1:]]
    return None, [Path(name) for name in names]


def _is_path(name: str) -> bool:
    return name.endswith(".json") or "/" in name or "\\" in name or name in (".", "..")


def _task_in(source: Source, task: str | None) -> str:
    known = sorted(source.entries)
    if not known:
        raise UsageError(f"there is no score yet in {source.name}", hint=source.hint)
    if task is None and len(known) == 1:
        return known[0]
    if task is None:
        raise UsageError(
            f"there are scores of {len(known)} tasks", hint=f"name one of them: {', '.join(known)}"
        )
    if task not in known:
        raise UsageError(
            f"there is no score of a task '{task}' in {source.name}",
            hint=f"known tasks: {', '.join(known)}; a folder of results ends in a slash",
        )
    return task
