"""Owns loading a user's Python file from given bytes, with the modules that lie beside it."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import linecache
import sys
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from pathlib import Path, PurePosixPath
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, TextIO

from gepa_ci.errors import ConfigError, GepaCiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFile:
    """A user's file after its import."""

    module: ModuleType
    """What it defines."""
    path: str
    """As in the config."""
    digest: str
    """SHA-256 over the file and the modules beside it that it imported."""
    functions: tuple[str, ...]
    """Names of its own top-level functions, in their order."""


class StdoutToStderr:
    """Keeps what user code prints out of stdout, for as long as any thread is inside."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._redirect: contextlib.redirect_stdout[TextIO] | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._redirect is None:
                # Stdout belongs to the process: the first thread moves it, the last moves it back.
                self._redirect = contextlib.redirect_stdout(sys.stderr)
                self._redirect.__enter__()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._redirect is not None:
                self._redirect.__exit__(None, None, None)
                self._redirect = None


QUIET = StdoutToStderr()


def load_file(path: str, read: Callable[[str], bytes]) -> LoadedFile:
    """Import a user's file.

    Raises:
        ConfigError: when it cannot be read or parsed, or raises while it is imported.
    """
    source = _read(path, read)
    functions = _functions(path, source)
    siblings = _Siblings(PurePosixPath(path).parent, read)
    name = f"gepa_ci_metric_{hashlib.sha256(path.encode() + source).hexdigest()[:16]}"
    with _importable(siblings):
        module = _run(name, path, source)
    sources = [source, *(siblings.sources[key] for key in sorted(siblings.sources))]
    whole = hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in sources))
    return LoadedFile(module=module, path=path, digest=whole.hexdigest(), functions=functions)


def _read(path: str, read: Callable[[str], bytes]) -> bytes:
    try:
        return read(path)
    except OSError as error:
        folder = Path(path).parent
        beside = sorted(file.name for file in folder.glob("*.py")) if folder.is_dir() else []
        hint = (
            f"Python files there: {', '.join(beside)}"
            if beside
            else "the path is relative to the root"
        )
        raise ConfigError(
            f"cannot read the metric's file: {error.strerror or error}", path=path, hint=hint
        ) from None
    except GepaCiError as error:
        raise ConfigError.of(error.problems) from None


def _functions(path: str, source: bytes) -> tuple[str, ...]:
    try:
        tree = ast.parse(source, filename=path)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ConfigError(
            f"the metric's file is not valid Python: {reason}", path=path, line=line
        ) from None
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return tuple(node.name for node in tree.body if isinstance(node, kinds))


def _run(name: str, path: str, source: bytes) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = str(Path(path).absolute())
    # Dataclasses and type hints look their module up here, also long after the import.
    sys.modules[name] = module
    remember_lines(path, source)
    try:
        with QUIET:
            exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the user's metric
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        line = line_in(path, error)
        raise ConfigError(
            f"the metric's file cannot be imported: {type(error).__name__}: {error}",
            path=path,
            line=line,
            hint=_import_hint(error),
        ) from error
    return module


def _import_hint(error: BaseException) -> str | None:
    if isinstance(error, ModuleNotFoundError):
        return f"install '{error.name}' where gepa-ci runs, or put it beside the metric's file"
    return None


def remember_lines(path: str, source: bytes) -> None:
    """Let tracebacks show these lines, which may come from git rather than from the disk."""
    lines = source.decode("utf-8", "replace").splitlines(keepends=True)
    linecache.cache[path] = (len(source), None, lines, path)


def line_in(path: str, error: BaseException) -> int | None:
    """Return the last line of a file that an error came through."""
    line, step = None, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == path:
            line = step.tb_lineno
        step = step.tb_next
    return line


@contextlib.contextmanager
def _importable(siblings: _Siblings) -> Iterator[None]:
    sys.meta_path.insert(0, siblings)
    try:
        yield
    finally:
        sys.meta_path.remove(siblings)
        # Another metric may have a neighbour of the same name; those who imported one keep it.
        for name in siblings.sources:
            sys.modules.pop(name, None)


class _Siblings(MetaPathFinder, Loader):
    """Finds the modules beside a file through the same reader, hence on the same git ref."""

    def __init__(self, folder: PurePosixPath, read: Callable[[str], bytes]) -> None:
        self._folder = folder
        self._read = read
        self.sources: dict[str, bytes] = {}
        self._paths: dict[str, str] = {}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG002 - the protocol
    ) -> ModuleSpec | None:
        """Return a spec for `name.py` or `name/__init__.py` in the folder."""
        top = fullname.partition(".")[0]
        if top in sys.stdlib_module_names or (path is not None and top not in self.sources):
            return None
        base = self._folder.joinpath(*fullname.split("."))
        for file, is_package in ((f"{base}.py", False), (f"{base}/__init__.py", True)):
            try:
                source = self._read(file)
            except (OSError, GepaCiError):
                continue
            self.sources[fullname], self._paths[fullname] = source, file
            return importlib.util.spec_from_loader(
                fullname, self, origin=file, is_package=is_package
            )
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code."""
        name = module.__name__
        source, path = self.sources[name], self._paths[name]
        module.__file__ = str(Path(path).absolute())
        remember_lines(path, source)
        exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the user's metric
