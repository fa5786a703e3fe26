"""Owns reading a saved result field by field, with the field's place in every complaint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.errors import UsageError

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON


_MOST = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One value of a result document."""

    value: JSON
    """As parsed."""
    where: str
    """Its place, such as `result.tasks[0].name`."""

    def __getitem__(self, key: str) -> Node:
        """Return the field of that name; UsageError when there is none."""
        fields = self._fields()
        if key not in fields:
            raise self._error(f"has no field '{key}'")
        return Node(value=fields[key], where=f"{self.where}.{key}")

    def maybe(self, key: str) -> Node | None:
        """Return the field of that name, or None when it is null."""
        node = self[key]
        return None if node.value is None else node

    def text(self) -> str:
        """Return a string."""
        if not isinstance(self.value, str):
            raise self._error("is not a string")
        return self.value

    def whole(self) -> int:
        """Return a whole number."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self._error("is not a whole number")
        if abs(self.value) > _MOST:
            raise self._error("is not a whole number that can be shown")
        return self.value

    def number(self) -> float:
        """Return a number."""
        if not isinstance(self.value, int | float) or isinstance(self.value, bool):
            raise self._error("is not a number")
        # No score, price or time comes near it, and what is beyond cannot be written as a figure.
        if not abs(self.value) <= _MOST:
            raise self._error("is not a number that can be shown")
        return float(self.value)

    def flag(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            raise self._error("is not true or false")
        return self.value

    def items(self) -> tuple[Node, ...]:
        """Return the items of a list."""
        if isinstance(self.value, str) or not isinstance(self.value, Sequence):
            raise self._error("is not a list")
        return tuple(
            Node(value=item, where=f"{self.where}[{number}]")
            for number, item in enumerate(self.value)
        )

    def texts(self) -> tuple[str, ...]:
        """Return a list of strings."""
        return tuple(item.text() for item in self.items())

    def entries(self) -> dict[str, Node]:
        """Return the fields of an object."""
        return {
            key: Node(value=value, where=f"{self.where}.{key}")
            for key, value in self._fields().items()
        }

    def _fields(self) -> Mapping[str, JSON]:
        if not isinstance(self.value, Mapping):
            raise self._error("is not an object")
        return self.value

    def _error(self, message: str) -> UsageError:
        return UsageError(
            f"'{self.where}' {message}",
            hint="give the file that --output wrote, as it was written",
        )
