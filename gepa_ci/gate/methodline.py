"""Owns the one line in which a verdict names its method to a reader who knows statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.gate.bounds import quantile
from gepa_ci.gate.futility import LIMIT

if TYPE_CHECKING:
    from gepa_ci.gate.pairing import Pairs
    from gepa_ci.gate.progress import Progress


def regression_method(
    pairs: Pairs, progress: Progress, *, alpha: float, margin: float, block_alpha: float
) -> str:
    """Name the method of a regression gate."""
    z = quantile(1 - progress.level)
    share = "" if block_alpha == alpha else f" ({block_alpha:.3g} for a loss)"
    parts = [
        f"exact one-sided sign-flip test, alpha {alpha:g}{share}",
        "mid-p for a loss" if progress.is_fixed else f"{_looks(progress)}, mid-p at the last",
        f"pass: plus-two lower bound above {-margin or 0:g} at z {z:.3g}",
    ]
    if not progress.is_fixed:
        parts.append(f"given up at conditional power below {LIMIT:g} (pass {LIMIT / 2:g})")
    return "; ".join([*parts, _sizes(pairs)])


def promotion_method(pairs: Pairs, progress: Progress, *, alpha: float, min_gain: float) -> str:
    """Name the method of a promotion's confirm test."""
    parts = [f"exact one-sided sign-flip test, alpha {alpha:g}"]
    if min_gain > 0.0:
        parts.append(f"mean difference at least {min_gain:g}")
    if not progress.is_fixed:
        parts.append(
            f"look {progress.looks} of {progress.planned_looks}, for futility only (conditional "
            f"power below {LIMIT:g})"
        )
    return "; ".join([*parts, _sizes(pairs)])


def _looks(progress: Progress) -> str:
    return f"look {progress.looks} of {progress.planned_looks} (alpha t^2 spent)"


def _sizes(pairs: Pairs) -> str:
    units = f"{pairs.n} examples"
    if pairs.units.size != pairs.n:
        units += f" in {pairs.units.size} groups (signs flip by group)"
    before, after = pairs.trials
    trials = f"{before}" if before == after else f"{before} and {after}"
    return f"{units}, {trials} trial{'' if before == after == 1 else 's'} each"
