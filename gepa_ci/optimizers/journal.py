"""Owns the checkpoint of an optimization: what was paid for, as JSON lines that a restart reads.

The search itself is deterministic, so a killed run is resumed by running it again over the
journal: each rollout and each reflection in it is answered from there. There is no saved state of
the search that could disagree with the prompt, the examples or the settings, because the file's
name is the digest of all of them. It holds train and val examples only. A line that is not ours
ends the reading, and it and what follows are cut off: those answers are asked for again.
"""

from __future__ import annotations

import json
import math
import threading
from typing import TYPE_CHECKING, Any

from gepa_ci.core.score import ModelFailure, Score, Step, Trial
from gepa_ci.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


class Journal:
    """Rollouts and reflections of one search, on disk as soon as they are known."""

    def __init__(self, path: Path | None) -> None:
        """Read what an earlier run left at `path`; None keeps nothing.

        Raises:
            UsageError: something else than a plain file is in the way.
        """
        self._rollouts: dict[tuple[str, str], Trial] = {}
        self._texts: dict[str, str] = {}
        self._lock = threading.Lock()
        self._file = None
        self.resumed = 0
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        keep = self._load(path)
        self.resumed = len(self._rollouts) + len(self._texts)
        self._file = path.open("ab")
        self._file.truncate(keep)

    def rollout(self, prompt_digest: str, example_id: str) -> Trial | None:
        """Return the trial of a candidate on an example, if it was run before."""
        return self._rollouts.get((prompt_digest, example_id))

    def add_rollout(self, prompt_digest: str, trial: Trial) -> None:
        """Keep a trial."""
        self._rollouts[prompt_digest, trial.example_id] = trial
        self._write(
            {
                "prompt": prompt_digest,
                "example": trial.example_id,
                "output": trial.output,
                "score": trial.score.value,
                "feedback": trial.score.feedback,
                "parts": dict(trial.score.parts),
                "failure": trial.failure,
                **_told(trial),
            }
        )

    def text(self, key: str) -> str | None:
        """Return the reflection LM's answer to a request, if it was asked before."""
        return self._texts.get(key)

    def add_text(self, key: str, text: str) -> None:
        """Keep an answer of the reflection LM."""
        self._texts[key] = text
        self._write({"reflection": key, "text": text})

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _write(self, record: dict[str, object]) -> None:
        if self._file is None:
            return
        line = json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()

    def _load(self, path: Path) -> int:
        """Read all whole lines and return their length; a torn last line is as if never written."""
        # A link would let whoever wrote the folder choose the file that is cut off and appended to.
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise UsageError(
                "the checkpoint is not a plain file",
                path=str(path),
                hint="delete it, or move it away",
            )
        if not path.exists():
            return 0
        good = 0
        for line in path.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                break
            good += len(line)
        return good

    def _take(self, record: dict[str, object]) -> None:
        if "reflection" in record:
            self._texts[_text(record["reflection"])] = _text(record["text"])
            return
        parts, failure = record["parts"], record["failure"]
        if not isinstance(parts, dict):
            raise TypeError("parts")
        trial = Trial(
            example_id=_text(record["example"]),
            number=0,
            output=_text(record["output"]),
            score=Score(
                value=_share(record["score"]),
                feedback=_text(record["feedback"]),
                parts={name: _share(value) for name, value in parts.items()},
            ),
            failure=None if failure is None else ModelFailure(_text(failure)),
            guards=_numbers(record.get("guards", {})),
            fields=_object(record.get("fields", {})),
            steps=tuple(_step(step) for step in _list(record.get("steps", []))),
            trace=_text(record.get("trace", "")),
        )
        self._rollouts[_text(record["prompt"]), trial.example_id] = trial


def _told(trial: Trial) -> dict[str, object]:
    """Return what most trials have not, so that most lines stay short."""
    told: dict[str, object] = {
        "guards": dict(trial.guards),
        "fields": dict(trial.fields),
        "steps": [
            {
                "prompt": step.prompt,
                "inputs": dict(step.inputs),
                "output": step.output,
                "fields": dict(step.fields),
            }
            for step in trial.steps
        ],
        "trace": trial.trace,
    }
    return {name: value for name, value in told.items() if value}


def _step(value: object) -> Step:
    step = _object(value)
    return Step(
        prompt=_text(step["prompt"]),
        inputs=_object(step["inputs"]),
        output=_text(step["output"]),
        fields=_object(step["fields"]),
    )


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("object")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("list")
    return value


def _numbers(value: object) -> dict[str, float]:
    numbers = _object(value)
    if not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers.values()):
        raise ValueError("a number")
    return {name: float(number) for name, number in numbers.items()}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value


def _share(value: object) -> float:
    if not isinstance(value, int | float) or not (math.isfinite(value) and 0 <= value <= 1):
        raise ValueError("a score is a number from 0 to 1")
    return float(value)
