"""Owns what a run writes on the machine: result, report, job summary and the step's outputs."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gepa_ci.cli.action.posting import RESULT
from gepa_ci.delivery.runner_files import Output, RunnerFiles
from gepa_ci.reports import without_texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.cli.action.desk import Desk
    from gepa_ci.cli.action.outcome import Outcome
    from gepa_ci.core.values import JSON

_WORST_FIRST = (
    *("regression", "ruler_changed", "inconclusive"),
    *("hold", "pass", "improved", "promote"),
)
_VERDICT = re.compile("|".join(verdict.replace("_", " ") for verdict in _WORST_FIRST))


def write(
    desk: Desk, document: Mapping[str, JSON], report: str, outcome: Outcome, *, page: str = ""
) -> None:
    """Write result, report, summary and outputs; what a posting half may read holds no texts.

    `page` is the path of the page that stands beside them; empty without one.
    """
    folder = desk.settings.folder
    clean = desk.clean(document)
    posted = without_texts(clean) if "tasks" in clean else clean
    _save(desk.settings.result, clean)
    _save(folder / "posted" / RESULT, posted)
    (folder / "report.md").write_text(desk.redactor(report), encoding="utf-8", newline="\n")
    write_summary(desk, report)
    # Later steps decide by outputs, so what was not verified is none.
    outputs = _outputs(desk, {} if outcome.unverified else posted, outcome)
    outputs[Output.PAGE_PATH] = page
    _files(desk).write_outputs({name: desk.redactor(value) for name, value in outputs.items()})


def _save(path: Any, value: Mapping[str, JSON]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8", newline="\n")


def _outputs(desk: Desk, posted: Mapping[str, JSON], outcome: Outcome) -> dict[Output, str]:
    tasks: Any = posted.get("tasks", [])
    verdicts = {task["verdict"] for task in tasks if task["verdict"]}
    proposed = list((outcome.proposed or {}).values())
    first = proposed[0] if proposed else None
    spend: Any = posted.get("spend", {})
    one = tasks[0] if len(tasks) == 1 else None
    usd = spend.get("usd")
    return {
        Output.VERDICT: next((v for v in _WORST_FIRST if v in verdicts), _known(outcome)),
        Output.REPORT_PATH: str(desk.settings.folder / "report.md"),
        Output.PULL_REQUEST_NUMBER: "" if first is None else str(first.number or ""),
        Output.PULL_REQUEST_URL: "" if first is None else first.url or "",
        Output.PULL_REQUEST_OPERATION: "none" if first is None else str(first.operation),
        Output.SCORE_BASE: _mean(one, "baseline"),
        Output.SCORE_HEAD: _mean(one, "candidate"),
        Output.USD: "" if usd is None else f"{usd:.6f}",
        Output.RESULT: json.dumps(
            {
                **posted,
                "proposed": {name: _plain(done) for name, done in (outcome.proposed or {}).items()},
            }
        ),
    }


def _known(outcome: Outcome) -> str:
    """Return the verdict that was taken over, by the title that a check was given for it."""
    if outcome.reused is None:
        return ""
    said = _VERDICT.findall(outcome.reused.title.rpartition(": ")[2])
    return next((v for v in _WORST_FIRST if v.replace("_", " ") in said), "")


def _plain(done: Any) -> dict[str, JSON]:
    return {key: str(value) if value is not None else None for key, value in asdict(done).items()}


def _mean(task: Any, side: str) -> str:
    found = None if task is None else task.get(side)
    return "" if not found else f"{found['mean']:.6f}"


def write_summary(desk: Desk, markdown: str) -> None:
    """Append to the job summary."""
    _files(desk).write_summary(desk.redactor(markdown))


def _files(desk: Desk) -> RunnerFiles:
    return RunnerFiles(output=desk.settings.output, summary=desk.settings.summary)
