"""Owns loading a user's file within a worker, with the modules that lie beside it."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import inspect
import linecache
import sys
import traceback
from importlib.abc import Loader, MetaPathFinder
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from importlib.machinery import ModuleSpec

_TEXT = 4_000
_FRAMES = 8_000
"""Characters of an error that are told."""


class Neighbours(MetaPathFinder, Loader):
    """Finds the modules beside a file by asking for them."""

    def __init__(self, ask: Callable[[str], dict[str, Any]]) -> None:
        self._ask = ask
        self._files: dict[str, dict[str, Any]] = {}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG002 - the protocol
    ) -> ModuleSpec | None:
        """Return a spec for a module that lies beside the file."""
        top = fullname.partition(".")[0]
        if top in sys.stdlib_module_names or (path is not None and top not in self._files):
            return None
        file = self._ask(fullname)
        if "path" not in file:
            return None
        self._files[fullname] = file
        return importlib.util.spec_from_loader(
            fullname, self, origin=file["path"], is_package=file["is_package"]
        )

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code."""
        _execute(module, self._files[module.__name__])


def load(
    request: dict[str, Any],
    ask: Callable[[str], dict[str, Any]],
    prepare: Callable[[Any], dict[str, Any]] | None = None,
) -> tuple[Any, Any]:
    """Import a file and return its function with what is told about it.

    Args:
        request: `path`, `file`, `source` and the name of the `function`.
        ask: Returns the same of a module beside the file, or nothing.
        prepare: Tells more of the function, and may import further modules for it.
    """
    path, name = request["path"], request["function"]
    source = request["source"].encode("latin-1")
    try:
        tree = ast.parse(source, filename=path)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        return None, {"invalid": {"reason": reason, "line": line}}
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    functions = [node.name for node in tree.body if isinstance(node, kinds)]
    digest = hashlib.sha256(path.encode() + source).hexdigest()
    module = ModuleType(f"gepa_ci_user_{digest[:16]}")
    # Dataclasses and type hints look their module up here, also long after the import.
    sys.modules[module.__name__] = module
    try:
        with _importable(Neighbours(ask)):
            _execute(module, request)
            is_there = hasattr(module, name)
            function = getattr(module, name, None)
            facts = _facts(function, name, path) if callable(function) else None
            if facts is not None and prepare is not None:
                facts |= prepare(function)
    except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is told
        return None, {"failed": told(error, path)}
    return function, {"functions": functions, "is_there": is_there, "function": facts}


def told(error: BaseException, path: str) -> dict[str, Any]:
    """Return what there is to tell about an error of the user's code, as plain JSON."""
    try:
        text = str(error)
    except BaseException as another:  # noqa: BLE001 - so is __str__
        text = f"<its text raised {type(another).__name__}>"
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    key = error.args[0] if isinstance(error, KeyError) and error.args else None
    return {
        "type": type(error).__name__,
        "text": _shortened(text, _TEXT),
        "frames": _shortened(_frames(path, error), _FRAMES),
        "line": _line_in(path, error),
        "module": missing,
        "key": key if isinstance(key, str) else None,
        "is_missing_file": isinstance(error, FileNotFoundError),
        "is_forbidden": isinstance(error, PermissionError),
        "is_memory": isinstance(error, MemoryError),
    }


def place_of(frames: Iterable[FrameType], path: str) -> dict[str, Any]:
    """Return the line of a file that running code is in, and its frames from that file on.

    Args:
        frames: Those of the running code, the outermost first.
        path: The user's file.
    """
    stack = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in frames)
    own = [number for number, step in enumerate(stack) if step.filename == path]
    if not own:
        return {}
    shown = "".join(traceback.StackSummary.from_list(stack[own[0] :]).format()).rstrip()
    return {"line": stack[own[-1]].lineno, "frames": _shortened(shown, _FRAMES)}


def _execute(module: ModuleType, file: dict[str, Any]) -> None:
    path, source = file["path"], file["source"].encode("latin-1")
    module.__file__ = file["file"]
    # Tracebacks show these lines, which may come from git rather than from the disk.
    lines = source.decode("utf-8", "replace").splitlines(keepends=True)
    linecache.cache[path] = (len(source), None, lines, path)
    exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - the user's file


@contextlib.contextmanager
def _importable(neighbours: Neighbours) -> Iterator[None]:
    sys.meta_path.insert(0, neighbours)
    try:
        yield
    finally:
        # What is imported later would not be in the digest.
        sys.meta_path.remove(neighbours)


def _facts(function: Callable[..., Any], name: str, path: str) -> dict[str, Any]:
    code = getattr(inspect.unwrap(function), "__code__", None)
    line = code.co_firstlineno if code is not None and code.co_filename == path else None
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return {"line": line, "shown": name, "parameters": None}
    parameters = [
        [parameter.name, parameter.kind.name, parameter.default is parameter.empty]
        for parameter in signature.parameters.values()
    ]
    return {"line": line, "shown": f"{name}{signature}", "parameters": parameters}


def _line_in(path: str, error: BaseException) -> int | None:
    """Return the last line of a file that an error came through."""
    line, step = None, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == path:
            line = step.tb_lineno
        step = step.tb_next
    return line


def _frames(path: str, error: BaseException) -> str:
    """Return the traceback from the user's own file on, without our frames."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [number for number, frame in enumerate(frames) if frame.filename == path]
    if not own:
        return ""
    ours = str(Path(__file__).parents[1])
    theirs = [frame for frame in frames[own[0] :] if not frame.filename.startswith(ours)]
    return "".join(traceback.StackSummary.from_list(theirs).format()).rstrip()


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}... ({len(text) - most} more characters)"
