"""Owns what a repository needs to start with gepa-ci: config, first examples and workflows."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import gepa_ci
from gepa_ci.cli.options import DEFAULT_CONFIG
from gepa_ci.cli.readiness import check_models
from gepa_ci.cli.tree import NoFileError, tree_reader
from gepa_ci.cli.workspace import Workspace
from gepa_ci.config import read_config
from gepa_ci.config.build import task_name
from gepa_ci.config.keys import TESTED
from gepa_ci.errors import GepaCiError, PromptError
from gepa_ci.formats import read_prompt
from gepa_ci.formats.prompt_yml import NAME as PROMPT_YML

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gepa_ci.cli.tree import Read
    from gepa_ci.cli.workspace import TaskInputs
    from gepa_ci.core.prompt import Prompt

WORKFLOWS = ("gepa-ci.yml", "gepa-ci-nightly.yml", "gepa-ci-requests.yml")
"""Of `.github/workflows`; all start from the files of the same names that the package ships."""

_EXAMPLE = ("prompts/triage.md", "prompts/triage.csv")
_TEXTS = (".md", ".markdown", ".txt", ".j2", ".jinja", ".jinja2")
_SUITES = (".jsonl", ".csv", ".yaml", ".yml")
_NO_PROMPTS = frozenset({"readme", "changelog", "license", "contributing"})
_SKIPPED = frozenset({"node_modules", "vendor", "build", "dist", "site-packages"})
_ROWS = 10
_TASK_LM, _REFLECTION_LM = "openai/gpt-5-mini", "openai/gpt-5"
_BRANCHES = "branches: [main, master]"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")


@dataclass(frozen=True, kw_only=True)
class Starter:
    """Files for a repository, all checked to fit together and with what is there already."""

    files: Mapping[str, bytes]
    """By path; none of them is there, or it may be replaced."""
    kept: tuple[str, ...]
    """Paths that are there already, and stay."""
    tasks: tuple[TaskInputs, ...]
    to_fill: tuple[str, ...] = ()
    """Suites whose rows only show the form."""
    left_out: tuple[str, ...] = ()
    """Finished sentences about prompt files that got no task."""


@dataclass(kw_only=True)
class _Draft:
    """What has been decided so far."""

    files: dict[str, bytes] = field(default_factory=dict)
    to_fill: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


def shipped(name: str) -> bytes:
    """Return a file that the package ships for new users."""
    return (files(gepa_ci) / "starter").joinpath(*name.split("/")).read_bytes()


def workflow(name: str, *, branch: str | None = None) -> bytes:
    """Return a workflow; `branch` is the default branch where it is known."""
    content = shipped(f"workflows/{name}")
    if branch is None:
        return content
    return content.replace(_BRANCHES.encode(), f"branches: [{_quoted(branch)}]".encode())


def make_starter(root: Path, prompts: Sequence[str], *, replace: bool) -> Starter:
    """Return what a repository needs, with a task of each given prompt file.

    Args:
        root: The repository's root.
        prompts: Paths of prompt files; where there are none, all that are found get a task, and
            where none is found, an example comes with the files.
        replace: Whether the config and the workflows may be replaced.

    Raises:
        GepaCiError: a given prompt, or the config that is there, is wrong.
    """
    tree = tree_reader(root)
    wanted, left_out = _Draft(), list[str]()
    if replace or not (root / DEFAULT_CONFIG).exists():
        wanted, left_out = _decide(root, prompts, tree)
    branch = default_branch(root)
    wanted.files |= {
        f".github/workflows/{name}": workflow(name, branch=branch) for name in WORKFLOWS
    }
    written = {
        path: content
        for path, content in wanted.files.items()
        if replace or not os.path.lexists(root / path)
    }
    return Starter(
        files=written,
        kept=tuple(
            path
            for path in (DEFAULT_CONFIG, *wanted.files)
            if path not in written and os.path.lexists(root / path)
        ),
        tasks=_checked(root, _over(written, tree)),
        to_fill=tuple(path for path in wanted.to_fill if path in written),
        left_out=tuple(left_out),
    )


def default_branch(root: Path) -> str | None:
    """Return the default branch of the remote as the last clone or fetch saw it, if known."""
    try:
        said = (root / ".git/refs/remotes/origin/HEAD").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    found = re.fullmatch(r"ref: refs/remotes/origin/([^\s~^:?*\[\\]+)\s*", said)
    return None if found is None else found[1]


def _decide(root: Path, prompts: Sequence[str], tree: Read) -> tuple[_Draft, list[str]]:
    """Return a config with a task of each prompt, and sentences about those that got none."""
    draft, left_out = _Draft(), list[str]()
    for path in prompts or sorted(_found(root)):
        one = _Draft(names=draft.names)
        try:
            _add(one, read_prompt(path, tree(path)), root)
            one.files[DEFAULT_CONFIG] = _config(one.tasks)
            _checked(root, _over(one.files, tree))
        except GepaCiError as error:
            if prompts:
                raise
            left_out.append(f"{path} got no task: {error.problems[0]}.")
            continue
        draft.files |= one.files
        draft.to_fill += one.to_fill
        draft.tasks += one.tasks
    if draft.tasks:
        draft.files[DEFAULT_CONFIG] = _config(draft.tasks)
        return draft, left_out
    draft.files[DEFAULT_CONFIG] = shipped(DEFAULT_CONFIG)
    draft.files |= {path: shipped(PurePosixPath(path).name) for path in _EXAMPLE}
    draft.to_fill += _EXAMPLE[1:]
    return draft, left_out


def _found(root: Path) -> Iterator[str]:
    """Find prompt files: `*.prompt.yml` anywhere, and texts in folders that are called prompts."""
    for folder, folders, names in os.walk(root):
        folders[:] = [
            name
            for name in folders
            if name == ".github" or (not name.startswith(".") and name not in _SKIPPED)
        ]
        relative = Path(folder).relative_to(root)
        # Texts in .github/prompts are another tool's, for people to start by hand.
        has_texts = "prompts" in relative.parts and ".github" not in relative.parts
        for name in names:
            is_text = has_texts and name.lower().endswith(_TEXTS)
            stem = name.lower().partition(".")[0]
            if name.endswith(TESTED) or (is_text and stem not in _NO_PROMPTS):
                yield (relative / name).as_posix()


def _add(draft: _Draft, prompt: Prompt, root: Path) -> None:
    """Add the task of one prompt, and rows that show the form of its suite if there is none."""
    stem = prompt.path
    for ending in (*TESTED, *_TEXTS):
        stem = stem.removesuffix(ending)
    name = _free(task_name(stem), draft.names)
    lines = [f"  {name}:", f"    prompts: [{_quoted(prompt.path)}]"]
    if not prompt.test_data:
        suites = [f"{stem}{ending}" for ending in _SUITES if (root / f"{stem}{ending}").is_file()]
        suite = suites[0] if suites else f"{stem}.jsonl"
        lines.append(f"    suite: {_quoted(suite)}")
        if not suites:
            draft.files[suite] = _rows(prompt)
            draft.to_fill.append(suite)
    if not prompt.evaluators:
        lines.append("    metric: exact_match")
    if prompt.model is None:
        lines.append(f"    model: {_TASK_LM}")
    draft.tasks += lines


def _free(name: str, taken: set[str]) -> str:
    free, number = name, 2
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    taken.add(free)
    return free


def _config(tasks: Sequence[str]) -> bytes:
    # Without `models.task`: it would replace the models that prompt files name themselves.
    head, _, _ = shipped(DEFAULT_CONFIG).decode().partition("tasks:\n")
    kept = [line for line in head.splitlines() if not line.startswith("  task:")]
    return "\n".join([*kept, "tasks:", *tasks, ""]).encode()


def _rows(prompt: Prompt) -> bytes:
    """Return rows that a prompt can be rendered with."""
    names = list(prompt.variables)
    if prompt.format != PROMPT_YML and "user" not in prompt.texts:
        names.append("input" if "input" not in names else "question")
    if not names:
        raise PromptError(
            "the prompt has no placeholder, so every example would be the same",
            path=prompt.path,
            hint="put a placeholder such as '{{input}}' where an input belongs",
        )
    rows = (
        {"inputs": {name: f"{name} {number}" for name in names}, "expected": f"answer {number}"}
        for number in range(1, _ROWS + 1)
    )
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _over(written: Mapping[str, bytes], tree: Read) -> Read:
    """Return a reader of the tree as it will be."""
    return lambda path: written[path] if path in written else tree(path)


def _checked(root: Path, read: Read) -> tuple[TaskInputs, ...]:
    """Run what `gepa-ci check` runs."""
    try:
        config = read_config(DEFAULT_CONFIG, read(DEFAULT_CONFIG))
    except NoFileError:  # a dangling link of that name
        return ()
    workspace = Workspace(root=root, config=config, read=read)
    found = workspace.inputs(workspace.tasks(None))
    check_models(found)
    return tuple(found)
