"""A real terminal for a command of which stdout or stderr is one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Literal

from workbench import child_environment

if TYPE_CHECKING:
    from workbench import Workbench


def on_a_terminal(
    bench: Workbench, *arguments: str, columns: int, stream: Literal["stdout", "stderr"]
) -> str:
    """Run a command one of whose streams is a terminal, and return what that shows."""
    import pty

    main, terminal = pty.openpty()
    shown = bytearray()

    def read() -> None:
        try:
            while chunk := os.read(main, 65_536):
                shown.extend(chunk)
        except OSError:  # the other end is gone
            return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        subprocess.run(
            [sys.executable, "-m", "gepa_ci", *arguments],
            cwd=bench.root,
            env=child_environment(COLUMNS=str(columns), TERM="xterm"),
            stdout=terminal if stream == "stdout" else subprocess.DEVNULL,
            stderr=terminal if stream == "stderr" else None,
            check=True,
            timeout=60,
        )
    finally:
        os.close(terminal)
        reader.join(10)
        os.close(main)
    return shown.decode("utf-8", "replace")
