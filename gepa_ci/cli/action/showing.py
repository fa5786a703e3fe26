"""Owns what people see of a run: outputs, report files, job summary, check run and one comment."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from gepa_ci.cli.action.posting import RESULT
from gepa_ci.cli.action.settings import Mode
from gepa_ci.core.config import OnInconclusive
from gepa_ci.delivery.forge import Annotation, Check, Conclusion, Level
from gepa_ci.delivery.runner_files import Output, RunnerFiles
from gepa_ci.delivery.sticky import put_comment
from gepa_ci.errors import Problem, SpendError
from gepa_ci.reports import render, without_texts
from gepa_ci.reports.check import check_of, check_of_nothing, check_without_verdict
from gepa_ci.reports.comment import (
    render_comment,
    render_failure_comment,
    render_nothing_comment,
)
from gepa_ci.reports.escape import inline
from gepa_ci.reports.links import Links
from gepa_ci.reports.outcome import Ending, Stance
from gepa_ci.reports.outcome import Mode as Blocking
from gepa_ci.reports.outcome import Outcome as CheckOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.cli.action.desk import Desk
    from gepa_ci.cli.action.outcome import Outcome
    from gepa_ci.core.config import Config
    from gepa_ci.core.values import JSON
    from gepa_ci.delivery.forge import PullRequest
    from gepa_ci.errors import GepaCiError
    from gepa_ci.reports.check import CheckText

MARKER = "<!-- gepa-ci:comment:v1 -->"
_WORST_FIRST = ("regression", "inconclusive", "hold", "pass", "improved", "promote")
_VERDICT = re.compile("|".join(_WORST_FIRST))
_UNVERIFIED = (
    "This result was brought by a run of the fork, whose workflow file may have been changed "
    "there. It is shown as it came and has not been verified."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run's verdict is shown."""

    sha: str | None = None
    pull: PullRequest | None = None


def show(desk: Desk, outcome: Outcome) -> None:
    """Show the end of a run everywhere; local files first, as they cannot fail."""
    outcome = _without_secrets(desk, outcome)
    place = Place(sha=outcome.sha, pull=outcome.pull)
    stance = _stance(desk, outcome.config)
    if outcome.document is None:
        text = check_of_nothing(outcome.reason)
        _write(desk, {"reason": outcome.reason}, f"{outcome.reason}\n", outcome)
        _put_check(desk, place, _as_known(text, outcome), outcome.digest)
        if outcome.reused is None:
            _put_comment(desk, place, _nothing_comment(desk, outcome, stance), only_update=True)
        return
    posted = without_texts(outcome.document)
    warning = f"{_UNVERIFIED}\n\n" if outcome.unverified else ""
    _write(desk, outcome.document, f"{warning}{render(posted, 'markdown')}", outcome)
    text = check_of(posted, stance)
    _put_check(desk, place, _as_known(text, outcome), outcome.digest)
    body = render_comment(
        posted,
        links=_links(desk, outcome),
        head=outcome.head,
        marker=MARKER,
        stance=stance,
        notes=[_UNVERIFIED] if outcome.unverified else [],
    )
    _put_comment(desk, place, body)


def show_failure(desk: Desk, error: GepaCiError, place: Place) -> None:
    """Show that a run ended without a verdict, and why."""
    ending = Ending.OVER_BUDGET if isinstance(error, SpendError) else Ending.FAILED
    _show_problems(desk, error.problems, place, ending)


def show_bug(desk: Desk, place: Place) -> None:
    """Show that gepa-ci itself failed; its log has the rest."""
    problem = Problem(message="gepa-ci failed by a bug of its own", hint="see the log of the run")
    _show_problems(desk, [problem], place, Ending.FAILED)


def _show_problems(desk: Desk, problems: Sequence[Problem], place: Place, ending: Ending) -> None:
    """Show problems in the summary, the check run and the comment."""
    problems = [_problem_without_secrets(desk, problem) for problem in problems]
    stance = _stance(desk, None)
    text = check_without_verdict(problems, stance=stance, ending=ending)
    _files(desk).write_summary(desk.redactor(text.summary))
    _put_check(desk, place, text, "")
    body = render_failure_comment(
        problems,
        links=Links(run=desk.settings.run_url),
        head=place.sha or "",
        marker=MARKER,
        stance=stance,
        ending=ending,
    )
    _put_comment(desk, place, body)


def _without_secrets(desk: Desk, outcome: Outcome) -> Outcome:
    document = None if outcome.document is None else desk.clean(outcome.document)
    return replace(outcome, document=document, reason=desk.redactor(outcome.reason))


def _problem_without_secrets(desk: Desk, problem: Problem) -> Problem:
    return replace(
        problem,
        message=desk.redactor(problem.message),
        path=None if problem.path is None else desk.redactor(problem.path),
        hint=None if problem.hint is None else desk.redactor(problem.hint),
    )


def _write(desk: Desk, document: Mapping[str, JSON], report: str, outcome: Outcome) -> None:
    """Write result, report, summary and outputs; what a posting half may read holds no texts."""
    folder = desk.settings.folder
    clean = desk.clean(document)
    posted = without_texts(clean) if "tasks" in clean else clean
    _save(desk.settings.result, clean)
    _save(folder / "posted" / RESULT, posted)
    (folder / "report.md").write_text(desk.redactor(report), encoding="utf-8", newline="\n")
    files = _files(desk)
    files.write_summary(desk.redactor(report))
    # Later steps decide by outputs, so what was not verified is none.
    outputs = _outputs(desk, {} if outcome.unverified else posted, outcome)
    files.write_outputs({name: desk.redactor(value) for name, value in outputs.items()})


