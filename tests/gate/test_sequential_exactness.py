from __future__ import annotations

from itertools import combinations_with_replacement, product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, permutation_test
from statsmodels.stats.contingency_tables import mcnemar

from gepa_ci.core.verdict import Verdict
from gepa_ci.gate import SequentialPromotion, SequentialRegression, promotion
from gepa_ci.gate.running_null import Crossing, RunningNull
from gepa_ci.gate.signflip import fitting_lattice, sign_flip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Block = tuple[int, ...]

SHARES = (1 / 9, 4 / 9, 1.0)


def signs(n: int) -> NDArray[np.int64]:
    """All sign patterns of n differences."""
    return np.array(list(product((1, -1), repeat=n)), dtype=np.int64)


def enumerated(blocks: Sequence[Block], budgets: Sequence[float]) -> list[float]:
    """Count the patterns that have crossed by each look, straight from the definition."""
    patterns = signs(sum(len(block) for block in blocks))
    alive, crossed, used = np.ones(len(patterns), dtype=bool), [], 0
    sizes: list[int] = []
    for block, budget in zip(blocks, budgets, strict=True):
        sizes += block
        sums = patterns[:, : len(sizes)] @ np.array(sizes, dtype=np.int64)
        for limit in np.unique(sums):
            beyond = alive & (sums >= limit)
            if used + np.count_nonzero(beyond) <= budget * len(patterns):
                alive &= ~beyond
                used += int(np.count_nonzero(beyond))
                break
        crossed.append(used / len(patterns))
    return crossed


def followed(blocks: Sequence[Block], budgets: Sequence[float]) -> list[float]:
    """The same from the recursion."""
    null, crossed = RunningNull(), []
    for block, budget in zip(blocks, budgets, strict=True):
        null.extend(np.array(block, dtype=np.int64))
        null.look(budget)
        crossed.append(null.spent)
    return crossed


def looks(blocks: Sequence[Block], budgets: Sequence[float]) -> list[Crossing]:
    null, found = RunningNull(), []
    for block, budget in zip(blocks, budgets, strict=True):
        null.extend(np.array(block, dtype=np.int64))
        found.append(null.look(budget))
    return found


@pytest.mark.parametrize(("trials", "alpha"), [(1, 0.05), (1, 0.3), (2, 0.05), (2, 0.3), (3, 0.1)])
def test_the_spent_mass_is_that_of_all_sign_patterns(trials: int, alpha: float) -> None:
    budgets = [alpha * share**2 for share in SHARES]
    sizes = list(combinations_with_replacement(range(trials + 1), 3))

    # Of the first block every third will do: the recursion starts at the same point.
    for blocks in product(sizes[::3], sizes, sizes):
        assert followed(blocks, budgets) == pytest.approx(enumerated(blocks, budgets), abs=1e-12)


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=3),
    st.floats(0.01, 0.4),
)
def test_up_to_twelve_examples_at_any_looks_agree_with_enumeration(
    drawn: list[list[int]], alpha: float
) -> None:
    blocks = [tuple(block) for block in drawn]
    n = sum(map(len, blocks))
    done = np.cumsum([len(block) for block in blocks])
    budgets = [alpha * (float(run) / n) ** 2 for run in done]

    assert followed(blocks, budgets) == pytest.approx(enumerated(blocks, budgets), abs=1e-12)


@pytest.mark.parametrize(
    "sizes", [(1, 1, 1, 1, 1, 1, 1, 1, 1), (3, 1, 2, 2, 3, 1, 3, 3, 2), (0, 2, 0, 2, 2, 2, 1, 0, 2)]
)
def test_as_many_patterns_cross_as_are_spent(sizes: Block) -> None:
    budgets = [0.15 * share**2 for share in SHARES]
    crossed = crossed_mid = gained = 0
    for pattern in signs(len(sizes)):
        values = tuple(int(value) for value in pattern * np.array(sizes))
        found = looks((values[:3], values[3:6], values[6:]), budgets)
        early = any(look.is_loss for look in found[:-1])
        crossed += early or found[-1].is_loss
        crossed_mid += early or found[-1].is_loss_mid
        gained += any(look.is_gain for look in found)
    spent = followed((sizes[:3], sizes[3:6], sizes[6:]), budgets)[-1]

    assert crossed == gained == spent * 512
    assert crossed <= crossed_mid
    assert crossed <= 0.15 * 512


@pytest.mark.parametrize(("margin", "expected"), [(0.0, "regression"), (0.2, "improved")])
def test_not_too_many_sign_patterns_bring_a_claim(margin: float, expected: str) -> None:
    # 36 examples of 0/1 scores, of which 9 differ: all 512 ways in which they can.
    gate = SequentialRegression(36, margin=margin, seed=5)
    differing = [gate.order[place] for place in (0, 3, 8, 11, 12, 20, 25, 30, 33)]
    found = dict.fromkeys(Verdict, 0)
    for pattern in signs(9):
        base, candidate = np.zeros((36, 1)), np.zeros((36, 1))
        base[differing, 0], candidate[differing, 0] = pattern < 0, pattern > 0
        again = SequentialRegression(36, margin=margin, seed=5)
        verdicts = [again.update(base[i], candidate[i]) for i in again.order]
        found[verdicts[-1] or Verdict.INCONCLUSIVE] += 1

    assert found[Verdict(expected)] > 0
    assert found[Verdict.IMPROVED] <= 0.05 * 512
    # The last look counts half of its atom: alpha holds on average over sizes, not for each.
    assert found[Verdict.REGRESSION] <= 0.10 * 512


