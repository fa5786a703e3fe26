"""Owns calls to the providers that lm15, DSPy's own engine, speaks to, over our connections.

`dspy.LM` brings a copy of lm15 with it, and importing DSPy for it takes three times as long as
importing lm15 itself.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import lm15
from lm15.router import LITELLM_PROVIDER_PREFIXES

from gepa_ci.lm.provider_errors import Interpreter, Kind, ProviderError, api_key
from gepa_ci.lm.responses import reply_of
from gepa_ci.lm.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.call import Call, Reply
    from gepa_ci.core.config import ModelSpec

# Subclasses stand before their parents.
_KINDS = (
    (lm15.ContextLengthError, Kind.CONTEXT_LENGTH),
    (lm15.RateLimitError, Kind.RATE_LIMIT),
    (lm15.TimeoutError, Kind.TIMEOUT),
    (lm15.ServerError, Kind.UNREACHABLE),
    (lm15.TransportError, Kind.UNREACHABLE),
    (lm15.NotConfiguredError, Kind.NO_KEY),
    (lm15.InvalidRequestError, Kind.INVALID_REQUEST),
    (lm15.AuthError, Kind.REFUSED),
    (lm15.BillingError, Kind.REFUSED),
    (lm15.ConfigurationError, Kind.REFUSED),
    (lm15.CapabilityError, Kind.REFUSED),
)
# What a call's own parameters must not set: one answer, at once, from the model that was named.
_NOT_IN_A_CALL = frozenset(
    {
        *("n", "num_generations", "stream", "stream_options", "num_retries", "max_retries"),
        *("retry_strategy", "cache", "caching", "rollout_id", "input"),
        *("api_key", "api_base", "base_url", "headers", "extra_headers", "timeout"),
    }
)


class NativeEngine:
    """A model of a provider that lm15 knows."""

    def __init__(self, spec: ModelSpec, *, provider: str, environ: Mapping[str, str]) -> None:
        """Prepare the model without a request; Refused when no key for it can be found."""
        self._interpreter = Interpreter(spec, environ)
        self._transport = Transport(timeout=spec.timeout)
        key, base = api_key(spec, environ), _base_url(spec, environ)
        self._router = lm15.LMRouter(
            lm15.RouterConfig(
                env=environ,
                api_keys={provider: key} if key else None,
                base_urls={provider: base} if base else None,
                transport=self._transport,
            )
        )
        self._resolution = self._router.resolve_openai_chat(_spelled(spec.model))
        self._lm: Any = None
        self._lock = threading.Lock()

    def complete(self, call: Call) -> Reply:
        """Make one attempt."""
        body = {key: value for key, value in call.body.items() if value is not None}
        if wrong := sorted(_NOT_IN_A_CALL & body.keys()):
            named = ", ".join(f"`{key}`" for key in wrong)
            raise self._interpreter.refused(
                ProviderError(kind=Kind.REFUSED, message=f"a prompt cannot set {named}", status=400)
            )
        try:
            request = lm15.request_from_openai_chat(body)
            request = replace(request, model=self._resolution.model)
        except (lm15.LM15Error, ValueError, TypeError) as error:
            raise self._interpreter.refused(_said(error)) from error
        try:
            response = self._connected().complete(request)
        except lm15.LM15Error as error:
            raise self._interpreter.failure(_said(error)) from error
        return reply_of(response)

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def _connected(self) -> Any:
        with self._lock:
            if self._lm is None:
                resolution = self._resolution
                self._lm = self._router.lm(f"{resolution.provider}:{resolution.model}")
            return self._lm


def native_engine(spec: ModelSpec, *, environ: Mapping[str, str]) -> NativeEngine | None:
    """Return the engine of a model whose provider lm15 knows, else None.

    Raises:
        Refused: the provider is known, and cannot be used as it is set up.
    """
    try:
        router = lm15.LMRouter(lm15.RouterConfig(env={}))
        provider = router.resolve_openai_chat(_spelled(spec.model)).provider
    except (lm15.UnknownModelError, lm15.UnsupportedFeatureError):
        return None
    if spec.api_base is not None and provider.startswith("azure"):
        return None
    try:
        return NativeEngine(spec, provider=provider, environ=environ)
    except (lm15.LM15Error, ValueError, TypeError) as error:
        raise Interpreter(spec, environ).refused(_said(error)) from error


def _spelled(model: str) -> str:
    """Return a model as lm15 names it: `provider:model` for LiteLLM's `provider/model`."""
    head, separator, rest = model.partition("/")
    if separator and rest and head in LITELLM_PROVIDER_PREFIXES:
        return f"{LITELLM_PROVIDER_PREFIXES[head]}:{rest}"
    return model


def _base_url(spec: ModelSpec, environ: Mapping[str, str]) -> str | None:
    prefix = spec.model.partition("/")[0].upper()
    return spec.api_base or environ.get(f"{prefix}_API_BASE") or environ.get(f"{prefix}_BASE_URL")


def _said(error: Exception) -> ProviderError:
    if not isinstance(error, lm15.LM15Error):
        return ProviderError(kind=Kind.REFUSED, message=str(error))
    return ProviderError(
        kind=next((kind for known, kind in _KINDS if isinstance(error, known)), Kind.UNREADABLE),
        message=error.message or type(error).__name__,
        status=error.status,
        code=error.provider_code or "",
        retry_after=error.retry_after,
    )
