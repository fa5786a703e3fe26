"""Programs, prompts and models that the tests of this folder share."""

from __future__ import annotations

import ctypes
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fakes import SPEC, client

from gepa_ci.cli.tree import tree_reader
from gepa_ci.core.config import ProgramKind, ProgramSpec
from gepa_ci.core.prompt import PromptSet
from gepa_ci.core.suite import Example
from gepa_ci.formats import read_prompt
from gepa_ci.lm.client import LMClient
from gepa_ci.programs import build_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from fakes import ScriptedEngines

    from gepa_ci.core.call import Call, Reply
    from gepa_ci.core.config import ModelSpec
    from gepa_ci.programs.command_program import CommandProgram
    from gepa_ci.programs.python_program import PythonProgram
    from gepa_ci.programs.workplace import Tree

needs_landlock = pytest.mark.skipif(
    sys.platform != "linux" or ctypes.CDLL(None).syscall(444, None, 0, 1) < 1,
    reason="this system has no Landlock, so a process may write where its user may",
)

EXAMPLE = Example(id="e1", inputs={"question": "where is Rome?"}, expected="in Italy")

TWO = PromptSet(
    files=(
        read_prompt("rewrite.txt", b"Rewrite: {{question}}"),
        read_prompt("answer.txt", b"Answer: {{query}}"),
    )
)
"""Two prompt files that a pipeline fills in, the second with what the first gave."""


def echo(call: Call) -> str:
    """Answer with what was asked last."""
    return f"<{call.messages[-1].content}>"


def reader(files: Mapping[str, str]) -> Callable[[str], bytes]:
    def read(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return files[path].encode()

    return read


@contextmanager
def python(
    source: str | Mapping[str, str],
    *,
    target: str = "p.py:answer",
    model: LMClient | ScriptedEngines | Callable[[Call], str | Reply] = echo,
    spec: ModelSpec | None = SPEC,
    models: Mapping[str, ModelSpec] | None = None,
    concurrency: int = 4,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
    **settings: Any,
) -> Iterator[PythonProgram]:
    """Build a python program of a source, and end its workers."""
    files = {"p.py": source} if isinstance(source, str) else source
    program = build_program(
        ProgramSpec(kind=ProgramKind.PYTHON, target=target, **settings),
        client=model if isinstance(model, LMClient) else client(model),
        model=spec,
        models=models or {},
        read_code=reader(files),
        root=root,  # type: ignore[arg-type]
        concurrency=concurrency,
        environ=environ or {},
        where="gepa-ci.yml",
        line=3,
    )
    try:
        yield program  # type: ignore[misc]
    finally:
        program.close()


@contextmanager
def command(
    root: Path,
    source: str,
    *,
    model: LMClient | ScriptedEngines | Callable[[Call], str | Reply] = echo,
    words: tuple[str, ...] = (sys.executable, "p.py"),
    environ: Mapping[str, str] | None = None,
    concurrency: int = 4,
    tree: Tree | None = None,
    clean: Callable[[str], str] = str,
    **settings: Any,
) -> Iterator[CommandProgram]:
    """Build a command program of a Python script, and end its processes."""
    (root / "p.py").write_text(source, encoding="utf-8")
    program = build_program(
        ProgramSpec(kind=ProgramKind.COMMAND, command=words, **({"threads": 1} | settings)),
        client=model if isinstance(model, LMClient) else client(model),
        model=SPEC,
        models={},
        read_code=tree_reader(root),
        root=root,
        concurrency=concurrency,
        environ=environ or {},
        where="gepa-ci.yml",
        line=3,
        tree=tree,
        clean=clean,
    )
    try:
        yield program  # type: ignore[misc]
    finally:
        program.close()
