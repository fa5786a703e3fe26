from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape
from page_text import Page
from report_samples import SAMPLES, gate_regression, gate_three_tasks, promote
from test_canaries import CANARIES, poisoned

from gepa_ci.reports import render, result_document
from gepa_ci.reports.links import Link
from gepa_ci.reports.page import render_page
from gepa_ci.reports.page.marks import differing
from gepa_ci.reports.page.policy import sources
from gepa_ci.reports.templating.sources import OwnTemplates
from gepa_ci.reports.view.model_history import History, Moment, Shift

GOLDEN = Path(__file__).parent / "golden_pages"
TEMPLATES = Path(__file__).parents[2] / "gepa_ci" / "reports" / "templates"
ELEMENTS = """
html head meta title style script body a header p b nav ul li main div h1 h2 h3 section table
caption thead tbody tr th td bdi span figure figcaption code pre del ins i ol dl dt dd details
summary button label select option input footer meter svg path circle line rect polyline
polygon text tspan desc
"""
ATTRIBUTES = """
lang charset http-equiv content name href class id aria-labelledby aria-label aria-pressed
aria-live aria-hidden aria-describedby role tabindex scope colspan dir type value hidden open
autocomplete spellcheck min max rel data-task data-verdict data-examples data-controls
data-kind data-tag data-search data-count data-table data-sort data-none data-more data-is
viewbox focusable d x y x1 x2 y1 y2 cx cy r rx width height points text-anchor
"""
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\u200b]")


def page_of(result: Any, *, texts: bool = True, **more: Any) -> str:
    return render_page(result_document(result, texts=texts), **more)


def assert_alone(html: str) -> Page:
    """Check that a page is made of ours alone, runs ours alone, and asks for nothing."""
    page = Page(html)
    assert page.elements <= set(ELEMENTS.split())
    assert {name for _, name, _ in page.attributes} <= set(ATTRIBUTES.split())
    for _, name, value in page.attributes:
        if name == "href":
            assert value.startswith("#")
    policy = next(value for _, _, value in page.attributes if value.startswith("default-src"))
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    assert (
        directives["default-src"] == directives["base-uri"] == directives["form-action"] == "'none'"
    )
    for element in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.sources[element].encode()).digest()).decode()
        assert directives[f"{element}-src"] == f"'sha256-{digest}'"
        assert html.count(f"<{element}>") == 1
    return page


@pytest.mark.parametrize("name", SAMPLES)
def test_page_reads_as_its_golden_file(name: str, update_golden: bool) -> None:
    path = GOLDEN / f"{name}.txt"

    text = assert_alone(page_of(SAMPLES[name]())).text
    if update_golden:
        path.write_bytes(text.encode())

    assert text.encode() == path.read_bytes()


def test_every_golden_page_belongs_to_a_sample() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(SAMPLES)


@pytest.mark.parametrize("names", [("html", "link", "hidden"), ("jinja", "runner", "reference")])
def test_hostile_text_in_every_field_is_shown_and_does_nothing(names: tuple[str, ...]) -> None:
    for document in poisoned("\n".join(CANARIES[name] for name in names)):
        html = render(document, "html")

        page = assert_alone(html)
        assert HIDDEN.search(html.replace("\u200b", "")) is None
        assert re.search(r"(?m)^\s*::|##\[", html) is None
        assert "evil" in page.text
        assert page.text.count("49") < 5


def test_a_page_is_the_same_bytes_each_time_and_can_be_printed_to_a_runner() -> None:
    document = result_document(promote(), texts=True)

    assert render_page(document) == render_page(document)
    assert sources().style == (TEMPLATES / "page.css").read_text(encoding="utf-8")
    assert sources().script == (TEMPLATES / "page.js").read_text(encoding="utf-8")


def test_a_page_of_a_result_without_texts_says_so_and_shows_scores() -> None:
    html = page_of(gate_regression(), texts=False)

    assert "This report shows no texts of examples." in html
    assert "Marta" not in html.split("data-examples")[1]
    assert "Trials 1, 2" in html


