"""Computes what the stylesheet of the page promises: contrast, and no address of anything."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).parents[2] / "gepa_ci" / "reports" / "templates"
STYLE = (TEMPLATES / "page.css").read_text(encoding="utf-8")
SCRIPT = (TEMPLATES / "page.js").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
    for block in STYLE.split("/* The page */")[0].split("@media")
)
# Words on grounds; all words of the page are in one of these pairs.
TEXT = [
    *product(("ink", "muted", "accent"), ("paper", "page", "raised")),
    *product(("good", "bad", "warn"), ("paper", "raised")),
    ("ink", "good-tint"), ("ink", "bad-tint"), ("ink", "warn-tint"), ("ink", "plain-tint"),
    ("bad", "bad-tint"), ("good", "good-tint"), ("paper", "accent"), ("paper", "good"),
]  # fmt: skip
# Shapes that carry meaning.
SHAPES = [(shape, "paper") for shape in ("good", "bad", "warn", "accent", "muted")]


def luminance(colour: str) -> float:
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_words_and_shapes_can_be_read_in_both_schemes(scheme: dict[str, str]) -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert {pair: r for pair in TEXT if (r := contrast(*(scheme[n] for n in pair))) < 4.5} == {}
    assert {pair: r for pair in SHAPES if (r := contrast(*(scheme[n] for n in pair))) < 3} == {}


def test_both_schemes_have_the_same_colours_and_no_rule_has_another() -> None:
    assert LIGHT.keys() == DARK.keys()
    rules = STYLE.split("/* The page */")[1].split("@media print")[0]
    assert re.findall(r"#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(", rules) == []
    assert set(re.findall(r"var\(--([a-z-]+)\)", STYLE)) <= LIGHT.keys() | {"mono"}


def test_the_style_fetches_nothing_and_the_script_writes_no_markup() -> None:
    assert re.search(r"url\(|@import|@font-face|</", STYLE) is None
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|Function\(|</|<!--"
    assert re.search(forbidden, SCRIPT) is None
    assert SCRIPT.startswith("'use strict';\n")
