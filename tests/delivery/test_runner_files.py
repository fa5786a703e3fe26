from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gepa_ci.delivery.runner_files import (
    MOST_OUTPUT_BYTES,
    MOST_SUMMARY_BYTES,
    Output,
    RunnerFiles,
    cut_summary,
    heredoc,
)
from gepa_ci.errors import GepaCiError

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = [
    "pass\nGITHUB_ENV=x\nverdict=improved",
    "EOF\nusd<<EOF\n0\nEOF",
    "a\r\nb\n",
    "ghadelimiter_0\n::set-output name=usd::0",
    "\ud800\u202e\x00",
    "",
]


def read_as_the_runner(text: str) -> dict[str, str]:
    """Parse a file of outputs as the runner does."""
    found: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        name, mark, delimiter = line.partition("<<")
        assert mark, f"not a heredoc: {line!r}"
        value = []
        for inner in lines:
            if inner == delimiter:
                break
            value.append(inner)
        found[name] = "\n".join(value)
    return found


def runner_files(folder: Path) -> RunnerFiles:
    return RunnerFiles(output=folder / "output", summary=folder / "summary")


def outputs(folder: Path) -> dict[str, str]:
    return read_as_the_runner((folder / "output").read_bytes().decode())


@pytest.mark.parametrize("value", HOSTILE)
def test_output_injection_a_value_stays_one_value(tmp_path: Path, value: str) -> None:
    runner_files(tmp_path).write_outputs({Output.VERDICT: value, Output.USD: "0.31"})

    written = value.encode(errors="replace").decode()
    assert outputs(tmp_path) == {"verdict": written, "usd": "0.31"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_output_injection_any_text_comes_back_as_it_was(value: str) -> None:
    written = heredoc(Output.RESULT, value, "d" * 32)

    assert read_as_the_runner(written) == {"result": value}


def test_output_injection_a_value_with_the_delimiter_is_refused() -> None:
    with pytest.raises(GepaCiError, match="output 'verdict' holds the delimiter"):
        heredoc(Output.VERDICT, "pass\n0123\nusd=0", "0123")


def test_delimiters_are_random_and_have_128_bits(tmp_path: Path) -> None:
    for _ in range(2):
        runner_files(tmp_path).write_outputs({Output.VERDICT: "pass", Output.USD: "0"})
    delimiters = re.findall("<<(.*)", (tmp_path / "output").read_text())

    assert len(set(delimiters)) == 4
    assert all(re.fullmatch("[0-9a-f]{32}", delimiter) for delimiter in delimiters)


def test_no_other_name_is_an_output() -> None:
    with pytest.raises(ValueError, match="PATH"):
        heredoc("PATH", "x", "d")  # type: ignore[arg-type]


def test_outputs_are_added_to_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "output").write_bytes(b"before<<x\n1\nx\n")

    runner_files(tmp_path).write_outputs({Output.VERDICT: "pass"})

    assert outputs(tmp_path) == {"before": "1", "verdict": "pass"}


def test_lines_end_in_line_feeds_on_every_system(tmp_path: Path) -> None:
    runner_files(tmp_path).write_outputs({Output.VERDICT: "pass"})

    assert b"\r" not in (tmp_path / "output").read_bytes()


def test_output_that_is_too_long_is_left_out_and_named(tmp_path: Path) -> None:
    left_out = runner_files(tmp_path).write_outputs(
        {Output.RESULT: "x" * (MOST_OUTPUT_BYTES // 2), Output.VERDICT: "pass"}
    )

    assert left_out == (Output.RESULT,)
    assert outputs(tmp_path) == {"verdict": "pass"}


def test_outside_of_actions_nothing_is_written() -> None:
    files = RunnerFiles()
    files.write_summary("text")

    assert files.write_outputs({Output.VERDICT: "pass"}) == ()


def test_summary_is_added_to_what_is_there(tmp_path: Path) -> None:
    files = runner_files(tmp_path)
    files.write_summary("# One\n")
    files.write_summary("# Zwei \u2192\n")

    assert (tmp_path / "summary").read_text(encoding="utf-8") == "# One\n# Zwei \u2192\n"


def test_summary_stays_under_one_mebibyte_with_what_is_there(tmp_path: Path) -> None:
    files = runner_files(tmp_path)
    (tmp_path / "summary").write_bytes(b"x" * 600_000)
    files.write_summary("\u00e4 paragraph\n\n" * 60_000)
    size = (tmp_path / "summary").stat().st_size

    assert 1_000_000 < size <= MOST_SUMMARY_BYTES
    assert (tmp_path / "summary").read_bytes().endswith(b"1 MiB only.\n")


def test_full_summary_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "summary").write_bytes(b"x" * MOST_SUMMARY_BYTES)
    runner_files(tmp_path).write_summary("more\n")

    assert (tmp_path / "summary").stat().st_size == MOST_SUMMARY_BYTES


@pytest.mark.parametrize(
    "block",
    [
        "```diff\n{}```\n",
        "````\n```\n{}```\n````\n",
        "~~~\n{}~~~\n",
        "<details>\n<summary>s</summary>\n\n{}\n</details>\n",
        "<details>\n\n```\n</details>\n\n{}```\n</details>\n",
    ],
)
def test_summary_is_cut_outside_of_fences_and_folds(block: str) -> None:
    text = (
        f"# Title\n\nFirst.\n\n{block.format('line' + chr(10) + chr(10) + 'line' + chr(10))}\nEnd\n"
    )
    text += "x" * 500
    start = len("# Title\n\nFirst.\n")
    end = len(text.encode()) - 500 - len("End\n") - 1

    for limit in range(140, end + 75):
        cut = cut_summary(text, limit)
        kept = cut.split("\n\nThe rest is left out here")[0]

        assert len(cut.encode()) <= limit
        assert len(kept) <= start or len(kept) >= end


def test_summary_that_fits_is_not_touched() -> None:
    assert cut_summary("a\n\nb", 4) == "a\n\nb"
