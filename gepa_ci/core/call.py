"""Owns one model call and its reply as values, and the digest that makes equal calls equal."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from gepa_ci.core.digests import digest

if TYPE_CHECKING:
    from gepa_ci.core.config import ModelSpec
    from gepa_ci.core.prompt import Message
    from gepa_ci.core.score import ModelFailure
    from gepa_ci.core.values import JSON


class Purpose(StrEnum):
    """Why a model is called; spend is reported by it."""

    TASK = "task"
    REFLECTION = "reflection"
    JUDGE = "judge"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request to a model, complete with everything that can change the answer."""

    spec: ModelSpec
    messages: tuple[Message, ...]
    trial: int = 0
    """Equal requests with other trial numbers are independent calls."""
    purpose: Purpose = Purpose.TASK

    @cached_property
    def body(self) -> dict[str, JSON]:
        """Return the request as the OpenAI chat shape has it: what goes over the wire."""
        messages: list[JSON] = [{"role": m.role, "content": m.content} for m in self.messages]
        return {"model": self.spec.model, "messages": messages, **self.spec.parameters}

    @cached_property
    def digest(self) -> str:
        """Return the key of the call: the whole request, where it goes, and the trial number."""
        return digest({"body": self.body, "api_base": self.spec.api_base, "trial": self.trial})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a model answered."""

    text: str
    failure: ModelFailure | None = None
    """How the model failed, if it did; a reply all the same, and paid for."""
    detail: str = ""
    """One sentence about the failure."""
    input_tokens: int = 0
    output_tokens: int = 0
    model: str = ""
    """Model name as the provider reports it."""
    usd: float | None = None
    """Price of the call when it was made; None when the price is unknown."""
    cached: bool = False
    """Whether the answer came from the response cache."""
    seconds: float | None = field(default=None, compare=False)
    """Wall time on the wire; None for an answer from the cache."""
