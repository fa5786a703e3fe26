"""Owns calls to the providers that `dspy.LM` reaches through LiteLLM."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import dspy
from dspy.lm15 import LM15Error, request_from_openai_chat

from gepa_ci.lm.provider_errors import Interpreter, Kind, ProviderError, api_key
from gepa_ci.lm.responses import reply_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.call import Call, Reply
    from gepa_ci.core.config import ModelSpec

# Subclasses stand before their parents.
_KINDS = (
    (dspy.ContextWindowExceededError, Kind.CONTEXT_LENGTH),
    (dspy.LMRateLimitError, Kind.RATE_LIMIT),
    (dspy.LMTimeoutError, Kind.TIMEOUT),
    (dspy.LMServerError, Kind.UNREACHABLE),
    (dspy.LMTransportError, Kind.UNREACHABLE),
    (dspy.LMNotConfiguredError, Kind.NO_KEY),
    (dspy.LMInvalidRequestError, Kind.INVALID_REQUEST),
    (dspy.LMAuthError, Kind.REFUSED),
    (dspy.LMBillingError, Kind.REFUSED),
    (dspy.LMConfigurationError, Kind.REFUSED),
    (dspy.LMUnsupportedFeatureError, Kind.REFUSED),
)


class LiteLLMEngine:
    """A model of LiteLLM, without DSPy's retries, cache and history around it."""

    def __init__(self, spec: ModelSpec, *, environ: Mapping[str, str]) -> None:
        """Prepare the model without a request; Refused when it cannot be used at all."""
        self._interpreter = Interpreter(spec, environ)
        # A truncated answer is an outcome that is reported; DSPy would also log it to stderr.
        for noisy in ("dspy", "LiteLLM"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        client: dict[str, Any] = {"timeout": spec.timeout, "cache": False, "num_retries": 0}
        if spec.api_base is not None:
            client["api_base"] = spec.api_base
        if key := api_key(spec, environ):
            client["api_key"] = key
        try:
            self._lm: Any = dspy.LM(spec.model, engine="litellm", **client)
        except (LM15Error, dspy.LMError, ValueError, TypeError) as error:
            raise self._interpreter.refused(_said(error)) from error

    def complete(self, call: Call) -> Reply:
        """Make one attempt."""
        body = {key: value for key, value in call.body.items() if value is not None}
        try:
            request = request_from_openai_chat(body)
        except (LM15Error, ValueError, TypeError) as error:
            raise self._interpreter.refused(_said(error)) from error
        try:
            with dspy.context(disable_history=True):
                response = self._lm(request=request)
        except dspy.LMError as error:
            raise self._interpreter.failure(_said(error)) from error
        return reply_of(response)

    def close(self) -> None:
        """Close all connections."""
        self._lm.close()


def _said(error: Exception) -> ProviderError:
    if not isinstance(error, dspy.LMError | LM15Error):
        return ProviderError(kind=Kind.REFUSED, message=str(error))
    return ProviderError(
        kind=next((kind for known, kind in _KINDS if isinstance(error, known)), Kind.UNREADABLE),
        message=error.message or type(error).__name__,
        status=error.status,
        code=error.provider_code or "",
        retry_after=error.retry_after,
    )
