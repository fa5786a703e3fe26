"""Owns `gepa-ci judge`: whether a judge can be trusted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gepa_ci.cli.options import config_option, format_option, state_option, task_argument
from gepa_ci.cli.printing import say
from gepa_ci.cli.words import Commands
from gepa_ci.cli.workspace import open_workspace
from gepa_ci.errors import CapError, ConfigError, ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.cli.session import Session
    from gepa_ci.cli.workspace import TaskInputs, Workspace
    from gepa_ci.core.judging import HumanLabel, JudgedOutput, Judgement
    from gepa_ci.judging.calibration import Calibration, Pair
    from gepa_ci.metrics import Judge

_MIN_KAPPA = 0.6
_LEAST_ANSWERS = 3
"""Answers on each output: fewer would say little of how a judge agrees with itself."""
_MOST_PAIRS = 50
_ANCHORS = 24


@dataclass(frozen=True, kw_only=True)
class _Question:
    """Which judge is calibrated, and against what."""

    inputs: TaskInputs
    judge: Judge
    labels: tuple[HumanLabel, ...]
    pairs: tuple[tuple[JudgedOutput, JudgedOutput], ...]

    @property
    def answers(self) -> int:
        """Return the answers that are asked for on each output."""
        return max(self.judge.samples, _LEAST_ANSWERS)


@click.group(cls=Commands)
def judge() -> None:
    """The LMs that grade outputs."""


@judge.command(short_help="Compare a task's judge with human scores; exit 1 if it is not to trust.")
@task_argument
@click.option(
    "--labels",
    "labels_path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Outputs with human scores: rows of `inputs`, `output`, `score`, and `expected` if any.",
)
@click.option("--judge", "judge_name", metavar="NAME", help="Which judge, if there are several.")
@click.option(
    "--min-kappa",
    type=click.FloatRange(min=0, max=1),
    default=_MIN_KAPPA,
    show_default=True,
    metavar="KAPPA",
    help="Fail under this agreement: Cohen's kappa with quadratic weights.",
)
@click.option(
    "--write-anchors",
    "anchors_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write outputs with the judge's scores, to which every run then holds it.",
)
@click.option(
    "--anchors",
    "anchor_count",
    type=click.IntRange(min=12),
    default=_ANCHORS,
    show_default=True,
    metavar="N",
    help="Outputs in that file.",
)
@click.option(
    "--write-suite",
    "suite_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the labels as a suite, on which the rubric can be optimized; asks no model.",
)
@state_option
@config_option
@format_option
def calibrate(
    task_name: str | None,
    labels_path: Path,
    judge_name: str | None,
    min_kappa: float,
    anchors_path: Path | None,
    anchor_count: int,
    suite_path: Path | None,
    state_dir: Path | None,
    config_path: str,
    output_format: str,
) -> int:
    """Compare the judge of a task with human scores, and name what is wrong with it.

    TASK is a task of the config with a judge. Exit 1 when the judge agrees too little with humans,
    contradicts itself or looks at the length of an output.
    """
    from gepa_ci.cli.judge_text import document, text
    from gepa_ci.cli.progress import Progress
    from gepa_ci.cli.results import check_outputs
    from gepa_ci.cli.session import open_session
    from gepa_ci.judging.faults import find_faults

    workspace, name = open_workspace(config_path, task_name)
    question = _question(workspace, name, labels_path, judge_name)
    if suite_path is not None:
        _write_suite(question, suite_path)
        return ExitCode.OK
    check_outputs(anchors_path)
    with open_session(workspace, state_dir, Progress()) as session:
        found, judgements = _calibrated(session, question)
        usage = session.client.meter.total
    faults = find_faults(found, min_kappa)
    written = None
    if anchors_path is not None and not faults:
        _write_anchors(question, judgements, anchors_path, anchor_count)
        written = anchors_path
    names = question.inputs.task.name, question.judge.spec.model
    if output_format == "json":
        say(json.dumps(document(names, found, faults, min_kappa, usage), indent=2))
    else:
        say(text(names, found, faults, min_kappa, usage))
        if written is not None:
            say(f"Wrote {written}. Name it in the config, `anchors: {written}`, and commit it.")
        elif anchors_path is not None:
            say(f"{anchors_path} was not written: a judge with faults is no ruler.")
    return ExitCode.BLOCKED if faults else ExitCode.OK


def _question(
    workspace: Workspace, name: str | None, labels_path: Path, judge_name: str | None
) -> _Question:
    from gepa_ci.cli.judges import judges
    from gepa_ci.judging.labels import read_labels

    found = [
        (inputs, known, judge)
        for inputs in workspace.inputs(workspace.tasks(name))
        for known, judge in judges(inputs).items()
        if judge_name in (None, known)
    ]
    if len(found) != 1:
        wanted = "a judge" if judge_name is None else f"a judge '{judge_name}'"
        raise ConfigError(
            f"no task has {wanted}"
            if not found
            else f"there are {len(found)} judges, and one is calibrated at a time",
            path=workspace.config.path,
            hint="add `metric: {name: judge, rubric: prompts/quality.md}` to a task"
            if not found
            else "name one: "
            + ", ".join(f"`{i.task.name} --judge {known}`" for i, known, _ in found),
        )
    ((inputs, _, judge),) = found
    labels = read_labels(str(labels_path), labels_path.read_bytes(), judge.scale)
    return _Question(inputs=inputs, judge=judge, labels=labels, pairs=_pairs(labels))


def _pairs(labels: Sequence[HumanLabel]) -> tuple[tuple[JudgedOutput, JudgedOutput], ...]:
    """Return different outputs of the same inputs, two by two and each in one pair."""
    from gepa_ci.core.digests import canonical_json

    waiting: dict[str, JudgedOutput] = {}
    pairs: list[tuple[JudgedOutput, JudgedOutput]] = []
    for label in labels:
        output = label.output
        key = canonical_json([dict(output.inputs), output.expected])
        if key in waiting and waiting[key].output != output.output:
            pairs.append((waiting.pop(key), output))
        else:
            waiting.setdefault(key, output)
    return tuple(pairs[:_MOST_PAIRS])


def _calibrated(session: Session, question: _Question) -> tuple[Calibration, list[Judgement]]:
    from gepa_ci.cli.judges import score_all
    from gepa_ci.judging.calibration import calibration

    _afford(session, question)
    judge = question.judge
    outputs = [(label.output.example, label.output.output) for label in question.labels]
    judgements = score_all(session, question.inputs, judge, outputs, samples=question.answers)
    pairs = _compared(session, question)
    found = calibration(
        question.labels, judgements, pairs, scale=judge.scale, samples=judge.samples
    )
    return found, judgements


def _compared(session: Session, question: _Question) -> list[Pair]:
    """Return the scores of outputs that are shown side by side, in both orders."""
    from gepa_ci.cli.judges import today
    from gepa_ci.evaluate.pool import run_all
    from gepa_ci.judging.calibration import Pair

    judge, trial = question.judge.bound(session.client.complete), today()

    def compare(pair: tuple[JudgedOutput, JudgedOutput]) -> Pair:
        one, two = pair
        ahead, behind = judge.compare(one, two, trial=trial)
        ahead_too, behind_too = judge.compare(two, one, trial=trial)
        return Pair(first=(ahead, ahead_too), second=(behind_too, behind))

    workers = session.workspace.config.concurrency
    return run_all(question.pairs, compare, workers=workers) if question.pairs else []


def _afford(session: Session, question: _Question) -> None:
    from gepa_ci.cli.judges import cost_of, today
    from gepa_ci.lm.meter import Amount

    first = today()
    calls = [
        call
        for label in question.labels
        for call in question.judge.calls(
            label.output.example, label.output.output, samples=question.answers, first=first
        )
    ]
    session.client.worst_case(calls[0])
    new = cost_of(session.client, calls).new_calls
    cap = session.client.meter.shortfall(Amount(calls=new))
    if cap is not None:
        raise CapError(
            f"the spend cap '{cap}' cannot pay for the calibration: it needs {new} calls",
            path=session.workspace.config.path,
            hint="raise the cap under `spend:`, or label fewer outputs",
        )


def _write_anchors(
    question: _Question, judgements: Sequence[Judgement], path: Path, count: int
) -> None:
    from gepa_ci.cli.clock import now
    from gepa_ci.cli.results import write_file
    from gepa_ci.core.judging import Anchor, Anchors
    from gepa_ci.judging.anchor_file import write_anchors

    found = [
        Anchor(output=label.output, scores=judgement.scores)
        for label, judgement in zip(question.labels, judgements, strict=True)
    ]
    # Evenly over the scale, as a judge can change at one end of it only.
    ordered = sorted(found, key=lambda anchor: sum(anchor.scores))
    chosen = [ordered[n * len(ordered) // count] for n in range(count)]
    judge = question.judge
    anchors = Anchors(
        path=str(path),
        judge=judge.digest,
        model=judge.spec.model,
        at=now(),
        anchors=tuple(chosen if count < len(ordered) else ordered),
    )
    write_file(path, write_anchors(anchors))


def _write_suite(question: _Question, path: Path) -> None:
    from gepa_ci.cli.results import write_file

    judge = question.judge
    rubric = judge.rubric
    if rubric.criteria is not None:
        raise UsageError(
            "a rubric of criteria only is no prompt that can be optimized",
            path=rubric.file.path,
            hint="make it a whole prompt: write '{{inputs}}' and '{{output}}' where they belong, "
            "and ask for the JSON object with 'reason' and 'score'",
        )
    lines = []
    for label in question.labels:
        output = label.output
        values = rubric.values(output.example, (output.output,), judge.scale)
        row = {
            "inputs": {name: values[name] for name in rubric.prompt.variables},
            "expected": {"score": label.score},
        }
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    write_file(path, "".join(lines))
    say(f"Wrote {path}: a suite for a task whose prompt is {rubric.file.path}.")
