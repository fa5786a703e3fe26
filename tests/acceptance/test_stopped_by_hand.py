"""Ctrl-C during a search: it stops at the next call, keeps its best, and goes on later."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from provider import FakeProvider, hang, slow
from world import CONFIG, PROMPT, PROMPT_SOURCE, answer, is_reflection, job, parcels, rules_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provider import Request


def start(root: Path) -> subprocess.Popen[str]:
    """Start a search whose result file lies beside the repository."""
    files = ("--config", str(root / CONFIG), "--output", str(root.parent / "result.json"))
    return subprocess.Popen(
        [sys.executable, "-m", "gepa_ci", "optimize", *files],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def result_of(root: Path) -> Any:
    return json.loads((root.parent / "result.json").read_text(encoding="utf-8"))["tasks"][0]


def world(root: Path, provider: FakeProvider) -> Path:
    return parcels(root, provider, concurrency=4, optimize={"max_metric_calls": 150})


def from_second_reflection(provider: FakeProvider) -> Callable[[Request], bool]:
    """Match what comes after the first candidate has been scored on val."""

    def matches(request: Request) -> bool:
        # One greets; two make the proposals of the first round.
        before = [r for r in provider.requests if r.number < request.number]
        return sum(map(is_reflection, before)) > 3

    return matches


def test_ctrl_c_keeps_the_best_and_the_calls_in_flight_and_goes_on_for_nothing(
    tmp_path: Path,
) -> None:
    with FakeProvider(answer) as provider:
        calm = job(world(tmp_path / "calm", provider), "optimize")
        expected = Counter(request.raw for request in provider.requests)
    with FakeProvider(answer) as provider:
        late = from_second_reflection(provider)
        provider.faults = [(late, slow(0.7))]
        root = world(tmp_path / "stopped", provider)
        process = start(root)
        wait_for(lambda: any(late(request) for request in list(provider.requests)))
        asked = provider.calls
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        provider.faults = []
        task = result_of(root)
        done = provider.calls
        # What was in flight has been answered, and next to nothing was asked after the signal.
        assert provider.answered == done <= asked + 4
        again = job(root, "optimize")
        spent = Counter(request.raw for request in provider.requests)

    assert process.returncode == 130, err
    assert err.startswith("stopping: calls in flight have 5 s to end"), err
    assert (task["verdict"], task["written"]) == ("hold", [])
    assert (task["baseline"], task["comparison"]) == (None, None)
    search = task["optimization"]
    best = search["candidates"][search["best"]]
    found = f"The best so far is candidate {best['number']}, with {best['val_mean']:.3f} on val"
    assert search["interrupted"]
    assert search["stop_reason"] == "Stopped by hand."
    assert best["number"] > 0
    assert best["val_mean"] > 0
    assert task["reasons"] == [
        "The search was stopped by hand, so nothing was proved on held-out examples.",
        f"{found}; the baseline has 0.000.",
        "The same command goes on from here; what was paid for is kept.",
    ]
    assert rules_in(task["changes"][0]["diff"])
    assert "Stopped by hand." in out
    assert rules_in(out)
    assert again.task["verdict"] == calm.task["verdict"] == "promote"
    assert again.task["optimization"]["candidates"] == calm.task["optimization"]["candidates"]
    assert spent == expected


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    with FakeProvider(answer) as provider:
        late = from_second_reflection(provider)
        provider.faults = [(late, hang())]
        root = world(tmp_path / "repo", provider)
        process = start(root)
        wait_for(lambda: any(late(request) for request in list(provider.requests)))
        process.send_signal(signal.SIGINT)
        heard: list[str] = []
        assert process.stderr is not None
        reader = threading.Thread(target=lambda: heard.append(process.stderr.readline()))  # type: ignore[union-attr]
        reader.start()
        reader.join(30)
        assert heard[0].startswith("stopping: "), heard
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert time.monotonic() - started < 4
    assert process.returncode == 130
    assert err == "error: interrupted\n"
    assert out == ""
    assert not (root.parent / "result.json").exists()
    assert (root / PROMPT).read_text(encoding="utf-8") == PROMPT_SOURCE
