"""Owns metrics that users write: `path.py:function`, called in our way or in DSPy's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gepa_ci.core.digests import digest
from gepa_ci.errors import ConfigError, MetricError
from gepa_ci.metrics.feedback import nearest
from gepa_ci.metrics.metric import SingleMetric
from gepa_ci.workers.answers import excerpt, harmless, read_told, show_printed
from gepa_ci.workers.child import End, WorkerError
from gepa_ci.workers.pool import WorkerPool
from gepa_ci.workers.returned import NotAScoreError, read_score
from gepa_ci.workers.source import Sources
from gepa_ci.workers.user_file import Limits, UserFile, UserFunction

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.core.config import MetricSpec
    from gepa_ci.core.score import Score, Seen
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON
    from gepa_ci.errors import Problem

_VERSION = 1
_HOST = "gepa_ci.metrics.worker"
_OURS = 2
"""Arguments of (example, output)."""

_HEARS = 4
"""Arguments from which pred_name is among them."""

_DSPY = 5
"""Arguments of (gold, pred, trace, pred_name, pred_trace)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMetric:
    """Has a user's function called by processes that hold no keys."""

    pool: WorkerPool
    """The processes, which have loaded the function's file."""
    name: str
    """The function's name in the file."""
    path: str
    """The file, as in the config."""
    line: int | None
    """1-based line of its definition in that file."""
    arguments: int
    """2 for (example, output); up to 5 for DSPy's (gold, pred, trace, pred_name, pred_trace)."""
    is_dspy: bool
    """Whether the second argument is a prediction rather than text."""
    seconds: float
    """How long one call may take."""

    @property
    def needs_expected(self) -> bool:
        """Return False: the function knows what it needs."""
        return False

    @property
    def hears_predictors(self) -> bool:
        """Return whether the function is told which predictor is meant."""
        return self.is_dspy and self.arguments >= _HEARS

    def label_problem(self, _: JSON) -> Problem | None:
        """Return None: the function knows what it needs."""
        return None

    def score_seen(self, example: Example, output: str, seen: Seen | None) -> Score:
        """Return what the function says of an output, given what else is known of it.

        Raises:
            MetricError: when it raises, hangs, ends its process, or returns no score.
        """
        request = {
            "example": {
                "id": example.id,
                "inputs": dict(example.inputs),
                "expected": example.expected,
                "tags": example.tags,
                "group": example.group,
            },
            "output": output,
            "is_dspy": self.is_dspy,
            "rest": self.arguments - _OURS,
            **_told(seen),
        }
        try:
            with self.pool.worker() as worker:
                answer = worker.ask(request, seconds=self.seconds)
        except WorkerError as error:
            raise self._lost(error, example) from None
        show_printed(answer)
        if "raised" in answer:
            raise self._raised(answer["raised"], example)
        if "not_a_score" in answer:
            raise self._no_score(str(answer["not_a_score"]), example)
        try:
            # What comes from a worker is not trusted to be what ours would have sent.
            return read_score(answer.get("score"))
        except NotAScoreError as error:
            raise self._no_score(str(error), example) from None

    def close(self) -> None:
        """End the processes."""
        self.pool.close()

    def _raised(self, value: Any, example: Example) -> MetricError:
        told = read_told(value)
        return MetricError(
            f"metric '{self.name}' raised {told.type} on example '{example.id}': "
            f"{told.text}\n{told.frames}".rstrip(),
            path=self.path,
            line=told.line or self.line,
            hint=told.hint,
        )

    def _no_score(self, reason: str, example: Example) -> MetricError:
        return MetricError(
            f"metric '{self.name}' returned {harmless(reason)}, for example '{example.id}'",
            path=self.path,
            line=self.line,
            hint="return a number from 0 to 1, a bool, (score, feedback), "
            '{"score": ..., "feedback": ...} or dspy.Prediction(score=..., feedback=...)',
        )

    def _lost(self, error: WorkerError, example: Example) -> MetricError:
        where, line = excerpt(error, self.path)
        what, hint = _loss(error, self.seconds)
        return MetricError(
            f"metric '{self.name}' {what} on example '{example.id}'\n{where}".rstrip(),
            path=self.path,
            line=line or self.line,
            hint=hint,
        )


