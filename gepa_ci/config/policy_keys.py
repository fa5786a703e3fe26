"""Owns the keys of the policies in the config: spend caps, gate and optimize."""

from __future__ import annotations

from gepa_ci.config.guard_keys import GUARDS, distinct_guards
from gepa_ci.config.leaves import choice, either, flag, integer, number, text
from gepa_ci.config.records import Fields, Key, Record
from gepa_ci.config.shapes import Listing
from gepa_ci.core.config import (
    AUTO,
    Budget,
    GatePolicy,
    OnInconclusive,
    OptimizePolicy,
    Proposer,
    SpendCaps,
)
from gepa_ci.core.ledger import LedgerMode, LedgerPolicy

SPEND = Record(
    about="spend",
    of=SpendCaps,
    build=lambda found: SpendCaps(**found.values),
    misnomers={"dollars": "did you mean 'usd'?", "hours": "did you mean 'minutes'?"},
    keys=(
        Key("usd", number(0, 1_000_000, above=True), "Most dollars of one run."),
        Key("calls", integer(1), "Most requests to providers in one run, retries included."),
        Key("tokens", integer(1, 10**12), "Most input and output tokens of one run, together."),
        Key("minutes", number(0, 100_000, above=True), "Longest wall time of one run."),
    ),
)


def _ledger(found: Fields) -> LedgerPolicy:
    values = dict(found.values)
    if "mode" in values:
        values["mode"] = LedgerMode(values["mode"])
    return LedgerPolicy(**values)


LEDGER = Record(
    about="ledger",
    of=LedgerPolicy,
    build=_ledger,
    misnomers={"alpha": "give 'confidence' of the gate, which is 1 - alpha"},
    keys=(
        Key(
            "mode",
            choice(*(item.value for item in LedgerMode)),
            "How the levels of successive confirm tests are set.",
        ),
        Key(
            "budget",
            number(0, 100, above=True),
            "Expected false promotions that one version of the held-out examples may see, in mode "
            "`budget`.",
        ),
        Key("refresh_days", integer(1, 10_000), "Age from which held-out examples are worn out."),
        Key(
            "refresh_promotions",
            integer(1, 10_000),
            "Promotions after which held-out examples are worn out.",
        ),
    ),
)


def _gate(found: Fields) -> GatePolicy:
    values = dict(found.values)
    if "on_inconclusive" in values:
        values["on_inconclusive"] = OnInconclusive(values["on_inconclusive"])
    return GatePolicy(**values)


GATE = Record(
    about="gate",
    of=GatePolicy,
    build=_gate,
    rules=(distinct_guards,),
    misnomers={
        "alpha": "give 'confidence', which is 1 - alpha",
        "metrics": "did you mean 'guards'?",
    },
    keys=(
        Key(
            "margin",
            either(number(0, 1, above=True, below=True), choice(AUTO)),
            "Loss of mean score that the team tolerates, or `auto`.",
        ),
        Key(
            "confidence",
            number(0.5, 1, above=True, below=True),
            "1 - alpha of each one-sided test.",
        ),
        Key(
            "trials",
            either(integer(1, 32), choice(AUTO)),
            "Trials per example, or `auto`: 3 below 200 examples, else 1.",
        ),
        Key(
            "on_inconclusive",
            choice(*(item.value for item in OnInconclusive)),
            "Whether an inconclusive gate warns or fails the job.",
        ),
        Key(
            "min_gain",
            number(0, 1, below=True),
            "Smallest gain in mean score that is worth a promotion.",
        ),
        Key(
            "sequential",
            flag(),
            "Whether to look at the scores on the way and stop once the verdict is decided.",
        ),
        Key("guards", GUARDS, "What else must not get worse: metrics and measures."),
        Key("ledger", LEDGER, "How often the held-out examples may be asked."),
    ),
)

_BUDGETS = ("auto", "max_metric_calls", "max_full_evals")


def _optimize(found: Fields) -> OptimizePolicy:
    values = dict(found.values)
    if "proposer" in values:
        values["proposer"] = Proposer(values["proposer"])
    if "auto" in values:
        values["auto"] = Budget(values["auto"])
    elif any(name in values for name in _BUDGETS):
        values["auto"] = None
    return OptimizePolicy(**values)


OPTIMIZE = Record(
    about="optimize",
    of=OptimizePolicy,
    build=_optimize,
    exclusive=(_BUDGETS,),
    misnomers={"budget": "give one of auto, max_metric_calls and max_full_evals"},
    keys=(
        Key("optimizer", choice("gepa"), "Name of the optimizer."),
        Key(
            "proposer",
            choice(*(item.value for item in Proposer)),
            "Where new candidates come from: a reflection LM, or failed train examples as turns.",
        ),
        Key("auto", choice(*(item.value for item in Budget)), "A named budget."),
        Key("max_metric_calls", integer(1), "Budget in evaluations of one example."),
        Key("max_full_evals", integer(1, 1_000_000), "Budget in evaluations of train and val."),
        Key("reflection_minibatch_size", integer(1, 1000), "Train examples per proposal."),
        Key(
            "candidate_selection_strategy",
            choice("pareto", "current_best", "epsilon_greedy", "top_k_pareto"),
            "Which candidate the next proposal starts from.",
        ),
        Key(
            "frontier_type",
            choice("instance", "objective", "hybrid", "cartesian"),
            "What the Pareto frontier is made of.",
        ),
        Key(
            "component_selector",
            choice("round_robin", "all"),
            "Which components a proposal changes.",
        ),
        Key(
            "acceptance",
            choice("strict_improvement", "improvement_or_equal"),
            "When a proposal is good enough on its minibatch to go on to val.",
        ),
        Key(
            "selection_strategy",
            choice("combined", "all_improvements", "best_improvement"),
            "Which proposals of a round go on to val: those that gained, put together in one "
            "candidate, and the best of them beside it; all that gained; or the best.",
        ),
        Key("proposals", integer(1, 256), "Proposals made side by side in a round."),
        Key("skip_perfect_score", flag(), "Whether to skip minibatches that are all right."),
        Key("use_merge", flag(), "Whether to merge good candidates."),
        Key("max_merge_invocations", integer(0, 10_000), "Most merges."),
        Key(
            "stop_at_score",
            number(0, 1, above=True),
            "Stop when the best val mean reaches this.",
        ),
        Key(
            "stop_without_improvement",
            integer(1, 1_000_000),
            "Stop after so many rounds without a better candidate.",
        ),
        Key(
            "components",
            Listing(text("the name of a component", r"^\S+$")),
            "Names of the components that may change.",
        ),
        Key("max_chars", integer(1), "Longest text of one component."),
        Key("max_demos", integer(0, 1000), "Most examples as turns that are added."),
        Key("seed", integer(0, 2**32 - 1), "Seed of every random choice."),
    ),
)