def test_tasks_come_worst_first_and_only_those_that_need_a_look_are_open() -> None:
    html = page_of(gate_three_tasks())

    tasks = re.findall(r'<details class="task" id="task-([a-z]+)" data-task( open)?>', html)
    assert tasks == [("triage", " open"), ("summary", " open"), ("orders", "")]
    assert re.findall(r'<a href="#task-([a-z]+)">', html) == ["triage", "summary", "orders"]


def test_an_evaluation_of_several_tasks_says_how_many() -> None:
    task = SAMPLES["evaluated"]().tasks[0]
    result = replace(SAMPLES["evaluated"](), tasks=(task, replace(task, name="triage")))

    text = Page(page_of(result)).text

    assert "# 2 tasks measured.\n" in text
    assert "## triage: mean score 0.83" in text


def test_a_search_for_several_tasks_says_for_how_many_it_found_something() -> None:
    held = replace(SAMPLES["hold_confirm"]().tasks[0], name="triage")
    result = replace(promote(), tasks=(*promote().tasks, held))
    none = replace(result, tasks=(held, replace(held, name="summary")))

    assert "<h1>A better prompt was written for 1 of 2 tasks.</h1>" in page_of(result)
    assert "<h1>Nothing to merge: the prompts stay.</h1>" in page_of(none)


def test_tasks_of_the_same_letters_have_addresses_of_their_own() -> None:
    result = gate_three_tasks()
    names = ("A b", "a/b", "\u05d0")
    tasks = tuple(replace(t, name=n) for t, n in zip(result.tasks, names, strict=True))

    html = page_of(replace(result, tasks=tasks))

    assert set(re.findall(r'id="task-([^"]+)"', html)) == {"a-b", "a-b-2", "task"}
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_only_plain_addresses_become_links() -> None:
    links = [
        Link(label="Run", url="https://github.com/o/r/actions/runs/1"),
        Link(label="Odd", url="javascript:alert(1)"),
    ]

    page = Page(page_of(promote(), links=links))

    outside = [v for _, name, v in page.attributes if name == "href" and not v.startswith("#")]
    assert outside == ["https://github.com/o/r/actions/runs/1"]
    assert "Odd" in page.text


def test_a_team_can_replace_one_block() -> None:
    source = (
        '{% extends "gepa-ci/page.html.j2" %}{% block head_note %}<p>{{ report.command }} of ours'
        "{% endblock %}{% block spend %}{{ task.name }} <b>spent</b>{% endblock %}"
    )
    own = OwnTemplates(folder="reports", sources={"page.html.j2": source})

    text = Page(page_of(promote(), own=own)).text

    assert "optimize of ours" in text
    assert "orders spent" in text
    assert "### Spend" not in text
    assert "### Examples" in text


def test_scores_over_time_are_drawn_for_the_task_that_they_are_of() -> None:
    def moment(day: int, mean: float) -> Moment:
        return Moment(
            at=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=day), mean=mean, low=mean - 0.1,
            high=mean + 0.1, n=100, drift=day == 2, label="A" if day == 2 else "", changed=False,
            fresh=True, commit="", verdict="", usd=None, calls=1, run="", note="",
        )  # fmt: skip

    moments = tuple(moment(day, mean) for day, mean in enumerate((0.6, 0.61, 0.4)))
    shift = Shift(
        label="A", at=moments[2].at, seen=moments[2].at, commit="", before=0.6, after=0.4,
        sentence="Scores fell.",
    )  # fmt: skip
    history = History(
        task="orders", source="the data branch", moments=moments, shifts=(shift,), compared=2,
        unmeasured=0, notes=("Old runs are not known.",), method="",
    )  # fmt: skip

    text = Page(page_of(gate_three_tasks(), history=[history])).text

    assert text.count("### Scores over time") == 1
    assert "[picture: Scores over time." in text
    assert "A Scores fell." in text
    assert "From the data branch. Old runs are not known." in text


