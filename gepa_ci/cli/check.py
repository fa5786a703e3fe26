"""Owns `gepa-ci check`: all that can be known to be wrong without a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from gepa_ci.cli.judges import judge_warnings
from gepa_ci.cli.options import config_option, format_option, task_argument
from gepa_ci.cli.own_templates import own_templates
from gepa_ci.cli.printing import say
from gepa_ci.cli.readiness import check_models, check_optimizers
from gepa_ci.cli.workspace import open_workspace

if TYPE_CHECKING:
    from gepa_ci.cli.workspace import TaskInputs


@click.command()
@task_argument
@config_option
@format_option
def check(task_name: str | None, config_path: str, output_format: str) -> None:
    """Validate config, prompts, suites, splits and leakage; calls no model.

    TASK is a task of the config, or a .prompt.yml file with testData; all tasks if not given.
    """
    workspace, name = open_workspace(config_path, task_name)
    found = workspace.inputs(workspace.tasks(name))
    own = own_templates(workspace)
    check_models(found)
    check_optimizers(found, workspace.config)
    if any(inputs.task.optimize.proposer_code for inputs in found):
        # Only this needs the optimizers' modules.
        from gepa_ci.cli.search import check_proposers

        check_proposers(found, workspace)
    for inputs in found:
        for warning in (*inputs.warnings, *judge_warnings(inputs)):
            say(f"warning: {inputs.task.name}: {warning}", err=True)
    if output_format == "json":
        say(json.dumps({"tasks": [_document(inputs) for inputs in found]}, indent=2))
        return
    for inputs in found:
        counts = _counts(inputs)
        sizes = ", ".join(f"{count} {part.replace('_', '-')}" for part, count in counts.items())
        paths = ", ".join(file.path for file in inputs.prompt.files)
        say(f"ok: {inputs.task.name}: {paths}, {sizes}")
    if own.sources:
        say(f"ok: report templates: {', '.join(own.path(name) for name in own.sources)}")


def _counts(inputs: TaskInputs) -> dict[str, int]:
    suite = inputs.suite
    return {
        "train": len(suite.tuning.train),
        "val": len(suite.tuning.val),
        "held_out": len(suite.held_out.examples),
    }


def _document(inputs: TaskInputs) -> dict[str, object]:
    return {
        "name": inputs.task.name,
        "prompts": [file.path for file in inputs.prompt.files],
        "components": [component.name for component in inputs.prompt.components],
        "variables": sorted({name for f in inputs.prompt.files for name in f.variables}),
        "examples": _counts(inputs),
        "warnings": [*inputs.warnings, *judge_warnings(inputs)],
    }
