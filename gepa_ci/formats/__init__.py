"""Prompt-file formats: read to components with spans, render for an example, write texts back."""

from __future__ import annotations

from gepa_ci.formats.reading import placeholders, read_prompt
from gepa_ci.formats.rendering import render
from gepa_ci.formats.writing import write_texts

__all__ = ["placeholders", "read_prompt", "render", "write_texts"]
