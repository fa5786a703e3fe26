from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from picture_samples import (
    Point,
    candidate,
    effect,
    grown,
    history,
    leaders,
    optimization,
    small,
    star,
)

from gepa_ci.reports.pictures import (
    counts_picture,
    effect_bar,
    effect_picture,
    frontier_picture,
    history_picture,
    lineage_picture,
    progress_picture,
)
from gepa_ci.reports.pictures.calendar_ticks import date_ticks
from gepa_ci.reports.pictures.family import MOST, PER_ROW, family
from gepa_ci.reports.pictures.layering import Room, layering
from gepa_ci.reports.pictures.scale import padded, tame, ticks
from gepa_ci.reports.view.model_optimization import Leaders

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.reports.view.model_optimization import Optimization

GOLDEN = Path(__file__).parent / "golden_pictures"
DRAWN: dict[str, Callable[[], str]] = {
    "effect_improved": lambda: effect_picture(effect(0.21, 0.297, 0.37), 0.05, name="e"),
    "effect_regression": lambda: effect_picture(effect(-0.31, -0.2, -0.1), 0.05, name="e"),
    "effect_bar": lambda: effect_bar(effect(-0.09, -0.02, 0.05), 0.05, name="b", reach=0.4),
    "counts": lambda: counts_picture(31, 4, 65, name="c"),
    "progress": lambda: progress_picture(small(), name="p"),
    "lineage": lambda: lineage_picture(small(), name="l"),
    "frontier": lambda: frontier_picture(small(), name="f"),
    "history": lambda: history_picture(history(60, 20), name="h"),
}
ELEMENTS = {
    *("svg", "title", "desc", "line", "rect", "circle", "polygon", "polyline", "path"),
    *("text", "tspan"),
}
ATTRIBUTES = {
    *("class", "viewBox", "role", "aria-labelledby", "aria-describedby", "id", "text-anchor"),
    *("x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "width", "height", "points", "d"),
}
ANCHORS = {"start": 0.0, "middle": 0.5, "end": 1.0}
HOSTILE = "</title></svg><script>alert(1)</script>\"' onload=x \u202e\x00 &amp;"
# Whatever a saved result may hold where it ought to hold a score or a count.
any_float = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, 1.0, -1.0])
any_count = st.integers() | st.sampled_from([0, 1, 10**400, -(10**400)])
score = st.floats(0, 1)


def texts(markup: str) -> list[str]:
    return ["".join(element.itertext()) for element in ET.fromstring(markup).iter("text")]


def positions(element: ET.Element) -> list[tuple[float, float]]:
    """Return every point that an element touches."""
    found = {key: float(element.get(key, 0)) for key in ATTRIBUTES if _is_number(element.get(key))}
    x, y = found.get("x", found.get("cx", 0.0)), found.get("y", found.get("cy", 0.0))
    across = found.get("r", 0.0), found.get("width", found.get("r", 0.0))
    down = found.get("r", 0.0), found.get("height", found.get("r", 0.0))
    numbers = re.findall(r"[-\d.]+", f"{element.get('points', '')} {element.get('d', '')}")
    return [
        (x - across[0], y - down[0]),
        (x + across[1], y + down[1]),
        (found.get("x1", 0.0), found.get("y1", 0.0)),
        (found.get("x2", 0.0), found.get("y2", 0.0)),
        *((float(a), float(b)) for a, b in zip(numbers[::2], numbers[1::2], strict=True)),
    ]


def _is_number(value: str | None) -> bool:
    return re.fullmatch(r"-?\d+(\.\d)?", value or "") is not None


def check(markup: str) -> None:
    """Hold a picture to what is true of every one."""
    root = ET.fromstring(markup)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert {element.tag for element in root.iter()} <= ELEMENTS
    assert {key for element in root.iter() for key in element.attrib} <= ATTRIBUTES
    assert not re.search(r"nan|inf\b|\d\.\d\d|\de[-+]?\d", re.sub(r">[^<]*<", "><", markup))
    for element in root.iter():
        for x, y in positions(element) if element.tag != "svg" else ():
            assert -0.1 <= x <= width + 0.1, ET.tostring(element)
            assert -0.1 <= y <= height + 0.1, ET.tostring(element)
    for element in root.iter("text"):
        wide = 6 * len("".join(element.itertext()))
        start = float(element.attrib["x"])
        start -= wide * ANCHORS[element.get("text-anchor", "start")]
        assert -1 <= start <= start + wide <= width + 1, ET.tostring(element)


