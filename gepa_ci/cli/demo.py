"""Owns `gepa-ci demo`: the whole story in a temporary repository, on the local model."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gepa_ci.cli.looks import say_summary
from gepa_ci.cli.printing import say
from gepa_ci.cli.progress import Progress
from gepa_ci.cli.results import rendered, run_result, write_report
from gepa_ci.cli.session import open_session
from gepa_ci.cli.workspace import open_workspace
from gepa_ci.formats.shipped import shipped_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.result import RunResult
    from gepa_ci.core.values import JSON

_FILES = ("gepa-ci.yml", "orders.prompt.yml", "orders.jsonl")


@click.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Empty folder to work in; a new temporary one if not given.",
)
def demo(folder: Path | None) -> None:
    """Optimize a worked example on the bundled local model and prove it: no key, no network.

    A vague prompt that reads orders out of e-mails is improved by example accumulation, and
    measured on e-mails that the optimizer never saw.
    """
    from gepa_ci.delivery.new_repository import diff_of, make_repository

    started = time.perf_counter()
    root = folder or Path(tempfile.mkdtemp(prefix="gepa-ci-demo-"))
    files = {name: shipped_file(name) for name in _FILES}
    make_repository(root, files)
    count = len(files["orders.jsonl"].splitlines())
    say(f"A git repository with a prompt, {count} e-mails and a config: {root}", err=True)
    say("Optimizing on two cores takes a minute or two ...", err=True)
    result = _optimize(root, started)
    document = _document(result)
    result_path = root / ".gepa-ci" / "result.json"
    _write_outputs(document, result_path)
    say_summary(document)
    say("")
    say(diff_of(root))
    say(f"The repository:  {root}")
    say(f"The result:      {result_path}")
    say(f"The report:      {result_path.with_name('report.html')}")
    say(f"The diff:        git -C {root} diff")


def _optimize(root: Path, started: float) -> RunResult:
    from gepa_ci.pipeline import optimize

    workspace, _ = open_workspace(str(root / "gepa-ci.yml"), None)
    (inputs,) = workspace.inputs(workspace.tasks(None))
    with open_session(workspace, None, Progress()) as session:
        result = optimize(inputs.task, inputs.prompt, inputs.suite, session.services(inputs))
        # Not with --folder: that folder is not empty any more.
        return replace(run_result("optimize", session, [result], started), replay="gepa-ci demo")


def _document(result: RunResult) -> Mapping[str, JSON]:
    from gepa_ci.reports import result_document

    return result_document(result, texts=True)


def _write_outputs(document: Mapping[str, JSON], path: Path) -> None:
    write_report(path, rendered(document, "json"))
    write_report(path.with_name("report.html"), rendered(document, "html"))
