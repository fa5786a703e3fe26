"""Owns the JSON Schema of the config, for editors; it comes from the definition that reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.config.keys import CONFIG

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON


def config_schema() -> dict[str, JSON]:
    """Return the JSON Schema (2020-12) of a config file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gepa-ci config",
        "description": "Tasks of a repository: prompts, suite, metric, gate.",
        **CONFIG.schema(),
    }
