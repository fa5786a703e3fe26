"""Owns metrics that users write: `path.py:function`, called in our way or in DSPy's."""

from __future__ import annotations

import inspect
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gepa_ci.core.digests import digest
from gepa_ci.errors import ConfigError, MetricError
from gepa_ci.metrics.feedback import nearest
from gepa_ci.metrics.metric import SingleMetric
from gepa_ci.metrics.returned import NotAScoreError, read_score
from gepa_ci.metrics.source import QUIET, LoadedFile, line_in, load_file
from gepa_ci.metrics.views import ExampleView, PredictionView

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from gepa_ci.core.config import MetricSpec
    from gepa_ci.core.score import Score
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON
    from gepa_ci.errors import Problem

_VERSION = 1
_OURS = 2
"""Arguments of (example, output)."""

_DSPY = 5
"""Arguments of (gold, pred, trace, pred_name, pred_trace)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMetric:
    """Calls a user's function."""

    function: Callable[..., Any]
    """The function, or any other callable."""
    name: str
    """Its name in the file."""
    path: str
    """The file, as in the config."""
    line: int | None
    """1-based line of its definition in that file."""
    arguments: int
    """2 for (example, output); up to 5 for DSPy's (gold, pred, trace, pred_name, pred_trace)."""
    is_dspy: bool
    """Whether the second argument is a prediction rather than text."""

    @property
    def needs_expected(self) -> bool:
        """Return False: the function knows what it needs."""
        return False

    def label_problem(self, _: JSON) -> Problem | None:
        """Return None: the function knows what it needs."""
        return None

    def score(self, example: Example, output: str) -> Score:
        """Return what the function says.

        Raises:
            MetricError: when it raises, or returns something that is not a score.
        """
        try:
            with QUIET:
                value = self._call(example, output)
        except (Exception, SystemExit) as error:
            raise MetricError(
                f"metric '{self.name}' raised {type(error).__name__} on example "
                f"'{example.id}': {error}\n{_frames(self.path, error)}".rstrip(),
                path=self.path,
                line=line_in(self.path, error) or self.line,
            ) from error
        try:
            return read_score(value)
        except NotAScoreError as error:
            raise MetricError(
                f"metric '{self.name}' returned {error}, for example '{example.id}'",
                path=self.path,
                line=self.line,
                hint="return a number from 0 to 1, a bool, (score, feedback), "
                '{"score": ..., "feedback": ...} or dspy.Prediction(score=..., feedback=...)',
            ) from None

    def _call(self, example: Example, output: str) -> Any:
        view = ExampleView(example)
        prediction = PredictionView(output) if self.is_dspy else output
        rest = (None,) * (self.arguments - _OURS)
        value = self.function(view, prediction, *rest)
        return _wait_for(value) if inspect.iscoroutine(value) else value


def build_user_metric(
    spec: MetricSpec, read: Callable[[str], bytes], *, where: str, line: int | None
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
    loaded = load_file(path, read)
    function = getattr(loaded.module, name, None)
    if not callable(function):
        found = (
            f"'{name}' in '{path}' is not a function"
            if hasattr(loaded.module, name)
            else (f"'{path}' has no function '{name}'")
        )
        there = ", ".join(loaded.functions) or "none"
        hint = f"{nearest(name, loaded.functions)}functions there: {there}"
        raise ConfigError(found, path=where, line=line, hint=hint)
    arguments, is_dspy = _calling(function, name, loaded)
    scorer = UserMetric(
        function=function,
        name=name,
        path=path,
        line=_line_of(function, path),
        arguments=arguments,
        is_dspy=is_dspy,
    )
    code = digest(["user", _VERSION, name, loaded.digest])
    return SingleMetric(name=spec.name, digest=code, scorer=scorer)


def _calling(function: Callable[..., Any], name: str, loaded: LoadedFile) -> tuple[int, bool]:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return _OURS, False
    parameters = list(signature.parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = sum(p.default is p.empty for p in positional)
    has_rest = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if keywords or required > _DSPY or (len(positional) < _OURS and not has_rest):
        raise ConfigError(
            f"metric '{name}' cannot be called with (example, output): it is {name}{signature}",
            path=loaded.path,
            line=_line_of(function, loaded.path),
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


def _line_of(function: Callable[..., Any], path: str) -> int | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_firstlineno if code is not None and code.co_filename == path else None


def _wait_for(coroutine: Coroutine[Any, Any, Any]) -> Any:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    # A running loop cannot run another one in its own thread.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def _frames(path: str, error: BaseException) -> str:
    """Return the traceback from the user's own file on, without our frames."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [number for number, frame in enumerate(frames) if frame.filename == path]
    if not own:
        return ""
    ours = str(Path(__file__).parent)
    theirs = [frame for frame in frames[own[0] :] if not frame.filename.startswith(ours)]
    return "".join(traceback.StackSummary.from_list(theirs).format()).rstrip()
