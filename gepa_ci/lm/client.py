"""Owns the one client for every call: cache, spend, concurrency, retries, and when to stop."""

from __future__ import annotations

import random
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.core.call import Reply
from gepa_ci.core.config import CacheMode
from gepa_ci.core.spend import Usage
from gepa_ci.errors import (
    AccountError,
    CacheMissError,
    CapError,
    GepaCiError,
    InfraError,
    Interrupted,
)
from gepa_ci.lm.failures import Refused, Rejected, Transient
from gepa_ci.lm.meter import Amount
from gepa_ci.lm.prices import model_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gepa_ci.core.call import Call
    from gepa_ci.core.config import ModelSpec
    from gepa_ci.lm.cache import ResponseCache
    from gepa_ci.lm.engines import Engine, Engines
    from gepa_ci.lm.limiter import Limiter
    from gepa_ci.lm.meter import Meter
    from gepa_ci.lm.prices import ModelFacts

_FIRST_DELAY = 0.5
_LONGEST_DELAY = 16.0
# A provider that asks for more than this is waited for by starting the run again.
_LONGEST_RETRY_AFTER = 120.0
# Role names and separators that providers add to a message, in tokens.
_MESSAGE_OVERHEAD = 16


class LMClient:
    """Answers calls from the cache or from a provider; safe to use from many threads."""

    def __init__(
        self,
        *,
        engines: Engines,
        meter: Meter,
        limiter: Limiter,
        cache: ResponseCache | None,
        mode: CacheMode = CacheMode.ON,
    ) -> None:
        """Take the parts; no request is made before the first call."""
        self.meter = meter
        self.limiter = limiter
        self._engines = engines
        self._cache = cache if mode is not CacheMode.OFF else None
        self._mode = mode
        self._facts: dict[str, ModelFacts] = {}
        self._lock = threading.Lock()
        self._flights: dict[str, threading.Lock] = {}
        self._proven: set[str] = set()
        self._first_call = threading.Lock()
        self._stopped = threading.Event()
        self._reason: GepaCiError | None = None

    def complete(self, call: Call) -> Reply:
        """Return the answer to a call, asking the provider at most once for equal calls.

        Raises:
            InfraError: the provider failed after all retries.
            AccountError: the provider refuses us.
            SpendError: a cap has no room for the call.
            CacheMissError: `cache: replay` has no answer.
        """
        self._raise_if_stopped()
        with self._flight(call.digest):
            # Looked up in here, as another thread may just have asked the same question.
            if found := self._lookup(call):
                return found
            if self._mode is CacheMode.REPLAY:
                raise self._stop(_cache_miss(call))
            with self._proving(call.spec):
                reply = self._ask(call)
            if self._cache is not None:
                self._cache.put(call.digest, reply)
            return reply

    def prepare(self, spec: ModelSpec) -> None:
        """Import what calls to a model need and find its key, without a request.

        Raises:
            AccountError: there is no key for it.
        """
        self._engine(spec)

    def is_cached(self, call: Call) -> bool:
        """Return whether a call would cost nothing."""
        return self.known(call) is not None

    def known(self, call: Call) -> Reply | None:
        """Return the answer to a call that would cost nothing, without counting it."""
        return None if self._cache is None else self._cache.get(call.digest)

    def is_proven(self, spec: ModelSpec) -> bool:
        """Return whether the model has answered in this process."""
        return _endpoint(spec) in self._proven

    def worst_case(self, call: Call) -> Amount:
        """Return the most that one attempt at a call can cost.

        Raises:
            CapError: a cap on dollars or tokens is set, and the call has no bound.
        """
        facts = self.facts(call.spec)
        caps = self.meter.caps
        # A token is at least one byte of the request.
        sent = sum(len(m.content.encode()) + _MESSAGE_OVERHEAD for m in call.messages)
        longest = facts.max_output_tokens
        if caps.usd is not None and facts.price is None:
            raise _no_price(call.spec)
        price = facts.price
        priced_output = caps.usd is not None and price is not None and price.output > 0
        if longest is None and (priced_output or caps.tokens is not None):
            raise _no_bound(call.spec)
        usd = price.usd(sent, longest or 0) if price is not None else 0.0
        return Amount(calls=1, tokens=sent + (longest or 0), usd=usd)

    def facts(self, spec: ModelSpec) -> ModelFacts:
        """Return price and longest answer of a model."""
        key = f"{_endpoint(spec)} {spec.price} {spec.parameters.get('max_tokens')}"
        with self._lock:
            if key not in self._facts:
                self._facts[key] = model_facts(spec)
            return self._facts[key]

    def stop(self, reason: GepaCiError | None = None) -> None:
        """Make all waiting and further calls raise; calls on the wire are not waited for."""
        self._stop(reason or Interrupted("the run was interrupted"))

    def close(self) -> None:
        """Free connections and the cache."""
        self._engines.close()
        if self._cache is not None:
            self._cache.close()

    def _lookup(self, call: Call) -> Reply | None:
        found = None if self._cache is None else self._cache.get(call.digest)
        if found is not None:
            self.meter.count_cached(call.purpose, call.spec.model)
        return found

    def _ask(self, call: Call) -> Reply:
        worst = self.worst_case(call)
        engine = self._engine(call.spec)
        for attempt in range(call.spec.retries + 1):
            self._raise_if_stopped()
            try:
                return self._attempt(engine, call, worst)
            except Transient as failure:
                if failure.rate_limited:
                    self.limiter.rate_limited()
                if attempt == call.spec.retries:
                    # Others go on: the caller knows how many calls it can do without.
                    raise _infra_error(call.spec, failure, attempt + 1) from failure
                self._stopped.wait(_delay(failure, attempt))
        raise AssertionError("unreachable")

    def _attempt(self, engine: Engine, call: Call, worst: Amount) -> Reply:
        with self.limiter.slot():
            self._raise_if_stopped()
            reserved = self.meter.reserve(worst)
            usage = Usage(calls=1, failed_calls=1)
            started = time.perf_counter()
            try:
                reply = engine.complete(call)
                usage = self._usage(call.spec, reply)
                self.limiter.answered()
            except Rejected as rejected:
                usage = Usage(calls=1)
                reply = Reply(text="", failure=rejected.failure, detail=rejected.reason)
            except Refused as refused:
                raise self._stop(_account_error(call.spec, refused)) from refused
            finally:
                usage = replace(usage, seconds=time.perf_counter() - started)
                self.meter.settle(reserved, usage, call.purpose, call.spec.model)
            return replace(reply, usd=usage.usd, seconds=usage.seconds)

    def _usage(self, spec: ModelSpec, reply: Reply) -> Usage:
        price = self.facts(spec).price
        return Usage(
            calls=1,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            usd=None if price is None else price.usd(reply.input_tokens, reply.output_tokens),
        )

    def _engine(self, spec: ModelSpec) -> Engine:
        try:
            return self._engines.engine(spec)
        except Refused as refused:
            raise self._stop(_account_error(spec, refused)) from refused

    @contextmanager
    def _proving(self, spec: ModelSpec) -> Iterator[None]:
        """Let the first call to a model go alone, so that a bad key costs one request."""
        if self.is_proven(spec):
            yield
            return
        with self._first_call:
            if not self.is_proven(spec):
                yield
                self._proven.add(_endpoint(spec))
                return
        yield

    @contextmanager
    def _flight(self, key: str) -> Iterator[None]:
        with self._lock:
            flight = self._flights.setdefault(key, threading.Lock())
        try:
            with flight:
                yield
        finally:
            with self._lock:
                self._flights.pop(key, None)

    def _stop(self, error: GepaCiError) -> GepaCiError:
        with self._lock:
            if self._reason is None:
                self._reason = error
        self._stopped.set()
        return error

    def _raise_if_stopped(self) -> None:
        if self._stopped.is_set():
            assert self._reason is not None
            raise self._reason


