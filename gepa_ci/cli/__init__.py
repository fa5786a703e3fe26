"""The command line: one file a command, and the one place where errors become exit codes."""

from __future__ import annotations

import gc
import io
import sys
from importlib import import_module
from itertools import pairwise
from typing import cast

import click

from gepa_ci import __version__
from gepa_ci.cli.failure import report_bug, report_error
from gepa_ci.cli.known_secrets import remembering
from gepa_ci.cli.words import Commands, usage_error
from gepa_ci.errors import GepaCiError, Interrupted

_OBJECTS_BETWEEN_COLLECTIONS = 100_000
_HELP = """Gate prompt files on pull requests and optimize them with GEPA.

A changed prompt is compared with its base on held-out examples; an optimized prompt is written
only when it has proved itself on examples that the optimizer never saw.

\b
Exit codes:
  0    the job ran and nothing blocks
  1    the gate blocks
  2    fix your input
  3    the outside world failed or a spend cap was reached: no verdict
  70   a bug in gepa-ci
  130  Ctrl-C
"""


_COMMANDS = {
    "init": "Write a config, first examples and the workflows into a repository.",
    "check": "Validate config, prompts, suites, splits and leakage; no model.",
    "render": "Print exactly the messages that would be sent; no model.",
    "plan": "Show what a run would cost: calls, tokens, dollars; no model.",
    "power": "Show what the held-out examples can detect; no model.",
    "evaluate": "Score the working tree's prompt on one part of the suite.",
    "gate": "Compare base and head on held-out examples; exit 1 if worse.",
    "optimize": "Optimize a prompt, prove it, and write it if it is better.",
    "report": "Render a saved result again; no model.",
    "compare": "Compare two saved results; no model.",
    "history": "Show a task's scores over time, and drift; no model.",
    "suite": "Give a suite new held-out examples.",
    "judge": "Compare a judge LM with human scores; exit 1 if it is not to trust.",
    "action": "Do what an event on GitHub asks for; what action.yml runs.",
    "demo": "Run the whole story on the bundled local model: no key.",
    "local": "Fetch the local model.",
}


class _Commands(Commands):
    """Imports a command when it is run, so that `--help` starts at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of a user's first day."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"gepa_ci.cli.{cmd_name}")
        return cast("click.Command", getattr(module, cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(
    cls=_Commands,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="gepa-ci")
def main() -> None:
    """Hold the commands together."""


def entry() -> None:
    """Run the command line and exit with the code of what happened."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character must not end a run that was paid for.
            stream.reconfigure(errors="backslashreplace")
    # Imports make a few hundred thousand objects that all stay: looking for garbage among them
    # every 700 finds none, and takes up to a tenth of a second of start-up.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    code = run(sys.argv[1:])
    # Nor is there garbage worth a tenth of a second when everything is given back anyway.
    gc.freeze()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    with remembering():
        return _run(arguments)


def _run(arguments: list[str]) -> int:
    wants_json = _wants_json(arguments)
    try:
        code = main.main(
            list(arguments), prog_name="gepa-ci", obj=tuple(arguments), standalone_mode=False
        )
    except GepaCiError as error:
        return report_error(error, as_json=wants_json)
    except click.UsageError as error:
        return report_error(usage_error(error), as_json=wants_json)
    except (click.Abort, KeyboardInterrupt):
        return report_error(Interrupted("interrupted"), as_json=wants_json)
    except Exception as error:  # noqa: BLE001 - the one place that turns a bug into exit code 70
        return report_bug(error, arguments, as_json=wants_json)
    return int(code or 0)


def _wants_json(arguments: list[str]) -> bool:
    return "--format=json" in arguments or ("--format", "json") in pairwise(arguments)
