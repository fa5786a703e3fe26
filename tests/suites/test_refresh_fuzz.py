"""Fuzzes the renewal of held-out sets: what is read afterwards is what was read before, moved."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gepa_ci.core.config import Split, SuiteSpec
from gepa_ci.core.suite import Part
from gepa_ci.suites import load_suite
from gepa_ci.suites.refresh import plan_refresh

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gepa_ci.core.suite import Example, Suite

FORMATS = (".jsonl", ".json", ".csv", ".yaml")
CHARS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))
TEXT = st.text(
    st.one_of(CHARS, st.sampled_from("\n\r\t ,;\"'#:-{}[]&*!|>%@\u2028\x85")), max_size=12
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a file is written."""

    ending: str
    eol: str
    bom: bool
    final: bool
    compact: bool
    indent: int


STYLES = st.builds(
    Style,
    ending=st.sampled_from(FORMATS),
    eol=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    final=st.booleans(),
    compact=st.booleans(),
    indent=st.sampled_from([0, 2]),
)


def written(rows: Sequence[dict[str, Any]], style: Style) -> bytes:
    """Return rows as a file of some style."""
    separators = (",", ":") if style.compact else (", ", ": ")
    ascii_ = style.indent == 0
    match style.ending:
        case ".jsonl":
            lines = [json.dumps(row, separators=separators, ensure_ascii=ascii_) for row in rows]
            text = "\n".join(lines) + "\n"
        case ".json":
            text = json.dumps(rows, indent=style.indent or None, separators=separators) + "\n"
        case ".csv":
            text = table(rows, quote=style.compact)
        case _:
            dumped = [
                yaml.safe_dump(
                    row,
                    allow_unicode=not ascii_,
                    default_flow_style=style.compact,
                    sort_keys=False,
                    width=10**6,
                ).rstrip("\n")
                for row in rows
            ]
            indent = " " * style.indent
            head = "# head\nexamples:\n" if style.indent else "# head\n\n"
            blocks = [f"{indent}- " + d.replace("\n", f"\n{indent}  ") + "\n" for d in dumped]
            text = head + f"\n{indent}# between\n".join(blocks) + "# tail\n"
    if style.ending != ".csv":
        text = text.replace("\n", style.eol)
    text = text if style.final else text.rstrip("\r\n")
    return (b"\xef\xbb\xbf" if style.bom else b"") + text.encode()


def table(rows: Sequence[dict[str, Any]], *, quote: bool) -> str:
    stream = io.StringIO(newline="")
    names = ["id", "text", "more", "expected", "group", *(["part"] if "part" in rows[0] else [])]
    # The writer leaves a lone carriage return without quotes.
    bare = not quote and "\\r" not in json.dumps(rows)
    end = "\r\n" if quote else "\n"
    quoting: Literal[0, 1] = csv.QUOTE_MINIMAL if bare else csv.QUOTE_ALL
    writer = csv.writer(stream, lineterminator=end, quoting=quoting)
    writer.writerow(names)
    for row in rows:
        values = {**row, **row["inputs"]}
        writer.writerow([values.get(name) or "" for name in names])
    return stream.getvalue()


@st.composite
def rows_of(draw: st.DrawFn, prefix: str, most: int) -> list[dict[str, Any]]:
    """Return rows that every format can hold."""
    count = draw(st.integers(1, most))
    found = []
    for number in range(count):
        row: dict[str, Any] = {
            "inputs": {"text": f"{prefix}{number}{draw(TEXT)}", "more": draw(TEXT)},
            "expected": f"a{draw(TEXT)}",
        }
        if draw(st.booleans()):
            row["id"] = f"{prefix}-{number}"
        if draw(st.booleans()):
            row["group"] = f"{prefix}-g{draw(st.integers(0, 2))}"
        found.append(row)
    return found


def says(examples: Sequence[Example]) -> list[tuple[object, ...]]:
    return sorted((e.digest, e.group, e.weight, e.tags) for e in examples)


def check(
    files: dict[str, bytes], spec: SuiteSpec, new: str, retire_to: Part, keep: int
) -> tuple[Suite, Suite]:
    before = load_suite(spec, files.__getitem__)
    held = before.held_out.examples
    keep = min(keep, max(0, len(held) - 1))
    plan = plan_refresh(spec, files.__getitem__, new, retire_to=retire_to, keep=keep)
    after = load_suite(spec, {**files, **plan.files}.__getitem__)
    fresh = load_suite(
        SuiteSpec(file=new, split=Split(train=0, val=0, held_out=1)), files.__getitem__
    )

    assert says(after.held_out.examples) == says((*plan.kept, *fresh.held_out.examples))
    assert len(plan.kept) <= keep
    assert says((*plan.kept, *plan.retired)) == says(held)
    for part in (Part.TRAIN, Part.VAL):
        moved = plan.retired if part is retire_to else ()
        assert says(after.part(part)) == says((*before.part(part), *moved))
    groups = {e.group for e in plan.kept} & {e.group for e in plan.retired}
    assert groups <= {None}
    return before, after


@given(
    rows=rows_of("old", 12),
    new=rows_of("new", 4),
    style=STYLES,
    new_style=STYLES,
    retire_to=st.sampled_from([Part.TRAIN, Part.VAL]),
    keep=st.integers(0, 3),
    named=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_one_file_is_renewed_whatever_its_format(
    rows: list[dict[str, Any]],
    new: list[dict[str, Any]],
    style: Style,
    new_style: Style,
    retire_to: Part,
    keep: int,
    named: bool,
) -> None:
    if named:
        rows = [
            {**row, "part": ""} if n else {**row, "part": "train", "group": None}
            for n, row in enumerate(rows)
        ]
        rows = [
            {k: v for k, v in row.items() if v not in ("", None) or style.ending == ".csv"}
            for row in rows
        ]
    name, other = f"s{style.ending}", f"n{new_style.ending}"
    files = {name: written(rows, style), other: written(new, new_style)}
    spec = SuiteSpec(file=name, near_duplicates=1)

    check(files, spec, other, retire_to, keep)


@given(
    parts=st.tuples(rows_of("train", 3), rows_of("val", 3), rows_of("held", 8)),
    new=rows_of("new", 4),
    styles=st.tuples(STYLES, STYLES, STYLES, STYLES),
    retire_to=st.sampled_from([Part.TRAIN, Part.VAL]),
    keep=st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_three_files_are_renewed_whatever_their_formats(
    parts: tuple[list[dict[str, Any]], ...],
    new: list[dict[str, Any]],
    styles: tuple[Style, ...],
    retire_to: Part,
    keep: int,
) -> None:
    names = [f"{name}{style.ending}" for name, style in zip("tvhn", styles, strict=True)]
    files = {
        name: written(rows, style)
        for name, rows, style in zip(names, [*parts, new], styles, strict=True)
    }
    spec = SuiteSpec(train=names[0], val=names[1], held_out=names[2], near_duplicates=1)

    check(files, spec, names[3], retire_to, keep)
