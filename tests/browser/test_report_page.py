"""The page in a real Chromium: what people see and do, by mouse and by keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from chromium import launched, opened
from report_samples import SAMPLES

from gepa_ci.reports import render, result_document, without_texts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chromium import Opened
    from playwright.sync_api import Browser

NARROW, WIDE = {"width": 400, "height": 900}, {"width": 1400, "height": 900}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # A browser for each module: while it runs, asyncio cannot be used in the same thread.
    with launched() as found:
        yield found


@pytest.fixture
def page_of(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    """Return how a sample's page is opened; afterwards, no page has complained or asked."""
    open_pages = []

    def show(name: str, *, texts: bool = True, **context: Any) -> Opened:
        document = result_document(SAMPLES[name](), texts=True)
        path = tmp_path / f"{name}.html"
        path.write_text(
            render(document if texts else without_texts(document), "html"), encoding="utf-8"
        )
        place = opened(browser, path, **context)
        found = place.__enter__()
        open_pages.append((place, path, found))
        return found

    yield show

    for place, path, found in open_pages:
        place.__exit__(None, None, None)
        assert found.complaints == []
        assert {address.partition("#")[0] for address in found.requests} == {path.as_uri()}


def shown_rows(opened_page: Opened) -> list[str]:
    texts: list[str] = opened_page.page.eval_on_selector_all(
        "[data-table] tbody:not([hidden]) th", "heads => heads.map(head => head.innerText)"
    )
    return texts


@pytest.mark.parametrize("name", SAMPLES)
def test_page_is_for_everybody_in_both_schemes_and_widths(page_of: Any, name: str) -> None:
    shown = page_of(name, viewport=NARROW, color_scheme="light")
    faults = shown.faults_for_everybody()
    shown.page.emulate_media(color_scheme="dark")
    faults += shown.faults_for_everybody("color-contrast")
    overflows = [shown.overflows()]
    shown.page.set_viewport_size(WIDE)
    overflows.append(shown.overflows())

    assert faults == []
    assert overflows == [False, False]


def test_what_is_folded_is_for_everybody_too(page_of: Any) -> None:
    shown = page_of("promote_guarded", viewport=NARROW, color_scheme="light")
    shown.page.locator("tbody:not([hidden]) .opener").first.click()
    shown.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    faults = shown.faults_for_everybody()
    shown.page.emulate_media(color_scheme="dark")

    assert faults + shown.faults_for_everybody("color-contrast") == []
    assert not shown.overflows()


def test_a_click_on_a_filter_leaves_only_what_lost(page_of: Any) -> None:
    shown = page_of("gate_regression")
    every = shown_rows(shown)
    shown.page.locator("[data-kind=lost]").click()
    lost = shown_rows(shown)

    assert len(every) == 100
    assert len(lost) == 19
    assert shown.page.locator("[data-count]").inner_text() == "19 of 100 examples shown"
    assert shown.page.locator("[data-kind=lost]").get_attribute("aria-pressed") == "true"


def test_the_keyboard_alone_filters_and_opens_a_row(page_of: Any) -> None:
    page = page_of("gate_regression").page
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.kind") == "lost":
            break
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('opener')"):
            break
    page.keyboard.press("Space")
    opener = page.locator(".opener:focus")

    assert opener.get_attribute("aria-expanded") == "true"
    assert page.locator("tbody.is-open .opened").is_visible()
    assert page.locator("tbody.is-open .opened").inner_text().count("Marta Lindqvist") >= 1


def test_where_the_keyboard_stands_can_be_seen(page_of: Any) -> None:
    page = page_of("gate_regression").page
    unseen = []
    for _ in range(30):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            "(() => { const style = getComputedStyle(document.activeElement);"
            " return [document.activeElement.outerHTML.slice(0, 80), style.outlineStyle,"
            " parseFloat(style.outlineWidth)]; })()"
        )
        if outline[1] == "none" or outline[2] < 1:
            unseen.append(outline)

    assert unseen == []


def test_a_click_on_a_row_opens_it_and_another_closes_it(page_of: Any) -> None:
    page = page_of("gate_regression").page
    row = page.locator("[data-table] tbody tr").first
    row.click()
    opened_text = page.locator("tbody.is-open .opened").inner_text()
    row.click()

    assert "Output" in opened_text or "Base" in opened_text
    assert page.locator("tbody.is-open").count() == 0


def test_tags_and_words_narrow_the_rows_down_together(page_of: Any) -> None:
    shown = page_of("gate_regression")
    shown.page.locator("[data-tag]").select_option("returns")
    tagged = len(shown_rows(shown))
    shown.page.locator("[data-search]").fill("mail-03")
    both = shown_rows(shown)
    shown.page.locator("[data-search]").fill("nothing has this")

    assert tagged == 34
    assert sorted(both) == ["mail-030", "mail-033", "mail-036", "mail-039"]
    assert shown_rows(shown) == []
    assert shown.page.locator("[data-none]").is_visible()


def test_columns_sort_up_down_and_back(page_of: Any) -> None:
    shown = page_of("gate_regression")
    first = shown_rows(shown)
    head = shown.page.locator("th[data-sort]").first
    orders = []
    for _ in range(3):
        head.locator("button").click()
        orders.append((head.get_attribute("aria-sort"), shown_rows(shown)))

    assert orders[0] == ("ascending", sorted(first))
    assert orders[1] == ("descending", sorted(first, reverse=True))
    assert orders[2] == (None, first)


def test_scores_sort_as_numbers(page_of: Any) -> None:
    shown = page_of("gate_regression")
    shown.page.locator("th[data-sort=number] button").first.click()
    values = shown.page.eval_on_selector_all(
        "[data-table] tbody",
        "bodies => bodies.map(body => parseFloat(body.rows[0].cells[2].innerText))",
    )

    assert values == sorted(values)


def test_without_scripts_every_example_can_still_be_opened(page_of: Any) -> None:
    page = page_of("gate_regression", java_script_enabled=False).page
    page.locator("[data-table] details summary").first.click()

    assert page.locator("[data-table] details[open] .opened").first.is_visible()
    assert not page.locator("[data-controls]").is_visible()


def test_a_report_without_texts_says_so(page_of: Any) -> None:
    shown = page_of("gate_regression", texts=False)

    assert "This report shows no texts of examples." in shown.page.inner_text("body")
    assert len(shown_rows(shown)) == 100
    assert "Marta" not in shown.page.content()


def test_printing_shows_what_is_folded_and_no_controls(page_of: Any) -> None:
    # As wide as what is printed on a sheet of A4.
    shown = page_of("promote", viewport={"width": 718, "height": 1000})
    page = shown.page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")

    assert not shown.overflows()
    assert not page.locator("[data-controls]").is_visible()
    assert page.locator("#report h2").first.is_visible()
    assert (
        page.evaluate("document.querySelectorAll('details:not([open]):not(.more *)').length") == 0
    )


def test_the_first_screen_answers_the_five_questions(page_of: Any) -> None:
    page = page_of("gate_regression", viewport=WIDE).page
    seen = page.evaluate(
        "Array.from(document.querySelectorAll('#report *')).filter(e => !e.children.length"
        " && e.getBoundingClientRect().bottom <= innerHeight).map(e => e.textContent).join(' ')"
    )

    for said in ("Do not merge", "is worse", "-0.216 to -0.091", "$0.31", "orders.prompt.yml"):
        assert said in seen
