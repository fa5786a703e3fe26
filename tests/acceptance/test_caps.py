from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from provider import FakeProvider, Request, every, rate_limited, slow
from world import (
    CONFIG,
    PROMPT,
    PROMPT_SOURCE,
    Run,
    answer,
    commit,
    counted,
    is_reflection,
    job,
    models,
    parcels,
    requests,
    solve,
    spend_of,
)

if TYPE_CHECKING:
    from pathlib import Path

PRICE = {"input": 3000.0, "output": 5000.0}
COMMANDS = {
    "evaluate": ("evaluate",),
    "gate": ("gate", "--base", "HEAD"),
    "optimize": ("optimize",),
}
FAILING = [(every(4), rate_limited(0.01))]


def world(root: Path, provider: FakeProvider, **keys: Any) -> Path:
    """Write a world whose prompt has changed since the only commit."""
    parcels(root, provider, **{"concurrency": 32, **keys})
    commit(root)
    (root / PROMPT).write_text(PROMPT_SOURCE.replace("Name the", "Name only the"))
    return root


def spent(provider: FakeProvider, price: dict[str, float] = PRICE) -> dict[str, float]:
    """Return by cap what a provider has counted."""
    sent, received = provider.usage.prompt_tokens, provider.usage.completion_tokens
    return {
        "calls": provider.calls,
        "tokens": sent + received,
        "usd": (sent * price["input"] + received * price["output"]) / 1_000_000,
    }


def refused(ended: Run, *words: str) -> bool:
    """Say whether a run ended before its first call, with a message that has these words."""
    assert ended.code == 2, ended.said
    assert ended.result == {}
    assert "hint: " in ended.err
    return all(word in ended.err for word in words)


