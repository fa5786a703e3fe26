"""Owns the judges of a task in a run: what they cost, and whether they still measure alike."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from gepa_ci.cli.clock import now
from gepa_ci.core.config import CacheMode
from gepa_ci.core.judging import Judgement, Ruler
from gepa_ci.core.suite import HeldOutSet
from gepa_ci.errors import CacheMissError
from gepa_ci.evaluate.estimate import Estimate, estimate_call
from gepa_ci.evaluate.pool import run_all
from gepa_ci.metrics import Judge, bind, day_trial, judge_calls, judges_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gepa_ci.cli.session import Session
    from gepa_ci.cli.workspace import TaskInputs
    from gepa_ci.core.call import Call, Reply
    from gepa_ci.core.config import Measure
    from gepa_ci.core.judging import Anchors
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.core.suite import Example
    from gepa_ci.lm.client import LMClient
    from gepa_ci.metrics import Metric


def judges(inputs: TaskInputs) -> dict[str, Judge]:
    """Return the judges of a task's metric and guards, by name."""
    return judges_of((inputs.metric, *inputs.guards.values()))


def bound_guards(
    guards: Mapping[str, Metric | Measure], complete: Callable[[Call], Reply]
) -> dict[str, Metric | Measure]:
    """Return guards whose judges make their calls by a function."""
    return {
        name: guard if isinstance(guard, str) else bind(guard, complete)
        for name, guard in guards.items()
    }


def recalled(client: LMClient) -> Callable[[Call], Reply]:
    """Return a way to make calls that are in the cache, and no others."""

    def complete(call: Call) -> Reply:
        if not client.is_cached(call):
            raise CacheMissError("an answer of the judge is not in the cache any more")
        return client.complete(call)

    return complete


def judging_cost(
    session: Session,
    inputs: TaskInputs,
    prompts: Sequence[Prompts],
    examples: HeldOutSet | Sequence[Example],
    trials: range,
    *,
    cached: bool = True,
) -> Estimate:
    """Return what judges would cost that score prompts on examples; outputs are partly unknown."""
    metrics: tuple[object, ...] = (inputs.metric,)
    if isinstance(examples, HeldOutSet):
        metrics = (*metrics, *inputs.guards.values())
    if not judges_of(metrics):
        return Estimate()
    rows = examples.examples if isinstance(examples, HeldOutSet) else examples
    calls: list[Call] = []
    for example in rows:
        unknown = judge_calls(metrics, example, None)
        for prompt in prompts:
            for trial in trials:
                reply = _known(session, inputs, prompt, example, trial) if cached else None
                if reply is None:
                    calls += unknown
                elif reply.failure is None:
                    calls += judge_calls(metrics, example, reply.text)
    return cost_of(session.client, calls, cached=cached)


def _known(
    session: Session, inputs: TaskInputs, prompt: Prompts, example: Example, trial: int
) -> Reply | None:
    """Return a trial's answer where the program makes one call, which is in the cache."""
    made = session.program(inputs).calls(prompt, example, trial)
    return session.client.known(made[0]) if made is not None and len(made) == 1 else None


def cost_of(client: LMClient, calls: Iterable[Call], *, cached: bool = True) -> Estimate:
    """Return what calls would cost."""
    total = Estimate()
    for call in calls:
        if cached and client.is_cached(call):
            total += Estimate(calls=1, cached_calls=1)
        else:
            total += estimate_call(client, call)
    return total


def ruler_cost(session: Session, inputs: TaskInputs) -> Estimate:
    """Return what it costs to score the anchors of a task's judges today."""
    calls = [
        call
        for judge in judges(inputs).values()
        if (anchors := _asked(session, judge)) is not None
        for anchor in anchors.anchors
        for call in judge.calls(anchor.output.example, anchor.output.output, first=today())
    ]
    return cost_of(session.client, calls)


def check_ruler(session: Session, inputs: TaskInputs) -> Ruler:
    """Score the anchors of a task's judges afresh, and say which of them have moved."""
    moved: list[str] = []
    notes: list[str] = []
    for judge in judges(inputs).values():
        if judge.anchors is not None:
            reasons, note = _held_to(session, inputs, judge, judge.anchors)
            moved += reasons
            notes += note
    return Ruler(moved=tuple(moved), notes=tuple(notes))


def _held_to(
    session: Session, inputs: TaskInputs, judge: Judge, anchors: Anchors
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from gepa_ci.judging import ruler
    from gepa_ci.judging.anchor_test import compare_anchors

    again = ruler.again(anchors, inputs.task.name)
    if anchors.judge != judge.digest:
        return (ruler.other_judge(anchors, judge.spec.model), again), ()
    if session.workspace.config.cache is CacheMode.REPLAY:
        return (), ("The judge's anchors were not scored, as `cache: replay` makes no calls.",)
    fresh = score_all(
        session,
        inputs,
        judge,
        [(anchor.output.example, anchor.output.output) for anchor in anchors.anchors],
        samples=judge.samples,
    )
    test = compare_anchors(anchors, fresh, judge.scale)
    if test.has_moved:
        return (ruler.moved(anchors, test, judge.spec.model), again), ()
    return (), (ruler.unmoved(anchors, test),)


def _asked(session: Session, judge: Judge) -> Anchors | None:
    """Return the anchors that a run would score."""
    anchors = judge.anchors
    if anchors is None or anchors.judge != judge.digest:
        return None
    return None if session.workspace.config.cache is CacheMode.REPLAY else anchors


def score_all(
    session: Session,
    inputs: TaskInputs,
    judge: Judge,
    outputs: Sequence[tuple[Example, str]],
    *,
    samples: int,
) -> list[Judgement]:
    """Have outputs judged today: earlier days' answers are not taken from the cache."""
    asked = judge.bound(session.client.complete)
    first = today()
    with session.progress.phase(f"{inputs.task.name}: ask the judge", total=len(outputs)):
        return run_all(
            outputs,
            lambda pair: asked.judge(*pair, samples=samples, first=first),
            workers=session.workspace.config.concurrency,
            on_done=lambda *_: session.progress.step(),
        )


def today() -> int:
    """Return the number of this day's first answer; days begin at midnight UTC."""
    return day_trial(date.fromisoformat(now()[:10]))


def judge_warnings(inputs: TaskInputs) -> tuple[str, ...]:
    """Return finished sentences about judges of a task that should give pause."""
    spec = inputs.program.model(inputs.prompt)
    return tuple(
        f"The judge is the model that it judges, '{judge.spec.model}', and models prefer what "
        "they write themselves: name another one under `models: {judge: ...}`."
        for judge in judges(inputs).values()
        if spec is not None
        and (judge.spec.model, judge.spec.api_base) == (spec.model, spec.api_base)
    )
