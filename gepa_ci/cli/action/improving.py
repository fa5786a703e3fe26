"""Owns optimizing a branch's prompts, and proposing what has proved itself."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.cli.action.baselines import history_entry
from gepa_ci.cli.action.commits import pull_commits
from gepa_ci.cli.action.gating import in_repository, naming_from_root, open_sides
from gepa_ci.cli.action.late_answers import LateAnswers
from gepa_ci.cli.action.outcome import Outcome
from gepa_ci.cli.action.proposing import close_stale, propose
from gepa_ci.cli.digests import optimize_digest
from gepa_ci.cli.own_templates import own_templates, shows_texts
from gepa_ci.cli.progress import Progress
from gepa_ci.cli.readiness import check_optimizable
from gepa_ci.cli.results import run_result
from gepa_ci.cli.session import open_session
from gepa_ci.cli.tree import changed_paths
from gepa_ci.pipeline import optimize as optimize_task
from gepa_ci.reports import result_document

if TYPE_CHECKING:
    from gepa_ci.cli.action.desk import Desk
    from gepa_ci.cli.session import Session
    from gepa_ci.cli.sides import Sides
    from gepa_ci.cli.workspace import TaskInputs
    from gepa_ci.core.config import ModelSpec
    from gepa_ci.core.result import RunResult, TaskResult
    from gepa_ci.delivery.data_branch import Data
    from gepa_ci.delivery.errands import OptimizeErrand
    from gepa_ci.delivery.improvement import Outcome as Proposed


def improve(desk: Desk, errand: OptimizeErrand) -> Outcome:
    """Optimize every task whose inputs changed since the last search, and propose what is better.

    Each task's proposal is made before the next task is searched, so that a run that ends early
    keeps what it has proved.
    """
    sides = _sides(desk, errand)
    if sides is None:
        return Outcome(
            reason=f"There is no {desk.settings.config} to optimize by.", pull=errand.pull
        )
    with naming_from_root(desk):
        found = [exam.inputs for exam in sides.exams(desk.settings.task)]
        check_optimizable(found, sides.trusted.config)
        own = own_templates(sides.trusted)
    due = _due(desk, sides, found)
    if not due:
        return Outcome(
            reason="Nothing that decides a search was changed since the last one, so nothing was "
            "run; start the workflow by hand to search again.",
            pull=errand.pull,
        )
    started = time.perf_counter()
    reflection = _reflection(sides)
    proposed: dict[str, Proposed] = {}
    with open_session(sides.trusted, desk.settings.state, Progress()) as session:
        results = []
        for inputs in due:
            book = LateAnswers(book=desk.data.ledger(inputs.task.name))
            result = _searched(desk, session, inputs, book)
            results.append(result)
            if result.verdict == "promote":
                document = result_document(_whole(desk, session, [result], started), texts=True)
                proposed[result.name] = propose(
                    desk, errand, inputs, result, document, reflection, own
                )
            elif closed := close_stale(desk, errand, inputs, reflection):
                proposed[result.name] = closed
            _keep(desk, errand, inputs, result, book, optimize_digest(inputs, reflection))
        whole = _whole(desk, session, results, started)
    return Outcome(
        document=result_document(whole, texts=shows_texts(sides.trusted.config)),
        pull=errand.pull,
        head=errand.sha,
        proposed=proposed,
        config=sides.trusted.config,
        own=own,
    )


def _sides(desk: Desk, errand: OptimizeErrand) -> Sides | None:
    desk.bring(errand.sha)
    if errand.pull is None:
        return open_sides(desk, errand.sha, errand.sha)
    # The exam is the base's also here: a pull request cannot choose what it is measured by.
    base = pull_commits(desk, errand.pull.base_sha, errand.sha).base
    return open_sides(desk, base, errand.sha)


def _due(desk: Desk, sides: Sides, found: list[TaskInputs]) -> list[TaskInputs]:
    # A data branch that is broken has to end the run before a search is paid for.
    searches = desk.data.read().searches
    if desk.settings.event.name != "schedule":
        return found
    return [
        inputs
        for inputs in found
        if searches.get(inputs.task.name) != optimize_digest(inputs, _reflection(sides))
    ]


def _reflection(sides: Sides) -> ModelSpec | None:
    return sides.trusted.config.models.get("reflection")


def _whole(desk: Desk, session: Session, results: list[TaskResult], started: float) -> RunResult:
    again = desk.settings.again("optimize")
    return run_result("optimize", session, results, started, replay=again)


def _searched(desk: Desk, session: Session, inputs: TaskInputs, book: LateAnswers) -> TaskResult:
    """Search and prove one task; every use of its held-out set is on record before it happens."""
    services = replace(
        session.services(inputs),
        book=book,
        run=desk.run,
        write=lambda better: changed_paths(inputs.prompt, better),
    )
    return in_repository(desk, optimize_task(inputs.task, inputs.prompt, inputs.suite, services))


def _keep(
    desk: Desk,
    errand: OptimizeErrand,
    inputs: TaskInputs,
    result: TaskResult,
    book: LateAnswers,
    searched: str,
) -> None:
    """Record how a search ended. It comes last: a run that ends before it is simply made again."""
    entry = history_entry(desk, inputs, result, errand.sha)

    def end(data: Data) -> Data:
        data = book.closed_in(data)
        if errand.pull is not None:
            return data
        return data.with_history(entry).with_search(result.name, searched)

    if book.has_answers or errand.pull is None:
        desk.data.update(end, message=f"Record a search of {result.name}")
