"""Owns a proposer's worker: loads a user's file and calls its function for each occasion."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from gepa_ci.workers import serving
from gepa_ci.workers.channel import secluded_channel
from gepa_ci.workers.loading import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.workers.channel import Channel, Printed


def main() -> None:  # pragma: no cover - runs in workers only
    """Serve the process that started this one until it goes away."""
    serve(*secluded_channel())


def serve(channel: Channel, printed: Printed) -> None:
    """Load the file that is asked for, then call its function for each occasion."""
    serving.serve(channel, printed, _call)


def _call(
    function: Callable[..., Any],
    request: dict[str, Any],
    ask: Callable[[str], dict[str, Any]],
    path: str,
) -> dict[str, Any]:
    def reflect(prompt: Any) -> str:
        """Return the reflection LM's answer."""
        if not isinstance(prompt, str) or not prompt.strip():
            raise TypeError(f"reflect() takes the text of a prompt, not {prompt!r}")
        answer = ask(prompt)
        if "text" not in answer:
            raise RuntimeError(str(answer.get("problem")))
        return str(answer["text"])

    try:
        value = serving.awaited(function(_view(request["occasion"]), reflect))
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is told
        return {"raised": told(error, path)}
    if value is None:
        return {"texts": {}}
    if not isinstance(value, dict) or not all(
        isinstance(name, str) and isinstance(text, str) for name, text in value.items()
    ):
        return {"not_texts": f"{type(value).__name__}: {value!r}"[:400]}
    return {"texts": value}


def _view(value: Any) -> Any:
    """Return what the user's function sees: attributes, and dictionaries where keys are data."""
    return SimpleNamespace(
        **{
            **value,
            "observations": [
                SimpleNamespace(**{**seen, "steps": [SimpleNamespace(**s) for s in seen["steps"]]})
                for seen in value["observations"]
            ],
        }
    )
