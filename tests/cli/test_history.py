"""Tests of gepa-ci history: where scores come from, what is drift, and how both are shown."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from history_world import COMMIT, entry, nights
from provider import FakeProvider
from workbench import ROOT, answer, task_files

from gepa_ci.cli.digests import history_digest
from gepa_ci.cli.history_moments import history_of
from gepa_ci.cli.history_source import Source
from gepa_ci.cli.measured import Spread, is_new, spread, spread_of
from gepa_ci.cli.workspace import open_workspace
from gepa_ci.core.evaluation import Evaluation
from gepa_ci.core.score import Score, Trial
from gepa_ci.core.spend import Usage
from gepa_ci.core.suite import Example, Part
from gepa_ci.delivery.data_branch import Data, HistoryEntry
from gepa_ci.delivery.data_files import files_of
from gepa_ci.reports import history as shown_history
from gepa_ci.reports.history.rendering import history_document, render_history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from provider import Request
    from workbench import Workbench

    from gepa_ci.reports.view.model_history import History

GOLDEN = Path(__file__).parent / "golden_history"
SCHEMA = json.loads(
    (Path(shown_history.__file__).parent / "history.schema.json").read_text(encoding="utf-8")
)
GOOD, BAD = [1.0] * 80 + [0.0] * 20, [1.0] * 40 + [0.0] * 60
HOSTILE = "\x1b[31m<script>alert(1)</script>[bold]x[/] ::error::x \u202e @all"


def history(entries: Sequence[HistoryEntry], task: str = "triage") -> History:
    return history_of(task, Source(name="the branch x", entries={task: entries}, hint=""))


SAMPLES = {
    "drifted": lambda: [
        *nights(30, drop_at=20, drop=0.2),
        entry(31, None),
        entry(33, [1.0] * 90 + [0.0] * 10, question="z", verdict="promote"),
        entry(36, [1.0] * 92 + [0.0] * 8, question="z", fresh=False),
    ],
    "steady": lambda: nights(12),
    "one_score": lambda: [entry(0, GOOD, verdict="hold")],
    "one_day": lambda: [entry(0, [1.0] * 10), replace(entry(0, [1.0] * 9 + [0.0]), at=LATER)],
    "never_measured": lambda: [entry(0, None)],
}
LATER = "2026-03-01T09:30:00+02:00"


@pytest.mark.parametrize("name", SAMPLES)
def test_history_reads_as_its_golden_file(name: str, pytestconfig: pytest.Config) -> None:
    text = render_history(history(SAMPLES[name]()), "text")
    path = GOLDEN / f"{name}.txt"
    if pytestconfig.getoption("--update-golden", default=False):
        path.write_bytes(text.encode())

    assert text.encode() == path.read_bytes()


def test_the_documented_plot_is_a_real_one() -> None:
    golden = (GOLDEN / "drifted.txt").read_text(encoding="utf-8")
    docs = (ROOT / "docs" / "history.md").read_text(encoding="utf-8")

    assert golden.partition("\n\n  latest")[0] in docs


@pytest.mark.parametrize("width", [40, 60, 96, 120])
@pytest.mark.parametrize("name", SAMPLES)
def test_a_history_fits_the_terminal(name: str, width: int) -> None:
    lines = render_history(history(SAMPLES[name]()), "text", width=width).splitlines()
    drawn = [line for line in lines if "|" in line[:9] or "+-" in line]

    assert max(map(len, drawn), default=0) <= max(min(width, 96), 40)
    assert max(map(len, lines)) <= max(width, 40)
    assert len(drawn) <= 20


def test_letters_of_drift_go_on_after_z() -> None:
    found = history_of(
        "t",
        Source(
            name="x",
            entries={
                "t": [
                    entry(night, [1.0] * 990 + [0.0] * 10 if night // 2 % 2 else [0.0] * 1_000)
                    for night in range(120)
                ]
            },
            hint="",
        ),
    )

    labels = [shift.label for shift in found.shifts]
    assert labels[:2] == ["A", "B"]
    assert labels[25:28] == ["Z", "AA", "AB"]
    assert [m.label for m in found.moments if m.drift] == labels
    assert "and 49 earlier ones" in render_history(found, "text")
    assert "AB" in render_history(found, "text")


def test_drift_is_told_with_date_commit_and_scores() -> None:
    (shift,) = history([entry(n, GOOD) for n in range(5)] + [entry(5, BAD), entry(6, BAD)]).shifts

    assert (shift.label, shift.commit) == ("A", COMMIT)
    assert (shift.before, shift.after) == pytest.approx((0.8, 0.4))
    assert shift.sentence == (
        "From 2026-03-06 on the mean score is 0.40 in place of 0.80 (-0.40), though prompt, "
        "examples, metric and model string are the same."
    )


def test_a_small_drift_is_dated_at_its_begin_and_says_when_it_was_sure() -> None:
    worse = [1.0] * 68 + [0.0] * 32
    (shift,) = history([entry(n, GOOD if n < 20 else worse) for n in range(30)]).shifts

    assert shift.at.isoformat() == "2026-03-21T04:00:00+00:00"
    assert shift.seen > shift.at
    assert shift.sentence.endswith(f"It was more than chance on {shift.seen.date()}.")


def test_another_prompt_is_no_drift_and_is_marked() -> None:
    found = history([entry(0, GOOD), entry(1, GOOD), entry(2, BAD, question="other")])

    assert found.shifts == ()
    assert [moment.changed for moment in found.moments] == [False, False, True]
    assert "* of another prompt" in render_history(found, "text")


def test_a_picture_breaks_its_line_where_another_prompt_begins() -> None:
    same = page_of([entry(night, GOOD) for night in range(4)])
    other = page_of([entry(night, GOOD, question="qz"[night > 1]) for night in range(4)])

    assert same.tags.count("polyline") == 1
    assert "A square begins a new line" not in same.text
    assert other.tags.count("polyline") == 2
    assert "A square begins a new line: it is of another prompt" in other.text


def test_runs_of_one_minute_are_apart_and_no_time_is_told_twice() -> None:
    at = "2026-03-01T04:05:{:02}+00:00"
    found = history([replace(entry(0, GOOD), at=at.format(second)) for second in (1, 3, 40)])
    axis = render_history(found, "text").splitlines()[16]

    assert axis.split() == ["03-01", "04:05:01", "03-01", "04:05:20", "03-01", "04:05:40"]


def test_columns_without_a_word_are_not_shown() -> None:
    bare = [replace(entry(night, GOOD), commit="") for night in range(2)]
    full = [*bare, entry(2, BAD, question="z", verdict="hold")]
    head = "Time (UTC) Mean score 95% interval Examples{} Dollars{}"

    assert "commit" not in render_history(history(bare), "text")
    assert head.format("", "") in " ".join(page_of(bare).heads)
    assert head.format(" Commit", " Remark") in " ".join(page_of(full).heads)
    # A verdict is about a run's candidate, and would stand beside the score of another prompt.
    assert "hold" not in render_history(history(full), "text")
    assert history_document(history(full))["moments"][2]["verdict"] == "hold"  # type: ignore[index, call-overload]


def test_cached_answers_neither_hide_nor_make_drift() -> None:
    stale = [entry(n, BAD, fresh=False) for n in range(5, 9)]
    found = history([*(entry(n, GOOD) for n in range(5)), *stale])

    assert found.shifts == ()
    assert found.compared == 4
    assert found.notes == ("4 scores from cached answers cannot tell of drift.",)


@pytest.mark.parametrize(("mean", "top", "bottom"), [(0.9, "0.90", "0.80"), (0.0, "0.10", "0.00")])
def test_a_mean_without_interval_is_a_point(mean: float, top: str, bottom: str) -> None:
    bare = replace(entry(0, GOOD), mean=mean, low=None, high=None)
    text = render_history(history([bare]), "text")

    assert f"   {top} |" in text
    assert f"   {bottom} |" in text
    assert sum("|" in line[9:] for line in text.splitlines()[:16]) == 0


def test_entries_are_sorted_by_time_whatever_their_zone() -> None:
    found = history([replace(entry(0, GOOD), at=LATER), entry(0, BAD, run="first")])

    assert [moment.run for moment in found.moments] == ["first", "0.1"]


@pytest.mark.parametrize("name", SAMPLES)
def test_json_is_as_its_schema_says(name: str) -> None:
    document = json.loads(render_history(history(SAMPLES[name]()), "json"))

    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert document == history_document(history(SAMPLES[name]()))


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.policy = self.style = self.text = ""
        self.heads: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        if dict(attrs).get("http-equiv"):
            self.policy = dict(attrs)["content"] or ""
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.style += data
        if self.tags[-1:] == ["th"] and data.strip():
            self.heads.append(data)
        self.text += data


def page_of(entries: Sequence[HistoryEntry], task: str = "triage") -> _Page:
    page = _Page()
    page.feed(render_history(history(entries, task), "html"))
    return page


@pytest.mark.parametrize("name", SAMPLES)
def test_page_is_complete_and_asks_for_nothing(name: str) -> None:
    page = page_of(SAMPLES[name]())

    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert page.policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    assert not {"style", "src"} & page.names
    assert ("svg" in page.tags) == (name != "never_measured")
    assert "{{" not in page.text


def test_page_tells_of_drift() -> None:
    page = page_of(SAMPLES["drifted"]())

    assert "triage: 32 held-out scores from 2026-03-01 to 2026-04-06, the last 0.92" in page.text
    assert "From 2026-03-21 on the mean score is 0.54 in place of 0.795" in page.text
    assert "At 3f9d2c1." in page.text
    heading = render_history(history(SAMPLES["drifted"]()), "html").split("<h1>")[1]
    assert heading.startswith(
        '<bdi>triage</bdi>: 32 held-out scores <span class="unit">from <span class="keep">'
        '2026-03-01</span> to <span class="keep">2026-04-06</span>,</span> the last 0.92, 1 drift'
    )
    assert "It is reported, and never blocks." in page.text


def test_whatever_anybody_wrote_is_only_text() -> None:
    entries = [replace(e, verdict=HOSTILE, commit=HOSTILE) for e in nights(3)]
    text = render_history(history(entries, HOSTILE), "text", color=True)
    page = page_of(entries, HOSTILE)

    assert set(re.findall(r"\x1b\[[0-9;]*[A-Za-z]|\x1b", text)) <= {"\x1b[0m", "\x1b[1m", "\x1b[2m"}
    assert "[bold]x[/]" in text
    assert "script" not in page.tags
    assert "\u202e" not in text + page.text
    assert "\\u202e" in page.text


# The command


def remembered(repo: Workbench, entries: Sequence[HistoryEntry], ref: str) -> None:
    """Commit a data branch with such a history."""
    data = Data()
    for one in entries:
        data = data.with_history(one)
    repo.git("checkout", "--quiet", "--orphan", "scratch")
    repo.write(files_of(data))
    sha = repo.commit("Record")
    repo.git("checkout", "--quiet", "-f", "-B", "main", sha)
    repo.git("update-ref", ref, sha)
    repo.git("branch", "--quiet", "-D", "scratch")


@pytest.mark.parametrize("ref", ["refs/heads/gepa-ci-data", "refs/remotes/origin/gepa-ci-data"])
def test_the_data_branch_of_the_clone_is_read(repo: Workbench, ref: str) -> None:
    remembered(repo, [*nights(4), entry(0, None, task="other")], ref)

    outcome = repo.run("history", "triage")

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(
        "triage: 4 held-out scores from 2026-03-01 to 2026-03-04, the last "
    )
    assert re.search(r"  source      the branch gepa-ci-data at [0-9a-f]{7}\n$", outcome.out)
    assert "\x1b" not in outcome.out


def test_the_only_task_need_not_be_named_and_the_config_says_which_clone(repo: Workbench) -> None:
    remembered(repo, nights(2), "refs/heads/gepa-ci-data")
    os.chdir(repo.root.parent)

    outcome = repo.run("history", "--config", "bench/gepa-ci.yml", "--format", "json")

    assert outcome.document["task"] == "triage"
    assert len(outcome.document["moments"]) == 2


def test_a_branch_without_scores_says_so(repo: Workbench) -> None:
    repo.write({"README.md": ""})
    repo.commit()
    repo.git("branch", "gepa-ci-data")

    outcome = repo.run("history")

    assert outcome.code == 2
    assert outcome.err.startswith("error: there is no score yet in the branch gepa-ci-data at ")


def test_a_clone_without_the_branch_says_how_to_fetch_it(repo: Workbench) -> None:
    repo.commit()

    assert repo.run("history").err == (
        "error: this clone has no branch 'gepa-ci-data'\n"
        "hint: `git fetch origin gepa-ci-data:refs/remotes/origin/gepa-ci-data` brings it, once a "
        "run on the default branch has made it; or name results that --output wrote\n"
    )


def test_outside_of_a_clone_is_an_error(bench: Workbench) -> None:
    outcome = bench.run("history")

    assert outcome.code == 3
    assert "is not in a git repository" in outcome.err


def test_several_tasks_must_be_told_apart(repo: Workbench) -> None:
    remembered(repo, [*nights(1), entry(0, GOOD, task="other")], "refs/heads/gepa-ci-data")

    assert repo.run("history").err == (
        "error: there are scores of 2 tasks\nhint: name one of them: other, triage\n"
    )
    assert "error: there is no score of a task 'results' in the branch gepa-ci-data at " in (
        repo.run("history", "results").err
    )


# Saved results


@dataclass(kw_only=True)
class Saver:
    """Saves results of one model, which can become another one behind its name."""

    bench: Workbench
    mind: Callable[[Request], str] = answer

    def answered(self, request: Request) -> str:
        """Answer as the model does now."""
        return self.mind(request)

    def save(self, name: str, **more: Any) -> dict[str, Any]:
        """Run an evaluation and return its result, as it stands in the file."""
        path = self.bench.root / name
        outcome = self.bench.run("evaluate", "--output", name, "--format", "json")
        assert outcome.code == 0, outcome.err
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) | more
        path.write_text(json.dumps(found), encoding="utf-8")
        return found


@pytest.fixture
def saver(bench: Workbench) -> Iterator[Saver]:
    """Return what saves results."""
    found = Saver(bench=bench)
    with FakeProvider(answer=found.answered) as provider:
        bench.write(task_files(provider.url, count=60, extra="cache: off\n"))
        yield found


def dated(day: int) -> dict[str, str]:
    return {"made_at": f"2026-03-{day:02}T04:00:00+00:00"}


def test_saved_results_show_that_the_model_behind_a_name_was_changed(
    bench: Workbench, saver: Saver
) -> None:
    first = saver.save("r/1.json")
    bench.write({f"r/{day}.json": json.dumps(first | dated(day)) for day in (1, 2, 3)})
    saver.mind = lambda _: "no"
    saver.save("4.json", **dated(4))
    bench.write({"r/other.json": "{}"})

    outcome = bench.run("history", "echo", "r/", "4.json", "--format", "json")

    (shift,) = outcome.document["shifts"]
    assert (shift["before"], shift["after"]) == (1.0, 0.0)
    assert shift["at"].startswith("2026-03-04")
    moments = outcome.document["moments"]
    assert [moment["run"] for moment in moments] == ["r/1.json", "r/2.json", "r/3.json", "4.json"]
    assert all(moment["fresh"] for moment in moments)
    assert moments[0]["low"] < 1.0 == moments[0]["high"]
    assert outcome.document["notes"] == ["1 other JSON file in the folders is no result."]
    assert bench.run("history", "r/1.json", "--format", "json").document["task"] == "echo"


def test_a_history_is_written_to_a_file_by_its_ending(bench: Workbench, saver: Saver) -> None:
    saver.save("1.json")
    for name, start in (
        ("h.html", "<!doctype html>"),
        ("h.json", "{"),
        ("h.txt", "echo: 1 held"),
    ):
        assert bench.run("history", "1.json", "--output", name).out == ""
        assert (bench.root / name).read_text(encoding="utf-8").startswith(start)


def test_results_that_do_not_say_when_they_were_made_have_the_time_of_their_file(
    bench: Workbench, saver: Saver
) -> None:
    first = saver.save("1.json", made_at="yesterday")
    del first["made_at"]
    bench.write({"2.json": json.dumps(first)})
    os.utime(bench.root / "1.json", (1_772_000_000, 1_772_000_000))

    one = bench.run("history", "1.json", "--format", "json").document
    two = bench.run("history", "1.json", "2.json", "--format", "json").document

    assert one["moments"][0]["at"] == "2026-02-25T06:13:20+00:00"
    assert "1 result does not say when it was made: its file's time is shown." in one["notes"]
    assert any(note.startswith("2 results do not say when they were made") for note in two["notes"])


def test_answers_from_the_cache_are_not_fresh(bench: Workbench, saver: Saver) -> None:
    config = (bench.root / "gepa-ci.yml").read_text(encoding="utf-8")
    bench.write({"gepa-ci.yml": config.replace("cache: off", "cache: on")})
    saver.save("1.json", **dated(1))
    saver.save("2.json", **dated(2))

    moments = bench.run("history", "1.json", "2.json", "--format", "json").document["moments"]

    assert [moment["fresh"] for moment in moments] == [True, False]


def test_of_a_gate_the_base_is_shown(bench: Workbench, saver: Saver) -> None:
    found = saver.save("1.json")
    task = found["tasks"][0]
    task["baseline"] = task["candidate"] | {"mean": 0.0, "digest": "b" * 64}
    for row in task["examples"]:
        row["baseline"], row["failures"]["baseline"] = [0.0], [None]
    bench.write({"1.json": json.dumps(found)})

    (moment,) = bench.run("history", "1.json", "--format", "json").document["moments"]

    assert moment["mean"] == 0.0

    one = bench.run("history", "1.json", "--format", "json").document["notes"]
    assert "1 result compares two prompts: the score of its baseline is shown." in one
    two = bench.run("history", "1.json", "1.json", "--format", "json").document["notes"]
    assert "2 results compare two prompts: the scores of their baselines are shown." in two


def as_val(found: dict[str, Any]) -> dict[str, Any]:
    """Return a result as if its examples were of the val part."""
    task = found["tasks"][0]
    rows = [row | {"part": "val"} for row in task["examples"]]
    return found | {"tasks": [task | {"examples": rows}]}


def test_a_history_is_of_one_part_and_names_it(bench: Workbench, saver: Saver) -> None:
    found = saver.save("1.json")
    bench.write({"val.json": json.dumps(as_val(found)), "v2.json": json.dumps(as_val(found))})

    both = bench.run("history", "1.json", "val.json", "v2.json", "--format", "json").document
    val = bench.run("history", "val.json").out

    assert (both["part"], len(both["moments"])) == ("held-out", 1)
    assert "2 val scores are left out: a history is of one part." in both["notes"]
    assert val.startswith("echo: 1 val score on ")
    assert "mean score on val examples" in val
    assert "held-out" not in val
    assert bench.run("history", "val.json", "--output", "v.html").code == 0
    page = (bench.root / "v.html").read_text(encoding="utf-8")
    assert "Mean score on val examples" in page
    assert "held-out" not in page


def test_a_score_of_another_part_is_left_out(bench: Workbench, saver: Saver) -> None:
    found = saver.save("1.json")
    bench.write({"val.json": json.dumps(as_val(found))})

    told = bench.run("history", "1.json", "val.json").out
    assert "1 val score is left out: a history is of one part." in told


def test_an_ending_that_says_no_format_is_refused_before_anything_is_read(
    bench: Workbench,
) -> None:
    outcome = bench.run("history", "missing.json", "--output", "z.xml")

    assert outcome.code == 2
    assert outcome.err == (
        "error: the ending of 'z.xml' says no format of a history\n"
        "hint: known endings: .html, .json, .txt; or name one with --format\n"
    )


def test_a_named_format_may_be_written_to_any_file(bench: Workbench, saver: Saver) -> None:
    saver.save("1.json")

    assert bench.run("history", "1.json", "--format", "html", "--output", "h").code == 0
    assert (bench.root / "h").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_task_that_was_not_measured_is_left_out(bench: Workbench, saver: Saver) -> None:
    found = saver.save("1.json")
    found["tasks"][0] |= {"candidate": None, "examples": []}
    bench.write({"1.json": json.dumps(found)})

    assert "there is no score yet in saved results" in bench.run("history", "1.json").err


def test_too_many_files_are_an_error(bench: Workbench) -> None:
    for number in range(2_001):
        bench.root.joinpath(f"{number}.json").touch()

    assert "2,001 JSON files; 2,000 is the most" in bench.run("history", ".").err


def test_a_file_that_is_no_result_is_an_error(bench: Workbench) -> None:
    bench.write({"x.json": "{}"})

    outcome = bench.run("history", "x.json")

    assert outcome.code == 2
    assert "x.json" in outcome.err


def test_results_without_a_score_are_an_error(bench: Workbench) -> None:
    bench.write({"folder/x.txt": ""})

    assert bench.run("history", "folder/").err == (
        "error: there is no score yet in saved results\n"
        "hint: name files that --output wrote, in which a task was measured\n"
    )


# What a run records


def test_a_run_on_other_examples_is_another_question(bench: Workbench) -> None:
    bench.write(task_files(count=60))
    workspace, _ = open_workspace("gepa-ci.yml", None)
    (inputs,) = workspace.inputs(workspace.tasks(None))
    held_out = inputs.suite.held_out.examples

    def question(count: int) -> str:
        rows = tuple(
            (Trial(example_id=example.id, number=0, output="", score=Score(value=1.0)),)
            for example in held_out[:count]
        )
        measured = Evaluation(
            prompt_digest="p", part=Part.HELD_OUT, examples=held_out[:count], trials=rows
        )
        return history_digest(inputs, inputs.prompt, measured)

    whole = len(held_out)
    assert question(whole) == question(whole)
    assert (
        len({question(whole), question(whole - 1), history_digest(inputs, inputs.prompt, None)})
        == 3
    )


def test_failed_calls_and_weights_count_in_how_sure_a_mean_is() -> None:
    def trial(value: float) -> Trial:
        return Trial(example_id="x", number=0, output="", score=Score(value=value))

    examples = tuple(Example(id=str(i), inputs={}, weight=w) for i, w in enumerate((1, 1, 2, 9)))
    rows = ((trial(0.0), trial(1.0)), (trial(1.0),), (trial(1.0),), ())
    found = spread_of(
        Evaluation(prompt_digest="p", part=Part.HELD_OUT, examples=examples, trials=rows)
    )

    assert found == spread(0.875, [0.5, 1.0, 1.0], [1, 1, 2])
    assert found.low < 0.875 < found.high
    # The square of 4, by 6.
    assert found.units == 2


def test_a_group_of_examples_counts_once_in_how_sure_a_mean_is() -> None:
    def of(groups: int, size: int) -> Spread:
        """Return the spread of groups of which each example has the same score as the others."""
        examples = [
            Example(id=f"{g}-{k}", inputs={}, group=str(g) if size > 1 else None)
            for g in range(groups)
            for k in range(size)
        ]
        rows = [
            (Trial(example_id=e.id, number=0, output="", score=Score(value=float(g % 3 > 0))),)
            for g, e in ((int(e.id.partition("-")[0]), e) for e in examples)
        ]
        return spread_of(
            Evaluation(
                prompt_digest="p", part=Part.HELD_OUT, examples=tuple(examples), trials=tuple(rows)
            )
        )

    assert of(30, 5).units == of(30, 1).units == 30
    assert of(30, 5).error == pytest.approx(of(30, 1).error)


@pytest.mark.parametrize(
    ("usage", "trials", "new"),
    [
        (Usage(calls=30), 30, True),
        # The first call of a run is answered before the evaluation begins.
        (Usage(calls=29, cached_calls=1), 30, True),
        (Usage(calls=27, cached_calls=4), 30, True),
        (Usage(calls=26, cached_calls=5), 30, False),
        (Usage(calls=40, failed_calls=40, cached_calls=30), 30, False),
        # Programs that call models themselves tell of no calls.
        (Usage(), 30, True),
    ],
)
def test_an_evaluation_is_new_when_nearly_all_was_asked(
    usage: Usage, trials: int, new: bool
) -> None:
    assert is_new(usage, trials=trials) == new
