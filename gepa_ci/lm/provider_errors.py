"""Owns what an error of a provider means, in whatever library's class it comes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING

from gepa_ci.core.score import ModelFailure
from gepa_ci.lm.failures import Refused, Rejected, Transient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.config import ModelSpec

_QUOTA_CODES = ("insufficient_quota", "billing", "credit", "payment")
# Keys as providers echo them, shortened or not: "Incorrect API key provided: sk-ab***yz".
_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk|key|gsk|xai|AIza)[-_][\w*.-]{3,}|(?i:bearer)\s+\S+")
_LONGEST_REASON = 300
_LENGTH_WORDS = ("context_length", "context length", "context window", "too many tokens")
_FILTER_WORDS = ("content_filter", "content_policy", "content management policy", "safety system")


class Kind(Enum):
    """What went wrong, in the words of no library."""

    CONTEXT_LENGTH = auto()
    RATE_LIMIT = auto()
    TIMEOUT = auto()
    UNREACHABLE = auto()
    """No connection, a broken one, or an error of the server's own."""
    INVALID_REQUEST = auto()
    REFUSED = auto()
    """Key, account, model name or a request that this provider can never take."""
    NO_KEY = auto()
    UNREADABLE = auto()
    """An answer that is no answer: broken JSON, a proxy's page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderError:
    """What a library's exception says."""

    kind: Kind
    message: str
    status: int | None = None
    code: str = ""
    """The provider's own code for it."""
    retry_after: float | None = None


class Interpreter:
    """Turns what a provider says of one model into a failure that says what follows."""

    def __init__(self, spec: ModelSpec, environ: Mapping[str, str]) -> None:
        """Remember the model, and its key, so that it can be taken out of every text."""
        self._spec = spec
        self._key = api_key(spec, environ)

    def failure(self, error: ProviderError) -> Transient | Refused | Rejected:
        """Return what follows from an error of a call."""
        text = f"{error.code} {error.message}".lower()
        status = f"{error.status}: " if error.status else ""
        reason = status + self.said(error.message)
        match error.kind:
            case Kind.CONTEXT_LENGTH:
                return Rejected(ModelFailure.CONTEXT_LENGTH, reason)
            case Kind.RATE_LIMIT if any(code in text for code in _QUOTA_CODES):
                return self.refused(error)
            case Kind.RATE_LIMIT:
                return Transient(reason, rate_limited=True, retry_after=error.retry_after)
            case Kind.UNREACHABLE if error.status is None and "timed out" in text:
                return Transient(f"no answer within {self._spec.timeout:g} seconds")
            case Kind.TIMEOUT:
                return Transient(f"no answer in time ({reason})")
            case Kind.UNREACHABLE | Kind.UNREADABLE:
                return Transient(reason, retry_after=error.retry_after)
            case Kind.INVALID_REQUEST if any(word in text for word in _LENGTH_WORDS):
                return Rejected(ModelFailure.CONTEXT_LENGTH, reason)
            case Kind.INVALID_REQUEST if any(word in text for word in _FILTER_WORDS):
                return Rejected(ModelFailure.CONTENT_FILTER, reason)
        return self.refused(error)

    def refused(self, error: ProviderError) -> Refused:
        """Return the end of a run, with what its user can do."""
        if error.kind is Kind.NO_KEY:
            variable = key_variable(self._spec)
            return Refused(
                f"there is no key for it, as the environment variable {variable} is not set",
                hint=f"set {variable}, or name another variable with `api_key_env`",
            )
        reason = self.said(error.message)
        said = f"{error.status}: {reason}" if error.status else reason
        return Refused(said, hint=_hint(self._spec, error.status, f"{reason} {error.code}"))

    def said(self, text: str) -> str:
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


def api_key(spec: ModelSpec, environ: Mapping[str, str]) -> str | None:
    """Return the key of a model; "none" for an endpoint that wants none, None when missing."""
    # A secret that was pasted or piped often ends with a line end.
    key = environ.get(key_variable(spec), "").strip()
    # Servers of one's own want no key, but the wire format wants a header.
    return key or ("none" if spec.api_base is not None and spec.api_key_env is None else None)


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
