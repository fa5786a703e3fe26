"""Holds docs/gepa.md to what GEPA and the config have."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import gepa
import gepa.utils
from gepa.utils import stop_condition

from gepa_ci.config.optimize_keys import OPTIMIZE
from gepa_ci.core.config import Measure
from gepa_ci.optimizers.custom_proposer import CodeProposer

PAGE = (Path(__file__).parents[2] / "docs" / "gepa.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_table_has_every_parameter_of_gepa_in_its_order() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \|", section("Every parameter of `gepa.optimize`"), re.MULTILINE
    )

    assert rows == list(inspect.signature(gepa.optimize).parameters)


def test_every_stopper_of_gepa_is_named() -> None:
    there = {
        name
        for name, found in vars(stop_condition).items()
        if inspect.isclass(found) and name.endswith(("Stopper", "StopCondition"))
    }

    assert {name for name in there if f"`{name}`" not in section("When it stops")} == set()
    assert len(there) == 10


def test_every_key_that_steers_gepa_is_named() -> None:
    others = {"optimizer", "options", "max_chars", "max_demos", "prune", "seed"}
    keys = {key.name for key in OPTIMIZE.keys} - others

    assert {key for key in keys if not re.search(rf"`?\b{key}\b", PAGE)} == set()


def test_every_measure_is_named() -> None:
    assert all(f"| `{measure}` |" in section("Objectives") for measure in Measure)


def test_everything_that_a_proposer_sees_is_named() -> None:
    told = inspect.getsource(CodeProposer._told)
    names = re.findall(r'"(\w+)":', told)

    assert len(names) == 6
    assert all(f"| `{name}` |" in section("A proposer of your own") for name in names)
