"""Owns how a calibration is printed: as text, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from gepa_ci.judging.faults import cautions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.spend import Usage
    from gepa_ci.judging.bias import Bias
    from gepa_ci.judging.calibration import Calibration
    from gepa_ci.judging.faults import Fault

_GAP = "  "


def text(
    names: tuple[str, str],
    found: Calibration,
    faults: Sequence[Fault],
    min_kappa: float,
    usage: Usage,
) -> str:
    """Return a calibration as text; `names` are those of the task and of the judge LM."""
    head = "The judge is not to be trusted." if faults else "The judge agrees with humans."
    low, high = found.interval.low, found.interval.high
    level = f"{found.interval.level:.0%} interval {low:.3f} to {high:.3f}"
    rows = [
        ("labelled outputs", f"{found.n} of {found.units} inputs, scored on {found.scale}"),
        ("kappa", f"{found.kappa:.3f} ({level}); {min_kappa:g} is asked for"),
        ("same score", "no steps on this scale" if found.exact is None else f"{found.exact:.0%}"),
        ("near", "" if found.near is None else f"{found.near:.0%} within {_near(found)}"),
        (
            "mean score",
            f"judge {found.judge_mean:.3g}, humans {found.human_mean:.3g} ({found.error:+.2g})",
        ),
        (
            "rank correlation",
            "none: one side's scores are all equal"
            if found.rank is None
            else f"{found.rank:.3f} (Spearman)",
        ),
        (
            "with itself",
            f"same answer again {found.repeats:.0%}, reliability {found.reliability:.2f}",
        ),
        ("length", _length(found)),
        ("position", _position(found)),
        ("calls", f"{usage.calls}, and {usage.cached_calls} from the cache" + _usd(usage)),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"{names[0]}: judge {names[1]}", "", head]
    lines += [f"- {fault.sentence}" for fault in faults]
    lines += ["", *(f"{_GAP}{name:<{width}}  {value}" for name, value in rows if value)]
    lines += ["", *_table(found)] if found.table else []
    notes = cautions(found)
    return "\n".join([*lines, *([""] if notes else []), *notes])


def document(
    names: tuple[str, str],
    found: Calibration,
    faults: Sequence[Fault],
    min_kappa: float,
    usage: Usage,
) -> dict[str, object]:
    """Return a calibration as a JSON document."""
    return {
        "task": names[0],
        "judge": names[1],
        "trusted": not faults,
        "faults": [{"name": str(fault.name), "sentence": fault.sentence} for fault in faults],
        "cautions": list(cautions(found)),
        "min_kappa": min_kappa,
        "n": found.n,
        "inputs": found.units,
        "scale": [found.scale.low, found.scale.high],
        "samples": found.samples,
        "kappa": found.kappa,
        "interval": asdict(found.interval),
        "exact_agreement": found.exact,
        "near_agreement": found.near,
        "confusion": {"steps": list(found.scale.steps), "human_by_judge": found.table},
        "mean_score": {"judge": found.judge_mean, "human": found.human_mean},
        "mean_error": found.error,
        "spearman": found.rank,
        "repeat_agreement": found.repeats,
        "reliability": found.reliability,
        "length": _bias(found.length),
        "position": None if found.position is None else _bias(found.position),
        "calls": usage.calls,
        "cached_calls": usage.cached_calls,
        "usd": usage.usd,
    }


def _bias(bias: Bias) -> dict[str, object]:
    return {
        "effect": bias.effect,
        "p_value": bias.p_value,
        "n": bias.n,
        "is_found": bias.is_found,
    }


def _near(found: Calibration) -> str:
    return "one step" if found.scale.steps else "a tenth of the scale"


def _length(found: Calibration) -> str:
    bias = found.length
    points = bias.effect * (found.scale.high - found.scale.low)
    return (
        f"{points:+.2g} points for {bias.long:,} characters against {bias.short:,} "
        f"(p = {bias.p_value:.2g})"
    )


def _position(found: Calibration) -> str:
    bias = found.position
    if bias is None:
        return "not measured"
    points = bias.effect * (found.scale.high - found.scale.low)
    return f"{points:+.2g} points for the first of two ({bias.n} pairs, p = {bias.p_value:.2g})"


def _usd(usage: Usage) -> str:
    return "" if not usage.usd else f"; ${usage.usd:.4f}"


def _table(found: Calibration) -> list[str]:
    steps = [f"{step:g}" for step in found.scale.steps]
    cells = [[str(cell) for cell in row] for row in found.table]
    width = max(len(word) for row in [steps, *cells] for word in row)
    lines = [f"{_GAP}humans (down) by judge (across)"]
    lines.append(_GAP + " " * width + "".join(f"  {step:>{width}}" for step in steps))
    for step, row in zip(steps, cells, strict=True):
        lines.append(f"{_GAP}{step:>{width}}" + "".join(f"  {cell:>{width}}" for cell in row))
    return lines
