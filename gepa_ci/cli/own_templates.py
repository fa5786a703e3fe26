"""Owns reading a team's report templates on the trusted side, and trying them."""

from __future__ import annotations

import stat
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gepa_ci.cli.tree import reason, tree_reader
from gepa_ci.cli.workspace import Workspace
from gepa_ci.config import read_config
from gepa_ci.config.problems import raise_all
from gepa_ci.core.config import HeldOutShown
from gepa_ci.delivery.commit_files import commit_names
from gepa_ci.errors import ConfigError, GepaCiError, Problem
from gepa_ci.reports.templating.sources import BUILT_IN, ENTRIES, OwnTemplates

if TYPE_CHECKING:
    from gepa_ci.core.config import Config

_ENDING = ".j2"
_ALIKE = 0.85


def own_templates(workspace: Workspace) -> OwnTemplates:
    """Return the team's templates that a config names, after they were tried on made-up results.

    Raises:
        ConfigError: with all that is wrong with the folder and the templates in it.
    """
    folder = workspace.config.report.templates
    if folder is None:
        return BUILT_IN
    from gepa_ci.reports.templating.checks import MAX_FILES, template_problems

    names = [name for name in _names(workspace, folder) if not name.startswith(".")]
    templates = [name for name in names if name.endswith(_ENDING)]
    problems = [p for p in map(partial(_misnamed, folder), names) if p is not None]
    if not templates and not problems:
        problems.append(_at(workspace.config, f"there is no template in '{folder}'", _KNOWN))
    if len(templates) > MAX_FILES:
        message = f"'{folder}' has {len(templates)} templates; {MAX_FILES} are the most"
        problems.append(_at(workspace.config, message, "remove those that are not used"))
        raise_all(problems, ConfigError)
    sources: dict[str, str] = {}
    for name in templates:
        try:
            sources[name] = _source(workspace, f"{folder}/{name}")
        except GepaCiError as error:
            problems += error.problems
    own = OwnTemplates(folder=folder, sources=sources)
    problems += template_problems(own)
    raise_all(problems, ConfigError)
    return own


def own_templates_if_right(workspace: Workspace) -> OwnTemplates:
    """Return the team's templates, or none where something is wrong with them."""
    try:
        return own_templates(workspace)
    except GepaCiError:
        return BUILT_IN


def own_templates_at(config_path: str) -> OwnTemplates:
    """Return the templates that a config names; none where there is no config.

    Raises:
        ConfigError: with all that is wrong with the config or the templates.
    """
    path = Path(config_path)
    if not path.is_file():
        return BUILT_IN
    read = tree_reader(path.parent)
    config = read_config(path.name, read(path.name))
    return own_templates(Workspace(root=path.parent, config=config, read=read))


def shows_texts(config: Config) -> bool:
    """Return whether files that stay with the team have the texts of examples."""
    return config.report.held_out is HeldOutShown.TEXTS


_KNOWN = f"templates: {', '.join(ENTRIES)}"


def _names(workspace: Workspace, folder: str) -> list[str]:
    """Return the names of what a folder has on the side that is trusted."""
    tree = workspace.tree
    try:
        if tree is not None:
            return sorted(commit_names(tree.folder, tree.ref, folder))
        return sorted(_listed(workspace.root, folder))
    except GepaCiError as error:
        found = error.problems[0]
        raise ConfigError.of([_at(workspace.config, found.message, found.hint)]) from error


def _listed(root: Path, folder: str) -> list[str]:
    """Return the names of what a folder of the working tree has; no link leads to it."""
    full = root.resolve() / folder
    try:
        if full.resolve() != full:
            raise ConfigError(f"the folder '{folder}' is reached by a symbolic link", hint=_PLAIN)
        if not stat.S_ISDIR(full.stat().st_mode):
            raise ConfigError(f"'{folder}' is not a folder", hint=_PLAIN)
        return [entry.name for entry in full.iterdir()]
    except FileNotFoundError as error:
        raise ConfigError(f"there is no folder '{folder}'", hint=_PLAIN) from error
    except OSError as error:
        raise ConfigError(f"cannot read '{folder}': {reason(error)}", hint=_PLAIN) from error


_PLAIN = "name a folder of the repository"


def _source(workspace: Workspace, path: str) -> str:
    from gepa_ci.reports.templating.checks import MAX_BYTES

    if workspace.tree is None and (workspace.root / path).is_symlink():
        hint = "put the file itself there"
        raise ConfigError("a symbolic link is not read as a template", path=path, hint=hint)
    source = workspace.read(path)
    if len(source) > MAX_BYTES:
        raise ConfigError(
            f"the template has {len(source)} bytes; 256 KiB is the most",
            path=path,
            hint="make it smaller",
        )
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = source[: error.start].count(b"\n") + 1
        raise ConfigError(
            "this is not UTF-8", path=path, line=line, hint="save it as UTF-8"
        ) from error


def _misnamed(folder: str, name: str) -> Problem | None:
    """Return the problem of a file that was meant to be a template, by its name, and is none."""
    near = get_close_matches(f"{name}{_ENDING}", ENTRIES, n=1, cutoff=_ALIKE)
    if name.endswith(_ENDING) or not near:
        return None
    return Problem(
        message=f"no template is called '{name}'",
        path=f"{folder}/{name}",
        hint=f"did you mean '{near[0]}'? {_KNOWN}",
    )


def _at(config: Config, message: str, hint: str | None) -> Problem:
    problem = Problem(message=message, path=config.path, hint=hint)
    return replace(problem, line=config.report.line or None)
