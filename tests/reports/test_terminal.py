from __future__ import annotations

from dataclasses import replace

import pytest
from report_samples import SAMPLES, gate_guards, promote, tagged

from gepa_ci.core.spend import Usage
from gepa_ci.reports import render, result_document


@pytest.mark.parametrize("name", SAMPLES)
def test_summary_of_a_task_fits_a_screen(name: str) -> None:
    result = SAMPLES[name]()
    lines = render(result_document(result, texts=False), "terminal").splitlines()

    assert len(lines) <= 30 * max(1, len(result.tasks))
    assert max(map(len, lines)) <= 96


def test_worst_case_still_fits_a_screen() -> None:
    long = "word " * 500
    task = replace(promote().tasks[0], name=long, reasons=(long,) * 9, notes=(long,) * 9)
    lines = render(
        result_document(replace(promote(), tasks=(task,)), texts=False), "terminal"
    ).splitlines()

    assert len(lines) <= 48


def test_command_to_run_again_is_on_one_line() -> None:
    replay = "gepa-ci gate " + "--base abc " * 20
    text = render(result_document(replace(promote(), replay=replay), texts=False), "terminal")

    assert f"run again   {replay.strip()}\n" in text


def test_unknown_price_is_said() -> None:
    task = replace(promote().tasks[0], spend=Usage(calls=3, usd=None), spend_by_model=())
    text = render(result_document(replace(promote(), tasks=(task,)), texts=False), "terminal")

    assert "3 calls; 0 tokens in, 0 out; dollars unknown" in text


def test_run_without_phases_still_has_its_time() -> None:
    text = render(result_document(SAMPLES["nothing"](), texts=False), "terminal")

    assert "  time        0.3 s\n" in text


def terminal(**fields: object) -> str:
    task = replace(gate_guards().tasks[0], **fields)  # type: ignore[arg-type]
    return render(result_document(replace(gate_guards(), tasks=(task,)), texts=False), "terminal")


def test_many_guards_and_tags_that_look_worse_are_cut_short() -> None:
    (first, *_) = gate_guards().tasks[0].guards
    text = terminal(
        guards=tuple(replace(first, name=f"m/metric.py:guard_{i}") for i in range(20)),
        slices=tuple(tagged(f"tag {i}", 20, 0.9, 0.2, adjusted_p=0.01) for i in range(9)),
    )

    assert text.count("m/metric.py:guard_") == 8
    assert "              and 12 more\n" in text
    assert text.count(" looks worse: ") == 3
    assert "              and 6 more tags\n" in text


def test_tags_of_which_none_looks_worse_take_one_line() -> None:
    slices = (tagged("a", 20, 0.9, 0.8, adjusted_p=0.3),)

    assert "  tags        1 tag compared, none looks worse\n" in terminal(slices=slices)


def test_nothing_is_said_of_guards_and_tags_that_are_not_there() -> None:
    text = terminal(guards=(), slices=(), reasons=())

    assert "guards" not in text
    assert "tags" not in text


def test_early_stop_and_failed_calls_are_told_where_examples_are_counted() -> None:
    text = render(result_document(SAMPLES["gate_stopped_early"](), texts=False), "terminal")

    assert "  examples    57 of 200 held-out, 3 trials each: 0 better, 0 worse, 57 same\n" in text
    assert "              3 examples left out, as their calls failed\n" in text


def test_nothing_is_said_of_a_method_and_a_ledger_that_are_not_there() -> None:
    text = terminal(method="")

    assert "method  " not in text
    assert "ledger" not in text