def _endpoint(spec: ModelSpec) -> str:
    return f"{spec.model} {spec.api_base or ''}"


def _delay(failure: Transient, attempt: int) -> float:
    if failure.retry_after is not None:
        return min(failure.retry_after, _LONGEST_RETRY_AFTER)
    longest = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0**attempt)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing


def _infra_error(spec: ModelSpec, failure: Transient, attempts: int) -> InfraError:
    return InfraError(
        f"model '{spec.model}' did not answer after {attempts} "
        f"attempt{'' if attempts == 1 else 's'}: {failure.reason}",
        hint="run it again later: the answers that were paid for are kept in the cache",
    )


def _account_error(spec: ModelSpec, refused: Refused) -> AccountError:
    return AccountError(
        f"model '{spec.model}' cannot be called: {refused.reason}", hint=refused.hint
    )


def _cache_miss(call: Call) -> CacheMissError:
    return CacheMissError(
        f"`cache: replay` has no answer of model '{call.spec.model}' to a call of this run",
        hint="run once with `cache: on` to record it",
    )


def _no_price(spec: ModelSpec) -> CapError:
    return CapError(
        f"the price of model '{spec.model}' is not known, and a dollar cap is set",
        hint="state it in dollars per million tokens: "
        f"{{model: {spec.model}, price: {{input: 0.25, output: 2.00}}}}",
    )


def _no_bound(spec: ModelSpec) -> CapError:
    return CapError(
        f"the longest answer of model '{spec.model}' is not known, and a cap depends on it",
        hint=f"bound it: {{model: {spec.model}, max_tokens: 1000}}",
    )
