"""Owns the calibration of a judge against human scores: the figures, and the faults by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gepa_ci.core.digests import canonical_json
from gepa_ci.judging.agreement import (
    confusion,
    kappa_interval,
    quadratic_kappa,
    reliability,
    repeat_agreement,
    spearman,
)
from gepa_ci.judging.bias import length_bias, position_bias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gepa_ci.core.comparison import Interval
    from gepa_ci.core.judging import HumanLabel, Judgement, Scale
    from gepa_ci.judging.bias import Bias

    Floats = NDArray[np.float64]

NEAR = 0.1
"""Share of a scale without steps within which two scores count as near."""
BINARY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two outputs of the same inputs, scored side by side in both orders, on the judge's scale."""

    first: tuple[float, float]
    """Score of each output when shown first."""
    second: tuple[float, float]
    """Score of each output when shown second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How a judge compares with humans."""

    n: int
    """Labelled outputs."""
    units: int
    """Different inputs among them."""
    scale: Scale
    samples: int
    """Answers whose mean is the score."""
    human_mean: float
    """On the judge's scale, as all that follow."""
    judge_mean: float
    judge_spread: float
    """Largest minus smallest score that the judge gave."""
    kappa: float
    """Cohen's kappa with quadratic weights."""
    interval: Interval
    """Of kappa."""
    exact: float | None
    """Share of outputs with the human's step; None on a scale without steps."""
    near: float | None
    """Share within one step, or within a tenth of the scale; None where there are two steps."""
    table: tuple[tuple[int, ...], ...]
    """Outputs by human's step (row) and judge's step (column); empty without steps."""
    rank: float | None
    """Spearman's correlation; None where a side's scores are all equal."""
    repeats: float
    """How often two answers about the same output give the same score."""
    reliability: float
    """Share of the variance of scores that lies in the outputs, between 0 and 1."""
    length: Bias
    position: Bias | None
    """None where no two outputs share their inputs."""

    @property
    def error(self) -> float:
        """Return how much more the judge gives than humans, on average."""
        return self.judge_mean - self.human_mean


def calibration(
    labels: Sequence[HumanLabel],
    judgements: Sequence[Judgement],
    pairs: Sequence[Pair],
    *,
    scale: Scale,
    samples: int,
) -> Calibration:
    """Compare a judge with humans.

    Args:
        labels: Outputs with human scores, not all of them equal.
        judgements: What the judge said of each, at least two answers and the same number for all.
        pairs: Outputs scored side by side in both orders.
        scale: The judge's scale.
        samples: How many of the answers make a score.
    """
    answers = np.array([judgement.scores for judgement in judgements], dtype=np.float64)
    means = answers[:, :samples].mean(axis=1)
    human = np.array([label.score for label in labels], dtype=np.float64)
    # Agreement is of what a reader of the scale would see: whole steps, where it has any.
    judged, truth = (
        np.array([scale.nearest(score) for score in side.tolist()]) for side in (means, human)
    )
    units = [canonical_json(dict(label.output.inputs)) for label in labels]
    lengths = np.array([len(label.output.output) for label in labels], dtype=np.float64)
    return Calibration(
        n=len(labels),
        units=len(set(units)),
        scale=scale,
        samples=samples,
        human_mean=float(human.mean()),
        judge_mean=float(means.mean()),
        judge_spread=float(np.ptp(answers)),
        kappa=quadratic_kappa(judged, truth),
        interval=kappa_interval(judged, truth, units),
        exact=float((judged == truth).mean()) if scale.steps else None,
        near=_near(judged, truth, scale),
        table=confusion(judged, truth, scale.steps) if scale.steps else (),
        rank=spearman(means, human),
        repeats=repeat_agreement(answers),
        reliability=reliability(answers, samples),
        length=length_bias(_shares(means, scale), _shares(human, scale), lengths),
        position=_position(pairs, scale),
    )


def _near(judged: Floats, truth: Floats, scale: Scale) -> float | None:
    if len(scale.steps) == BINARY:
        return None
    limit = 1.0 if scale.steps else NEAR * (scale.high - scale.low)
    return float((np.abs(judged - truth) <= limit + 1e-9).mean())


def _position(pairs: Sequence[Pair], scale: Scale) -> Bias | None:
    width = scale.high - scale.low
    firsts = np.array([sum(pair.first) / width for pair in pairs], dtype=np.float64)
    seconds = np.array([sum(pair.second) / width for pair in pairs], dtype=np.float64)
    return position_bias(firsts, seconds)


def _shares(scores: Floats, scale: Scale) -> Floats:
    return np.asarray((scores - scale.low) / (scale.high - scale.low), dtype=np.float64)
