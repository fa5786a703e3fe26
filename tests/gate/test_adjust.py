"""Tests of gepa_ci.gate.adjust against statsmodels."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from gepa_ci.gate.adjust import benjamini_hochberg, holm

# Its first call imports much, which is not the time of a test.
multipletests([0.5], method="holm")

P_VALUES = st.lists(st.floats(0.0, 1.0) | st.sampled_from([0.0, 0.01, 0.5, 1.0]), min_size=1)


@settings(max_examples=50, deadline=None)
@given(P_VALUES)
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    expected = multipletests(p_values, method="holm")[1]

    assert holm(p_values) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(P_VALUES)
def test_benjamini_hochberg_agrees_with_statsmodels(p_values: list[float]) -> None:
    expected = multipletests(p_values, method="fdr_bh")[1]

    assert benjamini_hochberg(p_values) == pytest.approx(expected, abs=1e-12)


def test_one_claim_is_not_adjusted() -> None:
    assert holm([0.03]) == benjamini_hochberg([0.03]) == [0.03]


def test_nothing_is_adjusted_to_nothing() -> None:
    assert holm([]) == benjamini_hochberg([]) == []
