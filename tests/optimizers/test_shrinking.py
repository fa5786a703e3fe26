"""Tests of gepa_ci.optimizers.shrinking, on parts that are only numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gepa_ci.optimizers.shrinking import MARGIN, Block, Shrinking, falls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gepa_ci.optimizers.shrinking import Test

EXAMPLES = tuple(f"v{number}" for number in range(12))


def halves(block: Block) -> list[Block]:
    middle = len(block.parts) // 2
    sides = (block.parts[:middle], block.parts[middle:]) if middle else ()
    return [Block(parts=side, witnesses=block.witnesses) for side in sides]


def proved(
    needed: dict[str, int],
    *,
    refused: Callable[[frozenset[int]], bool] = lambda removed: False,
    room: int = 10_000,
    trials: int | None = None,
) -> frozenset[int]:
    """Return which of 8 parts can go, where an example needs the part of its name."""
    left = [room]

    def ask(tests: Sequence[Test], *, trials: int) -> list[list[float] | None]:
        left[0] -= trials * sum(len(examples) for _, examples in tests)
        assert left[0] >= 0
        return [
            None
            if refused(removed)
            else [float(needed.get(e, -1) not in removed) for e in examples]
            for removed, examples in tests
        ]

    shrinking = Shrinking(
        reference=dict.fromkeys(EXAMPLES, 1.0),
        ask=ask,
        room=lambda: left[0],
        split=halves,
        trials=trials,
    )
    shrinking.run(halves(Block(parts=tuple(range(8)), witnesses=tuple(needed))))
    return shrinking.proved


@pytest.mark.parametrize("trials", [None, 2])
def test_all_goes_but_what_is_needed(trials: int | None) -> None:
    needed = {"v0": 3, "v1": 3, "v2": 3, "v3": 5, "v4": 5, "v5": 5}

    assert proved(needed, trials=trials) == {0, 1, 2, 4, 6, 7}


def test_a_block_that_is_refused_is_tried_in_smaller_ones() -> None:
    assert proved({"v0": 3}, refused=lambda removed: len(removed) == 2) == {0, 1, 2, 4, 5, 6, 7}


def test_parts_that_are_refused_together_go_alone() -> None:
    found = proved({"v0": 3}, refused=lambda removed: {0, 7} <= removed)

    assert found in ({0, 1, 2, 4, 5, 6}, {1, 2, 4, 5, 6, 7})


@pytest.mark.parametrize("room", range(0, 60, 3))
def test_what_does_not_fit_is_not_asked(room: int) -> None:
    assert 3 not in proved({"v0": 3}, room=room)


@pytest.mark.parametrize(
    ("differences", "errors", "expected"),
    [
        ([], 1.0, False),
        ([-1.0], 1.0, True),
        ([0.0] * 9 + [-1.0], 0.0, True),
        ([0.0, 1.0, -1.0], 0.0, False),
        ([0.0] * 99 + [-1.0], 1.0, False),
        ([0.0] * 98 + [-1.0] * 2, 1.0, True),
        ([0.0] * 9 + [-1.0], 1.0, True),
    ],
    ids=[
        "none",
        "one",
        "any loss",
        "as many gains",
        "one of 100",
        "two of 100",
        "above the margin",
    ],
)
def test_a_loss_beyond_noise_or_the_margin_is_one(
    differences: list[float], errors: float, expected: bool
) -> None:
    assert falls(differences, errors=errors, most=MARGIN) is expected
