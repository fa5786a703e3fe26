"""Owns the reading of gepa-ci.yml: every problem of the file at once, or a `Config`."""

from __future__ import annotations

import hashlib

from gepa_ci.config.build import build_config, prompt_task
from gepa_ci.config.documents import compose, decode
from gepa_ci.config.keys import CONFIG, TESTED
from gepa_ci.config.leaves import safe_path
from gepa_ci.config.problems import Problems, shown
from gepa_ci.config.records import Fields
from gepa_ci.config.schema import config_schema
from gepa_ci.core.config import Config
from gepa_ci.errors import ConfigError

__all__ = ["MAX_BYTES", "config_for_prompt", "config_schema", "read_config"]

MAX_BYTES = 2**20
"""Largest config."""


def read_config(path: str, source: bytes) -> Config:
    """Return the config that a file's bytes say.

    Raises:
        ConfigError: with all problems of the file, each with line and hint.
    """
    text = decode(source, path=path, limit=MAX_BYTES, error=ConfigError)
    node = compose(text, path=path, error=ConfigError)
    if node is None:
        hint = "begin with 'version: 1' and 'tasks:'"
        raise ConfigError("the file is empty", path=path, line=1, hint=hint)
    problems = Problems(path)
    found = CONFIG.read(node, "", problems)
    config = None
    if isinstance(found, Fields):
        digest = hashlib.sha256(source).hexdigest()
        config = build_config(found, path, digest, problems)
    problems.raise_any(ConfigError)
    assert config is not None
    return config


def config_for_prompt(prompt_path: str) -> Config:
    """Return the config of a `.prompt.yml` file that is used without an entry in a config."""
    path = safe_path(prompt_path)
    if not isinstance(path, str):
        hint = "give a path inside the repository, relative to its root"
        raise ConfigError(f"{shown(prompt_path)} is not a path of a prompt file", hint=hint)
    if not path.endswith(TESTED):
        hint = "add a task with prompts, suite and metric to gepa-ci.yml"
        raise ConfigError(
            f"{shown(prompt_path)} brings no examples of its own", path=path, hint=hint
        )
    return Config(path=path, tasks=(prompt_task(path),))
