from __future__ import annotations

import numpy as np
import pytest

from gepa_ci.judging.bias import length_bias, position_bias


def world(seed: int, n: int = 60) -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
    """Return human scores as shares, and lengths that long answers of good quality share."""
    rng = np.random.default_rng(seed)
    human = rng.integers(0, 5, n) / 4
    lengths = np.round(np.exp(rng.normal(5 + human, 0.7)))
    return rng, human, lengths


def steps(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values * 4) / 4, 0, 1)


def test_a_judge_that_prefers_long_answers_is_found() -> None:
    rng, human, lengths = world(1)
    judge = steps(human + 0.12 * (np.log2(lengths) - 8) + rng.normal(0, 0.1, 60))

    found = length_bias(judge, human, lengths)

    assert found.is_found
    assert found.effect > 0.1
    assert found.short < found.long


def test_a_judge_that_prefers_short_answers_has_the_other_sign() -> None:
    rng, human, lengths = world(2)
    judge = steps(human - 0.12 * (np.log2(lengths) - 8) + rng.normal(0, 0.1, 60))

    found = length_bias(judge, human, lengths)

    assert found.is_found
    assert found.effect < -0.1


FAIR = {
    "noise in the judge": (0.15, 0.0, 1.0),
    "noise in the human scores": (0.15, 0.2, 1.0),
    "half of the scale used": (0.1, 0.0, 0.5),
}


@pytest.mark.parametrize(("noise", "doubt", "used"), FAIR.values(), ids=FAIR)
def test_a_fair_judge_of_good_long_answers_is_seldom_accused(
    noise: float, doubt: float, used: float
) -> None:
    accused = 0
    for seed in range(30):
        rng, truth, lengths = world(seed)
        human = steps(truth + rng.normal(0, doubt, 60))
        judge = steps(0.25 * (1 - used) + used * truth + rng.normal(0, noise, 60))
        accused += length_bias(judge, human, lengths).is_found

    # 1 of 100 is what the level allows; 3 of 30 would come by chance once in 300 times.
    assert accused <= 2


def test_equal_lengths_or_errors_show_nothing() -> None:
    _, human, lengths = world(3)

    assert length_bias(human, human, lengths).p_value == 1.0
    assert not length_bias(human[::-1].copy(), human, np.full(60, 90.0)).is_found
    assert 0 < length_bias(human, np.full(60, 0.5), lengths).p_value <= 1


def test_a_judge_that_prefers_the_first_output_is_found_exactly() -> None:
    found = position_bias(np.full(8, 1.0), np.full(8, 0.5))

    assert found is not None
    assert found.is_found
    assert found.effect == 0.25
    assert found.p_value == pytest.approx(2 / 2**8)


def test_seven_pairs_are_too_few_to_accuse_a_judge() -> None:
    found = position_bias(np.full(7, 1.0), np.full(7, 0.5))

    assert found is not None
    assert not found.is_found


def test_without_pairs_there_is_nothing_to_say_of_position() -> None:
    assert position_bias(np.array([]), np.array([])) is None
