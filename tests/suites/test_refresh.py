from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from gepa_ci.core.config import Split, SuiteSpec
from gepa_ci.core.suite import Part
from gepa_ci.errors import SuiteError
from gepa_ci.suites import load_suite
from gepa_ci.suites.refresh import FEWEST, Refresh, plan_refresh

if TYPE_CHECKING:
    from collections.abc import Mapping

ONE = SuiteSpec(file="s.jsonl", near_duplicates=1)
THREE = SuiteSpec(train="t.jsonl", val="v.jsonl", held_out="h.jsonl", near_duplicates=1)


def rows(prefix: str, count: int, **more: Any) -> bytes:
    found = (
        {"id": f"{prefix}{i}", "inputs": {"text": f"{prefix} {i}"}, "expected": "x"}
        | {key: value(i) if callable(value) else value for key, value in more.items()}
        for i in range(count)
    )
    return "".join(json.dumps(row) + "\n" for row in found).encode()


def plan(files: Mapping[str, bytes], spec: SuiteSpec = ONE, **more: Any) -> Refresh:
    return plan_refresh(spec, files.__getitem__, "n.jsonl", **more)


def problems(files: Mapping[str, bytes], spec: SuiteSpec = ONE, **more: Any) -> list[str]:
    with pytest.raises(SuiteError) as caught:
        plan(files, spec, **more)
    return [str(problem) for problem in caught.value.problems]


def ids(plan: Refresh, part: Part) -> list[str]:
    return [example.id for example in plan.after.part(part)]


def test_a_suite_split_by_hash_moves_no_other_example() -> None:
    files = {"s.jsonl": rows("s", 60), "n.jsonl": rows("n", 20)}
    before = load_suite(ONE, files.__getitem__)

    done = plan(files)
    after = load_suite(ONE, {**files, **done.files}.__getitem__)

    assert after.tuning.val == before.tuning.val
    assert {e.id for e in after.tuning.train} == {
        e.id for e in (*before.tuning.train, *before.held_out.examples)
    }
    assert [e.id for e in after.held_out.examples] == [f"n{i}" for i in range(20)]
    changed = zip(files["s.jsonl"].splitlines(), done.files["s.jsonl"].splitlines(), strict=False)
    assert sum(old != new for old, new in changed) == len(before.held_out.examples)
    assert done.warnings == ()


def test_retired_examples_go_to_val_when_asked() -> None:
    files = {"s.jsonl": rows("s", 30), "n.jsonl": rows("n", 20)}

    done = plan(files, retire_to=Part.VAL)

    assert {e.id for e in done.retired} <= set(ids(done, Part.VAL))
    assert b'"part": "val"}' in done.files["s.jsonl"]


def test_three_files_exchange_rows() -> None:
    files = {
        "t.jsonl": rows("t", 2),
        "v.jsonl": rows("v", 2),
        "h.jsonl": rows("h", 3, part="held_out"),
        "n.jsonl": rows("n", 20),
    }

    done = plan(files, THREE)

    moved = files["h.jsonl"].replace(b'"held_out"', b'"train"')
    assert done.files == {"t.jsonl": files["t.jsonl"] + moved, "h.jsonl": files["n.jsonl"]}
    assert list(done.files) == ["t.jsonl", "h.jsonl"]


def test_a_kept_share_is_chosen_by_hash_and_changes_with_the_new_examples() -> None:
    files = {"s.jsonl": rows("s", 80, part="held_out"), "n.jsonl": rows("n", 20)}
    other = {**files, "n.jsonl": rows("m", 20)}

    first, again, second = plan(files, keep=30), plan(files, keep=30), plan(other, keep=30)

    assert len(first.kept) == 30
    assert first.kept == again.kept
    assert first.kept != second.kept
    assert len(first.after.held_out.examples) == 50


def test_a_group_is_kept_or_retired_as_a_whole() -> None:
    files = {
        "s.jsonl": rows("s", 40, part="held_out", group=lambda i: f"g{i // 4}"),
        "n.jsonl": rows("n", 20),
    }

    done = plan(files, keep=15)

    assert len(done.kept) == 12
    assert {e.group for e in done.kept}.isdisjoint({e.group for e in done.retired})


def test_the_problems_of_all_files_come_at_once() -> None:
    files = {"s.jsonl": b'{"inputs": 3}\n', "n.jsonl": b"nonsense\n"}

    assert problems(files) == [
        "s.jsonl:1: '3' is not a value for 'inputs'",
        "n.jsonl:1: not valid JSON at column 1: expecting value",
    ]


