"""Owns what is said of a judge that measures as it did when it was calibrated, or does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gepa_ci.core.judging import Anchors
    from gepa_ci.judging.anchor_test import AnchorTest


def other_judge(anchors: Anchors, model: str) -> str:
    """Say that a judge is not the one that its anchors are of."""
    what = (
        f"its model is '{model}', not '{anchors.model}'"
        if model != anchors.model
        else "its rubric, scale or parameters have changed"
    )
    return (
        f"The ruler changed: the judge is not the one that was calibrated on {anchors.at[:10]}, "
        f"as {what}."
    )


def moved(anchors: Anchors, test: AnchorTest, model: str) -> str:
    """Say how the scores of anchors have moved."""
    if test.has_shifted:
        more = "more" if test.shift > 0 else "less"
        how = f"on average they now get {abs(test.shift):.2g} points {more}"
        p = test.shift_p
    else:
        how = f"some now get more and some less, by {test.spread:.2g} points beyond its own noise"
        p = test.spread_p
    return (
        f"The ruler changed: the judge '{model}' does not score its {test.n} anchors as when it "
        f"was calibrated on {anchors.at[:10]}; {how} (p = {p:.2g}). Its scores say nothing about "
        "the prompts."
    )


def unmoved(anchors: Anchors, test: AnchorTest) -> str:
    """Say that the scores of anchors have not moved."""
    return (
        f"The judge scores its {test.n} anchors as it did on {anchors.at[:10]}: "
        f"{test.shift:+.2g} points on average."
    )


def again(anchors: Anchors, task: str) -> str:
    """Say what to do about a ruler that changed."""
    return (
        f"Calibrate it again (gepa-ci judge calibrate {task} --labels FILE --write-anchors "
        f"{anchors.path}) and commit that file."
    )
