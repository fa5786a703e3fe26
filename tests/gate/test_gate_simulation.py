"""A small simulation, so that a gate that lost its error rates or its power fails the tests."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from gepa_ci.core.verdict import Promotion, Verdict
from gepa_ci.gate import promotion, regression

RUNS = 600


def rates(loss: float, trials: int, *, margin: float = 0.05) -> dict[str, float]:
    """Share of verdicts on 100 examples; the candidate breaks examples that are worth `loss`."""
    rng = np.random.default_rng([7, trials, round(100 * loss)])
    found = dict.fromkeys((*Verdict, *Promotion), 0)
    for _ in range(RUNS):
        chance = rng.beta(0.364, 0.091, 100)
        after = np.where(rng.random(100) < loss / 0.8, 0.0, chance)
        base, candidate = (
            (rng.random((100, trials)) < p[:, np.newaxis]).astype(float) for p in (chance, after)
        )
        found[regression(base, candidate, margin=margin).verdict] += 1
        found[promotion(base, candidate).verdict] += 1
    return {verdict.value: count / RUNS for verdict, count in found.items()}


@pytest.mark.parametrize("trials", [1, 3])
def test_identical_prompts_are_rarely_blocked_or_promoted(trials: int) -> None:
    found = rates(0.0, trials)

    # Three standard errors of 600 repetitions are 0.027.
    assert found["regression"] <= 0.05 + 0.027
    assert found["improved"] <= found["promote"] <= 0.05 + 0.027
    assert found["regression"] >= 0.01
    assert found["promote"] >= 0.01


@pytest.mark.parametrize(("trials", "power"), [(1, 0.68), (3, 0.86)])
def test_a_loss_of_ten_points_is_blocked(trials: int, power: float) -> None:
    found = rates(0.10, trials)

    assert found["regression"] >= power
    assert found["promote"] <= 0.01


@pytest.mark.parametrize("trials", [1, 3])
def test_a_loss_as_large_as_the_margin_rarely_passes(trials: int) -> None:
    found = rates(0.05, trials)

    assert found["pass"] + found["improved"] <= 0.065 + 0.027


def test_importing_the_gate_does_not_import_scipy() -> None:
    code = "import sys, gepa_ci.gate; sys.exit('scipy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
