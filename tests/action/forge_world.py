"""A repository on the GitHub emulator with the parcels world in it, and runs of the Action."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import github_events
from github_repository import BareRepository
from github_server import WORKFLOW_TOKEN, GitHubServer
from provider import FakeProvider
from world import PROMPT, PROMPT_SOURCE, answer, parcels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from provider import Request

GOOD = PROMPT_SOURCE.replace(
    "Name the code of the parcel.",
    "Name the code of the parcel. rule-0 rule-1 rule-2 rule-3",
).encode()
HALF = PROMPT_SOURCE.replace(
    "Name the code of the parcel.", "Name the code of the parcel. rule-0 rule-1"
).encode()
KEY = "sk-test-0123456789abcdef"
HELD_OUT_TEXT = "topic-"
"""Stands in every letter of the suite, and in nothing that may be posted."""
_OUTPUT = re.compile(r"^([\w-]+)<<(\w+)\n(.*?)\n\2$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run of the Action ended."""

    code: int
    log: str
    outputs: Mapping[str, str]
    summary: str
    folder: Path

    @property
    def posted(self) -> dict[str, Any]:
        """What a posting half may read."""
        path = self.folder / "gepa-ci" / "posted" / "posted.json"
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    @property
    def result(self) -> dict[str, Any]:
        """The result file."""
        found: dict[str, Any] = json.loads((self.folder / "gepa-ci" / "result.json").read_text())
        return found


@dataclass(kw_only=True)
class ForgeWorld:
    """The emulator, the provider, and a place for clones."""

    folder: Path
    server: GitHubServer
    provider: FakeProvider
    git: BareRepository
    runs: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    """What the runs have in their environment besides."""
    prepare: Callable[[Path], object] = lambda _: None
    """Changes a checkout before its run."""

    def run(
        self,
        event: str,
        payload: Mapping[str, Any],
        *,
        ref: str = "refs/heads/main",
        depth: int = 1,
        token: str = WORKFLOW_TOKEN,
        state: Path | None = None,
        **inputs: str,
    ) -> Ended:
        """Check a ref out as actions/checkout does, and run the Action for an event."""
        process, folder = self.start(
            event, payload, ref=ref, depth=depth, token=token, state=state, **inputs
        )
        log, _ = process.communicate(timeout=100)
        return self.ended(process.returncode, log, folder)

    def start(
        self,
        event: str,
        payload: Mapping[str, Any],
        *,
        ref: str = "refs/heads/main",
        depth: int = 1,
        token: str = WORKFLOW_TOKEN,
        state: Path | None = None,
        **inputs: str,
    ) -> tuple[subprocess.Popen[str], Path]:
        """Start a run and return its process and folder."""
        self.runs += 1
        folder = self.folder / f"run-{self.runs}"
        tree = folder / "checkout"
        folder.mkdir(parents=True)
        _git(folder, "init", "--quiet", str(tree))
        _git(tree, "fetch", "--quiet", f"--depth={depth}", self.git.path.as_uri(), ref)
        _git(tree, "checkout", "--quiet", "--detach", "FETCH_HEAD")
        (folder / "event.json").write_text(json.dumps(payload), encoding="utf-8")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": os.pathsep.join(sys.path),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(tree),
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(folder / "event.json"),
            "GITHUB_REPOSITORY": self.server.name,
            "GITHUB_SERVER_URL": self.server.url,
            "GITHUB_API_URL": self.server.api_url,
            "GITHUB_REF": ref,
            "GITHUB_SHA": _git(tree, "rev-parse", "HEAD").strip(),
            "GITHUB_RUN_ID": str(4000 + self.runs),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "RUNNER_TEMP": str(folder),
            "OPENAI_API_KEY": KEY,
            "GEPA_CI_TOKEN": token,
            "GEPA_CI_INPUT_STATE": str(state or ""),
            **{f"GEPA_CI_INPUT_{name.upper()}": value for name, value in inputs.items()},
            **self.environment,
        }
        self.prepare(tree)
        environment |= {
            name: os.environ[name]
            for name in ("COVERAGE_PROCESS_CONFIG", "PYTHONDONTWRITEBYTECODE")
            if name in os.environ
        }
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "gepa_ci", "action"],
            cwd=tree,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return process, folder

    def ended(self, code: int, log: str, folder: Path) -> Ended:
        """Read what a run left behind; whatever it was, its log shows and commands nothing."""
        _demand_harmless(log, (KEY, *self.server.world.tokens))
        output, summary = folder / "output", folder / "summary"
        written = output.read_text() if output.exists() else ""
        return Ended(
            code=code,
            log=log,
            outputs={name: value for name, _, value in _OUTPUT.findall(written)},
            summary=summary.read_text() if summary.exists() else "",
            folder=folder,
        )

    def pull(
        self,
        prompt: bytes | None = None,
        *,
        branch: str = "change",
        files: Mapping[str, bytes | None] | None = None,
        **more: Any,
    ) -> int:
        """Open a pull request that changes the prompt or other files, and return its number."""
        if branch not in self.git.branches():
            self.git.git("branch", branch, "main")
        changed = {} if prompt is None else {PROMPT: prompt}
        # Equal commits would have equal shas, and a check run stands on a sha.
        self.git.commit(branch, {**changed, **(files or {})}, message=f"Change {branch}")
        return int(self.server.open_pull(head=branch, base="main", **more)["number"])

    def fork(self, prompt: bytes) -> int:
        """Open a pull request out of a fork that changes the prompt, and return its number."""
        self.git.git("branch", "theirs", "main")
        number = len(self.server.pulls) + 1
        head = self.git.commit("theirs", {PROMPT: prompt}, message=f"Change {number}")
        self.git.git("branch", "-D", "theirs")
        return int(self.server.open_fork_pull(head)["number"])

    def gate(self, number: int, action: str = "synchronize", **more: Any) -> Ended:
        """Run the Action for a pull request's event, on GitHub's test merge of it."""
        keys = {"ref": self.merge_ref(number), **more}
        return self.run(
            "pull_request", github_events.pull_request(self.server, number, action), **keys
        )

    def head(self, branch: str = "change") -> str:
        """Return the commit that a branch is at."""
        return self.git.branches()[branch]

    def check(self, sha: str) -> dict[str, Any]:
        """Return the only check run of a commit, flat, with its annotations."""
        (row,) = self.server.checks(sha)
        return {**row, **row["output"], "annotations": row["annotations"]}

    def comment(self, number: int) -> str:
        """Return the body of the only comment on a pull request."""
        (row,) = self.server.comments(number)
        body: str = row["body"]
        return body

    def merge_ref(self, number: int) -> str:
        """Make GitHub's test merge of a pull request and return its ref."""
        with self.server.world.lock:
            self.server.world.sync()
        head = self.git.sha(f"refs/pull/{number}/head")
        assert head is not None
        base = self.git.branches()["main"]
        tree = self.git.text("merge-tree", "--write-tree", base, head)
        sha = self.git.text(
            *("-c", "user.name=GitHub", "-c", "user.email=noreply@github.com"),
            *("commit-tree", tree, "-p", base, "-p", head, "-m", "Merge"),
        )
        self.git.git("update-ref", f"refs/pull/{number}/merge", sha)
        return f"refs/pull/{number}/merge"


