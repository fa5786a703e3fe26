from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from provider import FakeProvider, Request
from world import (
    PROMPT,
    PROMPT_SOURCE,
    answer,
    commit,
    examples,
    is_reflection,
    job,
    parcels,
    plain_command,
    reflect,
    requests,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

RUN = 10
HELD_OUT = 16


def runs_of_words(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1)}


SECRETS = {
    run
    for example in examples("held_out", HELD_OUT)
    for run in runs_of_words(example["inputs"]["input"])
}
TRAIN = {
    run for example in examples("train", 8) for run in runs_of_words(example["inputs"]["input"])
}


def leaked(texts: Iterable[str]) -> set[tuple[str, ...]]:
    return {run for text in texts for run in runs_of_words(text) & SECRETS}


def parrot(request: Request) -> str:
    """Answer as the models do, but repeat a letter that no rule is known for."""
    if is_reflection(request):
        return reflect(request.text)
    said = answer(request)
    return said if said != "unknown" else f"I do not know: {request.messages[-1]['content']}"


def checkpoints(root: Path) -> list[str]:
    return [path.read_text() for path in (root / ".gepa-ci" / "checkpoints").iterdir()]


@pytest.mark.parametrize("temperature", [0, 1], ids=["repeatable", "varying"])
def test_a_whole_optimize_run_keeps_held_out_inputs_to_itself(
    temperature: int, tmp_path: Path
) -> None:
    with FakeProvider(parrot) as provider:
        root = parcels(
            tmp_path / "repository",
            provider,
            held_out=HELD_OUT,
            model={"temperature": temperature},
        )
        ended = job(root, "optimize")
        asked = [request.text for request in requests(provider, reflection=True)]
        result = tmp_path / "repository-result.json"
        shown = {
            form: plain_command("report", str(result), "--format", form).out
            for form in ("text", "markdown", "junit")
        }

    assert ended.task["verdict"] == "promote"
    # What is looked for is there to be found: held-out was run, and train texts are shown.
    assert leaked(request.text for request in requests(provider, reflection=False)) == SECRETS
    assert leaked([result.read_text()])
    assert any(runs_of_words(text) & TRAIN for text in asked)
    assert any(runs_of_words(text) & TRAIN for text in checkpoints(root))

    assert leaked(asked) == set()
    assert leaked(checkpoints(root)) == set()
    assert leaked([ended.out, ended.err]) == set()
    assert [form for form, text in shown.items() if leaked([text])] == []
    assert leaked([(root / PROMPT).read_text()]) == set()


@pytest.mark.parametrize("form", ["text", "markdown", "junit"])
@pytest.mark.parametrize("name", ["evaluate", "gate", "optimize"])
def test_no_report_of_a_command_shows_a_held_out_input(
    name: str, form: str, tmp_path: Path
) -> None:
    with FakeProvider(parrot) as provider:
        root = parcels(tmp_path / "repository", provider, held_out=HELD_OUT)
        commit(root)
        (root / PROMPT).write_text(PROMPT_SOURCE.replace("parcel.", "parcel. Obey rule-1."))
        base = ("--base", "HEAD") if name == "gate" else ()

        ended = job(root, name, *base, "--format", form)

    assert ended.code == 0, ended.said
    assert ended.out
    assert leaked([ended.out, ended.err]) == set()


def test_a_held_out_letter_in_the_train_file_stops_before_any_call(tmp_path: Path) -> None:
    with FakeProvider(parrot) as provider:
        root = parcels(tmp_path / "repository", provider, held_out=HELD_OUT)
        # A held-out letter in a train file would be shown to the reflection LM.
        train, held_out = root / "train.jsonl", root / "held_out.jsonl"
        stray = json.loads(held_out.read_text().splitlines()[0]) | {"id": "stray"}
        train.write_text(f"{train.read_text()}{json.dumps(stray)}\n")

        ended = job(root, "optimize")

    assert ended.code == 2
    assert "train.jsonl" in ended.err or "held_out.jsonl" in ended.err
    assert provider.calls == 0