def test_one_look_is_the_sign_flip_test() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        values = rng.integers(-3, 4, 12)
        null = RunningNull()
        null.extend(values)
        look, fixed = null.look(0.05), sign_flip(values / 840)

        assert look.is_loss == (fixed.worse <= 0.05)
        assert look.is_loss_mid == (fixed.worse_mid <= 0.05)
        assert look.is_gain == (fixed.better <= 0.05)


@given(st.integers(0, 40), st.integers(0, 40))
def test_one_look_at_single_trials_agrees_with_scipys_binomial(wins: int, losses: int) -> None:
    null = RunningNull()
    null.extend(np.array([1] * wins + [-1] * losses, dtype=np.int64))
    tail = binom.sf(losses - 1, wins + losses, 0.5)

    assert null.look(0.05).is_loss == (tail <= 0.05)


@pytest.mark.parametrize(("wins", "losses"), [(0, 4), (0, 5), (1, 7), (4, 12), (4, 13), (20, 33)])
def test_one_look_agrees_with_mcnemars_test_of_statsmodels(wins: int, losses: int) -> None:
    null = RunningNull()
    null.extend(np.array([1] * wins + [-1] * losses, dtype=np.int64))
    two_sided = mcnemar([[0, wins], [losses, 0]], exact=True).pvalue

    assert null.look(0.05).is_loss == (two_sided / 2 <= 0.05)


def test_one_look_agrees_with_scipys_permutation_test() -> None:
    rng = np.random.default_rng(8)
    for _ in range(20):
        values = rng.integers(-3, 3, 9)
        null = RunningNull()
        null.extend(values)
        theirs = permutation_test(
            (values,), np.sum, permutation_type="samples", alternative="less", n_resamples=2**9
        )

        assert null.look(0.10).is_loss == (theirs.pvalue <= 0.10)


@given(st.lists(st.integers(-3, 3), min_size=3, max_size=12), st.data())
def test_left_out_looks_are_harmless(values: list[int], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(values)), max_size=4)) | {len(values)})
    blocks = [tuple(values[a:b]) for a, b in zip([0, *cuts], cuts, strict=False)]
    budgets = [0.2 * (cut / len(values)) ** 2 for cut in cuts]

    spent = followed(blocks, budgets)
    assert all(used <= budget + 1e-12 for used, budget in zip(spent, budgets, strict=True))


@given(st.lists(st.lists(st.integers(-6, 6), max_size=8), min_size=1, max_size=4))
def test_swapping_the_arms_mirrors_every_look(drawn: list[list[int]]) -> None:
    blocks = [tuple(block) for block in drawn]
    budgets = [0.2 * ((k + 1) / len(blocks)) ** 2 for k in range(len(blocks))]
    mirrored = [tuple(-value for value in block) for block in blocks]

    for look, other in zip(looks(blocks, budgets), looks(mirrored, budgets), strict=True):
        assert (look.is_loss, look.is_gain) == (other.is_gain, other.is_loss)


@given(
    st.lists(st.lists(st.integers(-6, 6), max_size=8), min_size=1, max_size=3),
    st.integers(0, 5),
    st.integers(1, 7),
)
def test_ties_and_the_unit_of_the_lattice_change_nothing(
    drawn: list[list[int]], ties: int, unit: int
) -> None:
    budgets = [0.2 * ((k + 1) / len(drawn)) ** 2 for k in range(len(drawn))]
    plain = [tuple(block) for block in drawn]
    other = [(0,) * ties + tuple(unit * value for value in block) for block in drawn]

    assert looks(plain, budgets) == looks(other, budgets)


def test_a_wide_lattice_is_followed_where_its_mass_is() -> None:
    rng = np.random.default_rng(1)
    sizes = rng.integers(1, 840, 900)
    null = RunningNull()
    for share in (1 / 3, 2 / 3, 1.0):
        end = round(900 * share)
        null.extend(sizes[end - 300 : end] * rng.choice((-1, 1), 300))
        null.look(0.05 * share**2)

    # The lattice is fine, so next to nothing of the budget is left over.
    assert null.spent == pytest.approx(0.05, abs=1e-4)
    assert null.spent <= 0.05


def test_a_sum_beyond_all_that_is_followed_has_crossed() -> None:
    null = RunningNull()
    null.extend(-np.arange(300, 840, dtype=np.int64))

    look = null.look(0.05)
    assert look.is_loss
    assert not look.is_gain


def test_the_lattice_is_halved_for_what_is_still_to_come() -> None:
    rng = np.random.default_rng(2)
    differences = rng.uniform(-1, 1, 500)

    assert fitting_lattice(differences, None, 840) == 840
    assert fitting_lattice(differences, None, 840, growth=400) < 840
    assert fitting_lattice(np.repeat([1.0, -1.0], 250), None, 840, growth=400) == 840


def test_a_sequential_promotion_promotes_on_a_subset_of_what_the_fixed_one_does() -> None:
    rng = np.random.default_rng(6)
    both = only_fixed = 0
    for _ in range(150):
        chance = rng.beta(0.4, 0.1, 60)
        base = (rng.random((60, 1)) < chance[:, np.newaxis]).astype(float)
        candidate = (rng.random((60, 1)) < (chance + 0.12)[:, np.newaxis]).astype(float)
        gate = SequentialPromotion(60, seed=1)
        for example in gate.order:
            gate.update(base[example], candidate[example])
        fixed, verdict = promotion(base, candidate).verdict, gate.decision().verdict
        both += fixed == verdict == "promote"
        only_fixed += fixed != verdict
        assert not (verdict == "promote" and fixed == "hold")

    assert both >= 15
    assert only_fixed <= 5
