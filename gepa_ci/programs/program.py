"""Owns what a program is: what turns the prompts of a task and an example into an output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.call import Call
    from gepa_ci.core.config import ModelSpec
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.score import Output
    from gepa_ci.core.spend import Price
    from gepa_ci.core.suite import Example
    from gepa_ci.lm.client import LMClient


class Program(Protocol):
    """Runs trials of examples; safe to use from many threads."""

    @property
    def digest(self) -> str:
        """Changes when what the program does changes, its prompts left aside."""

    def model(self, prompts: Prompts) -> ModelSpec | None:
        """Return the one model that the prompts run with; None when there is no one model."""

    def price(self, prompts: Prompts) -> Price | None:
        """Return the price of that model; None when it is not known."""

    def calls(self, prompts: Prompts, example: Example, trial: int) -> tuple[Call, ...] | None:
        """Return the calls that a trial makes; None when only running it tells."""

    def run(self, prompts: Prompts, example: Example, trial: int) -> Output:
        """Run one trial of one example.

        Raises:
            LMError: a model could not be reached, whatever the program made of that.
            SpendError: a cap has no room for a call.
            ProgramError: the program is broken.
        """

    def check(self, prompts: Prompts, examples: Sequence[Example]) -> list[str]:
        """Return finished sentences about what looks wrong, without a model.

        Raises:
            ConfigError: with all problems.
        """

    def bound(self, client: LMClient) -> Program:
        """Return the program with a client; before, it can be checked but not run."""

    def close(self) -> None:
        """End what the program has started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input or output of a predictor."""

    name: str
    description: str
    """As in its signature; empty when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """One predictor of a DSPy module."""

    name: str
    """As `named_predictors` has it."""
    instructions: str
    """Of its signature, with the prompts put in."""
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]
