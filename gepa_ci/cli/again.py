"""Owns the arguments that make the result of the running command again."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

# Where a result goes is no part of it, and the file may be one that must stay.
_OUTPUTS = ("--output", "--report", "--format")
_NOTHING: Mapping[str, str] = MappingProxyType({})


def arguments_again(pinned: Mapping[str, str] = _NOTHING) -> tuple[str, ...]:
    """Return the arguments of the running command without those that say where its result goes.

    Args:
        pinned: Values that options get in place of their own, such as the commit of a branch.
    """
    context = click.get_current_context()
    with_value = _with_value(context.command)
    kept: list[str] = []
    rest = iter(context.obj)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if name not in with_value:
            kept.append(argument)
            continue
        value = pinned.get(name, value if equals else next(rest))
        if name not in _OUTPUTS:
            kept += [f"{name}={value}"] if equals else [name, value]
    return tuple(kept)


def _with_value(command: click.Command) -> frozenset[str]:
    options = (param for param in command.params if isinstance(param, click.Option))
    return frozenset(name for option in options if not option.is_flag for name in option.opts)
