"""Build and start the mock server: C where a compiler is found, asyncio elsewhere."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class MockServer:
    """A running mock server."""

    kind: str
    port: int

    @property
    def url(self) -> str:
        """The base address that clients are given."""
        return f"http://127.0.0.1:{self.port}/v1"

    def stats(self) -> dict[str, Any]:
        """Read the server's counters."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/stats")
        counters: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return counters


def build(folder: Path) -> Path | None:
    """Compile the server into a folder; None when there is no compiler or it is not Linux."""
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    program = folder / "mock_server"
    command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(HERE / "mock_server.c")]
    subprocess.run(command, check=True)
    return program


@contextmanager
def running(latency_ms: float, *, kind: str = "auto") -> Iterator[MockServer]:
    """Start a server of its own process (kind: auto, c or python) and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="mock-server-") as folder:
        program = None if kind == "python" else build(Path(folder))
        if program is None and kind == "c":
            raise SystemExit("error: no C compiler for the mock server\nhint: use kind 'python'")
        command = [str(program)] if program else [sys.executable, str(HERE / "mock_server.py")]
        process = subprocess.Popen([*command, str(latency_ms)], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield MockServer(kind="c" if program else "python", port=port)
        finally:
            process.kill()
            process.wait()
