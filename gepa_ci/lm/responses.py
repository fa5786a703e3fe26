"""Owns what a provider's response means: a text, a failure of the model's own, or no answer."""

from __future__ import annotations

from typing import Any

from gepa_ci.core.call import Reply
from gepa_ci.core.score import ModelFailure
from gepa_ci.lm.failures import Transient


def reply_of(response: Any) -> Reply:
    """Read a response of lm15, which `dspy.LM` returns too; Transient when it answers nothing."""
    usage = response.usage
    refusals = [part.text for part in response.message.parts if part.type == "refusal"]
    text = response.text or ""
    failure: ModelFailure | None = None
    detail = ""
    if refusals:
        failure, detail, text = (
            ModelFailure.REFUSAL,
            "the model refused to answer",
            "".join(refusals),
        )
    elif response.finish_reason == "content_filter":
        failure, detail = ModelFailure.CONTENT_FILTER, "the provider's content filter stopped it"
    elif response.finish_reason == "length":
        failure, detail = ModelFailure.TRUNCATED, "the answer was cut off at max_tokens"
    elif not text and response.id is None and usage.output_tokens is None:
        # JSON, but of nobody's making: a proxy's `{}`. An empty answer has an id or a usage.
        raise Transient("the answer has no content, no id and no usage")
    elif not text:
        failure, detail = ModelFailure.EMPTY, "the model answered with nothing"
    return Reply(
        text=text,
        failure=failure,
        detail=detail,
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        model=response.model,
    )