def build_user_metric(
    spec: MetricSpec,
    read: Callable[[str], bytes],
    *,
    where: str,
    line: int | None,
    limits: Limits | None = None,
) -> SingleMetric:
    """Load `path.py:function` and find out how it wants to be called.

    Raises:
        ConfigError: when the file or the function cannot be used.
    """
    path, _, name = spec.name.rpartition(":")
    if spec.options:
        raise ConfigError(
            f"metric '{spec.name}' takes no options, got '{next(iter(spec.options))}'",
            path=where,
            line=line,
            hint="write them into the function",
        )
    bounds = limits or Limits()
    file = UserFile(sources=Sources(path, read), function=name, limits=bounds, host=_HOST)
    first, function = file.load()
    pool = WorkerPool(lambda: file.load()[0], first)
    try:
        arguments, is_dspy = _calling(function, name, path, where=where, line=line)
    except ConfigError:
        pool.close()
        raise
    scorer = UserMetric(
        pool=pool,
        name=name,
        path=path,
        line=function.line,
        arguments=arguments,
        is_dspy=is_dspy,
        seconds=bounds.call_seconds,
    )
    code = digest(["user", _VERSION, name, file.sources.complete()])
    return SingleMetric(name=spec.name, digest=code, scorer=scorer)


def _calling(
    function: UserFunction, name: str, path: str, *, where: str, line: int | None
) -> tuple[int, bool]:
    if not function.is_callable:
        found = (
            f"'{name}' in '{path}' is not a function"
            if function.is_there
            else f"'{path}' has no function '{name}'"
        )
        there = ", ".join(function.others) or "none"
        hint = f"{nearest(name, function.others)}functions there: {there}"
        raise ConfigError(found, path=where, line=line, hint=hint)
    if function.parameters is None:
        return _OURS, False
    positional = [p for p in function.parameters if p.kind.startswith("POSITIONAL")]
    required = sum(p.is_required for p in positional)
    has_rest = any(p.kind == "VAR_POSITIONAL" for p in function.parameters)
    keywords = any(p.kind == "KEYWORD_ONLY" and p.is_required for p in function.parameters)
    if keywords or required > _DSPY or (len(positional) < _OURS and not has_rest):
        raise ConfigError(
            f"metric '{name}' cannot be called with (example, output): it is {function.shown}",
            path=path,
            line=function.line,
            hint="write it as (example, output), or as DSPy's "
            "(gold, pred, trace=None, pred_name=None, pred_trace=None)",
        )
    names = [p.name for p in positional]
    is_dspy = (
        required > _OURS or "trace" in names or bool({"pred", "prediction", "gold"} & {*names[:2]})
    )
    if not is_dspy:
        return _OURS, False
    known = ("trace", "pred_name", "pred_trace")
    # A default beyond DSPy's own parameters, such as threshold=0.5, is the function's business.
    count = max(required, _OURS)
    while count < min(len(names), _DSPY) and names[count] in known:
        count += 1
    return count, True


def _told(seen: Seen | None) -> dict[str, Any]:
    """Return what a worker is told of how an output came about."""
    if seen is None:
        return {}
    steps = [
        {"name": step.prompt, "inputs": dict(step.inputs), "output": step.output}
        | {"fields": dict(step.fields)}
        for step in seen.steps
    ]
    # DSPy's metrics take a trace for the wish to hear about one predictor.
    return {"fields": dict(seen.fields), "predictor": seen.predictor} | (
        {"steps": steps} if seen.predictor else {}
    )


def _loss(error: WorkerError, seconds: float) -> tuple[str, str]:
    """Return what became of a worker, and what to do about it."""
    if error.end is End.SLOW:
        hint = "make it faster, and give what it waits for a time-out of its own"
        return f"took more than {seconds:g} s", hint
    if error.end is End.BROKEN:
        hint = "print to stdout or stderr, not to other descriptors that it did not open"
        return "wrote where only gepa-ci writes", hint
    hint = "return a score, or raise an exception, instead of ending the process"
    if error.status == "SIGKILL":
        hint = "the system may have had too little memory for it"
    return f"ended its process ({error.status})", hint
