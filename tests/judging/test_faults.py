from __future__ import annotations

import numpy as np
import pytest

from gepa_ci.core.judging import Grade, HumanLabel, JudgedOutput, Judgement, Scale
from gepa_ci.judging.calibration import Calibration, Pair, calibration
from gepa_ci.judging.faults import cautions, find_faults


def calibrated(
    human: list[float],
    judge: list[list[float]],
    *,
    scale: Scale | None = None,
    samples: int = 1,
    lengths: list[int] | None = None,
    pairs: tuple[Pair, ...] = (),
) -> Calibration:
    sizes = lengths or [50 + (number * 7) % 40 for number in range(len(human))]
    labels = [
        HumanLabel(output=JudgedOutput(inputs={"q": str(number)}, output="x" * size), score=score)
        for number, (score, size) in enumerate(zip(human, sizes, strict=True))
    ]
    judgements = [Judgement(grades=tuple(Grade(score=score) for score in row)) for row in judge]
    return calibration(labels, judgements, pairs, scale=scale or Scale(), samples=samples)


HUMAN = [float(1 + number % 5) for number in range(60)]


def names(found: Calibration, min_kappa: float = 0.6) -> list[str]:
    return [str(fault.name) for fault in find_faults(found, min_kappa)]


def test_a_judge_that_agrees_has_no_faults() -> None:
    found = calibrated(HUMAN, [[score] * 2 for score in HUMAN])

    assert names(found) == []
    assert (found.kappa, found.exact, found.near, found.error) == (1.0, 1.0, 1.0, 0.0)
    assert [row[step] for step, row in enumerate(found.table)] == [12] * 5
    assert found.rank == pytest.approx(1.0)


def test_only_the_answers_that_make_a_score_are_compared() -> None:
    rows = [[score, score, 1.0] for score in HUMAN]

    assert calibrated(HUMAN, rows, samples=2).kappa == 1.0
    assert calibrated(HUMAN, rows, samples=3).kappa < 0.9


def test_a_constant_judge_tells_nothing() -> None:
    found = calibrated(HUMAN, [[3.0] * 3] * 60)
    (fault,) = find_faults(found, 0.6)

    assert fault.sentence == "The judge gives every output the same score, 3, so it tells nothing."
    assert found.rank is None


def test_weak_agreement_is_told_from_none() -> None:
    rng = np.random.default_rng(3)
    weak = [[min(5.0, max(1.0, score + rng.integers(-2, 3)))] * 2 for score in HUMAN]
    found = calibrated(HUMAN, weak)

    assert names(found, 0.99) == ["agreement"]
    assert "is below 0.99" in find_faults(found, 0.99)[0].sentence


def test_a_scale_without_steps_has_no_table() -> None:
    human = [score / 5 + 0.05 for score in HUMAN]
    found = calibrated(
        [score - 0.1 for score in human],
        [[score] * 2 for score in human],
        scale=Scale(low=0.0, high=1.5),
    )

    assert found.exact is None
    assert found.table == ()
    assert found.near == 1.0
    assert names(found) == []


def test_a_scale_of_two_steps_has_no_near_ones() -> None:
    human = [float(number % 2) for number in range(60)]

    assert calibrated(human, [[s] * 2 for s in human], scale=Scale(low=0.0, high=1.0)).near is None


@pytest.mark.parametrize(("sign", "word"), [(1, "first"), (-1, "second")])
def test_a_preference_for_a_place_is_a_caution(sign: int, word: str) -> None:
    ahead, behind = ((4.0, 4.0), (3.0, 3.0)) if sign > 0 else ((3.0, 3.0), (4.0, 4.0))
    found = calibrated(
        HUMAN, [[s] * 2 for s in HUMAN], pairs=(Pair(first=ahead, second=behind),) * 10
    )
    (caution,) = cautions(found)

    assert caution.startswith(f"The judge prefers the {word} of two outputs: shown {word}")
    assert "gets 1 points" in caution
    assert names(found) == []


def test_what_was_not_or_hardly_measured_is_said() -> None:
    few = calibrated(HUMAN[:20], [[s] * 2 for s in HUMAN[:20]])

    first, second = cautions(few)

    assert first.startswith("There are only 20 labelled outputs")
    assert second.startswith("A bias by position could not be measured")


@pytest.mark.parametrize(("sign", "word"), [(1, "long"), (-1, "short")])
def test_a_preference_by_length_is_a_fault(sign: int, word: str) -> None:
    lengths = [20 + 20 * ((number * 17) % 60) for number in range(60)]
    fond = [
        [min(5.0, max(1.0, score + sign * (1 if size > 600 else -1)))] * 2
        for score, size in zip(HUMAN, lengths, strict=True)
    ]
    (fault,) = find_faults(calibrated(HUMAN, fond, lengths=lengths), 0.3)

    assert fault.sentence.startswith(f"The judge prefers {word} answers: one of ")


def test_good_judges_pass() -> None:
    failed = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        rows = [
            [min(5.0, max(1.0, score + rng.choice([-1, 0, 0, 0, 1]))) for _ in range(3)]
            for score in HUMAN
        ]
        lengths = rng.integers(20, 900, 60).tolist()
        failed += bool(names(calibrated(HUMAN, rows, lengths=lengths)))

    # Each bias may be wrongly found 1 time in 100; 3 of 30 would come by chance once in 300 times.
    assert failed <= 2


def test_coins_fail() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rows = [[float(rng.integers(1, 6)) for _ in range(3)] for _ in HUMAN]

        assert "contradiction" in names(calibrated(HUMAN, rows))
