from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gepa_ci.gate.noise import LARGEST_EFFECT, USUAL_CHURN, Noise, measured, outcomes


@given(
    effect=st.floats(0, LARGEST_EFFECT),
    trials=st.integers(1, 8),
    flip=st.floats(0, 0.5),
    churn=st.floats(0, 0.5),
)
def test_outcomes_are_chances_with_the_effect_as_their_mean(
    effect: float, trials: int, flip: float, churn: float
) -> None:
    shares = outcomes(effect, trials, Noise(flip=flip, churn=churn))
    mean = sum(share * size for size, share in enumerate(shares, start=-trials)) / trials

    assert min(shares) >= -1e-12
    assert math.isclose(sum(shares), 1, abs_tol=1e-9)
    assert math.isclose(mean, -effect, abs_tol=1e-9)


@pytest.mark.parametrize("flip", [0.0, 0.05, 0.1, 0.3, 0.45])
def test_two_runs_of_one_prompt_differ_on_the_share_that_was_given(flip: float) -> None:
    better, _, worse = outcomes(0.0, 1, Noise(flip=flip, churn=0.0))

    assert better == pytest.approx(flip / 2)
    assert worse == pytest.approx(flip / 2)


def test_a_drop_breaks_examples_on_top_of_the_noise() -> None:
    worse, same, better = outcomes(0.10, 1, Noise(flip=0.1))

    # One of eight breaks, of which four in five were right; the rest goes on flipping.
    assert worse + better == pytest.approx(0.1 + 0.875 * 0.1)
    assert same == pytest.approx(1 - 0.1875)


def near(noise: Noise | None, *, flip: float, churn: float, within: float = 0.01) -> bool:
    assert noise is not None
    return abs(noise.flip - flip) <= within and abs(noise.churn - churn) <= 2 * within


NONE: list[list[float]] = [[]] * 4000
"""No score of any example."""


def scores(trials: int, *, changed: float = 0.0, seed: int = 3) -> list[list[float]]:
    """Return trials of the same 4,000 examples, of which a share is turned round."""
    chance = np.random.default_rng(1).beta(0.364, 0.091, 4000)
    chance[: round(4000 * changed)] = 1 - chance[: round(4000 * changed)]
    rng = np.random.default_rng(seed)
    found = (rng.random((4000, trials)) < chance[:, np.newaxis]).astype(float)
    return [[float(score) for score in row] for row in found]


@pytest.mark.parametrize("sides", [(NONE, scores(3)), (scores(3), NONE)])
def test_the_noise_of_one_prompt_is_measured_between_its_trials(
    sides: tuple[list[list[float]], list[list[float]]],
) -> None:
    assert near(measured(*sides), flip=0.10, churn=USUAL_CHURN)


def test_what_a_change_did_to_examples_is_told_from_noise() -> None:
    same = measured(scores(3), scores(3, seed=4))
    changed = measured(scores(3), scores(3, changed=0.2, seed=4))

    assert near(same, flip=0.1, churn=0.0)
    assert near(changed, flip=0.1, churn=0.14)


def test_single_trials_of_two_prompts_count_as_noise_where_they_differ() -> None:
    base, head = [[0.0]] * 10, [[1.0], [0.0], *([[0.0]] * 8)]
    base = [[0.0], [1.0], *base[2:]]

    assert near(measured(base, head), flip=0.2, churn=USUAL_CHURN, within=1e-9)


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [
        ([[], []], [[1.0], [0.0]]),
        ([[], []], [[1.0, math.nan], [math.nan, 0.0]]),
        ([[], []], [[], []]),
        ([], []),
    ],
)
def test_single_trials_of_one_prompt_say_nothing(
    baseline: list[list[float]], candidate: list[list[float]]
) -> None:
    assert measured(baseline, candidate) is None


def test_missing_trials_are_left_out() -> None:
    nothing: list[list[float]] = [[], [], []]

    found = measured(nothing, [[1.0, 0.0], [1.0, 1.0, 1.0], []])

    assert near(found, flip=2 * 0.5 / 3, churn=USUAL_CHURN, within=1e-9)
    assert measured([[1.0], []], [[], [0.0]]) == Noise(flip=0.0)
    assert measured([[1.0, 0.0], []], [[1.0], [0.0]]) == Noise(flip=0.5)
