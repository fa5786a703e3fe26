"""Owns what the runner and action.yml tell the Action, read once from the environment."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gepa_ci.cli.options import DEFAULT_CONFIG
from gepa_ci.config.problems import known_names
from gepa_ci.delivery.events import LABEL, Event
from gepa_ci.errors import UsageError
from gepa_ci.reports.outcome import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from gepa_ci.core.values import JSON

T = TypeVar("T", bound=StrEnum)

_LARGEST_EVENT = 32 * 1024 * 1024
_API, _SERVER = "https://api.github.com", "https://github.com"
_INPUT = "GEPA_CI_INPUT_"


class Command(StrEnum):
    """What the Action is told to do; `auto` lets the event decide."""

    AUTO = "auto"
    GATE = "gate"
    OPTIMIZE = "optimize"
    RECORD = "record"
    POST = "post"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One run of the Action, as it was asked for."""

    event: Event
    command: Command
    mode: Mode
    workspace: Path
    """The checkout."""
    config: str
    """Config file, relative to the workspace."""
    task: str | None
    token: str | None = field(repr=False)
    api_url: str
    server_url: str
    output: Path | None
    """File for the step's outputs."""
    summary: Path | None
    """File for the job summary."""
    folder: Path
    """Folder for reports, outside of the checkout."""
    result: Path
    """Where the result is written."""
    state: Path
    """Folder of the response cache, outside of the checkout."""
    run_id: str
    run_attempt: str
    label: str
    comments: bool
    signs: bool
    """Whether commits are made through the API, so that GitHub signs them."""
    drafts: bool
    """Whether drafts are gated."""

    @property
    def run_url(self) -> str:
        """Return the page of this run."""
        return f"{self.server_url}/{self.event.repository}/actions/runs/{self.run_id}"

    def again(self, command: str, *options: str) -> tuple[str, ...]:
        """Return the arguments that make the result again, from the top of a checkout."""
        config = () if self.config == DEFAULT_CONFIG else ("--config", self.config)
        task = () if self.task is None else (self.task,)
        return (command, *task, *options, *config)

    @property
    def clone_url(self) -> str:
        """Return where git fetches from and pushes to."""
        return f"{self.server_url}/{self.event.repository}.git"

    @property
    def config_path(self) -> str:
        """Return the config file's path for the commands that read the checkout."""
        return str(self.workspace / self.config)


def read_settings(environ: MutableMapping[str, str]) -> Settings:
    """Read the environment, and take the token out of it so that no child process has it.

    Raises:
        UsageError: this is not a run of GitHub Actions, or an input is wrong.
    """
    token = environ.pop("GEPA_CI_TOKEN", "").strip() or environ.pop("GITHUB_TOKEN", "").strip()
    workspace = Path(_required(environ, "GITHUB_WORKSPACE")).resolve()
    folder = Path(environ.get("RUNNER_TEMP") or workspace.parent).resolve() / "gepa-ci"
    state, result = _given(environ, "state"), _given(environ, "result")
    return Settings(
        event=Event(
            name=_required(environ, "GITHUB_EVENT_NAME"),
            payload=_payload(Path(_required(environ, "GITHUB_EVENT_PATH"))),
            repository=_required(environ, "GITHUB_REPOSITORY"),
            ref=environ.get("GITHUB_REF", ""),
            sha=environ.get("GITHUB_SHA", ""),
        ),
        command=_choice(environ, "command", Command, Command.AUTO),
        mode=_choice(environ, "mode", Mode, Mode.ENFORCE),
        workspace=workspace,
        config=_inside(_given(environ, "config") or DEFAULT_CONFIG),
        task=_given(environ, "task"),
        token=token or None,
        api_url=environ.get("GITHUB_API_URL") or _API,
        server_url=(environ.get("GITHUB_SERVER_URL") or _SERVER).rstrip("/"),
        output=_path(environ, "GITHUB_OUTPUT"),
        summary=_path(environ, "GITHUB_STEP_SUMMARY"),
        folder=folder,
        result=folder / "result.json" if result is None else _unlinked(workspace, result),
        state=folder / "state" if state is None else _outside(workspace, state),
        run_id=environ.get("GITHUB_RUN_ID") or "0",
        run_attempt=environ.get("GITHUB_RUN_ATTEMPT") or "1",
        label=_given(environ, "label") or LABEL,
        comments=_flag(environ, "comment", default=True),
        signs=_flag(environ, "sign-commits", default=False),
        drafts=_flag(environ, "drafts", default=True),
    )


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise UsageError(
            f"the environment variable {name} is not set",
            hint="`gepa-ci action` runs inside a job of GitHub Actions; "
            "on your own machine use `gepa-ci gate` or `gepa-ci optimize`",
        )
    return value


def _given(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(_INPUT + name.upper().replace("-", "_"), "").strip() or None


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    value = environ.get(name)
    return Path(value) if value else None


def _choice(environ: Mapping[str, str], name: str, kind: type[T], default: T) -> T:
    value = _given(environ, name)
    if value is None:
        return default
    try:
        return kind(value)
    except ValueError as error:
        raise UsageError(
            f"the input `{name}` is '{value}'", hint=known_names(value, list(kind), "values")
        ) from error


def _flag(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = _given(environ, name)
    if value is None:
        return default
    if value.lower() not in ("true", "false"):
        raise UsageError(f"the input `{name}` is '{value}'", hint="it is true or false")
    return value.lower() == "true"


def _inside(path: str) -> str:
    parts = path.split("/")
    if Path(path).is_absolute() or any(part in ("", ".", "..", ".git") for part in parts):
        raise UsageError(
            f"the input `config` is '{path}'", hint="name a file below the repository's root"
        )
    return path


def _unlinked(workspace: Path, path: str) -> Path:
    """Return where a file is written, if no link of the checkout leads it elsewhere."""
    named = Path(os.path.normpath(workspace / path))
    if named.is_relative_to(workspace) and named.resolve() != named:
        raise UsageError(
            f"the input `result` is '{path}', which a link of the checkout leads elsewhere",
            hint="leave it out, or name a file outside of the checkout",
        )
    return named


def _outside(workspace: Path, path: str) -> Path:
    """Return the folder of answers, which a pull request must not be able to bring."""
    named = Path(os.path.normpath(workspace / path))
    if named.is_relative_to(workspace) or named.resolve().is_relative_to(workspace):
        raise UsageError(
            f"the input `state` is '{path}', which is in the checkout",
            hint="a pull request could bring answers there: name a folder in ${{ runner.temp }}",
        )
    return named.resolve()


def _payload(path: Path) -> Mapping[str, JSON]:
    try:
        if path.stat().st_size > _LARGEST_EVENT:
            raise UsageError("the event's file is too large", path=str(path))
        payload = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            "the event's file cannot be read", path=str(path), hint="is GITHUB_EVENT_PATH right?"
        ) from error
    if not isinstance(payload, dict):
        raise UsageError("the event's file holds no JSON object", path=str(path))
    return payload
