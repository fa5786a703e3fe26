from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from provider import FakeProvider, Request
from world import (
    PROMPT,
    PROMPT_SOURCE,
    answer,
    code_of,
    commit,
    fenced,
    git,
    is_reflection,
    job,
    parcels,
    rules_in,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_reflection_finds_the_rules_and_only_the_prompt_file_changes(tmp_path: Path) -> None:
    with FakeProvider(answer) as provider:
        root = parcels(tmp_path / "repository", provider)
        commit(root)

        first = job(root, "optimize")
        changed = git(root, "status", "--porcelain").split()
        written = (root / PROMPT).read_text()
        second = job(root, "optimize")

    assert first.code == 0, first.said
    assert first.task["verdict"] == "promote"
    assert first.task["written"] == [PROMPT]
    assert first.task["candidate"]["mean"] == 1.0
    assert changed == ["M", PROMPT]
    assert rules_in(written) == ["rule-0", "rule-1", "rule-2", "rule-3"]
    assert "# The letter as it came in.\n  - role: user\n" in written
    assert second.code == 0, second.said
    assert second.task["verdict"] == "hold"
    assert second.task["reasons"]
    assert (root / PROMPT).read_text() == written


def test_nonsense_from_the_reflection_lm_holds_and_leaves_the_file(tmp_path: Path) -> None:
    said = iter(range(10_000))

    def nonsense(request: Request) -> str:
        return fenced(f"Blah {next(said)}.") if is_reflection(request) else code_of(request)

    with FakeProvider(nonsense) as provider:
        root = parcels(tmp_path / "repository", provider)
        commit(root)

        ended = job(root, "optimize")

    assert ended.code == 0, ended.said
    assert ended.task["verdict"] == "hold"
    assert ended.task["reasons"]
    assert (root / PROMPT).read_text() == PROMPT_SOURCE
    assert git(root, "status", "--porcelain") == ""


def test_an_answer_without_a_new_text_holds(tmp_path: Path) -> None:
    def chatter(request: Request) -> str:
        return "I would not change a thing." if is_reflection(request) else code_of(request)

    with FakeProvider(chatter) as provider:
        root = parcels(tmp_path / "repository", provider)

        ended = job(root, "optimize")

    assert (ended.code, ended.task["verdict"]) == (0, "hold")
    assert (root / PROMPT).read_text() == PROMPT_SOURCE


def test_a_world_of_pure_noise_promotes_almost_nothing(tmp_path: Path) -> None:
    seed = 0

    def noise(request: Request) -> str:
        # By its body, so that every prompt has its own luck with every letter.
        luck = hashlib.sha256(request.raw + bytes([seed])).hexdigest()
        if is_reflection(request):
            return fenced(f"Name the code of the parcel. Style {luck[:9]}.")
        topic = request.text.rsplit("topic-", 1)[1][0]
        return f"code-{topic}" if luck < "8" else "unknown"

    verdicts, proofs = [], 0
    with FakeProvider(noise) as provider:
        for seed in range(20):
            root = parcels(
                tmp_path / f"world-{seed}",
                provider,
                held_out=16,
                optimize={"max_metric_calls": 100, "proposals": 4, "seed": seed},
            )
            task = job(root, "optimize").task
            verdicts.append(task["verdict"])
            proofs += task["candidate"] is not None

    # Luck on val brings some candidates as far as the held-out examples, where it is found out.
    assert len(verdicts) == 20
    assert proofs >= 2
    assert set(verdicts) <= {"promote", "hold"}
    assert verdicts.count("promote") <= 2
