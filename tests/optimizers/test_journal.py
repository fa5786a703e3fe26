"""Tests of gepa_ci.optimizers.journal."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gepa_ci.core.score import ModelFailure, Score, Step, Trial
from gepa_ci.errors import UsageError
from gepa_ci.optimizers.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path


def trial(example: str, *, output: str = "out", failure: ModelFailure | None = None) -> Trial:
    return Trial(
        example_id=example,
        number=0,
        output=output,
        score=Score(value=0.25, feedback="why\u2028\n", parts={"name": 1.0}),
        failure=failure,
    )


def filled(path: Path, count: int = 3) -> bytes:
    journal = Journal(path)
    for number in range(count):
        journal.add_rollout("p", trial(f"e{number}"))
    journal.close()
    return path.read_bytes()


def test_a_restart_answers_what_an_earlier_run_wrote(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "j.jsonl"
    first = Journal(path)
    first.add_rollout("p", trial("e", failure=ModelFailure.REFUSAL))
    first.add_text("request", "answer \ud800")
    first.close()

    again = Journal(path)
    again.close()

    assert again.rollout("p", "e") == trial("e", failure=ModelFailure.REFUSAL)
    assert again.text("request") == "answer \ud800"
    assert again.resumed == 2
    assert again.rollout("p", "other") is None
    assert again.rollout("other", "e") is None
    assert again.text("other") is None


def test_a_restart_knows_the_way_a_program_took_to_its_output(tmp_path: Path) -> None:
    told = replace(
        trial("e"),
        fields={"answer": "Paris", "sources": [1, None]},
        steps=(Step(prompt="rewrite", inputs={"q": "x"}, output="y", fields={"z": True}),),
        trace="looked it up",
        guards={"cost": 12.0},
    )
    first = Journal(tmp_path / "j.jsonl")
    first.add_rollout("p", told)
    first.close()

    again = Journal(tmp_path / "j.jsonl")
    again.close()

    assert again.rollout("p", "e") == told


def test_without_a_path_nothing_is_kept_and_all_is_answered() -> None:
    journal = Journal(None)
    journal.add_rollout("p", trial("e"))
    journal.close()

    assert journal.rollout("p", "e") == trial("e")
    assert journal.resumed == 0


@settings(deadline=None)
@given(cut=st.integers(0, 600))
def test_a_torn_file_loses_only_its_last_line(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j.jsonl"
    whole = filled(path)
    path.write_bytes(whole[:cut])
    complete = whole[:cut].count(b"\n")

    journal = Journal(path)
    assert journal.resumed == complete
    for number in range(complete, 3):
        assert journal.rollout("p", f"e{number}") is None
        journal.add_rollout("p", trial(f"e{number}"))
    journal.close()

    assert path.read_bytes() == whole


def test_a_last_line_without_its_newline_is_as_if_never_written(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(filled(path)[:-1])

    journal = Journal(path)
    journal.close()

    assert journal.rollout("p", "e2") is None
    assert journal.resumed == path.read_bytes().count(b"\n") == 2


GOOD: dict[str, object] = {
    "prompt": "p",
    "example": "x",
    "output": "",
    "score": 1.0,
    "feedback": "",
    "parts": {},
    "failure": None,
}


WRONG: tuple[dict[str, object], ...] = (
    {"score": "1"},
    {"score": float("nan")},
    {"score": 2},
    {"score": -0.1},
    {"score": 10**400},
    {"parts": []},
    {"parts": {"a": "b"}},
    {"parts": {"a": float("inf")}},
    {"failure": "exploded"},
    {"failure": 1},
    {"output": None},
    {"example": 1},
    {"prompt": {}},
    {"feedback": []},
    {"steps": {}},
    {"steps": [1]},
    {"steps": [{}]},
    {"fields": []},
    {"guards": {"a": "b"}},
    {"trace": 1},
)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not json",
        b"\x80\x04\x95pickle",
        b"\x00\xff",
        b"1",
        b"[]",
        b'"reflection"',
        b"[" * 100_000,
        b'{"reflection": 1, "text": "t"}',
        b'{"reflection": "k", "text": null}',
        b'{"reflection": "k"}',
        b"{}",
        *(json.dumps({**GOOD, **wrong}).encode() for wrong in WRONG),
    ],
    ids=range(32),
)
def test_a_line_that_is_not_ours_ends_the_reading_and_is_cut_off(
    tmp_path: Path, line: bytes
) -> None:
    path = tmp_path / "j.jsonl"
    ours = filled(path, 2)
    path.write_bytes(ours + line + b"\n" + ours.replace(b"e0", b"e7"))

    journal = Journal(path)
    journal.close()

    assert journal.resumed == 2
    assert journal.rollout("p", "e7") is None
    assert path.read_bytes() == ours


def test_a_link_is_refused_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    target = tmp_path / "precious.txt"
    target.write_text("keep me", encoding="utf-8")
    link = tmp_path / "j.jsonl"
    link.symlink_to(target)

    with pytest.raises(UsageError, match="the checkpoint is not a plain file"):
        Journal(link)

    assert target.read_text(encoding="utf-8") == "keep me"


def test_a_folder_in_the_way_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the checkpoint is not a plain file"):
        Journal(tmp_path)


def test_lines_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    journal = Journal(path)

    def work(name: str) -> None:
        for number in range(200):
            journal.add_rollout(name, trial(f"e{number}", output=name * 500))
            journal.add_text(f"{name}{number}", name)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    again = Journal(path)
    again.close()

    assert again.resumed == 800
    assert again.rollout("b", "e199") == trial("e199", output="b" * 500)
