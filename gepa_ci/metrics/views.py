"""Owns what a user's metric is given: an example and a prediction that look like DSPy's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gepa_ci.metrics.json_text import FoundJson, find_json

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator, KeysView, ValuesView

    from gepa_ci.core.suite import Example


class Inputs(dict[str, Any]):
    """The inputs of an example: a dict, which `example.inputs()` of DSPy code may also call."""

    def __call__(self) -> Inputs:
        """Return itself."""
        return self


class _Fields:
    """Named values that can be read as attributes and as items."""

    def __init__(self, kind: str, fields: dict[str, Any]) -> None:
        self._kind = kind
        self._fields = fields

    def __getattr__(self, name: str) -> Any:
        # Copying and pickling ask for private names before __init__ has run.
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._fields:
            raise AttributeError(self._unknown(name))
        return self._fields[name]

    def __getitem__(self, name: str) -> Any:
        if name not in self._fields:
            raise KeyError(self._unknown(name))
        return self._fields[name]

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def _unknown(self, name: str) -> str:
        return f"the {self._kind} has no field '{name}'; it has: {', '.join(self._fields)}"

    def get(self, name: str, default: Any = None) -> Any:
        """Return the field or the default."""
        return self._fields.get(name, default)

    def keys(self) -> KeysView[str]:
        """Return the names of the fields."""
        return self._fields.keys()

    def values(self) -> ValuesView[Any]:
        """Return the values of the fields."""
        return self._fields.values()

    def items(self) -> ItemsView[str, Any]:
        """Return the fields with their names."""
        return self._fields.items()

    def toDict(self) -> dict[str, Any]:  # noqa: N802 - DSPy's name
        """Return the fields as a dict."""
        return dict(self._fields)


class ExampleView(_Fields):
    """An example: `inputs`, `expected`, `id`, `tags`, `group`, and its fields by name.

    Fields are the inputs, then those of an expected object, then `expected`, and `answer` for it.
    """

    def __init__(self, example: Example) -> None:
        expected = example.expected
        named = expected if isinstance(expected, dict) else {}
        fields = {**named, **example.inputs}
        super().__init__("example", {"expected": expected, "answer": expected, **fields})
        self.inputs = Inputs(example.inputs)
        self.expected = expected
        self.id = example.id
        self.tags = example.tags
        self.group = example.group

    def __repr__(self) -> str:
        return f"ExampleView(id={self.id!r})"


class PredictorView:
    """A predictor or prompt file that a step was made with."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"PredictorView({self.name!r})"


class PredictionView(_Fields):
    """An output: `output`, `text`, `answer`, and its fields.

    They are those that the program gave, or else those of the JSON object that the text holds.
    """

    def __init__(self, output: str, fields: dict[str, Any] | None = None) -> None:
        named = fields or _named_in(output)
        super().__init__(
            "prediction", {"output": output, "text": output, "answer": output, **named}
        )

    def __str__(self) -> str:
        return str(self._fields["output"])


def _named_in(output: str) -> dict[str, Any]:
    found = find_json(output, strict=False, openings="{")
    value = found.value if isinstance(found, FoundJson) else None
    return value if isinstance(value, dict) else {}
