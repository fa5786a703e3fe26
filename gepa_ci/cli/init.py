"""Owns `gepa-ci init`: writes what a repository needs, checked before it is written."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click

from gepa_ci.cli.options import DEFAULT_CONFIG, format_option
from gepa_ci.cli.printing import say
from gepa_ci.cli.starter import make_starter
from gepa_ci.cli.tree import reason
from gepa_ci.config.problems import shown
from gepa_ci.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gepa_ci.cli.starter import Starter


@click.command()
@click.option("--force", is_flag=True, help="Overwrite files that are there already.")
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    metavar="FILE",
    help="Prompt file that gets a task; again for more. All that are found if not given.",
)
@format_option
def init(prompts: tuple[str, ...], output_format: str, *, force: bool) -> None:
    """Write a config, first examples and the workflows into this repository, and check them.

    Prompt files are `*.prompt.yml` files, and texts in folders called `prompts`. Asks nothing,
    and leaves what is there as it is.
    """
    root = _root(Path.cwd())
    made = make_starter(root, [_inside(root, prompt) for prompt in prompts], replace=force)
    for path in made.files:
        _demand_no_link(root, path)
    for path, content in made.files.items():
        _write(root / path, content)
    if output_format == "json":
        say(json.dumps(_document(made), indent=2))
        return
    for line in _lines(made):
        say(line)


def _root(folder: Path) -> Path:
    """Return the repository's root, where GitHub looks for workflows; the folder if it has none."""
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return folder


def _inside(root: Path, prompt: str) -> str:
    path = Path(os.path.normpath(Path.cwd() / prompt))
    if not path.is_relative_to(root):
        raise UsageError(
            f"the prompt {shown(prompt)} is not in the repository", hint=f"name a file below {root}"
        )
    return path.relative_to(root).as_posix()


def _demand_no_link(root: Path, path: str) -> None:
    real = root.resolve() / path
    if real.resolve() != real:
        raise UsageError(
            "a symbolic link is not written through", path=path, hint="remove the link"
        )


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        draft = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            draft.chmod(0o644)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot write the file: {reason(error)}",
            path=str(path),
            hint="check the permissions of the folder",
        ) from error


def _lines(made: Starter) -> Iterator[str]:
    yield from (f"wrote {path}" for path in made.files)
    yield from (f"kept {path}: it was there; --force overwrites it" for path in made.kept)
    yield from made.left_out
    for inputs in made.tasks:
        yield f"ok: {inputs.task.name}: {inputs.task.prompts[0]}"
    yield ""
    yield "Next:"
    for number, step in enumerate(_steps(made), start=1):
        yield f"  {number}. {step}"


def _steps(made: Starter) -> Iterator[str]:
    if made.to_fill:
        yield (
            f"Put your own examples into {' and '.join(made.to_fill)}: 50 or more, as 20 of them"
            " must be held out before a change can pass."
        )
    yield (
        "Store your provider's key: `gh secret set OPENAI_API_KEY`; for another provider, change"
        " that name in the workflows and the models in gepa-ci.yml."
    )
    yield "See what a run will cost: `gepa-ci plan`."
    yield (
        "Allow Actions to create pull requests (Settings > Actions > General), then commit and"
        f" push: {' '.join(_tops(made))}."
    )
    yield 'Require the check "gepa-ci" in the rules of your default branch.'


def _tops(made: Starter) -> list[str]:
    paths = (*made.files, *made.kept)
    return list(dict.fromkeys(PurePosixPath(path).parts[0] for path in paths)) or [DEFAULT_CONFIG]


def _document(made: Starter) -> dict[str, object]:
    return {
        "written": list(made.files),
        "kept": list(made.kept),
        "tasks": [inputs.task.name for inputs in made.tasks],
        "to_fill": list(made.to_fill),
        "left_out": list(made.left_out),
    }
