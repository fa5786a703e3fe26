"""Measures the HTML page of a result with 2,000 examples: bytes, rendering, first paint, filters.

    python bench/page.py [--examples 2000] [--runs 5]

The page is opened from disk in Chromium, in a fresh context each time. First paint is what the
browser reports as first contentful paint; beside it stands that of an empty page in the same run.
A filter is timed from the event to the end of the layout that it causes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chromium import Opened

    from gepa_ci.core.values import JSON

TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "browser"), str(TESTS / "reports")]

from big_document import big_document  # noqa: E402
from chromium import launched, opened  # noqa: E402

from gepa_ci.reports import render  # noqa: E402

PAINT = """() => new Promise(done => {
  const seen = () => performance.getEntriesByName('first-contentful-paint')[0];
  const look = () => seen() ? done(seen().startTime) : requestAnimationFrame(look);
  look();
})"""
# Asking for a height makes the browser finish the layout before the clock is read again.
FILTER = """([selector, event, value]) => {
  const target = document.querySelector(selector);
  const started = performance.now();
  if (value !== null) target.value = value;
  event === 'click' ? target.click() : target.dispatchEvent(new Event(event, {bubbles: true}));
  document.documentElement.scrollHeight;
  return performance.now() - started;
}"""
FILTERS = {
    "lost": ("[data-kind=lost]", "click", None),
    "all": ("[data-kind='']", "click", None),
    "tag": ("[data-tag]", "change", "returns"),
    "first search": ("[data-search]", "input", "teapot"),
    "next search": ("[data-search]", "input", "teapot from"),
    "sort": ("th[data-sort=number] button", "click", None),
}
EMPTY = "<!doctype html><html lang=en><title>Empty</title><p>Nothing here."


def measured(document: Mapping[str, JSON]) -> str:
    started = time.perf_counter()
    page = render(document, "html")
    rendering = time.perf_counter() - started
    print(f"page: {len(page.encode()):,} bytes, rendered in {rendering:.2f} s")
    print(f"result.json: {len(json.dumps(document)):,} bytes")
    return page


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--examples", type=int, default=2_000)
    arguments.add_argument("--runs", type=int, default=5)
    given = arguments.parse_args()
    page = measured(big_document(given.examples))
    with tempfile.TemporaryDirectory() as folder, launched() as browser:
        paints: dict[str, list[float]] = {"first paint": [], "first paint, empty page": []}
        files = {name: Path(folder, f"{number}.html") for number, name in enumerate(paints)}
        for path, text in zip(files.values(), (page, EMPTY), strict=True):
            path.write_text(text, encoding="utf-8")
        filters: dict[str, list[float]] = {name: [] for name in FILTERS}

        def look(name: str, after: Callable[[Opened], None] = lambda _: None) -> None:
            with opened(browser, files[name], viewport={"width": 1400, "height": 900}) as shown:
                paints[name].append(shown.page.evaluate(PAINT))
                after(shown)

        def use(shown: Opened) -> None:
            for name, steps in FILTERS.items():
                filters[name].append(shown.page.evaluate(FILTER, list(steps)))

        for _ in range(given.runs):
            look("first paint, empty page")
            look("first paint", use)
    for name, times in {**paints, **filters}.items():
        print(f"{name}: {statistics.median(times):.1f} ms (worst {max(times):.1f})")


if __name__ == "__main__":
    main()
