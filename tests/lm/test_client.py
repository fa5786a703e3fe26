"""Tests of gepa_ci.lm.client and gepa_ci.lm.engines, against a server that behaves like one."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from provider import (
    FakeProvider,
    Fault,
    always,
    at,
    content_filter,
    context_length_exceeded,
    empty,
    every,
    forbidden,
    hang,
    insufficient_quota,
    malformed,
    rate_limited,
    refusal,
    reset,
    server_error,
    truncated,
    unauthorized,
    unknown_model,
)

from gepa_ci.core.call import Call, Purpose
from gepa_ci.core.config import CacheMode, ModelSpec, SpendCaps
from gepa_ci.core.prompt import Message, Role
from gepa_ci.core.score import ModelFailure
from gepa_ci.core.spend import Price
from gepa_ci.errors import (
    AccountError,
    CacheMissError,
    CapError,
    InfraError,
    Interrupted,
    SpendError,
)
from gepa_ci.evaluate.pool import run_all
from gepa_ci.lm.cache import ResponseCache
from gepa_ci.lm.client import LMClient
from gepa_ci.lm.engines import Engines
from gepa_ci.lm.limiter import Limiter
from gepa_ci.lm.meter import Meter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRICE = Price(input=1.0, output=2.0)


@contextmanager
def client_of(
    provider: FakeProvider,
    *,
    path: Path | None = None,
    caps: SpendCaps | None = None,
    mode: CacheMode = CacheMode.ON,
    environ: dict[str, str] | None = None,
    concurrency: int = 8,
) -> Iterator[LMClient]:
    del provider
    client = LMClient(
        engines=Engines(environ=environ or {}),
        meter=Meter(caps or SpendCaps(), clock=time.monotonic),
        limiter=Limiter(concurrency, clock=time.monotonic),
        cache=None if path is None else ResponseCache(path / "c.sqlite"),
        mode=mode,
    )
    try:
        yield client
    finally:
        client.close()


def call(provider: FakeProvider, text: str = "hi", *, trial: int = 0, **spec: object) -> Call:
    fields: dict[str, object] = {"timeout": 1.0, "retries": 3, "price": PRICE, **spec}
    fields.setdefault("parameters", {"temperature": 0, "max_tokens": 50})
    return Call(
        spec=ModelSpec(model="openai/m", api_base=provider.url, **fields),  # type: ignore[arg-type]
        messages=(Message(role=Role.USER, content=text),),
        trial=trial,
    )


def test_a_reply_brings_text_tokens_model_and_price() -> None:
    with FakeProvider(answer=lambda _: "four words are here") as provider:
        with client_of(provider) as client:
            reply = client.complete(call(provider, "two words"))

    assert reply.text == "four words are here"
    assert reply.output_tokens == 4
    assert reply.usd == PRICE.usd(reply.input_tokens, 4)
    assert reply.cached is False


def test_spend_is_what_the_server_counted() -> None:
    with FakeProvider(answer=lambda _: "one two", faults=[(every(3), server_error())]) as provider:
        with client_of(provider, concurrency=1) as client:
            for number in range(6):
                client.complete(call(provider, f"q{number}"))
            total = client.meter.total

    assert total.calls == provider.calls == 8
    assert total.failed_calls == 2
    assert total.input_tokens == provider.usage.prompt_tokens
    assert total.output_tokens == provider.usage.completion_tokens


@pytest.mark.parametrize(
    "fault",
    [rate_limited(), rate_limited(0.05), server_error(), server_error(503), reset(), malformed()],
    ids=["429", "429-retry-after", "500", "503", "reset", "malformed"],
)
def test_an_infra_failure_is_tried_again(fault: Fault) -> None:
    with FakeProvider(answer=lambda _: "ok", faults=[(at(1), fault)]) as provider:
        with client_of(provider) as client:
            reply = client.complete(call(provider))

    assert reply.text == "ok"
    assert provider.calls == 2


def test_a_rate_limit_halves_the_calls_in_flight_and_a_server_error_does_not() -> None:
    faults = [(at(1), server_error()), (at(2), rate_limited(0.01))]
    with FakeProvider(answer=lambda _: "ok", faults=faults) as provider:
        with client_of(provider, concurrency=64) as client:
            client.complete(call(provider))

            assert 32 <= client.limiter.allowed < 64


def test_a_hung_call_is_given_up_after_the_time_out_and_tried_again() -> None:
    with FakeProvider(answer=lambda _: "ok", faults=[(at(1), hang())]) as provider:
        with client_of(provider) as client:
            reply = client.complete(call(provider, timeout=0.3))

    assert reply.text == "ok"


def test_a_provider_that_never_answers_is_an_infra_error_with_the_reason() -> None:
    with FakeProvider(answer=lambda _: "ok", faults=[(always, rate_limited(0.01))]) as provider:
        with client_of(provider) as client, pytest.raises(InfraError, match="after 4 attempts"):
            client.complete(call(provider))

    assert provider.calls == 4


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (unauthorized(), "401"),
        (forbidden(), "403"),
        (unknown_model(), "404"),
        (insufficient_quota(), "429"),
        (insufficient_quota(402), "402"),
    ],
    ids=["401", "403", "404", "quota-429", "quota-402"],
)
def test_an_account_failure_stops_at_once_for_all_threads(fault: Fault, said: str) -> None:
    with FakeProvider(answer=lambda _: "ok", faults=[(always, fault)]) as provider:
        with client_of(provider) as client, pytest.raises(AccountError, match=said) as caught:
            calls = [call(provider, f"q{number}") for number in range(30)]
            run_all(calls, client.complete, workers=8)

    assert provider.calls == 1
    assert "'openai/m'" in str(caught.value)
    assert "OPENAI_API_KEY" in str(caught.value.problems[0].hint) or said == "404"


def test_a_key_that_the_provider_echoes_is_not_repeated() -> None:
    with FakeProvider(answer=lambda _: "ok", faults=[(always, unauthorized())]) as provider:
        environ = {"OPENAI_API_KEY": "sk-verysecret1234"}
        with client_of(provider, environ=environ) as client, pytest.raises(AccountError) as caught:
            client.complete(call(provider))

    assert provider.requests[0].headers["authorization"] == "Bearer sk-verysecret1234"
    assert "verysecret" not in str(caught.value)


def test_a_missing_key_names_the_variable_and_sends_nothing() -> None:
    spec = ModelSpec(model="openai/m", api_key_env="MY_KEY", retries=0)
    with FakeProvider(answer=lambda _: "ok") as provider, client_of(provider) as client:
        question = Call(spec=spec, messages=(Message(role=Role.USER, content="hi"),))
        with pytest.raises(AccountError, match="MY_KEY is not set"):
            client.complete(question)

    assert provider.calls == 0


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (content_filter(), ModelFailure.CONTENT_FILTER),
        (refusal(), ModelFailure.REFUSAL),
        (truncated(), ModelFailure.TRUNCATED),
        (context_length_exceeded(), ModelFailure.CONTEXT_LENGTH),
        (empty(), ModelFailure.EMPTY),
    ],
    ids=lambda value: value.value if isinstance(value, ModelFailure) else "",
)
def test_a_failure_of_the_model_is_an_outcome_and_is_not_tried_again(
    fault: Fault, failure: ModelFailure
) -> None:
    with FakeProvider(answer=lambda _: "some words", faults=[(always, fault)]) as provider:
        with client_of(provider) as client:
            reply = client.complete(call(provider))

    assert reply.failure is failure
    assert reply.detail
    assert provider.calls == 1


def test_equal_calls_are_asked_once_even_at_the_same_time(tmp_path: Path) -> None:
    with FakeProvider(answer=lambda _: "ok") as provider:
        with client_of(provider, path=tmp_path) as client:
            run_all([call(provider)] * 20, client.complete, workers=8)
            total = client.meter.total

    assert provider.calls == 1
    assert total.cached_calls == 19


def test_another_trial_is_another_call(tmp_path: Path) -> None:
    with FakeProvider(answer=lambda _: "ok") as provider:
        with client_of(provider, path=tmp_path) as client:
            client.complete(call(provider, trial=0))
            client.complete(call(provider, trial=1))

    assert provider.calls == 2


def test_a_failure_of_the_model_is_cached_because_it_was_paid_for(tmp_path: Path) -> None:
    with FakeProvider(answer=lambda _: "", faults=[(always, refusal())]) as provider:
        with client_of(provider, path=tmp_path) as client:
            client.complete(call(provider))
            again = client.complete(call(provider))

    assert provider.calls == 1
    assert again.failure is ModelFailure.REFUSAL


def test_replay_answers_from_the_cache_and_a_miss_is_an_error(tmp_path: Path) -> None:
    with FakeProvider(answer=lambda _: "ok") as provider:
        with client_of(provider, path=tmp_path) as client:
            client.complete(call(provider))
        with client_of(provider, path=tmp_path, mode=CacheMode.REPLAY) as client:
            assert client.complete(call(provider)).text == "ok"
            with pytest.raises(CacheMissError, match="replay"):
                client.complete(call(provider, "other"))

    assert provider.calls == 1


def test_the_first_call_to_a_model_goes_alone() -> None:
    with FakeProvider(answer=lambda _: "ok", faults=[(at(1), Fault(latency=0.2))]) as provider:
        with client_of(provider) as client:
            calls = [call(provider, f"q{number}") for number in range(8)]
            threads = [threading.Thread(target=client.complete, args=(c,)) for c in calls]
            for thread in threads:
                thread.start()
            time.sleep(0.1)
            alone = provider.calls
            for thread in threads:
                thread.join()

    assert alone == 1
    assert provider.calls == 8


def test_no_more_calls_are_in_flight_than_allowed() -> None:
    with FakeProvider(answer=lambda _: "ok", faults=[(always, Fault(latency=0.02))]) as provider:
        with client_of(provider, concurrency=4) as client:
            calls = [call(provider, f"q{number}") for number in range(40)]
            run_all(calls, client.complete, workers=16)

    assert provider.max_in_flight <= 4


@pytest.mark.parametrize("cap", [1, 7, 20])
def test_a_cap_on_calls_is_exact_with_retries_and_threads(cap: int) -> None:
    with FakeProvider(answer=lambda _: "ok", faults=[(every(4), rate_limited(0.01))]) as provider:
        with client_of(provider, caps=SpendCaps(calls=cap)) as client, pytest.raises(SpendError):
            calls = [call(provider, f"q{number}") for number in range(60)]
            run_all(calls, client.complete, workers=16)
        time.sleep(0.05)

    assert provider.calls <= cap


def test_a_dollar_cap_is_never_passed() -> None:
    with FakeProvider(answer=lambda _: "a b c") as provider:
        with (
            client_of(provider, caps=SpendCaps(usd=0.001)) as client,
            pytest.raises(SpendError),
        ):
            calls = [call(provider, f"question {number}") for number in range(500)]
            run_all(calls, client.complete, workers=16)

    tokens = provider.usage
    assert 0 < PRICE.usd(tokens.prompt_tokens, tokens.completion_tokens) <= 0.001


def test_a_dollar_cap_needs_a_price() -> None:
    with FakeProvider(answer=lambda _: "ok") as provider:
        with (
            client_of(provider, caps=SpendCaps(usd=1.0)) as client,
            pytest.raises(CapError, match="price of model 'openai/m' is not known") as caught,
        ):
            client.complete(call(provider, price=None))

    assert "price: {input:" in str(caught.value.problems[0].hint)
    assert provider.calls == 0


def test_a_dollar_cap_needs_a_bound_on_the_answer() -> None:
    with FakeProvider(answer=lambda _: "ok") as provider:
        with (
            client_of(provider, caps=SpendCaps(usd=1.0)) as client,
            pytest.raises(CapError, match="longest answer"),
        ):
            client.complete(call(provider, parameters={}))

    assert provider.calls == 0


def test_stopping_ends_calls_that_wait_to_be_tried_again() -> None:
    with FakeProvider(answer=lambda _: "ok", faults=[(always, rate_limited(60))]) as provider:
        with client_of(provider) as client:
            threading.Timer(0.2, client.stop).start()
            started = time.monotonic()
            with pytest.raises(Interrupted):
                client.complete(call(provider))

    assert time.monotonic() - started < 10


def test_spend_is_kept_apart_by_purpose_and_model() -> None:
    with FakeProvider(answer=lambda _: "ok") as provider, client_of(provider) as client:
        client.complete(call(provider))
        question = call(provider, "think")
        client.complete(
            Call(spec=question.spec, messages=question.messages, purpose=Purpose.REFLECTION)
        )
        spent = client.meter.by_model

    model = question.spec.model
    assert spent[Purpose.TASK, model].calls == spent[Purpose.REFLECTION, model].calls == 1


def test_known_models_have_prices_and_bounds_from_the_table() -> None:
    with FakeProvider(answer=lambda _: "ok") as provider, client_of(provider) as client:
        facts = client.facts(ModelSpec(model="openai/gpt-4.1-mini"))
        own = client.facts(ModelSpec(model="openai/gpt-4.1-mini", api_base=provider.url))

    assert facts.price is not None
    assert facts.max_output_tokens
    assert own.price is None


def test_a_model_without_a_native_engine_goes_through_litellm() -> None:
    with FakeProvider(answer=lambda _: "ok", faults=[(at(1), server_error())]) as provider:
        with client_of(provider, environ={"TOGETHER_AI_API_KEY": "k"}) as client:
            spec = ModelSpec(
                model="together_ai/m", api_base=provider.url, parameters={"max_tokens": 5}
            )
            question = Call(spec=spec, messages=(Message(role=Role.USER, content=" hi\r\n"),))
            reply = client.complete(question)

    assert reply.text == "ok"
    assert provider.calls == 2
    assert provider.requests[-1].messages == [{"role": "user", "content": " hi\r\n"}]
