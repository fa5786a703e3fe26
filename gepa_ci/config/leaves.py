"""Owns the single values of a config: what is accepted, how it is named, and its JSON Schema."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from gepa_ci.config.documents import described, line_of
from gepa_ci.config.problems import Problems, known_names, nearest, shown
from gepa_ci.config.values import BAD, scalar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FEW = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A single value; its reader and its schema come from the same place."""

    expects: str
    """What is accepted, as it follows `give`."""
    json: Mapping[str, Any]
    """JSON Schema of the value."""
    accept: Callable[[object], object]
    """Turn the YAML value into ours; BAD when it is not acceptable."""
    names: tuple[str, ...] = ()
    """Known values, for the nearest one."""
    misnomers: Mapping[str, str] = field(default_factory=dict)
    """Hints for values that belong elsewhere."""
    is_secret: bool = field(default=False)
    """Whether a wrong value may be a secret, and must not be shown."""

    def fits(self, node: yaml.Node) -> bool:
        """Tell whether the node is of the kind that this shape reads."""
        return isinstance(node, yaml.ScalarNode)

    def read(self, node: yaml.Node, at: str, problems: Problems) -> object:
        """Return the value, or BAD after reporting why not."""
        if not isinstance(node, yaml.ScalarNode):
            problems.add(
                line_of(node), f"{described(node)} is not a value for {at}", f"give {self.expects}"
            )
            return BAD
        given = scalar(node, problems)
        if given is BAD:
            return BAD
        value = self.accept(given)
        if value is BAD:
            problems.add(line_of(node), self._message(node, given, at), self._hint(node, given))
        return value

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the value."""
        return dict(self.json)

    def _message(self, node: yaml.ScalarNode, given: object, at: str) -> str:
        if given is None:
            return f"{at} has no value"
        what = "this" if self.is_secret else shown(node.value)
        return f"{what} is not a value for {at}"

    def _hint(self, node: yaml.ScalarNode, given: object) -> str:
        hint = f"give {self.expects}"
        if given is None:
            return f"{hint}, or remove the key"
        if isinstance(given, str):
            if given in self.misnomers:
                return self.misnomers[given]
            near = nearest(given, self.names)
            if near is not None:
                return f"did you mean '{near}'? {hint}"
            number = _number_in(given)
            if number is not None and self.accept(number) is not BAD:
                return f"{hint}; YAML reads {shown(given)} as text: write {number} without quotes"
        elif self.accept(node.value) is not BAD:
            kind = "true or false" if isinstance(given, bool) else "a number"
            return f"{hint}; YAML reads {shown(node.value)} as {kind}: put it in quotes"
        return hint


def _number_in(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except (ValueError, OverflowError):
            continue
    return None


def either(first: Leaf, second: Leaf) -> Leaf:
    """Accept what one of two leaves accepts."""

    def accept(value: object) -> object:
        found = first.accept(value)
        return second.accept(value) if found is BAD else found

    return Leaf(
        expects=f"{first.expects} or {second.expects}",
        json={"anyOf": [first.schema(), second.schema()]},
        accept=accept,
        names=first.names + second.names,
    )


def number(low: float, high: float, *, above: bool = False, below: bool = False) -> Leaf:
    """Accept numbers between two bounds; `above` and `below` leave the bound itself out."""

    def accept(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return BAD
        inside = (low < value if above else low <= value) and (
            value < high if below else value <= high
        )
        return float(value) if inside else BAD

    low_key = "exclusiveMinimum" if above else "minimum"
    high_key = "exclusiveMaximum" if below else "maximum"
    start = f"above {low:,.10g}" if above else f"from {low:,.10g}"
    end = f"and below {high:,.10g}" if below else f"to {high:,.10g}"
    return Leaf(
        expects=f"a number {start} {end}",
        json={"type": "number", low_key: low, high_key: high},
        accept=accept,
    )


def integer(low: int, high: int = 1_000_000_000) -> Leaf:
    """Accept whole numbers between two bounds, both included."""

    def accept(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return BAD
        return int(value) if low <= value <= high and value == int(value) else BAD

    return Leaf(
        expects=f"a whole number from {low:,} to {high:,}",
        json={"type": "integer", "minimum": low, "maximum": high},
        accept=accept,
    )


def flag() -> Leaf:
    """Accept true and false."""
    return Leaf(
        expects="true or false",
        json={"type": "boolean"},
        accept=lambda value: value if isinstance(value, bool) else BAD,
    )


def choice(*names: str) -> Leaf:
    """Accept one of some words."""
    quoted = [f"'{name}'" for name in names]
    words = " or ".join(quoted) if len(quoted) <= _FEW else f"one of {', '.join(names)}"
    return Leaf(
        expects=words,
        json={"enum": list(names)},
        accept=lambda value: value if value in names else BAD,
        names=names,
    )


def text(expects: str = "a text", pattern: str = r"\S", *, is_secret: bool = False) -> Leaf:
    """Accept texts without control characters in which a pattern is found."""
    compiled = re.compile(pattern)

    def accept(value: object) -> object:
        if not isinstance(value, str) or _hidden(value):
            return BAD
        return value if compiled.search(value) else BAD

    schema = {"type": "string", "pattern": pattern}
    return Leaf(expects=expects, json=schema, accept=accept, is_secret=is_secret)


def raw_text(expects: str) -> Leaf:
    """Accept any text but the empty one; control characters such as a line end are meant."""
    return Leaf(
        expects=expects,
        json={"type": "string", "minLength": 1},
        accept=lambda value: value if isinstance(value, str) and value else BAD,
    )


def path(expects: str = "a path inside the repository, relative to its root") -> Leaf:
    """Accept paths that cannot leave the repository; `./` in front is dropped."""
    return Leaf(
        expects=f"{expects}, with forward slashes and no '..'",
        json={"type": "string", "minLength": 1, "pattern": PATH_PATTERN},
        accept=safe_path,
    )


PATH_PATTERN = r"^(?!/)(?![A-Za-z]:)(?!(.*/)?\.\.(/|$))(?!(.*/)?\.[gG][iI][tT](/|$))[^\\]*[^\\/]$"


def safe_path(value: object) -> object:
    """Return a path inside the root in its shortest form; BAD for every other value."""
    if not isinstance(value, str) or _hidden(value) or not re.search(PATH_PATTERN, value):
        return BAD
    parts = [part for part in value.split("/") if part not in ("", ".")]
    return "/".join(parts) if parts and value == value.strip() else BAD


def _hidden(value: str) -> bool:
    return any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in value)


def metric_name(
    names: tuple[str, ...], *, misnomers: Mapping[str, str] | None = None, kind: str = "metrics"
) -> Leaf:
    """Accept a built-in metric's name or `path.py:function`."""
    code = re.compile(r"^([^:]+\.py):[A-Za-z_][A-Za-z0-9_]*$")

    def accept(value: object) -> object:
        if value in names:
            return value
        found = code.search(value) if isinstance(value, str) else None
        if found is None:
            return BAD
        file = safe_path(found[1])
        return BAD if file is BAD else value

    return Leaf(
        expects=f"{known_names('', names, kind)}; or path.py:function".replace(
            f"known {kind}:", "one of", 1
        ),
        json={"anyOf": [{"enum": list(names)}, {"type": "string", "pattern": code.pattern}]},
        accept=accept,
        names=names,
        misnomers=misnomers or {},
    )
