"""Runs a command from start to exit and says what it took."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What one run took; several runs are summed up by their medians."""

    whole: float
    """Wall seconds from start to exit."""
    cpu: float
    """CPU seconds of the process and its children."""
    megabytes: float
    """Peak resident memory of the largest process."""
    evaluation: float | None = None
    """Wall seconds of the evaluation alone, as the tool's own process measured it."""
    requests: int = 0
    """What the server counted."""
    max_in_flight: int = 0


def run(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], label: str
) -> tuple[Measure, str]:
    """Run a command and return its measure and its stdout; its failure ends the benchmark."""
    out, err = folder / f"{label}.out", folder / f"{label}.err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdout=stdout, stderr=stderr
        )
        _, status, used = os.wait4(process.pid, 0)
        whole = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    text = out.read_text(encoding="utf-8", errors="replace")
    if process.returncode:
        tail = err.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise SystemExit(
            f"error: '{label}' exited with {process.returncode}\n{text[-1000:]}\n{tail}"
        )
    cpu = used.ru_utime + used.ru_stime
    return Measure(whole=whole, cpu=cpu, megabytes=used.ru_maxrss / 1024), text


def median(measures: Sequence[Measure]) -> Measure:
    """Take the median of every figure by itself."""
    evaluations = [m.evaluation for m in measures if m.evaluation is not None]
    return Measure(
        whole=statistics.median(m.whole for m in measures),
        cpu=statistics.median(m.cpu for m in measures),
        megabytes=statistics.median(m.megabytes for m in measures),
        evaluation=statistics.median(evaluations) if evaluations else None,
        requests=round(statistics.median(m.requests for m in measures)),
        max_in_flight=round(statistics.median(m.max_in_flight for m in measures)),
    )


def python_environment(cache: Path) -> dict[str, str]:
    """Return the environment for every Python tool: bytecode is kept, and no proxy interferes."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in dropped and not name.lower().endswith("_proxy")
    }
    # `openai/mock` looks for a key; the mock server takes any.
    return kept | {"PYTHONPYCACHEPREFIX": str(cache), "OPENAI_API_KEY": "bench"}
