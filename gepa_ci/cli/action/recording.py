"""Owns recording the default branch: held-out scores of its prompts, their history and badges."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gepa_ci.cli.action.baselines import ENOUGH_TRIALS, baseline_of, history_entry
from gepa_ci.cli.action.gating import naming_from_root, open_sides
from gepa_ci.cli.action.outcome import Outcome
from gepa_ci.cli.digests import baseline_digest
from gepa_ci.cli.own_templates import own_templates, shows_texts
from gepa_ci.cli.progress import Progress
from gepa_ci.cli.readiness import check_runnable
from gepa_ci.cli.results import run_result
from gepa_ci.cli.session import open_session
from gepa_ci.core.suite import Part
from gepa_ci.pipeline import evaluate as evaluate_task
from gepa_ci.pipeline import planned_trials
from gepa_ci.reports import result_document
from gepa_ci.reports.posts.badge import badge_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.cli.action.desk import Desk
    from gepa_ci.cli.session import Session
    from gepa_ci.cli.workspace import TaskInputs
    from gepa_ci.core.result import TaskResult
    from gepa_ci.core.values import JSON
    from gepa_ci.delivery.data_branch import Baseline, Data
    from gepa_ci.delivery.errands import RecordErrand
    from gepa_ci.reports.posts.badge import Badge


def record(desk: Desk, errand: RecordErrand) -> Outcome:
    """Score each task of the default branch whose inputs changed, and keep the scores."""
    desk.bring(errand.sha)
    sides = open_sides(desk, errand.sha, errand.sha)
    if sides is None:
        return Outcome(reason=f"There is no {desk.settings.config}, so there is nothing to record.")
    with naming_from_root(desk):
        found = [exam.inputs for exam in sides.exams(desk.settings.task)]
    known = desk.data.read().baselines
    due = [inputs for inputs in found if _is_due(inputs, known)]
    if not due:
        return Outcome(reason="Nothing that decides a score was changed, so nothing was run.")
    started = time.perf_counter()
    with naming_from_root(desk):
        check_runnable(due, sides.trusted.config, Part.HELD_OUT)
        own = own_templates(sides.trusted)
    with open_session(sides.trusted, desk.settings.state, Progress()) as session:
        results = []
        for inputs in due:
            services = session.services(inputs)
            repeats = services.known_to_repeat(inputs.prompt)
            trials = planned_trials(inputs.task, inputs.suite.held_out, repeats=repeats)
            trials = trials if repeats else max(trials, ENOUGH_TRIALS)
            result = evaluate_task(
                inputs.task,
                inputs.prompt,
                inputs.suite,
                services,
                part=Part.HELD_OUT,
                trials=trials,
            )
            results.append(result)
            baseline = _baseline(desk, inputs, result, errand.sha, repeats=repeats)
            _keep(
                desk,
                inputs,
                baseline,
                result,
                badge_of(_told(desk, session, [result], started), result.name),
            )
        document = _told(desk, session, results, started)
    return Outcome(document=document, head=errand.sha, own=own)


def _is_due(inputs: TaskInputs, known: Mapping[str, Baseline]) -> bool:
    recorded = known.get(inputs.task.name)
    return recorded is None or recorded.digest != baseline_digest(inputs, inputs.prompt)


def _told(
    desk: Desk, session: Session, results: list[TaskResult], started: float
) -> dict[str, JSON]:
    again = desk.settings.again("evaluate")
    whole = run_result("evaluate", session, results, started, replay=again)
    return result_document(whole, texts=shows_texts(session.workspace.config))


def _baseline(
    desk: Desk, inputs: TaskInputs, result: TaskResult, commit: str, *, repeats: bool
) -> Baseline:
    evaluation = result.candidate
    assert evaluation is not None
    return baseline_of(desk, inputs, evaluation, commit=commit, repeats=repeats)


def _keep(
    desk: Desk, inputs: TaskInputs, baseline: Baseline, result: TaskResult, badge: Badge
) -> None:
    entry = history_entry(desk, inputs, result, baseline.commit)

    def add(data: Data) -> Data:
        return (
            data.with_baseline(baseline)
            .with_history(entry)
            .with_badge(baseline.task, badge.document())
        )

    desk.data.update(add, message=f"Record the scores of {baseline.task}")
