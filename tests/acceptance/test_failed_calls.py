from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from provider import (
    FakeProvider,
    Fault,
    Request,
    always,
    error_body,
    every,
    forbidden,
    hang,
    insufficient_quota,
    rate_limited,
    refusal,
    reset,
    server_error,
    share,
    unauthorized,
    unknown_model,
)
from world import (
    PROMPT,
    PROMPT_SOURCE,
    answer,
    code_of,
    commit,
    counted,
    fenced,
    is_reflection,
    job,
    parcels,
    solve,
    spend_of,
)

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-test-0123456789abcdefSECRET"
COMMANDS = {
    "evaluate": ("evaluate",),
    "gate": ("gate", "--base", "HEAD"),
    "optimize": ("optimize",),
}


def changed_repository(root: Path, provider: FakeProvider, **keys: object) -> bytes:
    """Write the world, commit it, change the prompt, and return the file's bytes."""
    parcels(root, provider, **keys)  # type: ignore[arg-type]
    commit(root)
    changed = (PROMPT_SOURCE.replace("Name the code", "Name only the code")).encode()
    (root / PROMPT).write_bytes(changed)
    return changed


def assert_no_verdict(root: Path, ended: object, before: bytes) -> None:
    """Hold a run to: exit 3, nothing decided, nothing written, no stack trace."""
    code, said, result = ended.code, ended.said, ended.result  # type: ignore[attr-defined]
    assert code == 3, said
    assert result == {}
    assert "Traceback" not in said
    assert "verdict" not in said
    assert (root / PROMPT).read_bytes() == before


@pytest.mark.parametrize("retry_after", [None, 0.05], ids=["no Retry-After", "Retry-After"])
def test_a_provider_that_often_fails_scores_as_if_it_never_did(
    retry_after: float | None, tmp_path: Path
) -> None:
    faults = [
        (every(4), rate_limited(retry_after)),
        (share(0.05, seed=1), server_error()),
        (share(0.02, seed=2), reset()),
        (share(0.01, seed=3), hang()),
    ]
    with FakeProvider(solve, faults=faults) as provider:
        root = parcels(tmp_path / "repository", provider, held_out=100, model={"timeout": 1})

        ended = job(root, "evaluate")

    assert ended.code == 0, ended.said
    assert ended.task["candidate"] == {
        **ended.task["candidate"],
        "mean": 1.0,
        "n": 100,
        "errors": 0,
    }
    assert len(ended.task["examples"]) == 100
    assert all(row["outputs"]["candidate"][0] for row in ended.task["examples"])
    failed = [r for r in provider.requests if provider.fault_for(r).decides]
    kinds = {(f.status, f.reset, f.hang) for f in map(provider.fault_for, failed)}
    assert len(kinds) == 4
    assert provider.answered == 100
    assert spend_of(ended) == counted(provider)
    assert ended.result["spend"]["failed_calls"] == len(failed) == provider.calls - 100


