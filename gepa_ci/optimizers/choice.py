"""Owns `optimizer: auto`: which optimizer suits what there is, and why."""

from __future__ import annotations

from dataclasses import dataclass

_MANY = 50
"""Train examples from which a search over instructions by score alone pays."""
_SOME = 8
"""Train examples from which there are several sets of demos to choose among."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the choice depends on."""

    feedback: bool
    """Whether the metric says why an output is wrong."""
    labelled: int
    """Train examples with a label."""
    train: int
    holds_demos: bool
    """Whether the prompt file can hold examples."""
    dspy: bool
    """Whether the program is a DSPy module."""
    reflection: bool
    """Whether the config names a reflection LM."""
    has_optuna: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """An optimizer, and why it."""

    name: str
    why: str
    """A finished sentence."""


def choose(at: Situation) -> Choice:
    """Return the optimizer that suits a situation."""
    if not at.reflection:
        return _without_reflection(at)
    if at.feedback and at.dspy:
        return Choice(
            "gepa",
            "GEPA, as the metric gives feedback, and it can be shown each predictor's own steps.",
        )
    if at.feedback:
        return Choice("gepa", "GEPA, as the metric gives feedback that a reflection LM can use.")
    if at.labelled >= _SOME:
        return Choice(
            "infer_rules",
            f"InferRules, as the metric gives a bare score and {at.labelled} train examples have "
            "labels to read rules off.",
        )
    if at.train >= _MANY and at.has_optuna:
        return Choice(
            "miprov2",
            f"MIPROv2, as the metric gives a bare score and {at.train} train examples are enough "
            "to tell instructions apart by it.",
        )
    return Choice(
        "copro",
        "COPRO, as the metric gives a bare score, labels are few, and COPRO needs only scores.",
    )


def _without_reflection(at: Situation) -> Choice:
    none = "no reflection LM is configured"
    if not at.holds_demos:
        return Choice(
            "gepa",
            f"GEPA, although {none}: the prompt file cannot hold examples, and there is no other "
            "way to change it than to have its text rewritten.",
        )
    if at.labelled == 0:
        return Choice(
            "bootstrap_few_shot",
            f"BootstrapFewShot, as {none}, and without labels only outputs that the metric finds "
            "right can be examples in the prompt.",
        )
    if at.labelled < _SOME:
        return Choice(
            "labeled_few_shot",
            f"LabeledFewShot, as {none}, and {at.labelled} labelled train examples leave nothing "
            "to search.",
        )
    return Choice(
        "bootstrap_random_search",
        f"BootstrapFewShot with random search, as {none}, and {at.labelled} labelled train "
        "examples can stand in the prompt.",
    )
