"""Owns the digests by which a run knows that the same question was answered before."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from gepa_ci.core.config import ProgramKind
from gepa_ci.core.digests import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gepa_ci.cli.sides import Exam
    from gepa_ci.cli.workspace import TaskInputs
    from gepa_ci.core.config import ModelSpec
    from gepa_ci.core.evaluation import Evaluation
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.values import JSON


def gate_digest(exams: Iterable[Exam]) -> str:
    """Return the digest of everything that can change a gate's verdict: both prompts, the exam."""
    return digest(
        [
            {
                **_exam(exam.inputs, exam.inputs.prompt),
                "base": None if exam.base is None else exam.base.digest,
            }
            for exam in exams
        ]
    )


def baseline_digest(inputs: TaskInputs, prompt: Prompts) -> str:
    """Return the digest of everything that can change a prompt's held-out scores."""
    exam = _exam(inputs, prompt)
    del exam["gate"]
    return digest(exam)


def history_digest(inputs: TaskInputs, prompt: Prompts, shown: Evaluation | None) -> str:
    """Return the digest of what decides a mean score: a run that ended early has fewer examples."""
    measured = () if shown is None else shown.examples
    return digest(
        {
            "baseline": baseline_digest(inputs, prompt),
            "examples": sorted(example.id for example in measured),
        }
    )


def exam_digest(inputs: TaskInputs, prompt: Prompts) -> str:
    """Return the digest of what decides a promotion besides prompts and examples."""
    gate = inputs.task.gate
    return digest(
        {
            "model": _model(inputs.program.model(prompt)),
            **_program(inputs),
            "metric": inputs.metric.digest,
            "confidence": gate.confidence,
            "min_gain": gate.min_gain,
            "guards": _guards(inputs),
        }
    )


def optimize_digest(inputs: TaskInputs, reflection: ModelSpec | None) -> str:
    """Return the digest of everything that can change what a search finds and whether it holds."""
    return digest(
        {
            **_exam(inputs, inputs.prompt),
            "optimize": _plain(asdict(inputs.task.optimize)),
            "reflection": None if reflection is None else _model(reflection),
        }
    )


def _exam(inputs: TaskInputs, prompt: Prompts) -> dict[str, JSON]:
    return {
        "task": inputs.task.name,
        "prompt": prompt.digest,
        "model": _model(inputs.program.model(prompt)),
        **_program(inputs),
        "suite": inputs.suite.digest,
        "metric": inputs.metric.digest,
        "gate": {**_plain(asdict(inputs.task.gate)), "guards": _guards(inputs)},
    }


def _guards(inputs: TaskInputs) -> JSON:
    """Return what the guards measure and tolerate, wherever they stand in the config."""
    return [
        [spec.name, spec.margin, getattr(inputs.guards[spec.name], "digest", spec.name)]
        for spec in inputs.task.gate.guards
    ]


def _program(inputs: TaskInputs) -> dict[str, JSON]:
    """Return what tells a program's code and settings; nothing for a chat, which has none."""
    if inputs.task.program.kind is ProgramKind.CHAT:
        return {}
    return {"program": inputs.program.digest}


def _model(spec: ModelSpec | None) -> JSON:
    if spec is None:
        return None
    return {"model": spec.model, "api_base": spec.api_base, "parameters": dict(spec.parameters)}


def _plain(values: dict[str, JSON]) -> dict[str, JSON]:
    return {name: _json(value) for name, value in values.items()}


def _json(value: JSON) -> JSON:
    if isinstance(value, dict):
        return _plain(value)
    return [_json(item) for item in value] if isinstance(value, list | tuple) else value
