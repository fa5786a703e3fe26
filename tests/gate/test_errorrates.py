from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact as scipy_fisher_exact

from gepa_ci.gate.errorrates import fisher_exact


@given(st.data(), st.integers(0, 60), st.integers(0, 60))
def test_p_value_is_scipys(data: st.DataObject, base: int, candidate: int) -> None:
    failed = data.draw(st.integers(0, base)), data.draw(st.integers(0, candidate))
    table = np.array([[failed[0], base - failed[0]], [failed[1], candidate - failed[1]]])

    ours = fisher_exact(failed, (base, candidate))
    assert ours == pytest.approx(float(scipy_fisher_exact(table).pvalue), rel=1e-6)


@pytest.mark.parametrize("failed", [(0, 0), (30, 40)])
def test_equal_rates_at_an_end_say_nothing(failed: tuple[int, int]) -> None:
    assert fisher_exact(failed, (30, 40)) == 1.0


def test_thousands_of_trials_do_not_overflow() -> None:
    assert fisher_exact((0, 300), (30_000, 30_000)) < 1e-60
