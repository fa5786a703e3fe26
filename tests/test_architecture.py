"""Holds the package to its import rules: who may import whom, and which library is whose."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parents[1] / "gepa_ci"

# Every folder may import `core` and `errors` as well.
MAY_IMPORT: dict[str, set[str]] = {
    "core": set(),
    "errors": set(),
    "config": set(),
    "gate": set(),
    "formats": set(),
    "suites": {"config"},
    "lm": set(),
    "workers": set(),
    "judging": {"config", "gate", "suites"},
    # A judge's rubric is a prompt file, and its anchors are read with it.
    "metrics": {"formats", "judging", "lm", "workers"},
    "programs": {"formats", "lm", "workers"},
    "evaluate": {"programs", "metrics", "lm"},
    "optimizers": {"evaluate", "formats", "lm", "workers"},
    "reports": set(),
    "delivery": set(),
    "pipeline": {"gate"},
    "cli": {
        *("config", "gate", "formats", "suites", "lm", "metrics", "programs", "evaluate"),
        *("judging", "optimizers", "reports", "delivery", "pipeline", "workers", "__init__"),
    },
    "__init__": set(),
    "__main__": {"cli"},
}
LIBRARIES: dict[str, set[str]] = {
    "config": {"yaml", "pydantic"},
    "gate": {"numpy", "scipy", "online_fdr"},
    "judging": {"numpy", "scipy"},
    "formats": {"yaml", "jinja2", "pydantic"},
    "suites": {"yaml", "pydantic", "rapidfuzz"},
    "lm": {"dspy", "litellm", "lm15", "xllamacpp"},
    # The last two are the parts that jsonschema is made of.
    "metrics": {"rapidfuzz", "regex", "jsonschema", "referencing", "jsonschema_specifications"},
    "programs": {"dspy"},
    "optimizers": {"gepa", "dspy"},
    # The last one is the part of jinja2 that marks what is HTML already.
    "reports": {"jinja2", "orjson", "rich", "markupsafe"},
    "delivery": {"git", "github"},
    "cli": {"click", "rich"},
}
# Nothing below may be imported to show the help or to parse the options.
HEAVY = (
    *("dspy", "litellm", "lm15", "numpy", "scipy", "xllamacpp", "gepa", "git", "rich", "jinja2"),
    *("jsonschema", "pydantic", "github", "online_fdr"),
)
READS_THE_ENVIRONMENT = {
    "cli": "the one place that reads it",
    "lm/local_server.py": "tells the OpenMP runtime not to spin, for which there is no other way",
    "workers/seclusion.py": "passes on the few variables that user code may see",
    "delivery/commit_files.py": "keeps GitPython from printing when it is imported",
    "delivery/new_repository.py": "the same",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import statement's target and where it stands."""

    module: str
    line: int
    is_at_import_time: bool


def folder_of(path: Path) -> str:
    """Return the first folder, or the module, below the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name_of(path: Path) -> str:
    """Return the dotted name of a module."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    name_of(path): (path, ast.parse(path.read_text(encoding="utf-8")))
    for path in sorted(PACKAGE.rglob("*.py"))
}
BY_ID = pytest.mark.parametrize("name", sorted(MODULES))


def imports(tree: ast.Module) -> Iterator[Import]:
    """Yield every import of a module, also those in functions and for the type checker."""

    def walk(node: ast.AST, *, runs: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(module=alias.name, line=child.lineno, is_at_import_time=runs)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"relative import in line {child.lineno}"
                for alias in child.names:
                    full = f"{child.module}.{alias.name}"
                    target = full if full in MODULES else str(child.module)
                    yield Import(module=target, line=child.lineno, is_at_import_time=runs)
            else:
                yield from walk(child, runs=runs and not is_deferred(child))

    yield from walk(tree, runs=True)


def is_deferred(node: ast.AST) -> bool:
    """Return whether what a statement holds does not run when its module is imported."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


@BY_ID
def test_a_folder_imports_only_the_folders_that_it_may(name: str) -> None:
    path, tree = MODULES[name]
    folder = folder_of(path)
    allowed = MAY_IMPORT[folder] | {folder, "core", "errors"}

    strangers = [
        f"line {found.line}: {found.module}"
        for found in imports(tree)
        if found.module.split(".")[0] == PACKAGE.name
        and [*found.module.split("."), "__init__"][1] not in allowed
    ]

    assert strangers == []


@BY_ID
def test_a_library_is_used_only_where_it_belongs(name: str) -> None:
    path, tree = MODULES[name]
    allowed = LIBRARIES.get(folder_of(path), set()) | sys.stdlib_module_names | {PACKAGE.name}

    strangers = [
        f"line {found.line}: {found.module}"
        for found in imports(tree)
        if found.module.split(".")[0] not in allowed
    ]

    assert strangers == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = defaultdict(set)
    for name, (_, tree) in MODULES.items():
        graph[name] = {i.module for i in imports(tree) if i.is_at_import_time} & MODULES.keys()
        graph[name].discard(name)
    while leaves := {name for name, targets in graph.items() if not targets}:
        for leaf in leaves:
            del graph[leaf]
        for targets in graph.values():
            targets.difference_update(leaves)

    assert sorted(graph) == []


@BY_ID
def test_no_module_is_named_like_one_of_the_standard_library_or_of_a_dependency(name: str) -> None:
    taken = sys.stdlib_module_names | {library for mine in LIBRARIES.values() for library in mine}
    # `python -m gepa_ci` dictates this one's name.
    taken -= {"__main__"}

    assert name.rpartition(".")[2] not in taken


@BY_ID
def test_every_module_says_what_it_owns(name: str) -> None:
    path, tree = MODULES[name]
    says = ast.get_docstring(tree)
    is_empty = not path.read_text(encoding="utf-8").strip()

    assert is_empty or says


@BY_ID
def test_only_the_command_line_reads_the_environment(name: str) -> None:
    path, tree = MODULES[name]
    if {folder_of(path), path.relative_to(PACKAGE).as_posix()} & READS_THE_ENVIRONMENT.keys():
        return

    readers = [
        f"line {node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr in {"environ", "environb", "getenv", "putenv"}
    ]

    assert readers == []


def test_the_command_line_starts_without_heavy_libraries() -> None:
    script = f"import sys, gepa_ci.cli; print(*[m for m in {HEAVY!r} if m in sys.modules])"

    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert loaded.stdout.split() == []
