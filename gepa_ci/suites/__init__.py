"""Owns the reading of suites: rows of all formats, their split into parts, and leaks between."""

from __future__ import annotations

from gepa_ci.suites.load import load_suite, read_examples
from gepa_ci.suites.rows import Row

__all__ = ["Row", "load_suite", "read_examples"]
