"""Owns `gepa-ci power`: what a task's held-out examples can show, and what more would cost."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gepa_ci.cli.options import config_option, format_option, state_option, task_argument
from gepa_ci.cli.printing import say
from gepa_ci.cli.workspace import open_workspace
from gepa_ci.errors import UsageError


@click.command()
@task_argument
@click.option(
    "--flip",
    type=click.FloatRange(min=0, max=0.5),
    metavar="SHARE",
    help="Share of examples on which two runs of the same prompt differ; 0.1 if not given.",
)
@click.option(
    "--from",
    "result_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="RESULT",
    help="Measure that share, and how prompts differ, in a result that --output wrote.",
)
@click.option(
    "--effect",
    type=click.FloatRange(min=0, max=0.5, min_open=True),
    metavar="DROP",
    help="Say how many examples show a drop of the mean score of that size.",
)
@state_option
@config_option
@format_option
def power(
    task_name: str | None,
    flip: float | None,
    result_path: Path | None,
    effect: float | None,
    state_dir: Path | None,
    config_path: str,
    output_format: str,
) -> None:
    """Show what the held-out examples can detect, and what more would cost; calls no model.

    TASK is a task of the config, or a .prompt.yml file with testData; all tasks if not given.
    """
    from gepa_ci.cli.power_outlook import outlook
    from gepa_ci.cli.power_source import sources
    from gepa_ci.cli.power_text import document, text
    from gepa_ci.cli.progress import Progress
    from gepa_ci.cli.readiness import check_models
    from gepa_ci.cli.session import open_session

    if flip is not None and result_path is not None:
        raise UsageError(
            "'--flip' does not go together with '--from'",
            hint="give the share, or a result to measure it in",
        )
    workspace, name = open_workspace(config_path, task_name)
    found = workspace.inputs(workspace.tasks(name))
    check_models(found)
    noises = sources([inputs.task.name for inputs in found], flip, result_path)
    with open_session(workspace, state_dir, Progress()) as session:
        outlooks = [outlook(session, inputs, noises[inputs.task.name], effect) for inputs in found]
    if output_format == "json":
        say(json.dumps({"tasks": [document(each) for each in outlooks]}, indent=2))
        return
    say("\n\n".join(text(each) for each in outlooks))
