from __future__ import annotations

from typing import Any

import pytest

from gepa_ci.core.config import Split
from gepa_ci.core.suite import Example, Part
from gepa_ci.suites.normal import comparable_text, hashed_part, input_digest


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"a": " x\n y "}, {"a": "x y"}),
        ({"a": "e\u0301"}, {"a": "\u00e9"}),
        ({"a": 1.0, "b": 2}, {"b": 2, "a": 1}),
        ({"a": ["x ", {"y": None}]}, {"a": ["x", {"y": None}]}),
    ],
)
def test_inputs_that_say_the_same_are_the_same(one: dict[str, object], two: object) -> None:
    assert input_digest(one) == input_digest(two)  # type: ignore[arg-type]


@pytest.mark.parametrize("other", [{"a": "X"}, {"b": "x"}, {"a": "x", "b": ""}, {"a": ["x"]}])
def test_inputs_that_differ_otherwise_are_different(other: dict[str, object]) -> None:
    assert input_digest({"a": "x"}) != input_digest(other)  # type: ignore[arg-type]


def test_the_text_to_compare_holds_the_values_in_the_order_of_their_names() -> None:
    inputs: dict[str, Any] = {"b": ["y", {"z": None, "a": 2}], "a": " x  x ", "c": True}

    assert comparable_text(inputs) == "x x y 2 true"


def test_the_place_of_an_example_never_changes() -> None:
    # Literal values: a change of the hash would move every user's held-out examples.
    split = Split()
    places = {
        text: hashed_part(
            Example(id="x", inputs={"input": text}), input_digest({"input": text}), split
        )
        for text in ("a", "b", "c", "d", "e", "f")
    }

    assert places == PLACES


PLACES = {
    "a": Part.TRAIN,
    "b": Part.TRAIN,
    "c": Part.TRAIN,
    "d": Part.HELD_OUT,
    "e": Part.HELD_OUT,
    "f": Part.HELD_OUT,
}