def _save(path: Any, value: Mapping[str, JSON]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8", newline="\n")


def _outputs(desk: Desk, posted: Mapping[str, JSON], outcome: Outcome) -> dict[Output, str]:
    tasks: Any = posted.get("tasks", [])
    verdicts = {task["verdict"] for task in tasks if task["verdict"]}
    proposed = list((outcome.proposed or {}).values())
    first = proposed[0] if proposed else None
    spend: Any = posted.get("spend", {})
    one = tasks[0] if len(tasks) == 1 else None
    usd = spend.get("usd")
    return {
        Output.VERDICT: next((v for v in _WORST_FIRST if v in verdicts), _known(outcome)),
        Output.REPORT_PATH: str(desk.settings.folder / "report.md"),
        Output.PULL_REQUEST_NUMBER: "" if first is None else str(first.number or ""),
        Output.PULL_REQUEST_URL: "" if first is None else first.url or "",
        Output.PULL_REQUEST_OPERATION: "none" if first is None else str(first.operation),
        Output.SCORE_BASE: _mean(one, "baseline"),
        Output.SCORE_HEAD: _mean(one, "candidate"),
        Output.USD: "" if usd is None else f"{usd:.6f}",
        Output.RESULT: json.dumps(
            {
                **posted,
                "proposed": {name: _plain(done) for name, done in (outcome.proposed or {}).items()},
            }
        ),
    }


def _known(outcome: Outcome) -> str:
    """Return the verdict that was taken over, by the title that a check was given for it."""
    if outcome.reused is None:
        return ""
    said = _VERDICT.findall(outcome.reused.title.rpartition(": ")[2])
    return next((verdict for verdict in _WORST_FIRST if verdict in said), "")


def _plain(done: Any) -> dict[str, JSON]:
    return {key: str(value) if value is not None else None for key, value in asdict(done).items()}


def _mean(task: Any, side: str) -> str:
    found = None if task is None else task.get(side)
    return "" if not found else f"{found['mean']:.6f}"


def _put_check(desk: Desk, place: Place, text: CheckText, digest: str) -> None:
    if place.sha is None or _cannot_write(desk, place):
        return
    desk.github.put_check(
        Check(
            sha=place.sha,
            conclusion=Conclusion(text.outcome),
            title=desk.redactor(text.title),
            summary=desk.redactor(text.summary),
            annotations=tuple(
                Annotation(
                    path=remark.path,
                    start_line=remark.start_line,
                    end_line=remark.end_line,
                    level=Level(remark.level),
                    title=desk.redactor(remark.title),
                    message=desk.redactor(remark.message),
                )
                for remark in text.remarks
            ),
            digest=digest,
        )
    )


def _put_comment(desk: Desk, place: Place, body: str, *, only_update: bool = False) -> None:
    """Write the one comment: that of our own account which starts with our marker."""
    if place.pull is None or not desk.settings.comments or _cannot_write(desk, place):
        return
    said = desk.redactor(body).removeprefix(f"{MARKER}\n")
    put_comment(desk.github, place.pull.number, MARKER, said, adds=not only_update)


def _as_known(text: CheckText, outcome: Outcome) -> CheckText:
    """Let an earlier verdict stand as it was, and let nothing that a fork brought be green."""
    if outcome.unverified:
        return replace(
            text,
            outcome=CheckOutcome.NEUTRAL,
            title=f"Not verified: {text.title}",
            summary=f"{_UNVERIFIED}\n\n{text.summary}",
        )
    if outcome.reused is not None:
        return replace(
            text,
            outcome=CheckOutcome(outcome.reused.conclusion or CheckOutcome.NEUTRAL),
            title=outcome.reused.title,
            summary=inline(outcome.reason),
        )
    return text


def _cannot_write(desk: Desk, place: Place) -> bool:
    """Return whether the run has a fork's read-only token; its posting half shows the rest."""
    is_fork = place.pull is not None and place.pull.is_from_fork
    return is_fork and desk.settings.event.name == "pull_request"


def _nothing_comment(desk: Desk, outcome: Outcome, stance: Stance) -> str:
    return render_nothing_comment(
        outcome.reason,
        links=_links(desk, outcome),
        head=outcome.head or outcome.sha or "",
        marker=MARKER,
        stance=stance,
    )


def _links(desk: Desk, outcome: Outcome) -> Links:
    urls = [done.url for done in (outcome.proposed or {}).values() if done.url]
    return Links(run=desk.settings.run_url, proposal=urls[0] if urls else "")


def _stance(desk: Desk, config: Config | None) -> Stance:
    tasks = () if config is None else config.tasks
    return Stance(
        mode=Blocking.OBSERVE if desk.settings.mode is Mode.OBSERVE else Blocking.GATE,
        strict=frozenset(
            task.name for task in tasks if task.gate.on_inconclusive is OnInconclusive.FAIL
        ),
    )


def _files(desk: Desk) -> RunnerFiles:
    return RunnerFiles(output=desk.settings.output, summary=desk.settings.summary)
