"""Owns building the metric judge from its config: rubric, scale and anchors, read and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.core.digests import digest
from gepa_ci.core.judging import Scale
from gepa_ci.errors import ConfigError, GepaCiError, Problem
from gepa_ci.judging.anchor_file import read_anchors
from gepa_ci.metrics.judge import TRIALS_APART, Judge
from gepa_ci.metrics.judge_options import JUDGE, JUDGE_OPTIONS, MOST_SAMPLES
from gepa_ci.metrics.judge_rubric import read_rubric
from gepa_ci.metrics.metric import SingleMetric
from gepa_ci.metrics.options import option_problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.core.config import MetricSpec, ModelSpec
    from gepa_ci.core.judging import Anchors
    from gepa_ci.core.values import JSON
    from gepa_ci.metrics.judge_rubric import Rubric

_VERSION = 1


def build_judge(
    spec: MetricSpec, read: Callable[[str], bytes], *, where: str, line: int | None
) -> SingleMetric:
    """Build the metric; `read` gives the bytes of rubric and anchors.

    Raises:
        ConfigError: an option is wrong.
        GepaCiError: rubric or anchors cannot be used.
    """

    def wrong(message: str, hint: str | None) -> ConfigError:
        return ConfigError(message, path=where, line=line, hint=hint)

    found = option_problems(JUDGE, JUDGE_OPTIONS, spec.options)
    if found:
        raise ConfigError.of(
            Problem(message=message, path=where, line=line, hint=hint) for message, hint in found
        )
    given = {name: value for name, value in spec.options.items() if value is not None}
    if "rubric" not in given:
        raise wrong(f"metric '{JUDGE}' has no 'rubric'", "add `rubric: prompts/quality.md`")
    if spec.model is None:
        raise wrong(
            f"metric '{JUDGE}' has no judge LM",
            "add `models: {judge: openai/gpt-5}` to the config, or `model:` to the metric",
        )
    samples = _samples(given.get("samples", 1))
    if samples is None:
        raise wrong(
            f"option 'samples' of metric '{JUDGE}' must be a whole number from 1 to "
            f"{MOST_SAMPLES}, got '{given['samples']}'",
            None,
        )
    scale = _scale(given.get("scale", [1, 5]))
    if scale is None:
        raise wrong(
            f"option 'scale' of metric '{JUDGE}' must be two numbers, the worst and the best",
            "write `scale: [1, 5]`",
        )
    rubric = read_rubric(str(given["rubric"]), _read(str(given["rubric"]), read, wrong))
    identity = judge_digest(rubric, spec.model, scale)
    anchors, content = None, b""
    if "anchors" in given:
        path = str(given["anchors"])
        content = _read(path, read, wrong)
        anchors = read_anchors(path, content, scale)
    return _metric(spec, rubric, scale, samples, identity, anchors, content)


def _metric(
    spec: MetricSpec,
    rubric: Rubric,
    scale: Scale,
    samples: int,
    identity: str,
    anchors: Anchors | None,
    content: bytes,
) -> SingleMetric:
    assert spec.model is not None
    calibration = digest(content.decode("utf-8", "replace")) if content else ""
    return SingleMetric(
        name=spec.name,
        digest=digest([identity, samples, calibration]),
        scorer=Judge(
            rubric=rubric,
            spec=spec.model,
            samples=samples,
            scale=scale,
            digest=identity,
            anchors=anchors,
            # After a new calibration no grade of an earlier one is taken from the cache.
            first_trial=TRIALS_APART * int(calibration[:8], 16) if calibration else 0,
        ),
    )


def judge_digest(rubric: Rubric, model: ModelSpec, scale: Scale) -> str:
    """Return the digest of everything that decides a grade."""
    parameters = {name: value for name, value in model.parameters.items() if value is not None}
    return digest(
        [
            JUDGE,
            _VERSION,
            rubric.digest,
            [model.model, model.api_base, parameters],
            [scale.low, scale.high],
        ]
    )


def _samples(value: JSON) -> int | None:
    is_count = isinstance(value, int | float) and value in range(1, MOST_SAMPLES + 1)
    return int(value) if is_count else None  # type: ignore[arg-type]


def _scale(value: JSON) -> Scale | None:
    # Numbers by the option's own description, and finite.
    match value:
        case [int() | float() as low, int() | float() as high] if low < high:
            return Scale(low=float(low), high=float(high))
    return None


def _read(
    path: str,
    read: Callable[[str], bytes],
    wrong: Callable[[str, str | None], ConfigError],
) -> bytes:
    try:
        return read(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise wrong(
            f"cannot read '{path}', which metric '{JUDGE}' needs: {reason}",
            "the path is relative to the root",
        ) from None
    except GepaCiError as error:
        raise ConfigError.of(error.problems) from None
