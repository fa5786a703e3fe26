"""Owns the keys of the policies in the config: spend caps and gate."""

from __future__ import annotations

from gepa_ci.config.guard_keys import GUARDS, distinct_guards
from gepa_ci.config.leaves import choice, either, flag, integer, number
from gepa_ci.config.records import Fields, Key, Record
from gepa_ci.core.config import (
    AUTO,
    GatePolicy,
    OnInconclusive,
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
