"""The worlds that the gate is simulated in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GRADES = 5
"""A graded score is the share of so many fields that are right."""


@dataclass(frozen=True, kw_only=True)
class World:
    """What is simulated: n examples with their own chance p of a right answer, Beta distributed.

    The spread of p is set so that two runs of one prompt differ on the share `flip` of examples.
    The candidate breaks some examples for good and fixes others, so that the mean changes by
    `effect` exactly and the expected change per example adds up to `churn` or |effect|.
    """

    n: int
    trials: int = 1
    mean: float = 0.8
    flip: float = 0.1
    effect: float = 0.0
    churn: float = 0.04
    scores: str = "0/1"
    failed: float = 0.0
    cluster: int = 1

    def __str__(self) -> str:
        text = f"n={self.n} K={self.trials} a={self.mean} f={self.flip:.3g}"
        if self.effect:
            text += f" {self.effect:+.2f}"
        return text if self.scores == "0/1" else f"{text} {self.scores}"

    @property
    def flip_rate(self) -> float:
        """Share of untouched examples on which two runs differ."""
        return min(self.flip, 2 * self.mean * (1 - self.mean))

    @property
    def broken(self) -> float:
        """Share of examples that the candidate always gets wrong."""
        return (max(abs(self.effect), self.churn) - self.effect) / 2 / self.mean

    @property
    def fixed(self) -> float:
        """Share of examples that the candidate always gets right."""
        return (max(abs(self.effect), self.churn) + self.effect) / 2 / (1 - self.mean)

    def draw(self, rng: np.random.Generator, runs: int) -> tuple[np.ndarray, np.ndarray]:
        """Return scores of baseline and candidate: runs x n x trials."""
        shape = (runs, self.n)
        share = self.flip / (2 * self.mean * (1 - self.mean))
        if share < 1:
            size = share / (1 - share)
            before = rng.beta(self.mean * size, (1 - self.mean) * size, shape)
        else:
            before = np.full(shape, self.mean)
        fate = np.repeat(rng.random((runs, self.n // self.cluster)), self.cluster, axis=1)
        after = np.where(fate < self.broken, 0.0, before)
        after = np.where(fate > 1 - self.fixed, 1.0, after)
        base, candidate = self._score(rng, before), self._score(rng, after)
        if self.failed:
            candidate[rng.random(candidate.shape) < self.failed] = np.nan
        return base, candidate

    def _score(self, rng: np.random.Generator, chance: np.ndarray) -> np.ndarray:
        chances = np.repeat(chance[:, :, np.newaxis], self.trials, axis=2)
        if self.scores == "0/1":
            return (rng.random(chances.shape) < chances).astype(float)
        if self.scores == "graded":
            return rng.binomial(GRADES, chances) / GRADES
        return rng.beta(2 * chances + 0.2, 2 * (1 - chances) + 0.2)


IDENTICAL = World(n=100, churn=0.0)


def spreads() -> list[tuple[float, float]]:
    """Return mean and flip of every suite that is possible."""
    return [(a, f) for a in (0.6, 0.8, 0.95) for f in (0.05, 0.1, 0.2) if (a, f) != (0.95, 0.2)]