@contextmanager
def forge_world(
    folder: Path,
    respond: Callable[[Request], str] = answer,
    *,
    prompt: bytes = PROMPT_SOURCE.encode(),
    below: str = "",
    **keys: Any,
) -> Iterator[ForgeWorld]:
    """Run the emulator with a repository that gates and optimizes the parcels' prompt.

    `prompt` is the base's, and `below` the folder of all files, with a slash at its end.
    """
    with FakeProvider(respond) as provider:
        # Scores that the tests know are those of all examples.
        task = keys.pop("task", {})
        task = {**task, "gate": {"sequential": False, **task.get("gate", {})}}
        tree = parcels(folder / "start", provider, task=task, **{"held_out": 40, **keys})
        (tree / PROMPT).write_bytes(prompt)
        files = {
            f"{below}{path.name}": path.read_bytes() for path in tree.iterdir() if path.is_file()
        }
        git = BareRepository.create(folder / "name.git", files)
        with GitHubServer(git) as server:
            yield ForgeWorld(folder=folder, server=server, provider=provider, git=git, files=files)


def _demand_harmless(log: str, secrets: tuple[str, ...]) -> None:
    """Raise if a log has a secret, a traceback or a command to the runner."""
    # The runner obeys lines that start with `::` after blanks, and `##[` anywhere.
    commands = [line for line in log.splitlines() if line.lstrip().startswith("::")]
    found = [secret for secret in secrets if secret in log]
    assert not commands + found, log
    assert "Traceback" not in log, log
    assert "##[" not in log, log


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout
