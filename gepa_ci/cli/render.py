"""Owns `gepa-ci render`: exactly the messages that would be sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from gepa_ci.cli.options import config_option, format_option
from gepa_ci.cli.printing import say
from gepa_ci.cli.workspace import open_workspace
from gepa_ci.config.problems import nearest, shown
from gepa_ci.core.suite import Part
from gepa_ci.errors import UsageError

if TYPE_CHECKING:
    from gepa_ci.cli.workspace import TaskInputs

_LISTED = 8


@click.command()
@click.argument("task_name", metavar="TASK")
@click.option(
    "--example", "example_id", metavar="ID", help="Example to fill in; the first if not given."
)
@config_option
@format_option
def render(task_name: str, example_id: str | None, config_path: str, output_format: str) -> None:
    """Print exactly the messages that would be sent for one example; calls no model.

    Each message is a line `--- ROLE`, its text as it is, and a line end.
    """
    workspace, name = open_workspace(config_path, task_name)
    (inputs,) = workspace.inputs(workspace.tasks(name)[:1])
    examples = [example for part in Part for example in inputs.suite.part(part)]
    chosen = [e for e in examples if example_id is None or e.id == example_id]
    if not chosen:
        raise _unknown(example_id or "", inputs)
    calls = inputs.program.calls(inputs.prompt, chosen[0], 0)
    if calls is None:
        raise UsageError(
            f"only running the program of task '{inputs.task.name}' tells what it sends",
            hint="`gepa-ci evaluate --output result.json` keeps the calls of each example",
        )
    (call,) = calls
    if output_format == "json":
        messages = [{"role": m.role, "content": m.content} for m in call.messages]
        body = {"model": call.spec.model, "messages": messages, **call.spec.parameters}
        say(json.dumps({"example": chosen[0].id, "request": body}, indent=2))
        return
    for message in call.messages:
        # Bytes: a text stream may translate line ends.
        say(f"--- {message.role.value}\n{message.content}".encode())


def _unknown(example_id: str, inputs: TaskInputs) -> UsageError:
    ids = [example.id for part in Part for example in inputs.suite.part(part)]
    near = nearest(example_id, ids)
    question = "" if near is None else f"did you mean '{near}'? "
    more = f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else ""
    return UsageError(
        f"task '{inputs.task.name}' has no example {shown(example_id)}",
        hint=f"{question}its examples: {', '.join(ids[:_LISTED])}{more}",
    )
