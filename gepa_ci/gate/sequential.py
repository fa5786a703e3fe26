"""Owns the gates that look at the scores on the way and stop once the verdict is decided.

The loss is tested by an exact group-sequential sign-flip test with alpha spent as alpha t^2; the
bound of a pass is widened by the same spending; and what can hardly be shown any more is given up.
A promotion is stopped for futility only, as few examples with skewed differences promote too often.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from gepa_ci.core.verdict import Promotion, PromotionDecision, RegressionDecision, Verdict
from gepa_ci.gate import futility
from gepa_ci.gate.examples_run import ExamplesRun, Look
from gepa_ci.gate.promotion_gate import confirm
from gepa_ci.gate.regression_gate import Shown, check_margin, decide, judge, shown

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from numpy.typing import ArrayLike

    from gepa_ci.gate.progress import Progress

LOOKS = 10
"""Looks of a gate that nobody asked for another number of."""


V = TypeVar("V", Verdict, Promotion)


class _Sequential(ABC, Generic[V]):
    """A gate that is fed example by example and looks at the scores on the way."""

    order: tuple[int, ...]
    """The examples in the order in which to run them."""
    looks: tuple[int, ...]
    """Examples run at each look; the last is all of them."""

    def __init__(self, run: ExamplesRun) -> None:
        self._run = run
        self.order, self.looks = run.plan.order, run.plan.looks
        self._verdict: V | None = None
        self._futile = False

    def update(self, base_row: ArrayLike, candidate_row: ArrayLike) -> V | None:
        """Take the scores of the next example; return the verdict once there is one.

        NaN is a trial without a score. What comes after the verdict changes nothing.

        Raises:
            ValueError: a score is outside [0, 1], or the number of trials is another.
        """
        if self._verdict is None:
            self._run.add(base_row, candidate_row)
            if self._run.is_at_look:
                self._verdict = self._judge()
        return self._verdict

    @abstractmethod
    def _judge(self) -> V | None:
        """Return the verdict at a look, or None to go on."""

    def _progress(self) -> Progress:
        return self._run.progress(decided=self._verdict is not None, futile=self._futile)


class SequentialRegression(_Sequential[Verdict]):
    """The regression gate, fed example by example; with one look it is `regression`."""

    def __init__(
        self,
        n: int,
        *,
        alpha: float = 0.05,
        margin: float = 0.05,
        trials: int = 1,
        seed: int | str = 0,
        groups: Sequence[Hashable] | None = None,
        weights: ArrayLike | None = None,
        looks: int = LOOKS,
        block_alpha: float | None = None,
    ) -> None:
        """Fix the order and the looks for n examples of so many trials.

        `block_alpha` is the error rate of a regression where it is not alpha: one of several tests
        that may block has only its share of it.

        Raises:
            ValueError: an argument is not usable.
        """
        check_margin(margin)
        self._margin = margin
        self._block_alpha = alpha if block_alpha is None else block_alpha
        run = ExamplesRun(
            n,
            alpha=alpha,
            loss_alpha=self._block_alpha,
            trials=trials,
            seed=seed,
            groups=groups,
            weights=weights,
            looks=looks,
        )
        super().__init__(run)

    def decision(self) -> RegressionDecision:
        """Return the verdict with its reasons; inconclusive while there is none."""
        verdict = Verdict.INCONCLUSIVE if self._verdict is None else self._verdict
        return decide(
            self._run.evidence(),
            verdict,
            self._progress(),
            alpha=self._run.alpha,
            margin=self._margin,
            block_alpha=self._block_alpha,
        )

    def _judge(self) -> Verdict | None:
        run = self._run
        if len(self.looks) == 1:
            evidence = run.evidence()
            if evidence.trouble is not None:
                return Verdict.INCONCLUSIVE
            return judge(shown(evidence, run.alpha, self._block_alpha), self._margin)
        look = run.look()
        if look.trouble is not None:
            return Verdict.INCONCLUSIVE if look.last or look.beyond_repair else None
        verdict = judge(_shown(look), self._margin)
        if look.last:
            return verdict
        if verdict is Verdict.INCONCLUSIVE:
            self._futile = self._is_futile(look)
            return verdict if self._futile else None
        return None if self._may_turn(verdict, look) else verdict

    def _may_turn(self, verdict: Verdict, look: Look) -> bool:
        """Tell whether the whole of the examples may well have a verdict that comes before."""
        if verdict is Verdict.PASS:
            # Nobody who has made a prompt better should hear only that it is not worse.
            return futility.is_gain_in_sight(look, alpha=self._run.alpha)
        if verdict is Verdict.REGRESSION:
            return futility.power_of_pass(look, margin=self._margin) >= 0.5
        return False

    def _is_futile(self, look: Look) -> bool:
        if futility.power_of_loss(look, alpha=self._block_alpha) >= futility.LIMIT:
            return False
        return futility.power_of_pass(look, margin=self._margin) < futility.LIMIT / 2


class SequentialPromotion(_Sequential[Promotion]):
    """A promotion's confirm test, fed example by example; with one look it is `promotion`."""

    def __init__(
        self,
        n: int,
        *,
        alpha: float = 0.05,
        min_gain: float = 0.0,
        trials: int = 1,
        seed: int | str = 0,
        groups: Sequence[Hashable] | None = None,
        weights: ArrayLike | None = None,
        looks: int = LOOKS,
    ) -> None:
        """Fix the order and the looks for n examples of so many trials.

        Raises:
            ValueError: an argument is not usable.
        """
        self._min_gain = min_gain
        run = ExamplesRun(
            n,
            alpha=alpha,
            loss_alpha=alpha,
            trials=trials,
            seed=seed,
            groups=groups,
            weights=weights,
            looks=looks,
        )
        super().__init__(run)

    def decision(self) -> PromotionDecision:
        """Return the verdict with its reasons; held while there is none."""
        return confirm(
            self._run.evidence(), self._progress(), alpha=self._run.alpha, min_gain=self._min_gain
        )

    def _judge(self) -> Promotion | None:
        if len(self._run) == len(self.order):
            return self.decision().verdict
        look = self._run.look()
        if look.trouble is not None:
            return Promotion.HOLD if look.beyond_repair else None
        power = futility.power_of_gain(look, alpha=self._run.alpha, at_least=self._min_gain)
        self._futile = power < futility.LIMIT
        return Promotion.HOLD if self._futile else None


def _shown(look: Look) -> Shown:
    return Shown(
        units=look.units,
        low=look.moments.lower(look.level),
        worse=look.loss.is_loss_mid if look.last else look.loss.is_loss,
        worse_in_full=look.loss.is_loss,
        better=look.gain,
    )
