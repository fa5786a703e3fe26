"""Owns gating a pull request or a merge group: base against head, or an earlier verdict again."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gepa_ci.cli.action.baselines import recorded_baseline
from gepa_ci.cli.action.commits import Commits, pull_commits
from gepa_ci.cli.action.outcome import Outcome
from gepa_ci.cli.digests import gate_digest
from gepa_ci.cli.own_templates import own_templates, own_templates_if_right, shows_texts
from gepa_ci.cli.progress import Progress
from gepa_ci.cli.readiness import check_runnable
from gepa_ci.cli.results import exit_code, run_result
from gepa_ci.cli.session import open_session
from gepa_ci.cli.sides import Sides
from gepa_ci.core.config import CacheMode
from gepa_ci.core.suite import Part
from gepa_ci.delivery.forge import CHECK_NAME, Conclusion
from gepa_ci.errors import CacheMissError, ConfigError, ExitCode, GepaCiError
from gepa_ci.pipeline import gate as gate_task
from gepa_ci.reports import result_document
from gepa_ci.reports.outcome import Mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gepa_ci.cli.action.desk import Desk
    from gepa_ci.cli.sides import Exam
    from gepa_ci.core.result import RunResult, TaskResult
    from gepa_ci.delivery.errands import GateErrand, MergeGroupErrand
    from gepa_ci.delivery.forge import CheckRun

_DECIDED = (Conclusion.SUCCESS, Conclusion.FAILURE)
_WORKFLOW_APP = "github-actions"
_NOT_FOR_FORKS = (
    "This pull request comes from a fork, for which no model is called: its prompts were read and "
    "checked, and not judged. Push the branch to this repository to gate it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What is judged, and where the answer is shown."""

    commits: Commits
    sides: Sides
    exams: list[Exam]
    answer: Outcome
    """What is known of the answer before anything is run."""


def gate_pull(desk: Desk, errand: GateErrand, *, again: bool = False) -> Outcome:
    """Judge a pull request; `again` asks the model even when the same was judged before."""
    commits = pull_commits(desk, errand.base, errand.head)
    blank = Outcome(sha=errand.head, pull=errand.pull, base=commits.base, head=commits.head)
    is_from_fork = errand.pull is not None and errand.pull.is_from_fork
    question = _question(desk, commits, blank, is_from_fork=is_from_fork)
    if isinstance(question, Outcome):
        return question
    if is_from_fork:
        return _from_cache(desk, question)
    before = desk.settings.event.payload.get("before")
    earlier = [errand.head, *([before] if isinstance(before, str) else [])]
    reused = None if again else _reused(desk, question.answer, earlier)
    return reused or _run(desk, question)


def gate_group(desk: Desk, errand: MergeGroupErrand) -> Outcome:
    """Judge a merge group, by the verdict of its pull request when that judged the same."""
    desk.bring(errand.base)
    desk.bring(errand.head)
    commits = Commits(base=errand.base, head=errand.head)
    question = _question(
        desk, commits, Outcome(sha=errand.head, base=errand.base, head=errand.head)
    )
    if isinstance(question, Outcome):
        return question
    earlier = []
    if errand.pull_number is not None:
        earlier = [desk.github.pull(errand.pull_number).head_sha]
    return _reused(desk, question.answer, earlier) or _run(desk, question)


def open_sides(desk: Desk, base: str, head: str, *, runs_programs: bool = True) -> Sides | None:
    """Open base and head with the base's exam; None where the base has no config yet."""
    settings = desk.settings
    if desk.git.read(base, settings.config) is None:
        return None
    folder = Path(settings.config_path).parent
    if folder.resolve() != folder or not folder.is_dir():
        # Through a link, another folder's config would be read out of the base.
        raise ConfigError(
            f"the checkout has no folder '{folder.relative_to(settings.workspace)}' of its own, "
            "which is where the base has its config",
            hint="restore the folder; one that is moved or linked cannot be gated",
        )
    with naming_from_root(desk):
        return Sides.open(
            settings.config_path,
            None,
            base=base,
            head=head,
            trust="base",
            runs_programs=runs_programs,
        )


@contextmanager
def naming_from_root(desk: Desk) -> Iterator[None]:
    """Let errors name files by their paths in the repository, where their annotations belong."""
    folder = desk.settings.config.rpartition("/")[0]
    try:
        yield
    except GepaCiError as error:
        if folder:
            error.problems = tuple(
                problem
                if problem.path is None or problem.path.startswith("/")
                else replace(problem, path=f"{folder}/{problem.path}")
                for problem in error.problems
            )
        raise


def in_repository(desk: Desk, result: TaskResult) -> TaskResult:
    """Return a result whose paths are the repository's, and not relative to the config's folder."""
    folder = desk.settings.config.rpartition("/")[0]
    if not folder:
        return result
    return replace(
        result,
        written=tuple(f"{folder}/{path}" for path in result.written),
        changes=tuple(replace(change, path=f"{folder}/{change.path}") for change in result.changes),
    )


