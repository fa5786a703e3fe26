from __future__ import annotations

from dataclasses import replace

import pytest
from report_samples import SAMPLES, promote

from gepa_ci.core.spend import Usage
from gepa_ci.reports import render, result_document


@pytest.mark.parametrize("name", SAMPLES)
def test_summary_of_a_task_fits_a_screen(name: str) -> None:
    result = SAMPLES[name]()
    lines = render(result_document(result, texts=False), "terminal").splitlines()

    assert len(lines) <= 25 * max(1, len(result.tasks))
    assert max(map(len, lines)) <= 96


def test_worst_case_still_fits_a_screen() -> None:
    long = "word " * 500
    task = replace(promote().tasks[0], name=long, reasons=(long,) * 9, notes=(long,) * 9)
    lines = render(
        result_document(replace(promote(), tasks=(task,)), texts=False), "terminal"
    ).splitlines()

    assert len(lines) <= 45


def test_command_to_run_again_is_on_one_line() -> None:
    replay = "gepa-ci gate " + "--base abc " * 20
    text = render(result_document(replace(promote(), replay=replay), texts=False), "terminal")

    assert f"run again   {replay.strip()}\n" in text


def test_unknown_price_is_said() -> None:
    task = replace(promote().tasks[0], spend=Usage(calls=3, usd=None), spend_by_purpose={})
    text = render(result_document(replace(promote(), tasks=(task,)), texts=False), "terminal")

    assert "3 calls; 0 tokens in, 0 out; dollars unknown" in text


def test_run_without_phases_still_has_its_time() -> None:
    text = render(result_document(SAMPLES["nothing"](), texts=False), "terminal")

    assert "  time        0.3 s\n" in text
