from __future__ import annotations

import re
from dataclasses import replace

import pytest
from report_samples import SAMPLES, gate_guards, gate_pass, promote, tagged

from gepa_ci.core.result import PromptChange
from gepa_ci.core.spend import Usage
from gepa_ci.reports import render, result_document
from gepa_ci.reports.console.page import even
from gepa_ci.reports.console.summary import render_terminal


@pytest.mark.parametrize("name", SAMPLES)
def test_summary_of_a_task_fits_a_screen(name: str) -> None:
    result = SAMPLES[name]()
    lines = render(result_document(result, texts=False), "terminal").splitlines()

    assert len(lines) <= 44 * max(1, len(result.tasks))
    assert max(map(len, lines)) <= 96
    assert "\x1b" not in "".join(lines)


def test_worst_case_still_fits_a_screen() -> None:
    long = "word " * 500
    task = replace(promote().tasks[0], name=long, reasons=(long,) * 9, notes=(long,) * 9)
    lines = render(
        result_document(replace(promote(), tasks=(task,)), texts=False), "terminal"
    ).splitlines()

    assert len(lines) <= 60


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

    assert "  examples    57 of 200 held-out, 3 trials each\n" in text
    assert "              3 examples left out, as their calls failed\n" in text


def test_nothing_is_said_of_a_method_and_a_ledger_that_are_not_there() -> None:
    text = terminal(method="")

    assert "method  " not in text
    assert "ledger" not in text


def changed(before: str, after: str, *, color: bool = False) -> str:
    """Return what is told of a prompt file that was changed."""
    change = PromptChange(path="p.md", before=before, after=after)
    task = replace(gate_guards().tasks[0], changes=(change,))
    document = result_document(replace(gate_guards(), tasks=(task,)), texts=False)
    return render_terminal(document, color=color)


def test_what_changed_is_told_by_words() -> None:
    text = changed("Name the colour.\nBe short.\n", "Say the colour.\nBe short.\n")

    assert (
        "  changed     p.md\n"
        "              [-Name-]{+Say+} the colour.\n"
        "              Be short.\n"
        "  method" in text
    )


def test_colours_say_what_the_marks_say() -> None:
    text = changed("Name the colour.\n", "Say the colour.\n", color=True)

    assert "\x1b[9;31mName\x1b[0m\x1b[4;32mSay\x1b[0m the colour." in text
    assert "\x1b[1;32mpass. The head prompt is not worse than the margin allows\x1b[0m" in text
    assert "[-" not in text


def test_colours_change_no_word() -> None:
    for make in (gate_guards, SAMPLES["gate_three_tasks"], SAMPLES["evaluated"]):
        result = make()
        tasks = tuple(replace(task, changes=()) for task in result.tasks)
        document = result_document(replace(result, tasks=tasks), texts=False)
        bare = re.sub(r"\x1b\[[0-9;]*m", "", render_terminal(document, color=True))

        assert re.sub(" +\n", "\n", bare) == render_terminal(document)


def test_a_long_change_is_cut_and_says_so() -> None:
    before = "".join(f"Rule {number}.\n" for number in range(30))
    text = changed(before, before.replace("Rule", "Law"))

    assert text.count("[-Rule-]{+Law+}") == 20
    assert "              and 10 more lines\n" in text


def test_of_a_long_line_only_what_is_near_the_change_is_told() -> None:
    words = " ".join(f"word{number:05}" for number in range(400))
    text = changed(f"{words} old {words}\n", f"{words} new {words}\n")

    assert "word00398 word00399 [-old-]{+new+}\n" in text
    assert len(text.splitlines()) < 40


def test_a_line_that_is_all_new_is_cut_too() -> None:
    text = changed("a\n", "b" * 5_000 + "\n")

    assert "… +}" not in text
    assert text.count("b") < 1_200
    assert " …+}" in text


@pytest.mark.parametrize("width", [60, 72, 96, 120])
@pytest.mark.parametrize("name", SAMPLES)
def test_narrower_and_wider_terminals_are_never_overrun(name: str, width: int) -> None:
    text = render_terminal(result_document(SAMPLES[name](), texts=False), width=width)
    lines = [line for line in text.splitlines() if not line.startswith("  run again ")]

    assert max(map(len, lines)) <= width


def test_a_narrow_terminal_has_the_figures_in_words() -> None:
    document = result_document(gate_guards(), texts=False)

    assert (
        "  mean score  0.533 -> 0.533   0.000\n              90% interval -0.023 to +0.023\n"
        in render_terminal(document, width=60)
    )


def test_where_there_is_room_the_figures_are_on_one_line() -> None:
    text = render_terminal(result_document(gate_guards(), texts=False), width=80)

    assert "  mean score  0.533 -> 0.533   0.000   (90% interval -0.023 to +0.023)\n" in text


def test_figures_of_one_row_have_as_many_decimals() -> None:
    text = render(result_document(SAMPLES["gate_inconclusive"](), texts=False), "terminal")

    assert re.search(r"mean score  0\.533  0\.503 +-0\.030  -0\.085 to \+0\.026", text)
    assert even("0.5", "+0.123 to +0.2", "1,204") == ["0.500", "+0.123 to +0.200", "1,204"]
    assert even("612", "9") == ["612", "9"]


