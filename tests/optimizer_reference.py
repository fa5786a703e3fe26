"""Writes the tables of docs/optimizers.md: `python tests/optimizer_reference.py`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from config_reference import default_of, value_of

from gepa_ci.config.optimizer_keys import CHAIN, DECIDED, OPTIMIZERS, options_record

PATH = Path(__file__).parents[1] / "docs" / "optimizers.md"
_TABLE = re.compile(r"<!-- options of (\w+) -->\n(?:\|[^\n]*\n)*")


def table_of(name: str) -> str:
    """Return the table of an optimizer's options, and of what gepa-ci decides instead."""
    schema = options_record(name).schema()
    rows = ["| option | value | default | meaning |", "| --- | --- | --- | --- |"]
    for option, found in schema["properties"].items():
        if name == CHAIN and option in OPTIMIZERS:
            continue
        rows.append(_row(option, found, is_required=option in schema.get("required", ())))
        if name == "dspy_gepa" and found.get("type") == "object":
            rows += [_row(f"{option}.{k}", v) for k, v in found.get("properties", {}).items()]
        for part in found.get("anyOf", ()):
            rows += [_row(f"{option}.{k}", v) for k, v in part.get("properties", {}).items()]
    for option, why in DECIDED.get(name, {}).items():
        rows.append(f"| `{option}` | not an option | | {why[0].upper()}{why[1:]}. |")
    return "\n".join(rows) + "\n"


def _row(option: str, schema: dict[str, Any], *, is_required: bool = False) -> str:
    default = "required" if is_required else ""
    if schema.get("default") is not None:
        default = default_of(schema["default"])
    cells = f"`{option}`", value_of(schema), default, schema["description"]
    return ("| " + " | ".join(cells) + " |").replace("|  |", "| |")


def with_tables(text: str) -> str:
    """Return the page with its tables written anew."""
    return _TABLE.sub(lambda found: f"<!-- options of {found[1]} -->\n{table_of(found[1])}", text)


if __name__ == "__main__":
    PATH.write_text(with_tables(PATH.read_text(encoding="utf-8")), encoding="utf-8")
