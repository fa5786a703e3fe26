"""A repository in a temporary folder, and the command line run in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gepa_ci.cli import run

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest
    from provider import Request

ROOT = Path(__file__).parents[2]

PROMPT = "Say the word: {{ text }}\n"
CONFIG = """\
version: 1
models:
  task: {{model: openai/mock, api_base: {url}, retries: 0}}
{extra}tasks:
  echo:
    prompts: [p.md]
    suite: {{file: s.jsonl, near_duplicates: 1}}
    metric: exact_match
{more}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command said and returned."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Return stdout, which must be one JSON document."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """A folder that is the working directory, and the command line in this process."""

    root: Path
    capsys: pytest.CaptureFixture[str]

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files by their paths."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def run(self, *arguments: str) -> Outcome:
        """Run one command."""
        self.capsys.readouterr()
        code = run(list(arguments))
        captured = self.capsys.readouterr()
        return Outcome(code=code, out=captured.out, err=captured.err)

    def git(self, *arguments: str) -> str:
        """Run git and return what it prints."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, message: str = "Change") -> str:
        """Commit everything and return the commit's name."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")


def task_files(
    url: str = "http://127.0.0.1:9/v1", *, count: int = 12, extra: str = "", more: str = ""
) -> dict[str, str]:
    """Return a config, a prompt and a suite whose answers are the words of the inputs."""
    return {
        "gepa-ci.yml": CONFIG.format(url=url, extra=extra, more=more),
        "p.md": PROMPT,
        "s.jsonl": rows(count),
    }


def rows(count: int) -> str:
    """Return examples whose answer is the word in their input."""
    found = (
        {"id": f"e{i}", "inputs": {"text": f"word{i}"}, "expected": f"word{i}"}
        for i in range(count)
    )
    return "".join(json.dumps(row) + "\n" for row in found)


def answer(request: Request) -> str:
    """Answer with the last word of the last message, which is right."""
    return str(request.messages[-1]["content"]).split()[-1]


def child_environment(**more: str) -> dict[str, str]:
    """Return the environment of a subprocess that runs the command line."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **more}


def child(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "gepa_ci", *arguments],
        cwd=cwd,
        env=child_environment(**more),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
