"""Owns which values of the environment are secrets: by name, or as programs are given them."""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|BEARER|AUTH(?!OR)", re.IGNORECASE)
_SHORTEST = 8
"""Characters from which on a value counts; shorter ones would blot out common words."""

_given: ContextVar[dict[str, str] | None] = ContextVar("given", default=None)
"""What programs of this command were given, known from its config on."""


@contextmanager
def remembering() -> Iterator[None]:
    """Remember what programs are given while one command runs and its errors are told."""
    before = _given.set({})
    try:
        yield
    finally:
        _given.reset(before)


def remember(given: Mapping[str, str]) -> None:
    """Take variables that a program is given for secrets, whatever they are called."""
    if (known := _given.get()) is not None:
        known.update(given)


def long_enough(values: Mapping[str, str]) -> dict[str, str]:
    """Return the values that can be told from common words."""
    return {name: value for name, value in values.items() if len(value) >= _SHORTEST}


def secrets_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment's secrets by the name of their variable."""
    named = {name: value for name, value in environ.items() if _NAME.search(name)}
    return long_enough({**named, **(_given.get() or {})})
