from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from gepa_ci.core.judging import Anchor, Anchors, Grade, JudgedOutput, Judgement, Scale
from gepa_ci.judging.anchor_test import AnchorTest, compare_anchors

if TYPE_CHECKING:
    from collections.abc import Callable

SCALE = Scale()


def answers(rng: np.random.Generator, means: np.ndarray, count: int, noise: float) -> np.ndarray:
    drawn = means[:, None] + noise * rng.normal(size=(means.size, count))
    return np.asarray(np.clip(np.round(drawn), 1, 5))


def run(
    seed: int,
    change: Callable[[np.ndarray], np.ndarray] = lambda means: means,
    *,
    n: int = 24,
    recorded: int = 3,
    fresh: int = 1,
    noise: float = 0.5,
) -> AnchorTest:
    rng = np.random.default_rng(seed)
    means = 1 + 4 * np.arange(n) / (n - 1)
    anchors = Anchors(
        path="a.jsonl",
        judge="",
        model="",
        at="2026-05-01",
        anchors=tuple(
            Anchor(output=JudgedOutput(inputs={}, output=""), scores=tuple(row))
            for row in answers(rng, means, recorded, noise).tolist()
        ),
    )
    today = [
        Judgement(grades=tuple(Grade(score=score) for score in row))
        for row in answers(rng, change(means), fresh, noise).tolist()
    ]
    return compare_anchors(anchors, today, SCALE)


@pytest.mark.parametrize(("noise", "fresh"), [(0.0, 1), (0.5, 1), (1.5, 3)])
def test_a_judge_that_is_the_same_is_not_accused(noise: float, fresh: int) -> None:
    accused = sum(run(seed, noise=noise, fresh=fresh).has_moved for seed in range(60))

    # The level is 1 in 1,000; two of 60 would come by chance once in 550 times.
    assert accused <= 1


CHANGES = {
    "lower": lambda means: means - 1,
    "higher": lambda means: means + 1,
    "the other way round": lambda means: 6 - means,
    "all alike": lambda means: means * 0 + 3,
    "only the best": lambda means: np.where(means > 3, means - 2, means),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_judge_that_has_changed_is_found(
    change: Callable[[np.ndarray], np.ndarray],
) -> None:
    assert sum(run(seed, change).has_moved for seed in range(20)) >= 15
    assert run(0, change, noise=0).has_moved


SAME_AND_MIRRORED = (lambda means: means, CHANGES["the other way round"])


def test_a_shift_is_told_from_a_scatter() -> None:
    lower, mirrored = run(1, CHANGES["lower"]), run(1, CHANGES["the other way round"])

    assert lower.has_shifted
    assert lower.shift < -0.5
    assert not mirrored.has_shifted
    assert mirrored.has_scattered


def test_a_change_too_small_to_matter_is_none_however_sure_it_is() -> None:
    found = run(1, lambda means: means + 0.08, n=400, recorded=6, fresh=6)

    assert found.shift_p < 0.0005
    assert not found.has_moved


def test_many_answers_are_compared_as_few_are() -> None:
    same, moved = (run(4, change, n=12, recorded=10, fresh=10) for change in SAME_AND_MIRRORED)

    assert not same.has_moved
    assert moved.has_scattered


def test_single_answers_show_a_shift_and_no_scatter() -> None:
    shifted = run(2, CHANGES["lower"], recorded=1, noise=0)
    mirrored = run(2, CHANGES["the other way round"], recorded=1, noise=0)

    assert shifted.has_shifted
    assert mirrored.spread_p == 1.0
