"""A real Chromium for the tests of pages: Debian's, driven by Playwright, without any network."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, ConsoleMessage, Page

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Read here, as tests see none of these variables.
_WANTED = os.environ.get("GEPA_CI_TEST_CHROMIUM", "")
_REQUIRED = os.environ.get("GEPA_CI_TEST_BROWSER") == "required"
_FOUND = _WANTED or next((path for name in _NAMES if (path := shutil.which(name))), None)


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A page in the browser, and what it has done besides showing itself."""

    page: Page
    requests: list[str] = field(default_factory=list)
    """Addresses that it asked for, its own among them."""
    complaints: list[str] = field(default_factory=list)
    """Errors and warnings on the console, among them what the content policy has refused."""

    def faults_for_everybody(self, *rules: str) -> list[dict[str, Any]]:
        """Return what axe-core finds to be serious or critical, by all of its rules or some."""
        source = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
        self.page.evaluate(source)
        options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
        found: list[dict[str, Any]] = self.page.evaluate(
            "async options => (await axe.run(document, options)).violations", options
        )
        return [
            {"rule": one["id"], "where": [node["target"] for node in one["nodes"][:3]]}
            for one in found
            if one["impact"] in ("serious", "critical")
        ]

    def overflows(self) -> bool:
        """Return whether the page can be scrolled sideways."""
        wide: bool = self.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        return wide


@contextmanager
def launched() -> Iterator[Browser]:
    """Start the browser; skip the test where there is none, unless it has to be there."""
    if _FOUND is None and not _REQUIRED:
        pytest.skip("there is no Chromium; on Debian: apt-get install chromium")
    assert _FOUND is not None, "there is no Chromium, and these tests have to run"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_FOUND, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, path: Path, **context: Any) -> Iterator[Opened]:
    """Open a file in a fresh context without network, and watch what it does."""
    with browser.new_context(offline=True, **context) as place:
        found = Opened(page=place.new_page())

        def noted(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                found.complaints.append(message.text)

        found.page.on("console", noted)
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.goto(path.as_uri())
        yield found
