"""Holds docs/optimizers.md to the optimizers that there are."""

from __future__ import annotations

import re

import pytest
from optimizer_reference import PATH, table_of, with_tables

from gepa_ci.config.optimizer_keys import OPTIMIZERS
from gepa_ci.optimizers import plugins

PAGE = PATH.read_text(encoding="utf-8")


def test_the_tables_are_the_generated_ones() -> None:
    assert with_tables(PAGE) == PAGE


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "gepa"])
def test_each_optimizer_has_a_section_with_its_options(name: str) -> None:
    assert f"## {name}\n" in PAGE
    assert f"<!-- options of {name} -->\n{table_of(name)}" in PAGE
    assert f"| `{name}` |" in PAGE


def test_what_a_plug_in_is_given_is_documented() -> None:
    named = set(re.findall(r"^\| `(\w+)[`(]", PAGE.partition("## Plug-ins")[2], re.MULTILINE))
    named |= {"train", "val"}
    has = {name for name in vars(plugins.Task) if not name.startswith("_")}

    assert has - {"keep", "whole", "evaluated"} <= named
    assert plugins.GROUP in PAGE
