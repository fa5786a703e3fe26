"""Tests of gepa_ci.evaluate.estimate."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fakes import SPEC, client, examples, prompt
from hypothesis import given, settings
from hypothesis import strategies as st

from gepa_ci.core.spend import Price
from gepa_ci.core.suite import HeldOutSet
from gepa_ci.evaluate.estimate import Estimate, estimate, estimate_call
from gepa_ci.programs import ChatProgram

if TYPE_CHECKING:
    from pathlib import Path

    from gepa_ci.core.config import ModelSpec

PRICED = replace(SPEC, price=Price(input=1.0, output=2.0), parameters={"max_tokens": 100})


def cost(spec: ModelSpec = PRICED, *, count: int = 2, trials: int = 3) -> Estimate:
    lm = client(lambda call: "")
    program = ChatProgram(client=lm, model=spec)
    arms = (prompt("base"), prompt("head"))
    return estimate(lm, program, arms, HeldOutSet(examples=examples(count)), range(trials))


def test_calls_are_prompts_times_examples_times_trials() -> None:
    found = cost()

    assert found.calls == found.new_calls == 12
    assert found.cached_calls == 0


def test_tokens_are_a_quarter_of_the_characters_and_the_longest_answer() -> None:
    found = cost()

    # "base" or "head" is 1 token and "letter e0 about 0" is 4, each with 4 for the message.
    assert found.input_tokens == 12 * (1 + 4 + 4 + 4)
    assert found.output_tokens == 12 * 100
    assert found.usd is not None
    assert round(found.usd * 1_000_000) == found.input_tokens + 2 * found.output_tokens


def test_a_long_or_unknown_limit_of_the_answer_counts_as_a_short_answer() -> None:
    assert cost(replace(PRICED, parameters={"max_tokens": 9000})).output_tokens == 12 * 256
    assert cost(SPEC).output_tokens == 12 * 256


def test_an_unknown_price_stays_unknown() -> None:
    assert cost(SPEC).usd is None
    assert (cost(SPEC) + cost()).usd is None
    assert cost(SPEC).scaled(2).usd is None


def test_a_call_that_is_cached_costs_nothing_unless_the_cache_is_left_out(tmp_path: Path) -> None:
    lm = client(lambda call: "", cache=tmp_path / "c.sqlite")
    program = ChatProgram(client=lm, model=PRICED)
    rows = examples(3)
    program.run(prompt(), rows[1], 0)

    found = estimate(lm, program, (prompt(),), rows, range(1))
    blind = estimate(lm, program, (prompt(),), rows, range(1), cached=False)
    one = estimate_call(lm, program.call(prompt(), rows[0], 0))
    lm.close()

    assert (found.calls, found.cached_calls, found.new_calls) == (3, 1, 2)
    assert found.input_tokens == 2 * one.input_tokens
    assert (blind.calls, blind.cached_calls) == (3, 0)


COUNTS = st.integers(0, 10**6)
ESTIMATES = st.builds(
    Estimate,
    calls=COUNTS,
    cached_calls=COUNTS,
    input_tokens=COUNTS,
    output_tokens=COUNTS,
    usd=st.none() | st.integers(0, 1000).map(float),
)


@settings(deadline=None)
@given(ESTIMATES, ESTIMATES)
def test_adding_does_not_depend_on_the_order(one: Estimate, other: Estimate) -> None:
    assert one + other == other + one
    assert one + Estimate() == one


@settings(deadline=None)
@given(ESTIMATES)
def test_twice_as_much_is_the_same_twice(one: Estimate) -> None:
    assert one.scaled(2) == one + one
    assert one.scaled(1) == one
