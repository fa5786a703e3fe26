"""Owns a metric's worker: loads a user's file and calls its function for each example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gepa_ci.core.suite import Example
from gepa_ci.metrics.views import ExampleView, PredictionView, PredictorView
from gepa_ci.workers import serving
from gepa_ci.workers.channel import secluded_channel
from gepa_ci.workers.loading import told
from gepa_ci.workers.returned import NotAScoreError, read_score

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.workers.channel import Channel, Printed


def main() -> None:  # pragma: no cover - runs in workers only
    """Serve the process that started this one until it goes away."""
    serve(*secluded_channel())


def serve(channel: Channel, printed: Printed) -> None:
    """Load the file that is asked for, then call its function for each example."""
    serving.serve(channel, printed, _call)


def _call(
    function: Callable[..., Any],
    request: dict[str, Any],
    ask: Callable[[str], dict[str, Any]],  # noqa: ARG001 - a metric asks nothing
    path: str,
) -> dict[str, Any]:
    given, output = request["example"], request["output"]
    try:
        example = Example(
            id=given["id"],
            inputs=given["inputs"],
            expected=given["expected"],
            tags=tuple(given["tags"]),
            group=given["group"],
        )
        prediction = PredictionView(output, request.get("fields")) if request["is_dspy"] else output
        rest = _rest(request)[: request["rest"]]
        value = serving.awaited(function(ExampleView(example), prediction, *rest))
        score = read_score(value)
    except NotAScoreError as error:
        return {"not_a_score": str(error)}
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is told
        return {"raised": told(error, path)}
    parts = dict(score.parts)
    return {"score": {"score": score.value, "feedback": score.feedback, "parts": parts}}


def _rest(request: dict[str, Any]) -> list[Any]:
    """Return trace, pred_name and pred_trace; None each unless it is about one predictor."""
    name = request.get("predictor")
    if not name:
        return [None, None, None]
    trace = [
        (
            PredictorView(step["name"]),
            step["inputs"],
            PredictionView(step["output"], step["fields"]),
        )
        for step in request["steps"]
    ]
    return [trace, name, [step for step in trace if step[0].name == name]]
