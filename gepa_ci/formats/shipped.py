"""Owns finding the prompt files that the package ships."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def shipped_file(name: str) -> bytes:
    """Return a file of prompts/, from the package or from the checkout that it is built from."""
    packaged = files("gepa_ci") / "_prompts" / name
    if packaged.is_file():
        return packaged.read_bytes()
    return (Path(__file__).parents[2] / "prompts" / name).read_bytes()