@pytest.mark.parametrize("name", DRAWN)
def test_picture_looks_as_its_golden_file(name: str, update_golden: bool) -> None:
    markup = DRAWN[name]()
    path = GOLDEN / f"{name}.svg"
    if update_golden:
        path.write_text(markup.replace("><", ">\n<") + "\n", encoding="utf-8")

    check(markup)
    assert markup.replace("><", ">\n<") + "\n" == path.read_text(encoding="utf-8")


def test_every_golden_picture_is_drawn() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == DRAWN.keys()


@pytest.mark.parametrize("name", DRAWN)
def test_picture_names_and_describes_itself_by_ids_of_its_own(name: str) -> None:
    root = ET.fromstring(DRAWN[name]())
    title, desc = root[0], root[1]

    assert (title.tag, desc.tag, root.get("role")) == ("title", "desc", "img")
    assert (title.get("id"), desc.get("id")) == (
        root.get("aria-labelledby"),
        root.get("aria-describedby"),
    )
    assert title.text
    assert desc.text
    assert desc.text.endswith(".")


def test_a_hostile_text_stays_text() -> None:
    search = optimization(
        candidate(0), *(candidate(k, (0,), 0.6, origin=HOSTILE, best=k == 1) for k in (1, 2))
    )
    moment = Point(at=datetime(2026, 1, 1, tzinfo=UTC), mean=0.5, label=HOSTILE)

    for markup in (
        lineage_picture(search, name=HOSTILE),
        progress_picture(search, name=HOSTILE),
        history_picture([moment, replace(moment, drift=True, label="\u202e<")], name=HOSTILE),
    ):
        check(markup)
        assert "<script" not in markup
        assert "\u202e" not in markup
        assert r"\u202e" in markup


@given(
    values=st.tuples(any_float, any_float, any_float, any_float, any_float),
    margin=st.none() | any_float,
    n=any_count,
)
@example(values=(0.0, 0.0, 0.0, 0.0, 0.0), margin=0.0, n=0)
@example(values=(-1.0, -1.0, 1.0, 1.0, 0.95), margin=1.0, n=100)
@example(values=(1.0, 1.0, 1.0, 0.0, 0.95), margin=None, n=100)
def test_an_effect_of_any_size_stays_in_its_picture(
    values: tuple[float, ...], margin: float | None, n: int
) -> None:
    low, difference, high, before, level = values
    drawn = replace(effect(low, difference, high, before=0.5), before=before, level=level, n=n)

    check(effect_picture(drawn, margin, name="e"))
    check(effect_bar(drawn, margin, name="b"))
    check(effect_bar(drawn, margin, name="b", reach=before))


def test_an_effect_says_whether_its_interval_includes_zero() -> None:
    better = effect_picture(effect(0.1, 0.2, 0.3), None, name="e")
    worse = effect_picture(effect(-0.3, -0.2, -0.1), 0.05, name="e")
    unclear = effect_picture(effect(-0.1, 0.1, 0.2), 0.05, name="e")

    assert "the candidate is better" in better
    assert "the candidate is worse" in worse
    assert "includes 0" in unclear


def test_the_tolerated_loss_is_drawn_only_where_there_is_one() -> None:
    with_loss = effect_picture(effect(-0.1, 0.1, 0.2), 0.05, name="e")
    without = effect_picture(effect(-0.1, 0.1, 0.2), None, name="e")

    assert "tolerated loss 0.05" in texts(with_loss)
    assert "tolerated" not in without
    assert 'class="margin"' not in without


def test_bars_of_one_reach_have_one_scale() -> None:
    near, far = (effect_bar(effect(d, d, d), None, name="b", reach=0.5) for d in (0.1, 0.2))
    at_near, at_far = (
        float(ET.fromstring(m).find("circle").attrib["cx"])  # type: ignore[union-attr]
        for m in (near, far)
    )

    assert at_far - 60 == pytest.approx(2 * (at_near - 60), abs=0.2)


