"""Owns `gepa-ci report`: a saved result, rendered again without a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from gepa_ci.cli.looks import say_summary
from gepa_ci.cli.options import FORMATS, config_option, format_of
from gepa_ci.cli.own_templates import own_templates_at
from gepa_ci.cli.results import print_report, rendered, write_report
from gepa_ci.cli.tree import reason
from gepa_ci.cli.words import OneOf
from gepa_ci.errors import UsageError
from gepa_ci.reports.templating.sources import BUILT_IN

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON

_HINT = "name a file that --output wrote"
_LARGEST = 256 * 1024 * 1024


@click.command()
@click.argument("result_path", metavar="RESULT", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "output_format",
    type=OneOf(list(FORMATS)),
    help="What to render; if not given, what the ending of --output says, or Markdown on stdout.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to this file in place of stdout.",
)
@config_option
def report(
    result_path: Path, output_format: str | None, output: Path | None, config_path: str
) -> None:
    """Render a result that --output wrote; calls no model.

    A config, where there is one, tells only whose templates to use.
    """
    if output_format is None:
        output_format = "markdown" if output is None else format_of(output)
    # JSON is handed on as it is, and must be a result all the same.
    document = read_result(result_path)
    has_templates = output_format in ("markdown", "html")
    own = own_templates_at(config_path) if has_templates else BUILT_IN
    text = rendered(document, output_format, own)
    if output is None and output_format == "text":
        say_summary(document)
    elif output is None:
        print_report(text)
    else:
        write_report(output, text)


def read_result(path: Path) -> dict[str, JSON]:
    """Return a result that `--output` wrote.

    Raises:
        UsageError: the file is not a result of a version that is known here.
    """
    from gepa_ci.reports import view

    try:
        document = _document(path)
        view(document)
    except ValueError as error:
        raise UsageError("this is not JSON", path=str(path), hint=_HINT) from error
    except RecursionError as error:
        raise UsageError("this is nested too deeply", path=str(path), hint=_HINT) from error
    except UsageError as error:
        problem = error.problems[0]
        raise UsageError(problem.message, path=str(path), hint=problem.hint) from error
    return document


def _document(path: Path) -> dict[str, JSON]:
    try:
        if (size := path.stat().st_size) > _LARGEST:
            raise UsageError(f"the file has {size} bytes; 256 MiB is the most", hint=_HINT)
        source = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read the result: {reason(error)}", hint=_HINT) from error
    document = json.loads(source, parse_constant=_refuse)
    if not isinstance(document, dict):
        raise UsageError("this is JSON, but not a result", hint=_HINT)
    return document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
