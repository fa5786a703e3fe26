"""A small repository, a world with hidden rules that only a reflection LM can find, and the CLI."""

from __future__ import annotations

import contextlib
import io
import json
import random
import re
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gepa_ci.cli import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from provider import FakeProvider, Request

CONFIG = "gepa-ci.yml"
PROMPT = "kind.prompt.yml"
BASELINE = "Name the code of the parcel."
REFLECTION = "reflection"
TOPICS = 4
PROMPT_SOURCE = f"""\
# The parcels' codes.
messages:
  - role: system
    content: {BASELINE}
  # The letter as it came in.
  - role: user
    content: '{{{{input}}}}'
"""
_FIRST = ("amber", "oak", "river", "stone", "wind", "cloud", "silver")
_SECOND = ("arrow", "bridge", "candle", "door", "engine", "forest", "garden", "hammer", "island")
_WORDS = tuple(first + second for first in _FIRST for second in _SECOND)
_TOPIC = re.compile(r"topic-(\d)")
_CURRENT = re.compile(r"<current_text>\n(.*?)\n</current_text>", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a command ended."""

    code: int
    out: str
    err: str
    result: dict[str, Any] = field(default_factory=dict)
    """The result file; empty when none was written."""

    @property
    def task(self) -> dict[str, Any]:
        """The result of the only task."""
        (task,) = self.result["tasks"]
        found: dict[str, Any] = task
        return found

    @property
    def said(self) -> str:
        return self.out + self.err


def command(root: Path, *arguments: str) -> Run:
    """Run a command on a repository, in this process."""
    return plain_command(*arguments, "--config", str(root / CONFIG))


def plain_command(*arguments: str) -> Run:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(list(arguments))
    return Run(code=code, out=out.getvalue(), err=err.getvalue())


def job(root: Path, *arguments: str) -> Run:
    """Run evaluate, gate or optimize in this process and read its result file."""
    output = root.parent / f"{root.name}-result.json"
    output.unlink(missing_ok=True)
    ended = command(root, *arguments, "--output", str(output))
    result = json.loads(output.read_text()) if output.exists() else {}
    return Run(code=ended.code, out=ended.out, err=ended.err, result=result)


def process(root: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a command as a user does, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "gepa_ci", *arguments, "--config", str(root / CONFIG)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def examples(name: str, count: int) -> list[dict[str, Any]]:
    """Return letters of 13 words, each about one of the topics in turn."""
    draw = random.Random(name)
    return [
        {
            "id": f"{name}-{number}",
            "inputs": {"input": f"{' '.join(draw.sample(_WORDS, 12))} topic-{number % TOPICS}"},
            "expected": f"code-{number % TOPICS}",
        }
        for number in range(count)
    ]


def models(provider: FakeProvider, **task: Any) -> dict[str, Any]:
    """Return task and reflection LM on a provider."""
    common = {"api_base": provider.url, "timeout": 20, **task}
    return {
        "task": {"model": "openai/task", "temperature": 0, **common},
        "reflection": {"model": f"openai/{REFLECTION}", **common},
    }


def write_config(root: Path, **keys: Any) -> None:
    """Write a config; JSON is YAML too."""
    (root / CONFIG).write_text(json.dumps({"version": 1, **keys}), encoding="utf-8")


def write_parts(root: Path, **sizes: int) -> dict[str, str]:
    """Write a file for each part and return the config's `suite`."""
    for part, count in sizes.items():
        lines = [json.dumps(example) for example in examples(part, count)]
        (root / f"{part}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {part: f"{part}.jsonl" for part in sizes}


def parcels(
    root: Path,
    provider: FakeProvider,
    *,
    train: int = 8,
    val: int = 8,
    held_out: int = 12,
    task: Mapping[str, Any] | None = None,
    model: Mapping[str, Any] | None = None,
    optimize: Mapping[str, Any] | None = None,
    **keys: Any,
) -> Path:
    """Write the world with hidden rules and return its root."""
    root.mkdir(parents=True, exist_ok=True)
    (root / PROMPT).write_text(PROMPT_SOURCE, encoding="utf-8")
    the_task = {
        "prompts": [PROMPT],
        "suite": write_parts(root, train=train, val=val, held_out=held_out),
        "metric": "exact_match",
        "optimize": {"max_metric_calls": 120, "proposals": 2, **(optimize or {})},
        **(task or {}),
    }
    write_config(
        root, models=models(provider, **(model or {})), tasks={"parcels": the_task}, **keys
    )
    return root


def commit(root: Path, message: str = "Change") -> None:
    """Commit everything but the state folder."""
    if not (root / ".git").exists():
        git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)


def git(root: Path, *arguments: str) -> str:
    """Run git in a repository."""
    done = subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, encoding="utf-8"
    )
    return done.stdout


def is_reflection(request: Request) -> bool:
    """Say whether a request is for the reflection LM."""
    return request.model == REFLECTION


def answer(request: Request) -> str:
    """Answer as both models: codes follow the rules in the prompt; reflection finds one rule."""
    return reflect(request.text) if is_reflection(request) else code_of(request)


def code_of(request: Request) -> str:
    """Name the code of a letter whose rule stands in the system message."""
    topic = _TOPIC.findall(request.messages[-1]["content"])[-1]
    known = f"rule-{topic}" in request.messages[0]["content"]
    return f"code-{topic}" if known else "unknown"


def solve(request: Request) -> str:
    """Answer every letter rightly, whatever the prompt says."""
    return f"code-{_TOPIC.findall(request.text)[-1]}"


def reflect(text: str) -> str:
    """Add the rule of the first example that lost points."""
    current = _CURRENT.search(text)
    if current is None:
        return "ready"
    shown = text.split("## Example\n")[1:]
    lost = [_TOPIC.findall(example)[0] for example in shown if "### Score\n0\n" in example]
    rules = "".join(f" Obey rule-{topic}." for topic in lost[:1])
    return fenced(f"{current[1]}{rules}")


def fenced(text: str) -> str:
    """Return what a reflection LM says around a new text."""
    return f"Diagnosis\nRules are missing.\n\n`````text\n{text}\n`````\n"


def requests(provider: FakeProvider, *, reflection: bool) -> list[Request]:
    """Return the requests to one of the two models."""
    return [r for r in provider.requests if is_reflection(r) == reflection]


def spend_of(run: Run) -> tuple[int, int, int]:
    """Return calls, input tokens and output tokens that a result states."""
    spend = run.result["spend"]
    return spend["calls"], spend["input_tokens"], spend["output_tokens"]


def counted(provider: FakeProvider) -> tuple[int, int, int]:
    """Return calls, input tokens and output tokens that a provider has counted."""
    return provider.calls, provider.usage.prompt_tokens, provider.usage.completion_tokens


def rules_in(text: str) -> Sequence[str]:
    """Return the rules that a prompt states, sorted."""
    return sorted(set(re.findall(r"rule-\d", text)))
