"""Writes docs/config.md from the config's schema: `python tests/config_reference.py`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gepa_ci.config import config_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PATH = Path(__file__).parents[1] / "docs" / "config.md"
MOST_NAMES = 6
"""Names that a cell lists."""

SECTIONS: Mapping[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "The file": ("`gepa-ci.yml`.", lambda top: top),
    "A model": (
        "A value of `models`, or a task's `model`: a model string, or these keys.",
        lambda top: top["properties"]["models"]["additionalProperties"],
    ),
    "A price": ("`price` of a model.", lambda top: part(top, "A model")["properties"]["price"]),
    "Spend": ("`spend`: hard caps of one run.", lambda top: top["properties"]["spend"]),
    "Report": (
        "`report`: see [report-templates.md](report-templates.md).",
        lambda top: top["properties"]["report"],
    ),
    "A task": (
        "A value of `tasks`. Only a `.prompt.yml` file can do without `suite` and `metric`.",
        lambda top: top["properties"]["tasks"]["additionalProperties"],
    ),
    "Suite": (
        "A task's `suite`: the path of one file, or these keys.",
        lambda top: part(top, "A task")["properties"]["suite"],
    ),
    "Split": (
        "Shares that add up to 1; without `split`: train 0.4, val 0.2, held_out 0.4.",
        lambda top: part(top, "A task")["properties"]["split"],
    ),
    "Metric": (
        "A task's `metric`: a name, these keys beside the metric's options, or a list of both.",
        lambda top: part(top, "A task")["properties"]["metric"]["anyOf"][0],
    ),
    "Program": (
        "A task's `program`: `chat`, `path.py:object`, a command as a list, or these keys.",
        lambda top: part(top, "A task")["properties"]["program"],
    ),
    "Gate": ("A task's `gate`.", lambda top: part(top, "A task")["properties"]["gate"]),
    "Guard": (
        "An item of a gate's `guards`: a name, or these keys beside the metric's options.",
        lambda top: part(top, "Gate")["properties"]["guards"]["items"],
    ),
    "Optimize": (
        "A task's `optimize`. At most one of `auto`, `max_metric_calls` and `max_full_evals`.",
        lambda top: part(top, "A task")["properties"]["optimize"],
    ),
    "Tracking": (
        "`tracking` of `optimize`: where a search is written down; at least one of them.",
        lambda top: part(top, "Optimize")["properties"]["tracking"],
    ),
    "MLflow": (
        "`mlflow` of `tracking`.",
        lambda top: part(top, "Tracking")["properties"]["mlflow"],
    ),
    "Weights & Biases": (
        "`wandb` of `tracking`.",
        lambda top: part(top, "Tracking")["properties"]["wandb"],
    ),
    "Ledger": (
        "`ledger` of a gate: the record of what the held-out examples were used for.",
        lambda top: part(top, "Gate")["properties"]["ledger"],
    ),
}


def part(top: dict[str, Any], title: str) -> dict[str, Any]:
    """Return the schema of a section's mapping."""
    schema = SECTIONS[title][1](top)
    if "properties" in schema:
        return schema
    (found,) = [option for option in schema["anyOf"] if "properties" in option]
    return dict(found)


def value_of(schema: dict[str, Any]) -> str:
    """Say in a few words what a value may be."""
    match schema:
        case {"const": only}:
            return f"`{only}`"
        case {"enum": names}:
            return names_of(names)
        case {"type": "object", "additionalProperties": dict()}:
            return "names and their values"
        case {"type": "object"}:
            return "mapping"
        case {"anyOf": options}:
            return " or ".join(dict.fromkeys(value_of(option) for option in options))
        case {"type": "array", "items": items}:
            return f"list: {value_of(items)}"
        case {"type": "boolean"}:
            return "`true`, `false`"
        case {"type": "string"}:
            return "path" if r"\.\." in schema.get("pattern", "") else "text"
    return f"{'whole number' if schema['type'] == 'integer' else 'number'}{limits(schema)}"


def names_of(names: list[object]) -> str:
    if len(names) > MOST_NAMES:
        return "name of a built-in"
    return ", ".join(f"`{name}`" for name in names if not isinstance(name, bool))


def limits(schema: dict[str, Any]) -> str:
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    # An upper limit that only keeps typing errors out is noise.
    said = [
        f"{word} {schema[key]:g}"
        for key, word in words.items()
        if key in schema and abs(schema[key]) < 10_000
    ]
    return f" {' and '.join(said)}" if said else ""


def default_of(value: object) -> str:
    """Write a default as it would stand in the file."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, int | float) else f"`{value}`"


def config_reference() -> str:
    """Return the reference of every key, from the config's JSON Schema."""
    top = config_schema()
    lines = ["# Config reference", "", "Every key of `gepa-ci.yml`. Unknown keys are errors.", ""]
    for title, (about, _) in SECTIONS.items():
        section = part(top, title)
        lines += [f"## {title}", "", about, ""]
        lines += ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
        for name, schema in section["properties"].items():
            default = "required" if name in section.get("required", ()) else ""
            if schema.get("default") is not None and title != "Split":
                default = default_of(schema["default"])
            cells = f"`{name}`", value_of(schema), default, schema["description"]
            lines.append("| " + " | ".join(cells).replace("|  |", "| |") + " |")
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    PATH.write_text(config_reference(), encoding="utf-8")
