"""The page of scores over time in a real Chromium."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from chromium import launched, opened

from gepa_ci.reports.history.rendering import render_history
from gepa_ci.reports.view.model_history import History, Moment, Shift

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

BEGIN = datetime(2026, 3, 1, 4, tzinfo=UTC)
NASTY = "<script>document.title = 'pwned'</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as found:
        yield found


def moment(night: int, mean: float, label: str = "") -> Moment:
    return Moment(
        at=BEGIN + timedelta(days=night),
        mean=mean,
        low=mean - 0.1,
        high=mean + 0.1,
        n=100,
        drift=label == "A",
        label=label,
        changed=night == 5,
        fresh=True,
        commit="3f9d2c1" + "0" * 33,
        verdict="",
        usd=0.31,
        calls=600,
        run="1.1",
        note="",
    )


def drifted(task: str) -> History:
    means = [0.8, 0.78, 0.81, 0.8, 0.79, 0.85, 0.84, 0.6, 0.61, 0.6]
    moments = tuple(moment(n, mean, "A" if n == 7 else "") for n, mean in enumerate(means))
    shift = Shift(
        label="A",
        at=moments[7].at,
        seen=moments[8].at,
        commit=moments[7].commit,
        before=0.84,
        after=0.6,
        sentence=f"Scores fell, and {NASTY} is a text.",
    )
    return History(
        task=task,
        part="held-out",
        source="the branch gepa-ci-data",
        moments=moments,
        shifts=(shift,),
        compared=8,
        unmeasured=0,
        notes=(NASTY,),
        method="z test",
    )


@pytest.mark.parametrize("task", ["triage", NASTY])
def test_history_page_is_for_everybody_and_asks_for_nothing(
    browser: Browser, tmp_path: Path, task: str
) -> None:
    path = tmp_path / "history.html"
    path.write_text(render_history(drifted(task), "html"), encoding="utf-8")
    with opened(browser, path, viewport={"width": 400, "height": 900}) as shown:
        faults = shown.faults_for_everybody()
        shown.page.emulate_media(color_scheme="dark")
        faults += shown.faults_for_everybody("color-contrast")

        assert faults == []
        assert not shown.overflows()
        assert shown.complaints == []
        assert len(shown.requests) == 1
        assert shown.page.title() != "pwned"
        assert "drift" in (shown.page.locator("svg").first.text_content() or "")
