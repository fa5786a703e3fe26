"""Owns DSPy's optimizers that only choose demos: labelled, bootstrapped, and random search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gepa_ci.core.optimization import Origin
from gepa_ci.optimizers.dspy_search import explore

if TYPE_CHECKING:
    from gepa_ci.optimizers.dspy_bridge import Bridge
    from gepa_ci.optimizers.workbench import Workbench

_BOOTSTRAPPED = 4


def labeled(bench: Workbench) -> str:
    """Add labelled train examples, and return why the search ended."""
    return explore(bench, _labeled, name="LabeledFewShot", origin=Origin.EXAMPLES, finals=1)


def bootstrap(bench: Workbench) -> str:
    """Add train examples with right answers of the task LM, and return why the search ended."""
    return explore(bench, _bootstrap, name="BootstrapFewShot", origin=Origin.EXAMPLES, finals=1)


def random_search(bench: Workbench) -> str:
    """Try several sets of demos on val, and return why the search ended."""
    return explore(bench, _random_search, name="BootstrapRS", origin=Origin.EXAMPLES)


def _labeled(bridge: Bridge) -> Any:
    from dspy.teleprompt import LabeledFewShot

    policy = bridge.bench.search.policy
    options = dict(policy.options)
    sample = options.pop("sample", True)
    optimizer = LabeledFewShot(**{"k": policy.max_demos, **options})
    rows = bridge.labeled_rows()
    return optimizer.compile(bridge.student(), trainset=rows, sample=sample)


def _bootstrap(bridge: Bridge) -> Any:
    from dspy.teleprompt import BootstrapFewShot

    optimizer = BootstrapFewShot(metric=bridge.score, **_options(bridge))
    rows = bridge.rows(bridge.bench.search.tuning.train)
    return optimizer.compile(bridge.student(), trainset=rows)


def _random_search(bridge: Bridge) -> Any:
    from dspy.teleprompt import BootstrapFewShotWithRandomSearch

    tuning, options = bridge.bench.search.tuning, _options(bridge)
    labeled_sample = options.pop("labeled_sample", True)
    optimizer = BootstrapFewShotWithRandomSearch(metric=bridge.score, **options)
    return optimizer.compile(
        bridge.student(),
        trainset=bridge.rows(tuning.train),
        valset=bridge.rows(tuning.val),
        labeled_sample=labeled_sample,
    )


def _options(bridge: Bridge) -> dict[str, Any]:
    policy = bridge.bench.search.policy
    return {
        # What is not entirely right is no demo.
        "metric_threshold": 1.0,
        "max_labeled_demos": policy.max_demos,
        "max_bootstrapped_demos": min(_BOOTSTRAPPED, policy.max_demos),
        **policy.options,
    }
