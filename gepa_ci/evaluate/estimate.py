"""Owns what an evaluation would cost, worked out from its calls without making one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.core.suite import HeldOutSet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.call import Call
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.suite import Example
    from gepa_ci.lm.client import LMClient
    from gepa_ci.programs import Program

# English text has about four characters a token; a short answer about this many tokens.
_CHARS_PER_TOKEN, _ANSWER_TOKENS, _MESSAGE_TOKENS = 4, 256, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """So many calls, of which so many are answered from the cache; tokens and dollars roughly."""

    calls: int = 0
    """All calls, cached ones included."""
    cached_calls: int = 0
    input_tokens: int = 0
    """Of the calls that are not cached."""
    output_tokens: int = 0
    usd: float | None = 0.0
    """None when the price of a model is unknown."""

    @property
    def new_calls(self) -> int:
        """Return the calls that would go out."""
        return self.calls - self.cached_calls

    def __add__(self, other: Estimate) -> Estimate:
        """Add two estimates; an unknown price stays unknown."""
        usd = None if self.usd is None or other.usd is None else self.usd + other.usd
        return Estimate(
            calls=self.calls + other.calls,
            cached_calls=self.cached_calls + other.cached_calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            usd=usd,
        )

    def scaled(self, factor: float) -> Estimate:
        """Return the cost of so many times as much."""
        return Estimate(
            calls=round(self.calls * factor),
            cached_calls=round(self.cached_calls * factor),
            input_tokens=round(self.input_tokens * factor),
            output_tokens=round(self.output_tokens * factor),
            usd=None if self.usd is None else self.usd * factor,
        )


def estimate_call(client: LMClient, call: Call) -> Estimate:
    """Return what one call would cost if it went out."""
    facts = client.facts(call.spec)
    sent = sum(len(m.content) // _CHARS_PER_TOKEN + _MESSAGE_TOKENS for m in call.messages)
    wanted = call.spec.parameters.get("max_tokens")
    received = min(_ANSWER_TOKENS, wanted) if isinstance(wanted, int) else _ANSWER_TOKENS
    usd = None if facts.price is None else facts.price.usd(sent, received)
    return Estimate(calls=1, input_tokens=sent, output_tokens=received, usd=usd)


def estimate(
    client: LMClient,
    program: Program,
    prompts: Sequence[Prompts],
    examples: HeldOutSet | Sequence[Example],
    trials: range,
    *,
    cached: bool = True,
    usual: Estimate | None = None,
) -> Estimate:
    """Return what running prompts on examples for some trials would cost.

    Args:
        client: Knows prices, and what is cached.
        program: What runs the prompts.
        prompts: Prompt files, one or several of a task, for each arm.
        examples: What they are run on.
        trials: Numbers of the trials.
        cached: False to reckon as if the response cache were empty.
        usual: What one run costs where only running the program tells; one call when left out.
    """
    rows = examples.examples if isinstance(examples, HeldOutSet) else examples
    total = Estimate()
    for prompt in prompts:
        for example in rows:
            for trial in trials:
                calls = program.calls(prompt, example, trial)
                if calls is None:
                    total += usual or Estimate(calls=1, usd=None)
                for call in calls or ():
                    if cached and client.is_cached(call):
                        total += Estimate(calls=1, cached_calls=1)
                    else:
                        total += estimate_call(client, call)
    return total