def test_a_search_over_a_provider_that_often_fails_ends_as_over_a_good_one(tmp_path: Path) -> None:
    faults = [(every(4), rate_limited(0.01)), (share(0.05, seed=1), server_error())]
    with FakeProvider(answer) as good, FakeProvider(answer, faults=faults) as bad:
        calm = job(parcels(tmp_path / "calm", good), "optimize")
        stormy = job(parcels(tmp_path / "stormy", bad), "optimize")

    assert calm.task["verdict"] == stormy.task["verdict"] == "promote"
    assert (tmp_path / "calm" / PROMPT).read_bytes() == (tmp_path / "stormy" / PROMPT).read_bytes()
    assert calm.task["comparison"] == stormy.task["comparison"]
    assert spend_of(stormy) == counted(bad)
    assert stormy.result["spend"]["failed_calls"] == bad.calls - bad.answered


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (unauthorized(), "OPENAI_API_KEY"),
        (forbidden(), "OPENAI_API_KEY"),
        (insufficient_quota(), "quota"),
        (insufficient_quota(402), "quota"),
        (unknown_model(), "is 'openai/task' the model's name"),
    ],
    ids=["401", "403", "429 without quota", "402", "404"],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_an_account_that_is_refused_costs_at_most_two_requests(
    command: str, fault: Fault, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    root = tmp_path / "repository"
    with FakeProvider(answer, faults=[(always, fault)]) as provider:
        before = changed_repository(root, provider)

        ended = job(root, *COMMANDS[command])

    assert_no_verdict(root, ended, before)
    assert provider.calls <= 2
    assert "openai/task" in ended.err
    assert says in ended.err
    assert KEY not in ended.said


def test_a_wrong_key_is_named_by_the_variable_that_the_config_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARCEL_KEY", "wrong")
    with FakeProvider(answer, keys=[KEY]) as provider:
        root = parcels(tmp_path / "repository", provider, model={"api_key_env": "PARCEL_KEY"})

        refused = job(root, "evaluate")
        monkeypatch.setenv("PARCEL_KEY", KEY)
        let_in = job(root, "evaluate")

    assert refused.code == 3
    assert "openai/task" in refused.err
    assert "PARCEL_KEY" in refused.err
    assert let_in.code == 0, let_in.said


@pytest.mark.parametrize(
    "fault", [rate_limited(), server_error(503), reset()], ids=["429", "503", "reset"]
)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_provider_that_never_answers_gives_no_verdict(
    command: str, fault: Fault, tmp_path: Path
) -> None:
    root = tmp_path / "repository"
    with FakeProvider(answer, faults=[(always, fault)]) as provider:
        before = changed_repository(root, provider, model={"retries": 1})

        ended = job(root, *COMMANDS[command])

    assert_no_verdict(root, ended, before)
    assert provider.calls == 2
    assert "openai/task" in ended.err
    assert "2 attempts" in ended.err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_provider_that_dies_in_the_middle_gives_no_verdict(command: str, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    dead = [(lambda request: request.number > 9, server_error())]
    with FakeProvider(answer, faults=dead) as provider:
        before = changed_repository(root, provider, model={"retries": 1})

        ended = job(root, *COMMANDS[command])

    assert_no_verdict(root, ended, before)
    assert "500" in ended.err


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (unauthorized(), "OPENAI_API_KEY"),
        (server_error(), "did not answer after 2 attempts"),
        (rate_limited(), "did not answer after 2 attempts"),
    ],
    ids=["401", "500", "429"],
)
@pytest.mark.parametrize("first", [1, 3], ids=["at once", "later"])
def test_a_reflection_lm_that_fails_is_no_missing_improvement(
    first: int, fault: Fault, says: str, tmp_path: Path
) -> None:
    seen: list[int] = []

    def fails(request: Request) -> bool:
        if is_reflection(request):
            seen.append(request.number)
        return is_reflection(request) and len(seen) >= first

    root = tmp_path / "repository"
    with FakeProvider(answer, faults=[(fails, fault)]) as provider:
        before = changed_repository(root, provider, model={"retries": 1})

        ended = job(root, "optimize")

    assert_no_verdict(root, ended, before)
    assert "openai/reflection" in ended.err
    assert says in ended.err
    assert "No candidate beat the baseline" not in ended.said


