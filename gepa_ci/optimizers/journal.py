"""Owns the checkpoint of an optimization: what was paid for, as JSON lines that a restart reads.

The search itself is deterministic, so a killed run is resumed by running it again over the
journal: each rollout and each reflection in it is answered from there. There is no saved state of
the search that could disagree with the prompt, the examples or the settings, because the file's
name is the digest of all of them. It holds train and val examples only.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

from gepa_ci.core.score import ModelFailure, Score, Trial

if TYPE_CHECKING:
    from pathlib import Path


class Journal:
    """Rollouts and reflections of one search, on disk as soon as they are known."""

    def __init__(self, path: Path | None) -> None:
        """Read what an earlier run left at `path`; None keeps nothing."""
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
        if not path.exists():
            return 0
        good = 0
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError):
                break
            if not line.endswith(b"\n"):
                break
            good += len(line)
        return good

    def _take(self, record: dict[str, object]) -> None:
        if "reflection" in record:
            self._texts[str(record["reflection"])] = str(record["text"])
            return
        parts = record["parts"]
        failure = record["failure"]
        score = record["score"]
        if not isinstance(parts, dict) or not isinstance(score, int | float):
            raise TypeError("rollout")
        trial = Trial(
            example_id=str(record["example"]),
            number=0,
            output=str(record["output"]),
            score=Score(
                value=float(score),
                feedback=str(record["feedback"]),
                parts={str(name): float(value) for name, value in parts.items()},
            ),
            failure=None if failure is None else ModelFailure(str(failure)),
        )
        self._rollouts[str(record["prompt"]), trial.example_id] = trial
