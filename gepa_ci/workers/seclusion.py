"""Owns what user code is kept from: our environment, our memory, other people's files."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Mapping

MEMORY = 4 << 30
"""Bytes of data that a worker may hold."""

_FILES = 1024
"""Files that a worker may have open."""

_ALLOWED = re.compile(
    "PATH|LANG|LANGUAGE|LC_[A-Z]+|TZ|PYTHONUTF8|PYTHONHASHSEED|VIRTUAL_ENV|CONDA_PREFIX"
    # Interpreters of setup-python and conda find their own libraries by these.
    "|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH|(OMP|OPENBLAS|MKL)_NUM_THREADS"
    "|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT|NUMBER_OF_PROCESSORS|PROCESSOR_ARCHITECTURE"
)
_OF_FOLDER = ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP")

_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITIES = 0x20080522
"""The version of the kernel's interface that has 64 of them."""
_OF_FILES = 0b1111
"""Those of root that let it use files of others."""
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_WRITING = sum(1 << bit for bit in (1, 4, 5, 6, 7, 8, 9, 10, 11, 12))
"""Landlock's rights to write a file, to remove and to make anything, since its first version."""
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_SCOPED = 0b11
"""No signals to processes outside, no abstract sockets of theirs."""


def worker_environment(folder: str, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the few variables that a worker is started with.

    Args:
        folder: The worker's own folder, which stands in for home and temporary directory.
        given: Our environment, when it is another one than the process's.
    """
    ours = os.environ if given is None else given
    kept = {name: value for name, value in ours.items() if _ALLOWED.fullmatch(name)}
    # All workers order sets alike, or two of them could score one output differently.
    seed = {"PYTHONHASHSEED": kept.get("PYTHONHASHSEED", "0")}
    return kept | seed | dict.fromkeys(_OF_FOLDER, folder)


def import_path() -> list[str]:
    """Return where a worker looks for installed modules: as we do, but not in the working tree."""
    # Python itself puts the working directory first for -m and -c; it may be a stranger's tree.
    has_first = not sys.flags.safe_path and sys.path[:1] in ([""], [str(Path.cwd())])
    ours = sys.path[1:] if has_first else sys.path
    package = str(Path(__file__).parents[2])
    found = [str(Path(entry).absolute()) for entry in ours if entry]
    return list(dict.fromkeys([*found, package]))


def new_folder() -> str:
    """Return a new empty folder for one worker."""
    return tempfile.mkdtemp(prefix="gepa-ci-worker-")


def forbid_inspection() -> bool:
    """Keep other processes of this user from reading our environment and memory, on Linux."""
    if sys.platform != "linux":
        return False
    return bool(_libc().prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)


def confine(folder: str) -> None:  # pragma: no cover - runs in workers only
    """Take from this process, once and for all, what user code has no need of."""
    # The address space would count what is reserved and never used, by which CUDA is huge.
    for name, most in (("RLIMIT_CORE", 0), ("RLIMIT_NOFILE", _FILES), ("RLIMIT_DATA", MEMORY)):
        _set_limit(name, most, is_final=True)
    _give_up_rights([folder, "/dev"])


def restrain(folders: list[str]) -> None:  # pragma: no cover - runs in processes of commands only
    """Take from this process what a command has no need of; it may write below some folders."""
    _set_limit("RLIMIT_CORE", 0, is_final=True)
    _give_up_rights([*folders, "/dev"])


def _give_up_rights(folders: list[str]) -> None:  # pragma: no cover - runs in workers only
    if sys.platform == "linux":
        # `sudo` needs no password on the runners of GitHub; without new privileges it is inert.
        _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _drop_capabilities()
        _write_only_below(folders)


def allow_processor_time(seconds: float) -> None:  # pragma: no cover - runs in workers only
    """Let the kernel end this process after so many more seconds of processor time."""
    # Code in C that never lets go of the interpreter does not notice that we are gone.
    used = sum(os.times()[:2])
    _set_limit("RLIMIT_CPU", int(used + seconds) + 1, is_final=False)


def _drop_capabilities() -> None:  # pragma: no cover - runs in workers only
    """Make root, as which containers run, one that cannot look into other processes."""
    import ctypes

    libc = _libc()
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0)
    # Effective, permitted and inheritable ones, the lower 32 of each before the upper.
    held = (ctypes.c_uint32 * 6)()
    if libc.capget(header, held) == 0:
        kept = (held[0] & _OF_FILES, held[1] & _OF_FILES, 0, 0, 0, 0)
        libc.capset(header, (ctypes.c_uint32 * 6)(*kept))


def _set_limit(  # pragma: no cover - runs in workers only
    name: str, most: int, *, is_final: bool
) -> None:
    if sys.platform == "win32":
        return
    import resource

    number = getattr(resource, name)
    _, hard = resource.getrlimit(number)
    soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
    # Not every system has every limit.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(number, (soft, soft if is_final else hard))


def _write_only_below(folders: list[str]) -> None:  # pragma: no cover - runs in workers only
    """Forbid writing elsewhere and looking into processes outside, where Landlock is there."""
    import ctypes

    libc = _libc()
    version = libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
    if version < 1:
        return
    rights = _WRITING | (_REFER if version > 1 else 0) | (_TRUNCATE if version > 2 else 0)  # noqa: PLR2004 - versions
    scoped = _SCOPED if version > 5 else 0  # noqa: PLR2004 - a version
    # Rights on files, on the network, scopes; older kernels take the longer form when it is zero.
    rules = (ctypes.c_uint64 * 3)(rights, 0, scoped)
    ruleset = libc.syscall(_LANDLOCK_CREATE, rules, ctypes.sizeof(rules), 0)
    if ruleset < 0:
        return
    try:
        for folder in folders:
            _allow(libc, ruleset, folder, rights)
        libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(  # pragma: no cover - runs in workers only
    libc: ctypes.CDLL, ruleset: int, folder: str, rights: int
) -> None:
    import ctypes
    import struct

    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, place))
        libc.syscall(_LANDLOCK_ADD, ruleset, 1, rule, 0)
    finally:
        os.close(place)


def _libc() -> ctypes.CDLL:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)