@pytest.mark.parametrize("faults", [(), FAILING], ids=["perfect", "every 4th fails"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_hundred_calls_are_a_hundred_requests(
    command: str, faults: list[Any], tmp_path: Path
) -> None:
    # More work than the cap allows, in each command, if the caps did not count.
    sizes = {"evaluate": 100, "gate": 50, "optimize": 6}
    with FakeProvider(answer, faults=[*faults, (lambda _: True, slow(0.005))]) as provider:
        root = world(
            tmp_path / "repository",
            provider,
            val=4,
            held_out=sizes[command],
            spend={"calls": 100},
            optimize={"max_metric_calls": 400, "proposals": 8},
            task={"gate": {"trials": 1}},
        )

        ended = job(root, *COMMANDS[command])

    assert provider.calls <= 100
    assert ended.code in ((0, 1) if not faults else (0, 3)), ended.said
    if ended.code == 3:
        assert ended.result == {}
        assert "calls: 100" in ended.err
        assert provider.calls >= 90
    else:
        assert spend_of(ended) == counted(provider)


@pytest.mark.parametrize("faults", [(), FAILING], ids=["perfect", "every 4th fails"])
@pytest.mark.parametrize("command", ["evaluate", "gate"])
@pytest.mark.parametrize("spend", [{"usd": 13.0}, {"tokens": 1500}], ids=["usd", "tokens"])
def test_a_cap_on_money_or_tokens_is_never_passed(
    spend: dict[str, float], command: str, faults: list[Any], tmp_path: Path
) -> None:
    price = {"input": 100.0, "output": 20_000.0}
    # As long as an answer may be, so that half of the calls use the cap up.
    with FakeProvider(lambda _: "word " * 10, faults=faults) as provider:
        root = world(
            tmp_path / "repository",
            provider,
            held_out={"evaluate": 90, "gate": 45}[command],
            spend=spend,
            model={"price": price, "max_tokens": 10},
            task={"gate": {"trials": 1}},
        )

        ended = job(root, *COMMANDS[command])

    ((cap, value),) = spend.items()
    assert (ended.code, ended.result) == (3, {}), ended.said
    assert f"{cap}: {value:g}" in ended.err
    assert 0.8 * value <= spent(provider, price)[cap] <= value


def test_a_dollar_cap_is_held_to_by_the_price_of_what_was_counted(tmp_path: Path) -> None:
    with FakeProvider(solve) as provider:
        root = parcels(
            tmp_path / "repository",
            provider,
            held_out=40,
            concurrency=32,
            spend={"usd": 10.0},
            model={"price": PRICE, "max_tokens": 10},
        )

        ended = job(root, "evaluate")

    assert ended.code == 0, ended.said
    assert ended.result["spend"]["usd"] == pytest.approx(spent(provider)["usd"], abs=1e-9)
    assert spend_of(ended) == counted(provider)


@pytest.mark.parametrize("command", ["evaluate", "gate", "optimize"])
def test_caps_that_cannot_pay_say_so_before_the_first_call(command: str, tmp_path: Path) -> None:
    with FakeProvider(answer) as provider:
        root = world(tmp_path / "repository", provider, held_out=30, spend={"calls": 20})

        ended = job(root, *COMMANDS[command])

    assert refused(ended, "calls: 20", "cannot pay")
    assert provider.calls == 0
    assert (root / PROMPT).read_text() != PROMPT_SOURCE


@pytest.mark.parametrize("command", COMMANDS)
def test_a_dollar_cap_without_a_price_says_how_to_state_it(command: str, tmp_path: Path) -> None:
    with FakeProvider(answer) as provider:
        root = world(tmp_path / "repository", provider, spend={"usd": 5})

        ended = job(root, *COMMANDS[command])

    assert refused(ended, "openai/task", "price", "{model: openai/task, price: {input: ")
    assert provider.calls == 0


@pytest.mark.parametrize("cap", ["usd", "tokens"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_cap_without_a_bound_on_answers_says_how_to_state_it(
    command: str, cap: str, tmp_path: Path
) -> None:
    with FakeProvider(answer) as provider:
        root = world(tmp_path / "repository", provider, spend={cap: 5000}, model={"price": PRICE})

        ended = job(root, *COMMANDS[command])

    assert refused(ended, "openai/task", "max_tokens")
    assert provider.calls == 0


@pytest.mark.parametrize("missing", ["price", "max_tokens"])
def test_the_reflection_lm_must_have_what_a_cap_needs_before_any_call(
    missing: str, tmp_path: Path
) -> None:
    with FakeProvider(answer) as provider:
        known = {"price": PRICE, "max_tokens": 50}
        both = models(provider, **known)
        del both["reflection"][missing]
        root = parcels(tmp_path / "repository", provider, spend={"usd": 100})
        config = json.loads((root / CONFIG).read_text())
        (root / CONFIG).write_text(json.dumps({**config, "models": both}))

        ended = job(root, "optimize")

    assert refused(ended, "openai/reflection", missing)
    assert provider.calls == 0


@pytest.mark.parametrize("faults", [(), FAILING], ids=["perfect", "every 4th fails"])
@pytest.mark.parametrize(
    "spend", [{"calls": 350}, {"tokens": 60_000}, {"usd": 190.0}], ids=["calls", "tokens", "usd"]
)
def test_a_search_leaves_the_proof_its_money(
    spend: dict[str, float], faults: list[Any], tmp_path: Path
) -> None:
    numbers = iter(range(100_000))

    def endless(request: Request) -> str:
        said = answer(request)
        return said.replace(" Obey", f" ({next(numbers)}) Obey") if is_reflection(request) else said

    with FakeProvider(endless, faults=faults) as provider:
        root = parcels(
            tmp_path / "repository",
            provider,
            train=20,
            held_out=12,
            spend=spend,
            model={"price": PRICE, "max_tokens": 40},
            # Never perfect and never out of metric calls: only the cap can stop it.
            optimize={"max_metric_calls": 100_000, "reflection_minibatch_size": 4, "proposals": 4},
        )
        for part in ("train", "val"):
            text = (root / f"{part}.jsonl").read_text()
            (root / f"{part}.jsonl").write_text(text.replace("code-3", "never-3"))

        ended = job(root, "optimize")

    ((cap, value),) = spend.items()
    assert ended.code == 0, ended.said
    assert ended.task["verdict"] == "promote", ended.out
    assert f"{cap}: {value:g}" in ended.task["optimization"]["stop_reason"]
    assert ended.task["comparison"]["n"] == 12
    assert requests(provider, reflection=True)
    assert spent(provider)[cap] <= value
    assert spend_of(ended) == counted(provider)


def test_the_spend_by_purpose_adds_up_to_what_the_provider_counted(tmp_path: Path) -> None:
    with FakeProvider(answer, faults=FAILING) as provider:
        root = parcels(tmp_path / "repository", provider)

        ended = job(root, "optimize")

    by_purpose = {part["purpose"]: part for part in ended.task["spend_by_model"]}
    assert spend_of(ended) == counted(provider)
    for purpose, reflection in (("task", False), ("reflection", True)):
        assert by_purpose[purpose]["calls"] == len(requests(provider, reflection=reflection))
    assert f"{provider.calls} calls" in ended.out


def test_a_second_run_states_what_it_spent_itself(tmp_path: Path) -> None:
    with FakeProvider(solve) as provider:
        root = parcels(tmp_path / "repository", provider, spend={"calls": 12})
        first = job(root, "evaluate")

        second = job(root, "evaluate")

    assert (first.code, second.code) == (0, 0)
    assert spend_of(second) == (0, 0, 0)
    assert second.result["spend"]["cached_calls"] == 12
    assert provider.calls == 12
