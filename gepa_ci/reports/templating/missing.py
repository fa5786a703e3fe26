"""Owns what stands for a name that there is not, while a team's templates are tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Undefined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CALCULATED = (
    *("add", "radd", "sub", "rsub", "mul", "rmul", "div", "rdiv", "truediv", "rtruediv"),
    *("floordiv", "rfloordiv", "mod", "rmod", "pos", "neg", "pow", "rpow", "getitem", "call"),
)
_ASKED: dict[str, Any] = {"len": 0, "bool": False, "str": "", "hash": 0, "contains": False}
_ASKED |= {"eq": False, "ne": True, "lt": False, "le": False, "gt": False, "ge": False}
_ASKED |= {"int": 0, "float": 0.0, "complex": 0j}


def missing_type(missed: Callable[[Exception], None]) -> type[Undefined]:
    """Return a type that tells what is missing wherever it is used, and is nothing."""

    def told(value: Undefined) -> None:
        missed(value._undefined_exception(value._undefined_message))  # noqa: SLF001

    def calculated(value: Undefined, *_: object, **__: object) -> Undefined:
        told(value)
        return value

    def asked(answer: object) -> Callable[..., object]:
        def ask(value: Undefined, *_: object) -> object:
            told(value)
            return answer

        return ask

    def listed(value: Undefined) -> object:
        told(value)
        return iter(())

    def field(value: Undefined, name: str) -> Undefined:
        if name.startswith("__"):
            raise AttributeError(name)
        return calculated(value)

    def formatted(value: Undefined, _: str) -> str:
        told(value)
        return ""

    made: dict[str, object] = {f"__{name}__": calculated for name in _CALCULATED}
    made |= {f"__{name}__": asked(answer) for name, answer in _ASKED.items()}
    made |= {"__iter__": listed, "__getattr__": field, "__format__": formatted, "__slots__": ()}
    return type("Missing", (Undefined,), made)


def lenient(
    filters: Mapping[str, Callable[..., Any]], nothing: object
) -> dict[str, Callable[..., Any]]:
    """Return filters that give nothing for what is missing, once that is told."""

    def tried(write: Callable[..., Any]) -> Callable[..., Any]:
        def give(*values: object) -> object:
            # Its truth is asked, which tells that it is missing.
            missing = [value for value in values if isinstance(value, Undefined) and not value]
            return nothing if missing else write(*values)

        return give

    return {name: tried(write) for name, write in filters.items()}
