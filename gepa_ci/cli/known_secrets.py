"""Owns which values of the environment are secrets, judged by the names of their variables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|BEARER|AUTH(?!OR)", re.IGNORECASE)
_SHORTEST = 8
"""Characters from which on a value counts; shorter ones would blot out common words."""


def secrets_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment's secrets by the name of their variable."""
    return {
        name: value
        for name, value in environ.items()
        if len(value) >= _SHORTEST and _NAME.search(name)
    }