@given(won=any_count, lost=any_count, same=any_count)
def test_counts_of_any_size_stay_in_their_picture(won: int, lost: int, same: int) -> None:
    markup = counts_picture(won, lost, same, name="c")

    assert (markup == "") == (max(won, lost, same) <= 0)
    if markup:
        check(markup)


def test_a_single_example_among_thousands_is_seen() -> None:
    root = ET.fromstring(counts_picture(1, 0, 1999, name="c"))
    won = next(bar for bar in root.iter("rect") if bar.get("class") == "won")

    assert float(won.attrib["width"]) >= 3
    assert [bar.get("class") for bar in root.iter("rect")] == ["same", "won"]


@st.composite
def searches(draw: st.DrawFn) -> Optimization:
    """Return a search as an edited result might hold it: circles, strangers, absurd numbers."""
    count = draw(st.integers(0, 12))
    number = st.integers(-2, 14) | any_count
    candidates = [
        replace(
            candidate(0),
            number=draw(number),
            parents=tuple(draw(st.lists(number, max_size=3))),
            val_mean=draw(st.none() | score | any_float),
            metric_calls=draw(any_count),
            origin=draw(st.sampled_from(["baseline", "reflection", "merge", "pruning"])),
            best=draw(st.booleans()),
        )
        for _ in range(count)
    ]
    frontier = [
        Leaders(
            name=draw(st.text(max_size=3)),
            score=draw(any_float),
            candidates=tuple(draw(st.lists(number, max_size=4))),
        )
        for _ in range(draw(st.integers(0, 8)))
    ]
    found = optimization(*candidates, frontier=tuple(frontier), budget=draw(any_count))
    return replace(found, metric_calls=draw(any_count))


@given(search=searches())
@settings(max_examples=60)
def test_any_search_stays_in_its_pictures(search: Optimization) -> None:
    for draw in (progress_picture, lineage_picture, frontier_picture):
        markup = draw(search, name="s")
        if markup:
            check(markup)


@pytest.mark.parametrize(
    "search", [star(60), grown(60, 3), grown(200, 2)], ids=["star", "60", "200"]
)
def test_a_large_search_stays_in_its_pictures(search: Optimization) -> None:
    for draw in (progress_picture, lineage_picture, frontier_picture):
        check(draw(search, name="s"))


def test_nothing_is_drawn_of_a_search_that_found_nothing() -> None:
    alone = optimization(candidate(0), frontier=leaders(4, 1))
    unscored = optimization(candidate(0), candidate(1, (0,), None))

    assert lineage_picture(alone, name="s") == ""
    assert progress_picture(alone, name="s") == ""
    assert frontier_picture(alone, name="s") == ""
    assert progress_picture(unscored, name="s") == ""
    assert frontier_picture(unscored, name="s") == ""
    # Those who lead are not in the result.
    assert frontier_picture(replace(unscored, frontier=leaders(4, 1, 3)), name="s") != ""
    stranger = Leaders(name="v", score=1.0, candidates=(7,))
    assert frontier_picture(replace(unscored, frontier=(stranger,)), name="s") == ""


def test_progress_marks_the_best_one_and_the_baseline_in_words() -> None:
    assert {"best: 0.68", "baseline: 0.41", "proposal", "merge", "pruning"} <= set(
        texts(progress_picture(small(), name="p"))
    )


def test_progress_says_when_the_baseline_stays_the_best() -> None:
    search = optimization(candidate(0, (), 0.9, best=True), candidate(1, (0,), 0.5))

    markup = progress_picture(search, name="p")

    assert "baseline, still the best: 0.90" in texts(markup)
    assert "none was chosen over it." in markup


