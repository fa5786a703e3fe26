"""The command line: one file a command, and the one place where errors become exit codes."""

from __future__ import annotations

import sys

import click

from gepa_ci import __version__
from gepa_ci.cli.check import check
from gepa_ci.cli.demo import demo
from gepa_ci.cli.evaluate import evaluate
from gepa_ci.cli.failure import report_bug, report_error
from gepa_ci.cli.gate import gate
from gepa_ci.cli.local import local
from gepa_ci.cli.optimize import optimize
from gepa_ci.cli.plan import plan
from gepa_ci.cli.render import render
from gepa_ci.cli.report import report
from gepa_ci.errors import ExitCode, GepaCiError, Interrupted, UsageError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="gepa-ci")
def main() -> None:
    r"""Gate prompt files on pull requests and optimize them with GEPA.

    A changed prompt is compared with its base on held-out examples; an optimized prompt is
    written only when it has proved itself on examples that the optimizer never saw.

    \b
    Exit codes: 0 the job ran and nothing blocks; 1 the gate blocks; 2 fix your input;
    3 the outside world failed or a spend cap was reached; 70 a bug; 130 Ctrl-C.
    """


for command in (check, render, plan, evaluate, gate, optimize, report, demo, local):
    main.add_command(command)


def entry() -> None:
    """Run the command line and exit with the code of what happened."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    wants_json = _wants_json(arguments)
    try:
        code = main.main(arguments, standalone_mode=False)
    except GepaCiError as error:
        return report_error(error, as_json=wants_json)
    except click.UsageError as error:
        hint = f"see '{error.ctx.command_path} --help'" if error.ctx is not None else None
        message = error.format_message().rstrip(".")
        wrong = UsageError(message[:1].lower() + message[1:], hint=hint)
        return report_error(wrong, as_json=wants_json)
    except (click.Abort, KeyboardInterrupt):
        return report_error(Interrupted("interrupted"), as_json=wants_json)
    except BrokenPipeError:
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - the one place that turns a bug into exit code 70
        return report_bug(error, arguments)
    return int(code or 0)


def _wants_json(arguments: list[str]) -> bool:
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(a == "--format=json" or (a == "--format" and b == "json") for a, b in pairs)
