"""Owns calls through DSPy: its native engines over our connections, LiteLLM for the rest."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from gepa_ci.core.call import Reply
from gepa_ci.core.score import ModelFailure
from gepa_ci.lm.failures import Refused, Rejected, Transient
from gepa_ci.lm.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.call import Call
    from gepa_ci.core.config import ModelSpec

_QUOTA_CODES = ("insufficient_quota", "billing", "credit", "payment")
# Keys as providers echo them, shortened or not: "Incorrect API key provided: sk-ab***yz".
_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk|key|gsk|xai|AIza)[-_][\w*.-]{3,}|(?i:bearer)\s+\S+")
_LONGEST_REASON = 300
_LENGTH_WORDS = ("context_length", "context length", "context window", "too many tokens")
_FILTER_WORDS = ("content_filter", "content_policy", "content management policy", "safety system")


class DspyEngine:
    """A model of `dspy.LM`: its native engines over our connections, LiteLLM for the rest."""

    def __init__(self, spec: ModelSpec, *, environ: Mapping[str, str]) -> None:
        """Prepare the model without a request; Refused when no key for it can be found."""
        import dspy
        from dspy.lm15 import LM15Error

        self._spec = spec
        self._key = _api_key(spec, environ)
        self._transport = Transport(timeout=spec.timeout)
        # A truncated answer is an outcome that is reported; DSPy would also log it to stderr.
        for noisy in ("dspy", "LiteLLM"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        try:
            native = _native_engine(spec, environ, self._transport)
            self._lm: Any = None if native is not None else _litellm(dspy, spec, environ)
        except (LM15Error, dspy.LMError, ValueError, TypeError) as error:
            raise self._refused(error) from error
        self._native = native

    def complete(self, call: Call) -> Reply:
        """Make one attempt."""
        from dspy.lm15 import LM15Error, request_from_openai_chat

        try:
            request = request_from_openai_chat(_wire_body(call))
        except (LM15Error, ValueError, TypeError) as error:
            raise self._refused(error) from error
        return _reply(self._attempt(request))

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()
        if self._native is not None:
            self._native.close()
        if self._lm is not None:
            self._lm.close()

    def _attempt(self, request: Any) -> Any:
        import dspy
        from dspy.clients.errors import wrap_error
        from dspy.lm15 import LM15Error

        try:
            if self._native is not None:
                # `dspy.LM` around its own engine would only add its retries, cache and history.
                return self._native.complete(request)
            with dspy.context(disable_history=True):
                return self._lm(request=request)
        except LM15Error as error:
            raise self._failure(wrap_error(error, model=self._spec.model)) from error
        except dspy.LMError as error:
            raise self._failure(error) from error

    def _failure(self, error: Any) -> Transient | Refused | Rejected:
        from dspy.utils import exceptions as lm_errors

        text = f"{error.provider_code or ''} {error.message or ''}".lower()
        status = f"{error.status}: " if error.status else ""
        reason = status + self._said(error.message or type(error).__name__)
        match error:
            case lm_errors.ContextWindowExceededError():
                return Rejected(ModelFailure.CONTEXT_LENGTH, reason)
            case lm_errors.LMRateLimitError():
                if any(code in text for code in _QUOTA_CODES):
                    return self._refused(error)
                return Transient(reason, rate_limited=True, retry_after=error.retry_after)
            case lm_errors.LMTransportError() if "timed out" in text:
                return Transient(f"no answer within {self._spec.timeout:g} seconds")
            case lm_errors.LMTimeoutError():
                return Transient(f"no answer in time ({reason})")
            case lm_errors.LMServerError() | lm_errors.LMTransportError():
                return Transient(reason, retry_after=error.retry_after)
            case lm_errors.LMInvalidRequestError() if any(word in text for word in _LENGTH_WORDS):
                return Rejected(ModelFailure.CONTEXT_LENGTH, reason)
            case lm_errors.LMInvalidRequestError() if any(word in text for word in _FILTER_WORDS):
                return Rejected(ModelFailure.CONTENT_FILTER, reason)
            case (
                lm_errors.LMAuthError()
                | lm_errors.LMBillingError()
                | lm_errors.LMInvalidRequestError()
                | lm_errors.LMConfigurationError()
                | lm_errors.LMUnsupportedFeatureError()
            ):
                return self._refused(error)
        # What is left is an answer that is no answer: broken JSON, a proxy's page.
        return Transient(reason)

    def _refused(self, error: Any) -> Refused:
        from dspy.lm15 import NotConfiguredError
        from dspy.utils.exceptions import LMNotConfiguredError

        if isinstance(error, NotConfiguredError | LMNotConfiguredError):
            variable = key_variable(self._spec)
            return Refused(
                f"there is no key for it, as the environment variable {variable} is not set",
                hint=f"set {variable}, or name another variable with `api_key_env`",
            )
        status = getattr(error, "status", None)
        reason = self._said(getattr(error, "message", None) or str(error))
        said = f"{status}: {reason}" if status else reason
        code = getattr(error, "provider_code", None) or ""
        return Refused(said, hint=_hint(self._spec, status, f"{reason} {code}"))

    def _said(self, text: str) -> str:
        """Return the first line of what a provider says, without anything like a key in it."""
        line = text.strip().splitlines()[0] if text.strip() else "no reason given"
        if len(line) > _LONGEST_REASON:
            # Between words: whoever looks for a secret, in whatever form, must not find half of it.
            line = f"{line[:_LONGEST_REASON].rpartition(' ')[0]} …"
        if self._key:
            line = line.replace(self._key, "***")
        return _KEY_LIKE.sub("***", line)


def key_variable(spec: ModelSpec) -> str:
    """Return the environment variable that holds the key of a model."""
    provider = spec.model.partition("/")[0] if "/" in spec.model else "openai"
    return spec.api_key_env or f"{provider.upper().replace('-', '_')}_API_KEY"


def _api_key(spec: ModelSpec, environ: Mapping[str, str]) -> str | None:
    # A secret that was pasted or piped often ends with a line end.
    key = environ.get(key_variable(spec), "").strip()
    # Servers of one's own want no key, but the wire format wants a header.
    return key or ("none" if spec.api_base is not None and spec.api_key_env is None else None)


def _native_engine(spec: ModelSpec, environ: Mapping[str, str], transport: Transport) -> Any:
    """Return DSPy's native engine for a model over our connections, or None."""
    from dspy.clients.engines.lm15_engine import LM15Engine
    from dspy.lm15 import RouterConfig, UnknownModelError, UnsupportedFeatureError

    try:
        provider = LM15Engine(RouterConfig(env={})).resolve(spec.model).provider
    except (UnknownModelError, UnsupportedFeatureError):
        return None
    if spec.api_base is not None and provider.startswith("azure"):
        return None
    prefix = spec.model.partition("/")[0].upper()
    base = spec.api_base or environ.get(f"{prefix}_API_BASE") or environ.get(f"{prefix}_BASE_URL")
    key = _api_key(spec, environ)
    return LM15Engine(
        RouterConfig(
            env=environ,
            api_keys={provider: key} if key else None,
            base_urls={provider: base} if base else None,
            transport=transport,
        )
    )


def _litellm(dspy: Any, spec: ModelSpec, environ: Mapping[str, str]) -> Any:
    client: dict[str, Any] = {"timeout": spec.timeout, "cache": False, "num_retries": 0}
    if spec.api_base is not None:
        client["api_base"] = spec.api_base
    if key := _api_key(spec, environ):
        client["api_key"] = key
    return dspy.LM(spec.model, engine="litellm", **client)


def _wire_body(call: Call) -> dict[str, Any]:
    return {key: value for key, value in call.body.items() if value is not None}


def _reply(response: Any) -> Reply:
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


def _hint(spec: ModelSpec, status: int | None, reason: str) -> str:
    variable = key_variable(spec)
    if status in (401, 403) or status is None:
        return f"check the key in the environment variable {variable}"
    if status == HTTPStatus.PAYMENT_REQUIRED or any(
        code in reason.lower() for code in _QUOTA_CODES
    ):
        return f"the account behind {variable} has no quota left"
    if status == HTTPStatus.NOT_FOUND:
        return f"is '{spec.model}' the model's name, and is api_base right?"
    return "check the model's name and parameters in the config and the prompt file"