def test_a_reflection_lm_that_refuses_brings_no_candidate_and_says_so(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    with FakeProvider(answer, faults=[(is_reflection, refusal())]) as provider:
        before = changed_repository(root, provider)

        ended = job(root, "optimize")

    # It answered, so nothing is broken; the text it refused to give is no candidate.
    assert (ended.code, ended.task["verdict"]) == (0, "hold")
    assert ended.task["reasons"]
    assert (root / PROMPT).read_bytes() == before


def test_a_task_lm_that_refuses_scores_zero_and_names_the_failure(tmp_path: Path) -> None:
    with FakeProvider(solve, faults=[(every(3), refusal())]) as provider:
        root = parcels(tmp_path / "repository", provider, held_out=12)

        ended = job(root, "evaluate")

    assert ended.code == 0, ended.said
    failures = [row["failures"]["candidate"][0] for row in ended.task["examples"]]
    assert failures.count("refusal") == 4
    assert ended.task["candidate"]["mean"] == pytest.approx(8 / 12)
    assert spend_of(ended) == counted(provider)


@pytest.mark.parametrize("status", [400, 401, 429, 500])
@pytest.mark.parametrize(
    "saying",
    [
        "Incorrect API key provided: {key}",
        "header was 'Authorization: Bearer {key}'",
        'dump {{"Authorization": "Bearer {key}", "api-key": "{key}"}}',
        "line one\nline two has {key}",
    ],
    ids=["plain", "header", "dump", "second line"],
)
def test_a_key_that_a_provider_echoes_is_shown_nowhere(
    saying: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "Zq8-plain_looking-key.77"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    echo = Fault(status=status, body=error_body(saying.format(key=key), "some_error", "some_code"))
    with FakeProvider(solve, faults=[(always, echo)]) as provider:
        root = parcels(tmp_path / "repository", provider, model={"retries": 0})

        plain = job(root, "evaluate")
        as_json = job(root, "evaluate", "--format", "json")

    assert plain.code == as_json.code == 3
    assert provider.requests[0].headers["authorization"] == f"Bearer {key}"
    kept = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    for shown in (plain.said, as_json.said, kept.decode("latin-1")):
        assert key not in shown
    assert json.loads(as_json.out)["error"]["exit_code"] == 3


def test_a_key_in_a_model_failure_is_not_in_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "Zq8-plain_looking-key.77"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    body = error_body(f"maximum context length, {key}", "x", "context_length_exceeded")
    with FakeProvider(solve, faults=[(every(3), Fault(status=400, body=body))]) as provider:
        root = parcels(tmp_path / "repository", provider)

        ended = job(root, "evaluate")

    assert ended.code == 0, ended.said
    kept = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert key not in ended.said
    assert key.encode() not in kept
    assert ended.task["candidate"]["mean"] == pytest.approx(8 / 12)


def test_a_retry_after_is_waited_for(tmp_path: Path) -> None:
    with FakeProvider(code_of, faults=[(every(2), rate_limited(0.01))]) as provider:
        root = parcels(tmp_path / "repository", provider, held_out=24)

        ended = job(root, "evaluate")

    assert ended.code == 0, ended.said
    # Its own back-off would be at least a quarter of a second for each of them.
    assert ended.result["seconds"] < provider.calls / 2 * 0.25


def test_words_of_an_error_are_one_line_without_control_characters(tmp_path: Path) -> None:
    nasty = error_body("bad\x1b[31m red\x07\u202e line\nsecond", "x", "y")
    with FakeProvider(solve, faults=[(always, Fault(status=400, body=nasty))]) as provider:
        root = parcels(tmp_path / "repository", provider)

        ended = job(root, "evaluate")

    assert ended.code == 3
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", ended.err)
    assert "second" not in ended.err


def test_a_candidate_that_the_provider_cannot_read_is_no_infra_error(tmp_path: Path) -> None:
    too_long = Fault(
        status=400, body=error_body("maximum context length", "x", "context_length_exceeded")
    )

    def ramble(request: Request) -> str:
        return fenced("Go on. " * 30) if is_reflection(request) else code_of(request)

    def is_too_long(request: Request) -> bool:
        return not is_reflection(request) and "Go on. " in request.text

    with FakeProvider(ramble, faults=[(is_too_long, too_long)]) as provider:
        root = parcels(tmp_path / "repository", provider)

        ended = job(root, "optimize")

    assert (ended.code, ended.task["verdict"]) == (0, "hold")
    assert (root / PROMPT).read_text() == PROMPT_SOURCE