def test_examples_come_with_the_most_telling_first() -> None:
    scores = {
        "same": ([1.0, 1.0], [1.0, 1.0]),
        "flaky": ([0.0, 1.0], [1.0, 0.0]),
        "error": ([0.0, 0.0], [0.0, 0.0]),
        "no score": ([1.0], []),
        "small gain": ([0.0, 0.0], [0.5, 0.5]),
        "gain": ([0.0, 0.0], [1.0, 1.0]),
        "small loss": ([1.0, 1.0], [0.5, 0.5]),
        "loss": ([1.0, 1.0], [0.0, 0.0]),
    }
    document: Any = {**result_document(gate_regression(), texts=True)}
    like = document["tasks"][0]["examples"][0]
    document["tasks"][0]["examples"] = [
        {**like, "id": name, "baseline": before, "candidate": after, "failures": failures}
        for name, (before, after) in scores.items()
        for failures in [
            {"baseline": ["refusal" if name == "error" else None] * len(before), "candidate": []}
        ]
    ]

    html = render_page(document)

    assert re.findall(r'data-is="([a-z ]*)"><tr><th scope=row><bdi>([a-z ]+)<', html) == [
        ("lost", "loss"),
        ("lost", "small loss"),
        ("won", "gain"),
        ("won", "small gain"),
        ("same error", "error"),
        ("error", "no score"),
        ("same flaky", "flaky"),
        ("same", "same"),
    ]
    assert "<td class=no-score>no score, error<td class=n>1.00<td class=n><td class=n>" in html


def document_of(before: list[str], after: list[str]) -> dict[str, Any]:
    document = dict(result_document(gate_regression(), texts=True))
    task: Any = document["tasks"]
    example = task[0]["examples"][65]
    example["outputs"] = {"baseline": before, "candidate": after}
    example["feedback"] = {"baseline": [""] * len(before), "candidate": [""] * len(after)}
    task[0]["examples"] = [example]
    return document


def test_outputs_stand_side_by_side_with_what_differs_marked() -> None:
    html = render_page(document_of(["a b c", "x", "same"], ["a B c", "x y", "same"]))

    assert "a <del>b</del> c" in html
    assert "a <ins>B</ins> c" in html
    assert "<pre dir=auto>x</pre>" in html
    assert "x<ins> y</ins>" in html
    assert "Output of both prompts<pre dir=auto>same</pre>" in html


def test_hidden_characters_of_an_output_are_shown_and_right_to_left_letters_stay() -> None:
    html = render_page(document_of(["\u05e9\u05dc\n\t\u202e\x00<b>&amp;"] * 3, ["no"] * 3))

    assert "<del>\u05e9\u05dc\n\t\\u202e\\u0000&lt;b&gt;&amp;amp;</del>" in html


@pytest.mark.parametrize(
    ("before", "after", "middles"),
    [
        ("the order", "the other", ("order", "other")),
        ("a cat", "a cats", ("cat", "cats")),
        ("same", "same", ("", "")),
        ("", "new", ("", "new")),
        ("aaa", "aa", ("aaa", "aa")),
        ("x" * 100 + "a", "x" * 100 + "b", ("a", "b")),
        ("pre mid post", "pre post", ("mid ", "")),
    ],
)
def test_a_difference_is_marked_from_word_to_word(
    before: str, after: str, middles: tuple[str, str]
) -> None:
    marked = differing(before, after)

    assert tuple(part.middle for part in marked) == middles
    for text, part in zip((before, after), marked, strict=True):
        assert part.start + part.middle + part.end == text


def test_no_template_of_a_team_changes_the_policy() -> None:
    source = (
        '{% extends "gepa-ci/page.html.j2" %}{% set policy = "default-src *" %}'
        "{% block title %}(policy){% endblock %}"
    )
    own = OwnTemplates(folder="t", sources={"page.html.j2": source})
    page = render_page(result_document(promote(), texts=True), own)

    assert f'content="{escape(sources().policy)}"' in page
    assert "<title>(policy)</title>" in page
    assert "default-src *" not in page
