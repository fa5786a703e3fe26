"""Owns one search by an optimizer of DSPy's: its settings, its ends, and what is recorded."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gepa_ci.core.optimization import Origin
from gepa_ci.optimizers.budget import BudgetReached
from gepa_ci.optimizers.dspy_bridge import Bridge
from gepa_ci.optimizers.dspy_lm import NoReflection, Reflection, language_model
from gepa_ci.optimizers.recording import begin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gepa_ci.optimizers.workbench import Workbench

_NEVER = 10**9


def explore(
    bench: Workbench,
    compiled: Callable[[Bridge], Any],
    *,
    name: str,
    origin: Origin = Origin.REFLECTION,
    finals: int = 0,
) -> str:
    """Let an optimizer of DSPy's search, and return why the search ended.

    `compiled` returns the module that the optimizer thinks best. `finals` is how many candidates
    need a val run after that, for optimizers that evaluate on train; their budget is kept back.

    Raises:
        BudgetReached: there is no room to score the baseline on val.
        FailedSearch: a call or the user's code failed.
        Enough: there is no reason to go on.
    """
    begin(bench)
    bridge = Bridge(bench, origin=origin, reserve=finals * len(bench.search.tuning.val))
    reason, chosen = f"{name} has come to its end.", None
    try:
        chosen = _run(bridge, compiled)
    except BudgetReached:
        reason = bench.budget_reason
    except _Unreadable as error:
        reason = f"{name} ended early: {error}"
    _record(bridge, chosen, finals)
    return reason


def _record(bridge: Bridge, chosen: dict[str, str] | None, finals: int) -> None:
    best = [] if chosen is None else [chosen]
    for texts in [*best, *bridge.scored.best()][: max(finals, len(best))]:
        try:
            bridge.record(texts)
        except BudgetReached:
            return


class _Unreadable(Exception):  # noqa: N818 - it ends a search, and is no error of anybody's
    """What the reflection LM answered could not be read, and the optimizer gave up."""


def _run(bridge: Bridge, compiled: Callable[[Bridge], Any]) -> dict[str, str] | None:
    chosen: dict[str, str] = {}
    try:
        with bridge.quiet.kept(), _settings(bridge):
            chosen = bridge.texts(compiled(bridge))
    except Exception as error:  # a library's boundary: InferRules asserts what it cannot read
        said = _unreadable(error)
        if bridge.stopped is None and said is None:
            raise
        if bridge.stopped is None:
            raise _Unreadable(
                f"an answer of the reflection LM has not the form: {said}."
            ) from error
    if bridge.stopped is not None:
        raise bridge.stopped
    return chosen if bridge.admitted(chosen) else None


def _unreadable(error: BaseException | None) -> str | None:
    """Return what DSPy said of an answer that it could not read; None for another error."""
    from dspy.utils.exceptions import AdapterParseError

    while error is not None:
        if isinstance(error, AdapterParseError):
            return str(error).partition("\n")[0].rstrip(".")
        error = error.__cause__ or error.__context__
    return None


@contextmanager
def _settings(bridge: Bridge) -> Iterator[None]:
    """Set DSPy up for this search, in this thread and those that DSPy starts from it."""
    import dspy
    from dspy.utils.callback import BaseCallback

    class Batches(BaseCallback):  # type: ignore[misc]
        """Runs what an evaluation will ask for."""

        def on_evaluate_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
            """Run the whole batch."""
            del call_id
            bridge.prepare(inputs["program"], inputs["devset"] or instance.devset)

    with dspy.context(
        lm=model_of(bridge),
        adapter=dspy.ChatAdapter(),
        callbacks=[Batches()],
        disable_history=True,
        # Evaluations only look up what was run as a batch before.
        num_threads=1,
        max_errors=_NEVER,
        provide_traceback=False,
        track_usage=False,
        trace=None,
    ):
        yield


def model_of(bridge: Bridge) -> Any:
    """Return the LM that an optimizer asks."""
    spec = bridge.bench.search.reflection
    engine = NoReflection() if spec is None else Reflection(bridge.bench, spec)
    return language_model(engine)
