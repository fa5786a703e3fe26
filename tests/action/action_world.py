"""A repository on the emulated GitHub with a prompt worth gating, and runs of its workflows."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from act import PROJECT, Ran, Runner

from gepa_ci.cli.starter import workflow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from github_repository import BareRepository
    from github_server import GitHubServer
    from provider import Request

KEY = "sk-canary-0123456789"
PROMPT = "Say the word: {{ text }}\n"
WORSE = "Say another word than: {{ text }}\n"
WRITER = "mock-writer"
COUNT = 80
"""Examples; about 64 of them are held out."""


def config(url: str, more: str = "") -> str:
    """Return the config of one task, which a provider on this machine answers."""
    return f"""\
version: 1
models:
  task: {{model: openai/mock, api_base: "{url}", retries: 0, price: {{input: 1, output: 1}}}}
  reflection: {{model: openai/{WRITER}, api_base: "{url}", price: {{input: 1, output: 1}}}}
tasks:
  echo:
    prompts: [prompts/p.md]
    suite: {{file: prompts/s.jsonl, split: {{train: 0.1, val: 0.1, held_out: 0.8}}}}
    metric: exact_match
    gate: {{trials: 1, margin: 0.1}}
    optimize: {{max_metric_calls: 60, proposals: 1}}
{more}"""


def files(url: str, *, prompt: str = PROMPT, more: str = "") -> dict[str, bytes]:
    """Return a repository's files."""
    rows = (
        {"id": f"e{i}", "inputs": {"text": f"word{i}"}, "expected": f"word{i}"}
        for i in range(COUNT)
    )
    return {
        "gepa-ci.yml": config(url, more).encode(),
        "prompts/p.md": prompt.encode(),
        "prompts/s.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode(),
        "README.md": b"# A repository\n",
    }


def answer(request: Request) -> str:
    """Answer rightly to the good prompt, wrongly to the worse one, and rewrite that to this."""
    if request.model == WRITER:
        return f"```\n{PROMPT}```"
    word = request.text.split()[-1]
    return "nothing" if "another" in request.text else word


@dataclass(frozen=True, kw_only=True)
class World:
    """The emulated GitHub with one repository, and one runner."""

    server: GitHubServer
    runner: Runner
    folder: Path

    @property
    def git(self) -> BareRepository:
        """The repository behind the server."""
        return self.server.world.git

    def head(self, branch: str, files: Mapping[str, bytes | None]) -> str:
        """Commit to a branch that starts at main."""
        return self.git.commit(
            branch, files, parent=self.git.sha(f"refs/heads/{branch}") or self.git.sha("main")
        )

    def merged(self, branch: str) -> str:
        """Make the merge that a `pull_request` run checks out, and return its ref."""
        head, base = self.git.sha(f"refs/heads/{branch}"), self.git.sha("refs/heads/main")
        assert head is not None
        assert base is not None
        tree = self.git.text("merge-tree", "--write-tree", base, head)
        made = self.git.text(
            *("-c", "user.name=GitHub", "-c", "user.email=noreply@github.com"),
            *("commit-tree", tree, "-p", base, "-p", head, "-m", f"Merge {head} into {base}"),
        )
        ref = f"refs/pull/{branch}/merge"
        self.git.git("update-ref", ref, made)
        return ref

    def run(
        self,
        name: str,
        event: str,
        payload: dict[str, Any],
        *,
        checkout: str = "refs/heads/main",
        change: Callable[[str], str] = str,
    ) -> Ran:
        """Run a workflow that `init` writes."""
        path = self.folder / name
        path.write_text(change(workflow(name).decode()), encoding="utf-8")
        return self.runner.run(path, event, payload, checkout=checkout)

    def with_runner(self, **changes: Any) -> World:
        """Return the same GitHub with another runner."""
        folder = self.folder / "another"
        return replace(self, runner=replace(self.runner, folder=folder, **changes))

    def run_own(
        self, name: str, event: str, payload: dict[str, Any], *, checkout: str = "refs/heads/main"
    ) -> Ran:
        """Run a workflow of this project's own repository."""
        path = PROJECT / ".github" / "workflows" / name
        return self.runner.run(path, event, payload, checkout=checkout)
