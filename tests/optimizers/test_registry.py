"""Tests of gepa_ci.optimizers.registry."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fakes import prompt
from optimizer_world import World

from gepa_ci.config.optimizer_keys import OPTIMIZERS
from gepa_ci.core.config import OptimizePolicy, Proposer
from gepa_ci.core.prompt import PromptSet
from gepa_ci.errors import ConfigError
from gepa_ci.optimizers.registry import (
    BUILT_IN,
    DEMOS,
    TEXTS,
    changes,
    components,
    optimizer,
    reflects,
)

if TYPE_CHECKING:
    from gepa_ci.core.prompt import ComponentKind

CHAIN = {"strategy": "labeled_few_shot -> copro"}


def policy(name: str, **options: object) -> OptimizePolicy:
    return OptimizePolicy(optimizer=name, options=options)  # type: ignore[arg-type]


def test_the_config_knows_each_optimizer_and_no_other() -> None:
    assert set(BUILT_IN) == set(OPTIMIZERS)


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_optimizer_is_where_it_is_said_to_be(name: str) -> None:
    assert callable(optimizer(name))


def test_an_unknown_optimizer_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="unknown optimizer 'hill'") as raised:
        World("hill").run()

    assert "gepa, dspy_gepa, miprov2" in (raised.value.problems[0].hint or "")


def test_every_library_that_is_needed_has_an_extra() -> None:
    assert [e.extra for e in BUILT_IN.values() if e.package] == ["mipro"]
    assert importlib.util.find_spec("optuna") is not None


@pytest.mark.parametrize(
    ("chosen", "kinds"),
    [
        (policy("gepa"), TEXTS),
        (policy("labeled_few_shot"), DEMOS),
        (policy("miprov2"), TEXTS),
        (policy("miprov2", max_labeled_demos=2), TEXTS | DEMOS),
        (policy("infer_rules", max_bootstrapped_demos=1), TEXTS | DEMOS),
        (policy("simba"), TEXTS),
        (policy("simba", max_demos=2), TEXTS | DEMOS),
        (policy("better_together", **CHAIN), TEXTS | DEMOS),
        (policy("from_outside"), TEXTS),
    ],
)
def test_an_optimizer_says_what_it_changes(
    chosen: OptimizePolicy, kinds: frozenset[ComponentKind]
) -> None:
    assert changes(chosen) == kinds


@pytest.mark.parametrize(
    ("chosen", "asks"),
    [
        (policy("gepa"), True),
        (OptimizePolicy(proposer=Proposer.EXAMPLES), False),
        (policy("copro"), True),
        (policy("bootstrap_few_shot"), False),
        (policy("better_together", **CHAIN), True),
        (policy("better_together", strategy="labeled_few_shot"), False),
        (policy("from_outside"), False),
    ],
)
def test_an_optimizer_says_whether_it_asks_a_reflection_lm(
    chosen: OptimizePolicy, asks: bool
) -> None:
    assert reflects(chosen) is asks


def test_an_optimizer_changes_what_it_can_of_what_it_may() -> None:
    file = prompt()
    two = PromptSet(files=(prompt(path="a.prompt.yml"), prompt(path="b.prompt.yml")))

    assert components(policy("copro"), file) == ("system",)
    assert components(policy("labeled_few_shot"), file) == ("demos",)
    assert components(policy("labeled_few_shot"), two) == ()
    assert components(policy("simba", max_demos=1), file) == ("system", "demos")
    assert components(policy("simba"), two) == ("a.system", "b.system")
    assert components(replace(policy("simba"), components=("user",)), file) == ()