def _question(
    desk: Desk, commits: Commits, answer: Outcome, *, is_from_fork: bool = False
) -> _Question | Outcome:
    sides = open_sides(desk, commits.base, commits.head, runs_programs=not is_from_fork)
    if sides is None:
        return replace(
            answer,
            reason=f"The base has no {desk.settings.config} yet, so nothing was gated; "
            "it counts from the merge on.",
        )
    with naming_from_root(desk):
        exams = sides.exams(desk.settings.task)
    changed = [
        exam for exam in exams if exam.base is None or exam.base.digest != exam.inputs.prompt.digest
    ]
    if not changed:
        gone = sides.not_judged(desk.settings.task)
        reasons = [reason for task in gone for reason in task.reasons]
        return replace(
            answer,
            reason=" ".join(["No prompt of a task was changed, so nothing was run.", *reasons]),
            own=own_templates_if_right(sides.trusted),
        )
    with naming_from_root(desk):
        own = own_templates(sides.trusted)
    if not all(sides.trusted.may_run(exam.inputs.task) for exam in exams):
        return replace(answer, reason=_NOT_FOR_FORKS, own=own)
    return _Question(
        commits=commits,
        sides=sides,
        exams=exams,
        answer=replace(answer, digest=gate_digest(exams), config=sides.trusted.config, own=own),
    )


def _run(desk: Desk, question: _Question, *, cache: CacheMode | None = None) -> Outcome:
    started = time.perf_counter()
    sides, settings = question.sides, desk.settings
    trusted = sides.trusted
    if cache is not None:
        trusted = replace(trusted, config=replace(trusted.config, cache=cache))
    with naming_from_root(desk):
        check_runnable([exam.inputs for exam in question.exams], trusted.config, Part.HELD_OUT)
    with open_session(trusted, settings.state, Progress()) as session:
        results = []
        for exam in question.exams:
            services = replace(
                session.services(exam.inputs), recorded=recorded_baseline(desk, exam.inputs)
            )
            result = gate_task(
                exam.inputs.task, exam.base, exam.inputs.prompt, exam.inputs.suite, services
            )
            results.append(replace(in_repository(desk, result), notes=(*result.notes, *exam.notes)))
        commits = question.commits
        whole = run_result(
            "gate",
            session,
            [*results, *sides.not_judged(settings.task)],
            started,
            replay=settings.again(
                *("gate", "--base", commits.base, "--head", commits.head, "--trust", "base")
            ),
        )
    return _answered(question, whole, _code(desk, whole, question))


def _answered(question: _Question, whole: RunResult, code: int) -> Outcome:
    tasks = whole.tasks
    if question.commits.note:
        tasks = tuple(replace(task, notes=(*task.notes, question.commits.note)) for task in tasks)
    texts = shows_texts(question.sides.trusted.config)
    document = result_document(replace(whole, tasks=tasks), texts=texts)
    return replace(question.answer, document=document, exit_code=code)


def _code(desk: Desk, whole: RunResult, question: _Question) -> int:
    if desk.settings.mode is Mode.OBSERVE:
        return ExitCode.OK
    return exit_code(whole, question.sides.trusted.config)


def _from_cache(desk: Desk, question: _Question) -> Outcome:
    """Judge a fork's prompts by answers that were paid for before, and by nothing else."""
    refused = replace(question.answer, reason=_NOT_FOR_FORKS)
    if not (desk.settings.state / "responses.sqlite").is_file():
        return refused
    try:
        return _run(desk, question, cache=CacheMode.REPLAY)
    except CacheMissError:
        return refused


def _reused(desk: Desk, answer: Outcome, shas: list[str]) -> Outcome | None:
    """Return the verdict of one of some commits that answered the same question, if one did."""
    # What would have blocked is a verdict of its own where nothing blocks.
    decided = _DECIDED[:1] if desk.settings.mode is Mode.OBSERVE else _DECIDED
    for sha in dict.fromkeys(shas):
        for run in desk.github.checks(sha, CHECK_NAME):
            is_ours = run.digest == answer.digest and run.app == _WORKFLOW_APP
            if is_ours and run.conclusion in decided:
                return _taken_over(answer, run, is_there=sha == answer.sha)
    return None


def _taken_over(answer: Outcome, known: CheckRun, *, is_there: bool) -> Outcome:
    blocks = known.conclusion == Conclusion.FAILURE
    return replace(
        answer,
        # The check that stands there already says more than this run can.
        sha=None if is_there else answer.sha,
        reused=known,
        exit_code=ExitCode.BLOCKED if blocks else ExitCode.OK,
        reason="The same prompts were judged by the same exam before, so that verdict stands: "
        f"{known.title}.",
    )