def test_only_what_raised_the_best_score_stands_out() -> None:
    search = optimization(*(candidate(k, (0,) if k else (), 0.5 + k // 2 / 5) for k in range(4)))
    root = ET.fromstring(progress_picture(search, name="p"))

    assert sorted(dot.attrib["class"] for dot in root.iter("circle")) == [
        *("candidate", "candidate baseline", "candidate other", "candidate other")
    ]


def test_progress_without_a_best_candidate_names_none() -> None:
    search = optimization(candidate(0), candidate(1, (0,), 0.6))

    assert not [text for text in texts(progress_picture(search, name="p")) if "best" in text]


def test_progress_without_a_score_of_the_baseline_has_no_line_for_it() -> None:
    search = optimization(
        candidate(0, (), None), candidate(1, (0,), 0.5), candidate(2, (0,), 0.6, best=True)
    )

    assert 'class="baseline"' not in progress_picture(search, name="p")


def test_best_score_so_far_never_falls() -> None:
    root = ET.fromstring(progress_picture(grown(25), name="p"))
    steps = root.find("polyline")
    assert steps is not None
    points = [tuple(map(float, p.split(","))) for p in steps.attrib["points"].split()]

    assert all(a[0] <= b[0] and a[1] >= b[1] for a, b in pairwise(points))


def test_a_budget_that_was_hardly_used_does_not_squeeze_the_picture() -> None:
    used, unused = (
        progress_picture(replace(small(), budget=budget), name="p") for budget in (540, 100_000)
    )

    assert "100,000 allowed" in unused
    assert ET.fromstring(used).find("polyline").attrib == (  # type: ignore[union-attr]
        ET.fromstring(unused).find("polyline").attrib  # type: ignore[union-attr]
    )


@given(search=searches())
@example(search=star(40))
@example(search=grown(90))
@settings(max_examples=60)
def test_every_candidate_stands_once_and_below_its_parents(search: Optimization) -> None:
    if not search.candidates:
        return
    drawn = family(search.candidates)
    placed = [place for row in drawn.rows for place in row]
    row = {place: k for k, places in enumerate(drawn.rows) for place in places}

    assert sorted(placed) == sorted(drawn.members)
    assert len(placed) == min(MOST, len(search.candidates))
    assert max(map(len, drawn.rows)) <= PER_ROW
    assert all(row[p] < row[c] for c, parents in drawn.parents.items() for p in parents)
    assert 0 in drawn.members
    assert drawn.best in drawn.members


def test_lineage_draws_a_circle_and_a_number_for_each_candidate() -> None:
    root = ET.fromstring(lineage_picture(grown(25), name="l"))
    numbers = [t.text for t in root.iter("text") if t.get("class") == "text small number"]
    circles = [c for c in root.iter("circle") if c.get("class") != "ring"]

    assert sorted(map(int, filter(None, numbers))) == list(range(25))
    assert len(circles) == 25


def test_lineage_keeps_the_way_to_the_best_one_and_says_what_is_left_out() -> None:
    chain = [candidate(k, (k - 1,) if k else (), 0.1) for k in range(20)]
    better = [candidate(k, (0,), 0.9) for k in range(20, 100)]
    last = candidate(100, (19,), 0.95, best=True)
    search = optimization(*chain, *better, last)

    drawn = family(search.candidates)

    assert {*range(20), 100} <= drawn.members.keys()
    assert drawn.path == {*range(20), 100}
    assert "41 candidates with lower scores are left out." in lineage_picture(search, name="l")


def test_an_ancestor_stands_in_for_a_parent_that_is_left_out() -> None:
    between = candidate(1, (0,), 0.01)
    others = [candidate(k, (0,), 0.5) for k in range(2, 70)]
    grandchild = candidate(70, (1,), 0.9)
    search = optimization(candidate(0, (), 0.3, best=True), between, *others, grandchild)

    drawn = family(search.candidates)

    assert 1 not in drawn.members
    assert drawn.parents[70] == (0,)
    assert drawn.far == {(70, 0)}
    assert 'class="edge far"' in lineage_picture(search, name="l")


def test_parents_that_make_a_circle_or_do_not_exist_are_passed_over() -> None:
    search = optimization(
        candidate(0, (2, 0), 0.3), candidate(1, (2, 99), 0.4), candidate(2, (1,), 0.5, best=True)
    )

    drawn = family(search.candidates)

    assert drawn.parents == {0: (), 1: (), 2: (1,)}
    check(lineage_picture(search, name="l"))


def test_labels_in_a_row_never_overlap() -> None:
    drawn = family(grown(60, 3).candidates)
    room = Room(left=14, right=42)
    plan = layering(drawn.rows, drawn.parents, dict.fromkeys(drawn.members, room), 400)

    for k, row in enumerate(drawn.rows):
        xs = sorted(plan.x[place, k] for place in row)
        assert all(b - a >= 56 - 1e-6 for a, b in pairwise(xs))


def test_lines_of_a_plain_tree_do_not_cross() -> None:
    rows = [(0,), (1, 2), (3, 4, 5, 6)]
    parents = {0: (), 1: (0,), 2: (0,), 3: (2,), 4: (1,), 5: (2,), 6: (1,)}
    plan = layering(rows, parents, dict.fromkeys(parents, Room(left=14, right=42)), 400)

    ordered = sorted((3, 4, 5, 6), key=lambda node: plan.x[node, 2])
    above = [plan.x[parents[node][0], 1] for node in ordered]

    assert above == sorted(above)


@pytest.mark.parametrize("count", [8, 60, 61, 500, 501, 20_000])
def test_frontier_counts_what_each_candidate_leads(count: int) -> None:
    both = Leaders(name="v", score=1.0, candidates=(0, 1))
    one = Leaders(name="w", score=0.0, candidates=(0,))
    search = optimization(
        candidate(0), candidate(1, (0,), best=True), frontier=(both, *[one] * (count - 1))
    )

    markup = frontier_picture(search, name="f")

    check(markup)
    assert f"candidate 1 on 1; candidate 0 on {count:,}." in markup
    assert texts(markup).index("1") < texts(markup).index("0")
    assert markup.count("<rect") <= 2 * count
    assert markup.count("<rect") < 70


def test_frontier_says_how_many_rows_are_left_out() -> None:
    markup = frontier_picture(star(60), name="f")

    assert "more candidates not shown." in markup
    assert markup.count("empty") == 15


moments = st.builds(
    Point,
    at=st.datetimes(timezones=st.none() | st.just(UTC)),
    mean=st.none() | score | any_float,
    low=st.none() | any_float,
    high=st.none() | any_float,
    drift=st.booleans(),
    changed=st.booleans(),
    label=st.text(max_size=4),
)


@given(points=st.lists(moments, max_size=8))
def test_any_history_stays_in_its_picture(points: list[Point]) -> None:
    markup = history_picture(points, name="h")

    assert (markup == "") == all(point.mean is None for point in points)
    if markup:
        check(markup)


@pytest.mark.parametrize(
    ("days", "count"), [(0, 1), (0.0001, 3), (0.3, 9), (3, 6), (60, 20), (400, 40), (2000, 300)]
)
def test_a_history_of_any_length_stays_in_its_picture(days: float, count: int) -> None:
    check(history_picture(history(days, count), name="h"))


@pytest.mark.parametrize("year", [1, 9999])
def test_a_history_at_either_end_of_time_is_drawn(year: int) -> None:
    point = Point(at=datetime(year, 12, 31, 23, tzinfo=UTC), mean=0.5)

    check(history_picture([point], name="h"))
    check(history_picture([point, Point(at=datetime(2026, 1, 1, tzinfo=UTC), mean=1)], name="h"))


def test_history_leaves_a_gap_where_nothing_was_measured() -> None:
    root = ET.fromstring(history_picture(history(60, 20), name="h"))

    assert len(list(root.iter("polyline"))) == 2


def test_history_names_drift_and_changes_and_keeps_the_names_apart() -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    start = Point(at=at, mean=0.8, label="")
    day = timedelta(days=1)
    points = [
        start,
        replace(start, at=at + day, drift=True, label="A"),
        replace(start, at=at + 1.1 * day, drift=True, label="B"),
        replace(start, at=at + 9 * day, label="C"),
        replace(start, at=at + 10 * day, mean=0.7),
    ]

    markup = history_picture(points, name="h")

    assert "Scores drifted on 2 May 2026, 2 May 2026." in markup
    assert [t for t in texts(markup) if t in ("drift A", "drift B", "C")] == ["drift A", "C"]


def test_history_marks_what_is_of_another_prompt_and_joins_no_two() -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    points = [
        Point(at=at + timedelta(days=day), mean=0.8, label="", changed=day in (2, 4))
        for day in range(5)
    ]
    markup = history_picture(points, name="h")
    root = ET.fromstring(markup)

    assert [len(line.attrib["points"].split()) for line in root.iter("polyline")] == [2, 2]
    assert texts(markup).count("changed") == 2
    assert [p.get("class") for p in root.iter("polygon")] == ["candidate other"] * 2
    assert "What is scored was changed 2 times." in markup


@pytest.mark.parametrize(
    ("gap", "labels"),
    [
        (timedelta(seconds=2), ["18:41:06", "18:41:08"]),
        (timedelta(minutes=2), ["18:42:00", "18:42:30"]),
        (timedelta(hours=2), ["19:00", "20:00"]),
        (timedelta(hours=9), ["22 Nov 00:00", "22 Nov 06:00"]),
        (timedelta(days=2), ["22 Nov", "23 Nov"]),
    ],
)
def test_runs_of_one_day_are_apart_and_no_label_comes_twice(
    gap: timedelta, labels: list[str]
) -> None:
    at = datetime(2026, 11, 21, 18, 41, 5, tzinfo=UTC)
    points = [Point(at=at + gap * number, mean=0.553, label="") for number in range(3)]
    markup = history_picture(points, name="h")
    across = [float(dot.attrib["cx"]) for dot in ET.fromstring(markup).iter("circle")]
    told = texts(markup)

    assert min(b - a for a, b in pairwise(across)) > 100
    assert set(labels) <= set(told)
    assert len(set(told)) == len(told)
    assert ("21 Nov 2026, UTC" in told) == (":" in labels[0] and "Nov" not in labels[0])


def test_history_does_not_depend_on_the_order_in_which_it_is_given() -> None:
    points = history(60, 20)

    assert history_picture(points[::-1], name="h") == history_picture(points, name="h")


@given(low=score, width=st.floats(1e-6, 1e9), most=st.integers(1, 9), whole=st.booleans())
@example(low=0.0, width=0.3, most=6, whole=False)
def test_ticks_lie_within_the_axis_and_grow(
    low: float, width: float, most: int, whole: bool
) -> None:
    found = ticks(low, low + width, most, whole=whole)

    assert len(found.values) <= most + 1
    assert all(low <= value <= low + width for value in found.values)
    assert all(a < b for a, b in pairwise(found.values))


def test_ticks_are_round_and_written_with_the_decimals_that_they_need() -> None:
    found = ticks(-0.1, 0.42, 6)

    assert [found.label(value, sign=True) for value in found.values] == [
        *("-0.1", "0.0", "+0.1", "+0.2", "+0.3", "+0.4")
    ]
    assert ticks(0, 600, 5, whole=True).values == (0, 200, 400, 600)


@given(low=st.floats(-5e10, 2e11), width=st.floats(86_400, 1e10), most=st.integers(1, 6))
def test_dates_lie_within_the_axis_and_grow(low: float, width: float, most: int) -> None:
    found = date_ticks(low, low + width, most)

    assert len(found) <= most + 1
    assert all(low <= at <= low + width for at, _ in found)
    assert all(a < b for (a, _), (b, _) in pairwise(found))


def test_dates_begin_weeks_months_and_years() -> None:
    day = 86_400.0
    start = datetime(2026, 9, 3, tzinfo=UTC).timestamp()

    assert [label for _, label in date_ticks(start, start + 3 * day, 5)] == [
        *("3 Sep", "4 Sep", "5 Sep", "6 Sep")
    ]
    assert date_ticks(start, start + 30 * day, 5)[0][1] == "7 Sep"
    assert date_ticks(start, start + 100 * day, 4)[0][1] == "Oct"
    assert date_ticks(start, start + 400 * day, 5)[0][1] == "Oct 2026"
    assert date_ticks(start, start + 9000 * day, 5)[0][1].startswith("Jan 20")


def test_a_number_from_a_saved_result_is_tamed() -> None:
    assert tame(10**400) == 1e15
    assert tame(-(10**400), 0, 1) == 0
    assert tame(float("nan"), 0, 1) == 0
    assert padded(1.0, 1.0, share=0.1, least=0.1, limits=(0.0, 1.0)) == (0.9, 1.0)
    assert padded(0.0, 0.0, share=0.1, least=0.1, limits=(0.0, 1.0)) == (0.0, 0.1)
