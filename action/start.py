"""Owns the way from a bare Python to gepa-ci: brings its locked packages with uv, and runs it.

Runs as `python -I start.py` with the standard library alone. Nothing of the working directory,
which is a pull request's checkout, is imported, executed or read as a setting.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROOT = Path(__file__).resolve().parents[1]
_LOCK = _ROOT / "requirements" / "runtime.txt"
_UV_LOCK = _ROOT / "requirements" / "uv.txt"

_OUTSIDE = 3
"""Exit code of gepa-ci for a failure of the outside world."""

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_OF_INSTALLERS = ("PIP_", "UV_")
_HARMLESS_OF_PYTHON = frozenset({"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"})
_URL_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_INDEX = re.compile(r"^[^=]*\.index-url='(?P<url>.*)'$", re.MULTILINE)
_LAST_LINES = 8


class _InstallError(Exception):
    """The packages could not be installed; the message is for the owner of the workflow."""


def main() -> NoReturn:
    """Run gepa-ci in an environment that has what it needs."""
    try:
        python = _prepared(os.environ)
    except _InstallError as failure:
        said = str(failure).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        print(f"::error title=gepa-ci::{said}", flush=True)
        sys.exit(_OUTSIDE)
    command = [str(python), "-P", "-s", "-m", "gepa_ci", "action"]
    environment = _for_gepa_ci(os.environ)
    if os.name == "nt":
        # There, exec ends this process at once, and with it the step.
        sys.exit(subprocess.run(command, env=environment, check=False).returncode)
    os.execve(command[0], command, environment)


def _for_gepa_ci(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of gepa-ci: modules come from the action, never from the checkout."""
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith("INPUT_")
        and (not name.startswith("PYTHON") or name in _HARMLESS_OF_PYTHON)
    }
    return {
        **kept,
        "PYTHONPATH": str(_ROOT),
        "PYTHONSAFEPATH": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
    }


def _prepared(environ: Mapping[str, str]) -> Path:
    """Return an interpreter that has the packages of the lock; make its environment if need be."""
    if environ.get("GEPA_CI_PYTHON"):
        return Path(sys.executable)  # which is that one
    tools = Path(
        environ.get("RUNNER_TOOL_CACHE") or environ.get("RUNNER_TEMP") or tempfile.gettempdir()
    )
    folder = tools / "gepa-ci" / _key()
    python = _python_of(folder)
    if python.exists():
        return python
    started = time.perf_counter()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as scratch:
            _install(Path(scratch), _for_installers(environ))
            _move(Path(scratch) / "venv", folder)
    except OSError as error:
        raise _InstallError(f"Cannot install the packages of gepa-ci: {error}") from error
    print(f"gepa-ci: installed its packages in {time.perf_counter() - started:.1f} s", flush=True)
    return python


def _key() -> str:
    """Name an environment after all that decides what is in it."""
    parts = (_LOCK.read_bytes(), sys.version.encode(), os.fsencode(sys.base_prefix))
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:24]


def _python_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _move(new: Path, folder: Path) -> None:
    """Give a complete environment its name, unless another run was faster."""
    if folder.exists() and not _python_of(folder).exists():
        shutil.rmtree(folder)  # its base interpreter was removed
    try:
        new.rename(folder)
    except OSError:
        if not _python_of(folder).exists():
            raise


def _for_installers(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of pip and uv, without keys and tokens but their own."""
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith(("INPUT_", "GEPA_CI_", "PYTHON"))
        and (name.startswith(_OF_INSTALLERS) or not _SECRET.search(name))
    }
    # Windows would look for programs in the working directory first.
    return {**kept, "NoDefaultCurrentDirectoryInExePath": "1"}


def _install(scratch: Path, environment: dict[str, str]) -> None:
    """Make a new environment with the packages of the lock, each checked by its hash."""
    uv = _uv(scratch, environment)
    venv = scratch / "venv"
    quiet = ["--no-config", "--quiet"]
    _run(
        [*uv, "venv", *quiet, "--relocatable", "--python", sys.executable, str(venv)],
        scratch,
        environment,
    )
    if "UV_DEFAULT_INDEX" not in environment and (index := _index_of_pip(scratch, environment)):
        environment = {**environment, "UV_DEFAULT_INDEX": index}
    _run(
        [
            *uv,
            "pip",
            "install",
            *quiet,
            "--python",
            str(_python_of(venv)),
            "--require-hashes",
            "--only-binary=:all:",
            "--requirement",
            str(_LOCK),
        ],
        scratch,
        environment,
    )


def _uv(scratch: Path, environment: Mapping[str, str]) -> list[str]:
    """Return the command of uv: the runner's own, or one that pip brings, checked by its hash."""
    if (found := _program("uv", environment)) is not None:
        return [found]
    target = scratch / "uv"
    _run(
        [
            sys.executable,
            "-I",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--no-deps",
            "--require-hashes",
            "--only-binary=:all:",
            "--target",
            str(target),
            "--requirement",
            str(_UV_LOCK),
        ],
        scratch,
        environment,
    )
    return [str(target / "bin" / ("uv.exe" if os.name == "nt" else "uv"))]


def _program(name: str, environment: Mapping[str, str]) -> str | None:
    """Find a program on the absolute part of the path, outside of the checkout."""
    workspace = Path(environment.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()
    folders = [
        folder
        for folder in environment.get("PATH", "").split(os.pathsep)
        if Path(folder).is_absolute() and not Path(folder).resolve().is_relative_to(workspace)
    ]
    found = shutil.which(name, path=os.pathsep.join(folders)) if folders else None
    return found if found is not None and Path(found).is_absolute() else None


def _index_of_pip(scratch: Path, environment: Mapping[str, str]) -> str | None:
    """Return the index that pip is configured for: uv does not read pip's settings."""
    done = subprocess.run(
        [sys.executable, "-I", "-m", "pip", "config", "list"],
        cwd=scratch,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    found = _INDEX.search(done.stdout)
    return found["url"] if found is not None else None


def _run(command: Sequence[str], scratch: Path, environment: Mapping[str, str]) -> None:
    """Run an installer in an empty folder: in a checkout it would read the checkout's settings."""
    done = subprocess.run(
        command,
        cwd=scratch,
        env=environment,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()][-_LAST_LINES:]
        said = _URL_CREDENTIALS.sub("***", "\n".join(lines))
        raise _InstallError(
            "Cannot install the packages of gepa-ci; is the package index within reach? "
            f"'{Path(command[0]).name}' said:\n{said}"
        )


if __name__ == "__main__":
    main()
