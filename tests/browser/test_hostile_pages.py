"""Hostile texts in a real Chromium: they are shown, and do nothing else."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from chromium import launched, opened
from report_samples import SAMPLES
from test_canaries import CANARIES, places

from gepa_ci.reports import render, result_document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

SCRIPTS = {
    "script": "<script>document.title = 'pwned'</script>",
    "closed script": "</script><script>document.title = 'pwned'</script>",
    "closed style": "</style></title></textarea><img src=x onerror=\"document.title = 'pwned'\">",
    "image": "<img src=https://evil.example/x onerror=\"document.title = 'pwned'\">",
    "attribute": (
        '" onmouseover="document.title = \'pwned\'" autofocus '
        'onfocus="document.title=\'pwned\'" x="'
    ),
    "svg": "<svg><animate onbegin=\"document.title='pwned'\" attributeName=x dur=1s></svg>",
    "frame": "<iframe srcdoc=\"<script>parent.document.title='pwned'</script>\"></iframe>",
    "link": "<a href=\"javascript:document.title='pwned'\">click</a>",
    "template": "{{ 7 * 7 }}{% raw %}${document.title='pwned'}",
    "comment": "<!-- --><script>document.title='pwned'</script><!--",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as found:
        yield found


def poisoned_page(name: str, text: str) -> str:
    """Return the page of a sample in which the text stands in every field."""
    document = json.loads(render(result_document(SAMPLES[name](), texts=True), "json"))
    for task in document["tasks"]:
        task["examples"] = task["examples"][:6]
    found: Any = copy.deepcopy(document)
    for path in places(document):
        place = found
        for step in path[:-1]:
            place = place[step]
        if path[-1] != "verdict":
            place[path[-1]] = text
    return render(found, "html")


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("name", ["promote_guarded", "gate_three_tasks"])
def test_no_text_runs_asks_or_leaves_its_box(
    browser: Browser, tmp_path: Path, name: str, text: str
) -> None:
    path = tmp_path / "page.html"
    path.write_text(poisoned_page(name, text), encoding="utf-8")
    with opened(browser, path, viewport={"width": 400, "height": 800}) as shown:
        page = shown.page
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        page.locator("body").hover()

        assert page.title() != "pwned"
        assert shown.complaints == []
        assert len(shown.requests) == 1
        assert page.locator("a[href^=javascript], iframe, img, object, embed").count() == 0
        assert not shown.overflows()


@pytest.mark.parametrize("text", CANARIES.values(), ids=CANARIES)
def test_what_fools_markdown_does_not_fool_the_page(
    browser: Browser, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "page.html"
    path.write_text(poisoned_page("promote", text), encoding="utf-8")
    with opened(browser, path, viewport={"width": 400, "height": 800}) as shown:
        assert shown.complaints == []
        assert len(shown.requests) == 1
        assert not shown.overflows()


LONG = {
    "without blanks": "x" * 100_000,
    "of words": "word " * 20_000,
    "of lines": "line\n" * 20_000,
    "right to left": "שלום עולם مرحبا بالعالم " * 4_000,
    "right to left in disguise": "\u202eevil\u2066" + "ע" * 50_000,
    "of wide letters": "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 20_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize("width", [400, 1400])
def test_an_output_of_100_000_characters_stays_in_its_box(
    browser: Browser, tmp_path: Path, text: str, width: int
) -> None:
    document: Any = json.loads(
        render(result_document(SAMPLES["gate_regression"](), texts=True), "json")
    )
    row = document["tasks"][0]["examples"][56]
    row["outputs"] = {"baseline": [text] * 3, "candidate": [text[::-1]] * 3}
    row["inputs"], row["expected"] = {"email": text}, text
    path = tmp_path / "page.html"
    path.write_text(render(document, "html"), encoding="utf-8")
    with opened(browser, path, viewport={"width": width, "height": 800}) as shown:
        page = shown.page
        page.locator("[data-search]").fill("mail-056")
        page.locator("tbody:not([hidden]) .opener").click()
        boxes = page.locator("tbody.is-open pre")
        tall = boxes.evaluate_all("found => Math.max(...found.map(box => box.clientHeight))")
        wide = boxes.evaluate_all(
            """found => found.every(box => {
              const table = box.closest('.scroll');
              const end = table.getBoundingClientRect().left + table.scrollWidth;
              return box.getBoundingClientRect().right <= end;
            })"""
        )

        assert not shown.overflows()
        assert boxes.count() >= 4
        assert tall < 700
        assert wide
        assert shown.complaints == []