def test_new_examples_are_checked_as_part_of_the_suite() -> None:
    new = b"".join(
        (
            b'{"id": "s0", "inputs": {"text": "new"}}\n',
            b'{"id": "b", "inputs": {"text": "s 1"}}\n',
            b'{"id": "c", "inputs": {"text": "other"}, "group": "g"}\n',
        )
    )
    files = {"s.jsonl": rows("s", 9, group="g", part="train"), "n.jsonl": new}

    assert problems(files) == [
        "n.jsonl:1: id 's0' is there twice, the first time at s.jsonl:1",
        "n.jsonl:2: held_out example 'b' has the same inputs as train example 's1' at s.jsonl:2",
        "n.jsonl:3: group 'g' is in two parts: held_out here and train at s.jsonl:1",
    ]


def test_a_new_example_that_nearly_is_an_old_one_is_refused() -> None:
    spec = SuiteSpec(file="s.jsonl")
    text = "The printer on the second floor has been on fire since Monday"
    files = {
        "s.jsonl": json.dumps({"inputs": text, "part": "held_out"}).encode(),
        "n.jsonl": json.dumps({"inputs": f"{text}."}).encode(),
    }

    (found,) = problems(files, spec)

    assert "is 99% the same as train example" in found


def test_a_new_row_that_asks_for_another_part_is_refused() -> None:
    files = {"s.jsonl": rows("s", 9), "n.jsonl": rows("n", 1, part="val")}

    assert problems(files) == [
        "n.jsonl:1: the row asks for the part 'val', but it becomes held-out"
    ]


def test_a_renewal_that_was_made_before_is_refused_in_one_line() -> None:
    files = {"s.jsonl": rows("s", 30), "n.jsonl": rows("n", 20)}
    files |= plan(files).files

    assert problems(files) == ["n.jsonl: all examples of the file are held-out already"]


def test_keeping_all_is_refused() -> None:
    files = {"s.jsonl": rows("s", 5, part="held_out"), "n.jsonl": rows("n", 20)}

    assert problems(files, keep=5) == [
        "5 held-out examples cannot be kept: there are 5, and some must retire"
    ]


def test_the_suite_s_own_file_brings_nothing_new() -> None:
    spec = SuiteSpec(file="n.jsonl")

    assert problems({"n.jsonl": rows("n", 3)}, spec) == [
        "n.jsonl: the file is part of the suite already"
    ]


def test_test_data_cannot_be_renewed() -> None:
    (found,) = problems({}, SuiteSpec(file="p.prompt.yml"))

    assert found == (
        "p.prompt.yml: the suite is the prompt file's own testData, which has no parts to renew"
    )


@pytest.mark.parametrize(
    ("spec", "missing"),
    [
        (SuiteSpec(held_out="h.jsonl"), "train"),
        (SuiteSpec(train="t.jsonl", val="v.jsonl"), "held_out"),
    ],
)
def test_a_part_without_a_file_is_named(spec: SuiteSpec, missing: str) -> None:
    assert problems({}, spec) == [f"the suite has no file for the part {missing}"]


def test_a_first_held_out_set_retires_nothing() -> None:
    spec = SuiteSpec(file="s.jsonl", split=Split(train=0.5, val=0.5, held_out=0))
    files = {"s.jsonl": rows("s", 4), "n.jsonl": rows("n", 20)}

    done = plan(files, spec)

    assert done.retired == ()
    assert done.files["s.jsonl"].startswith(files["s.jsonl"])


@pytest.mark.parametrize(
    ("count", "start"), [(1, "There is only 1 new"), (FEWEST - 1, "There are only 19 new")]
)
def test_few_new_examples_are_worth_a_warning(count: int, start: str) -> None:
    (warning,) = plan({"s.jsonl": rows("s", 30), "n.jsonl": rows("n", count)}).warnings

    assert warning.startswith(start)


def test_what_does_not_fit_is_reported_with_the_rest() -> None:
    files = {"s.jsonl": rows("s", 9, part="train"), "n.jsonl": rows("s", 1)}

    def fits(_: object) -> list[str]:
        raise SuiteError("no label", path="n.jsonl", line=1)

    found = problems(files, fits=fits)

    assert found[0] == "n.jsonl:1: no label"
    assert len(found) == 3