def test_the_worst_task_comes_first() -> None:
    text = render(result_document(SAMPLES["gate_three_tasks"](), texts=False), "terminal")
    found = re.findall(r"^(?:  )?(orders|triage|summary)\b", text, re.MULTILINE)

    assert found == ["triage", "summary", "orders"] * 2


def test_where_nothing_was_compared_no_figure_is_told() -> None:
    (task,) = SAMPLES["gate_no_scores"]().tasks
    one = render(result_document(SAMPLES["gate_no_scores"](), texts=False), "terminal")
    result = replace(SAMPLES["gate_no_scores"](), tasks=(task, task))
    two = render(result_document(result, texts=False), "terminal")

    assert "  mean score  nothing measured\n" in one
    assert "  examples    100 examples left out, as their calls failed\n" in one
    assert "0.00" not in one + two


def test_what_is_only_measured_says_its_score_once() -> None:
    (task,) = SAMPLES["evaluated"]().tasks
    reason = "The mean score on val is 0.830."
    result = replace(SAMPLES["evaluated"](), tasks=(replace(task, reasons=(reason,)),))

    assert reason not in render(result_document(result, texts=False), "terminal")


@pytest.mark.parametrize("width", [60, 96])
def test_names_that_are_too_long_are_cut_and_figures_never(width: int) -> None:
    (first, *_) = gate_guards().tasks[0].guards
    task = replace(
        gate_guards().tasks[0],
        name="a task with a name that goes on and on",
        guards=(replace(first, name="metrics/very_long_name.py:guard_of_it"),),
    )
    document = result_document(replace(gate_guards(), tasks=(task, task)), texts=False)
    text = render_terminal(document, width=width)

    assert re.search(r"^  a task [a-z ]*… +pass +0\.533  0\.533 ", text, re.MULTILINE)
    assert re.search(r"^  guards      metrics/very\S*… *  pass +0\.95 ", text, re.MULTILINE)


def test_the_only_place_of_a_text_shows_all_of_it() -> None:
    (task,) = SAMPLES["hold_interrupted"]().tasks
    words = " ".join(f"word{number}" for number in range(30))
    change = PromptChange(path="p.md", before="a\n\n", after=f"a\n\n    {words}\n" + "b" * 3_000)
    result = replace(SAMPLES["hold_interrupted"](), tasks=(replace(task, changes=(change,)),))
    text = render_terminal(result_document(result, texts=False), width=60)

    lines = text.splitlines()
    (first,) = [place for place, line in enumerate(lines) if line.startswith("  +    word0 ")]
    assert lines[first + 1].startswith("       word")
    assert all(re.search(rf"\bword{number}\b", text) for number in range(30))
    assert 1_950 < text.count("b") < 2_050
    assert " …" in text


def test_wrapped_words_keep_the_indentation_of_their_line() -> None:
    text = changed("a:\n    old\n", "a:\n    " + "new words " * 12 + "\n")

    assert "\n                  {+new words new" in text
    assert re.search(r"\n {18}(new|words) ", text)


def test_several_tasks_begin_and_end_with_all_of_them() -> None:
    text = render(result_document(SAMPLES["gate_three_tasks"](), texts=False), "terminal")
    title = "gepa-ci gate: 1 regression, 1 inconclusive, 1 pass\n"

    assert text.startswith(title)
    assert "\n  triage      regression     0.533  0.377  -0.157" in text
    assert text.count(title) == 2
    assert text.splitlines()[-3].startswith("  spend       1,836 calls")


HOSTILE = "[bold red]x[/] \x1b[31m\x9b2J\r\u202e:warning: \u200b[link=https://e.example]y[/link]"


@pytest.mark.parametrize("color", [False, True])
def test_whatever_anybody_wrote_is_text_and_no_markup_or_code(color: bool) -> None:
    task = replace(
        gate_guards().tasks[0],
        name=HOSTILE,
        reasons=(HOSTILE,),
        model=HOSTILE,
        changes=(PromptChange(path=HOSTILE, before="a\n", after=HOSTILE + "\n"),),
    )
    document = result_document(replace(gate_guards(), tasks=(task,) * 2), texts=False)
    text = render_terminal(document, color=color)

    codes = set(re.findall(r"\x1b\[[0-9;]*[A-Za-z]|\x1b", text))
    assert codes <= ({f"\x1b[{c}m" for c in OURS} if color else set())
    assert not set("\x9b\r\u202e") & set(text)
    assert "[bold red]x[/]" in text
    assert ":warning:" in text


OURS = ("0", "1", "2", "32", "31", "1;32", "1;31", "1;33", "9;31", "4;32")


def test_of_very_many_tasks_the_worst_are_told_and_the_others_counted() -> None:
    task = gate_pass().tasks[0]
    tasks = tuple(replace(task, name=f"t{number}") for number in range(300))
    result = replace(gate_pass(), tasks=tasks)
    text = render_terminal(result_document(result, texts=False))

    assert "270 more tasks, of which the other reports tell" in text
    assert len(text.splitlines()) < 1_500
