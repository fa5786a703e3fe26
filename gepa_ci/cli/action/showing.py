"""Owns what people see of a run on GitHub: its check run and one comment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gepa_ci.cli.action.page import write_page
from gepa_ci.cli.action.team_templates import by_own
from gepa_ci.cli.action.writing import write, write_summary
from gepa_ci.core.config import OnInconclusive
from gepa_ci.delivery.forge import Annotation, Check, Conclusion, Level
from gepa_ci.delivery.sticky import put_comment
from gepa_ci.errors import Problem, SpendError
from gepa_ci.reports import without_texts
from gepa_ci.reports.escape import inline
from gepa_ci.reports.links import Links
from gepa_ci.reports.outcome import Ending, Stance
from gepa_ci.reports.outcome import Outcome as CheckOutcome
from gepa_ci.reports.posts.check import check_of, check_of_nothing, check_without_verdict
from gepa_ci.reports.posts.comment import (
    render_comment,
    render_failure_comment,
    render_nothing_comment,
)
from gepa_ci.reports.posts.markdown import SUMMARY, render_markdown
from gepa_ci.reports.templating.sources import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.cli.action.desk import Desk
    from gepa_ci.cli.action.outcome import Outcome
    from gepa_ci.core.config import Config
    from gepa_ci.delivery.forge import PullRequest
    from gepa_ci.errors import GepaCiError
    from gepa_ci.reports.posts.check import CheckText
    from gepa_ci.reports.templating.sources import OwnTemplates

MARKER = "<!-- gepa-ci:comment:v1 -->"
_UNVERIFIED = (
    "This result was brought by a run of the fork, whose workflow file may have been changed "
    "there. It is shown as it came and has not been verified."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run's verdict is shown."""

    sha: str | None = None
    pull: PullRequest | None = None


def show(desk: Desk, outcome: Outcome) -> str:
    """Show the end of a run everywhere, local files first, and return it in one line."""
    outcome = _without_secrets(desk, outcome)
    place = Place(sha=outcome.sha, pull=outcome.pull)
    stance = replace(_stance(desk, outcome.config), is_verified=not outcome.unverified)
    if outcome.document is None:
        text = check_of_nothing(outcome.reason)
        page = write_page(desk, outcome, Links(), stance)
        write(desk, {"reason": outcome.reason}, f"{outcome.reason}\n", outcome, page=page)
        _put_check(desk, place, _as_known(text, outcome), outcome.digest)
        if outcome.reused is None:
            _put_comment(desk, place, _nothing_comment(desk, outcome, stance), only_update=True)
        return text.title
    posted = without_texts(outcome.document)
    warning = f"{_UNVERIFIED}\n\n" if outcome.unverified else ""
    links = _links(desk, outcome)

    def report(own: OwnTemplates, note: str) -> str:
        return render_markdown(
            posted, own, room=SUMMARY, stance=stance, links=links, notes=_told(note)
        )

    def check(own: OwnTemplates, note: str) -> CheckText:
        return check_of(posted, stance, links=links, notes=_told(note), own=own)

    def comment(own: OwnTemplates, note: str) -> str:
        return render_comment(
            posted,
            links=links,
            head=outcome.head,
            marker=MARKER,
            stance=stance,
            notes=_told(_UNVERIFIED if outcome.unverified else "", note),
            own=own,
        )

    summary = f"{warning}{by_own(desk, outcome.own, report)}"
    page = write_page(desk, outcome, links, stance)
    write(desk, outcome.document, summary, outcome, page=page)
    text = by_own(desk, outcome.own, check)
    _put_check(desk, place, _as_known(text, outcome), outcome.digest)
    _put_comment(desk, place, by_own(desk, outcome.own, comment))
    return text.title


def show_failure(
    desk: Desk, error: GepaCiError, place: Place, own: OwnTemplates = BUILT_IN
) -> None:
    """Show that a run ended without a verdict, and why."""
    ending = Ending.OVER_BUDGET if isinstance(error, SpendError) else Ending.FAILED
    _show_problems(desk, error.problems, place, ending, own)


def show_bug(desk: Desk, place: Place) -> None:
    """Show that gepa-ci itself failed; its log has the rest."""
    problem = Problem(message="gepa-ci failed by a bug of its own", hint="see the log of the run")
    _show_problems(desk, [problem], place, Ending.FAILED, BUILT_IN)


def _show_problems(
    desk: Desk, problems: Sequence[Problem], place: Place, ending: Ending, own: OwnTemplates
) -> None:
    """Show problems in the summary, the check run and the comment."""
    problems = [_problem_without_secrets(desk, problem) for problem in problems]
    stance = _stance(desk, None)
    text = check_without_verdict(problems, stance=stance, ending=ending)
    write_summary(desk, text.summary)
    _put_check(desk, place, text, "")

    def comment(own: OwnTemplates, _: str) -> str:
        return render_failure_comment(
            problems,
            links=Links(run=desk.settings.run_url),
            head=place.sha or "",
            marker=MARKER,
            stance=stance,
            ending=ending,
            own=own,
        )

    _put_comment(desk, place, by_own(desk, own, comment))


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
    def comment(own: OwnTemplates, _: str) -> str:
        return render_nothing_comment(
            outcome.reason,
            links=_links(desk, outcome),
            head=outcome.head or outcome.sha or "",
            marker=MARKER,
            stance=stance,
            own=own,
        )

    return by_own(desk, outcome.own, comment)


def _told(*sentences: str) -> list[str]:
    return [sentence for sentence in sentences if sentence]


def _links(desk: Desk, outcome: Outcome) -> Links:
    urls = [done.url for done in (outcome.proposed or {}).values() if done.url]
    run = desk.settings.run_url
    # The address of an artifact is not known before a later step of the workflow has kept it.
    page = "" if outcome.unverified else f"{run}#artifacts"
    return Links(run=run, page=page, proposal=urls[0] if urls else "")


def _stance(desk: Desk, config: Config | None) -> Stance:
    tasks = () if config is None else config.tasks
    return Stance(
        mode=desk.settings.mode,
        strict=frozenset(
            task.name for task in tasks if task.gate.on_inconclusive is OnInconclusive.FAIL
        ),
    )
