"""Runs a workflow for real with act, on this machine and off the network, and says what came of it.

What act does differently from a real runner, as far as these tests could tell: it sets INPUT_* in
the steps of a composite action, ignores `permissions:` (give the run a token that has them), takes
GITHUB_SHA from the checkout, and has no limits of size.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from github_server import GitHubServer

PROJECT = Path(__file__).parents[2]
ACT = Path(sys.executable).with_name("act")
PUBLISHED = "gepa-ci/gepa-ci@v0"
"""How a user's workflow names the action."""

_OF_ACTION = ("action", "gepa_ci", "prompts", "requirements")
_TOKEN = "ghs_workflow"
_TIMEOUT = 100
_USES = re.compile(r"uses: (actions/[\w-]+)(?:/\w+)?@(\w+)")
_EXIT = re.compile(r"exit status (\d+)")
_STUBS = {
    # The folder stands for the service behind the action; what is saved later is newer.
    "cache/restore": """\
name: Restore
inputs: {path: {required: true}, key: {required: true}, restore-keys: {default: ""}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {WHERE: "${{ inputs.path }}"}
      run: |
        if [ -d "$STUBS/cache" ]; then mkdir -p "$WHERE"; cp -R "$STUBS/cache/." "$WHERE"; fi
""",
    "cache/save": """\
name: Save
inputs: {path: {required: true}, key: {required: true}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {WHERE: "${{ inputs.path }}"}
      run: |
        if [ -d "$WHERE" ]; then rm -rf "$STUBS/cache"; cp -R "$WHERE" "$STUBS/cache"; fi
""",
    "upload-artifact": """\
name: Upload
inputs:
  name: {required: true}
  path: {required: true}
  if-no-files-found: {default: warn}
  retention-days: {default: ""}
runs:
  using: composite
  steps:
    - shell: bash
      env: {NAME: "${{ inputs.name }}", WHERE: "${{ inputs.path }}"}
      run: |
        mkdir -p "$STUBS/artifacts/$NAME"
        if [ -e "$WHERE" ]; then cp "$WHERE" "$STUBS/artifacts/$NAME"; fi
""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a job, in the order in which they ended."""

    job: str
    name: str
    result: str
    """success, failure or skipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of a workflow."""

    code: int
    """0 when every job succeeded."""
    jobs: Mapping[str, str]
    """Result of each job that ran, by its id."""
    steps: tuple[Step, ...]
    outputs: Mapping[str, str]
    """Of all steps of gepa-ci, by name."""
    summary: str
    log: str
    """Everything that the steps printed."""
    exit_codes: tuple[int, ...]
    """Of the steps of gepa-ci that failed."""

    def result_of(self, step: str) -> str:
        """Return how the step of that name ended; empty when it did not run."""
        found = [one.result for one in self.steps if one.name == step]
        return found[-1] if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """A machine on which workflows run; what it has in its folder outlives one run."""

    folder: Path
    server: GitHubServer
    env: Mapping[str, str] = field(default_factory=dict)
    """Further environment of every step."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    token: str = _TOKEN
    python: str | None = sys.executable
    """GEPA_CI_PYTHON; None lets the action install its packages."""

    def run(
        self,
        workflow: Path,
        event: str,
        payload: Mapping[str, Any],
        *,
        checkout: str = "refs/heads/main",
        start: Callable[[list[str], Mapping[str, str]], str] | None = None,
    ) -> Ran:
        """Check a commit of the server's repository out, and run a workflow file for an event.

        Args:
            workflow: The file; it does not have to be in the repository.
            event: Its name.
            payload: The event's file.
            checkout: What actions/checkout would check out.
            start: Runs act's command line in place of `subprocess`, and returns its output.
        """
        if shutil.which("git") is None or not ACT.exists():  # pragma: no cover - set-up is wrong
            raise AssertionError(f"git and {ACT} are needed")
        tree = self._check_out(checkout)
        event_file = self.folder / "event.json"
        event_file.write_text(json.dumps(payload), encoding="utf-8")
        command = [str(ACT), event, "--directory", str(tree), "--workflows", str(workflow)]
        command += ["--eventpath", str(event_file), "--json", "--no-cache-server"]
        command += ["--platform", "ubuntu-latest=-self-hosted", "--action-offline-mode"]
        command += ["--env-file", os.devnull, "--secret-file", os.devnull]
        command += ["--var-file", os.devnull, "--input-file", os.devnull, "--concurrent-jobs", "1"]
        for name, value in self._values(event, checkout, tree).items():
            command += ["--env", f"{name}={value}"]
        for name, value in {"GITHUB_TOKEN": self.token, **self.secrets}.items():
            command += ["--secret", f"{name}={value}"]
        for used in self._local(workflow.read_text(encoding="utf-8")):
            command += ["--local-repository", used]
        said = (start or _run)(command, self._environment())
        return _read(said)

    def artifact(self, name: str, file: str) -> bytes | None:
        """Return a file that a run uploaded."""
        path = self.folder / "stubs" / "artifacts" / name / file
        return path.read_bytes() if path.exists() else None

    def _check_out(self, ref: str) -> Path:
        """Make the working tree that actions/checkout makes, without its credentials."""
        tree = self.folder / "checkout"
        shutil.rmtree(tree, ignore_errors=True)
        bare = str(self.server.world.git.path)
        self._git(self.folder, "init", "--quiet", "--initial-branch=main", str(tree))
        everything = ["+refs/heads/*:refs/remotes/origin/*", f"+{ref}:refs/remotes/checked-out"]
        self._git(tree, "fetch", "--quiet", "--no-tags", bare, *everything)
        where = ["--detach"] if not ref.startswith("refs/heads/") else ["-B", Path(ref).name]
        self._git(tree, "checkout", "--quiet", *where, "refs/remotes/checked-out")
        self._git(tree, "remote", "add", "origin", self.server.clone_url.removesuffix(".git"))
        return tree

    def _git(self, folder: Path, *arguments: str) -> None:
        subprocess.run(
            ["git", *arguments],
            cwd=folder,
            check=True,
            capture_output=True,
            env={**self._environment(), "GIT_CONFIG_NOSYSTEM": "1"},
        )

    def _values(self, event: str, ref: str, tree: Path) -> dict[str, str]:
        """Return what the runner itself would tell the steps, where act does not know it."""
        found = {
            "GITHUB_REPOSITORY": self.server.name,
            "GITHUB_REPOSITORY_OWNER": self.server.name.partition("/")[0],
            "GITHUB_SERVER_URL": self.server.url,
            "GITHUB_API_URL": self.server.api_url,
            "GITHUB_RUN_ID": "4711",
            "STUBS": str(self.folder / "stubs"),
            **self.env,
        }
        if self.python is not None:
            found["GEPA_CI_PYTHON"] = self.python
        if event != "pull_request":
            found["GITHUB_REF"] = ref
        return found

    def _environment(self) -> dict[str, str]:
        """Return an environment of its own: host mode hands it on to the steps."""
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        kept = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START", "PYTHONDONTWRITEBYTECODE")
        return {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "LANG": "C.UTF-8",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            **{name: os.environ[name] for name in kept if name in os.environ},
        }

    def _local(self, workflow: str) -> list[str]:
        """Return folders for every action that a workflow uses, so that none is fetched."""
        stubs = self.folder / "stubs" / "actions"
        for name, content in _STUBS.items():
            path = stubs / name / "action.yml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        used = {
            f"{self.server.url}/{name}@{ref}={stubs.parent / name}"
            for name, ref in _USES.findall(workflow)
            if name != "actions/checkout"  # which act itself stands in for
        }
        return [*sorted(used), f"{self.server.url}/{PUBLISHED}={action_tree(self.folder)}"]


def action_tree(folder: Path) -> Path:
    """Return a folder with the files of the action and nothing else of this project."""
    tree = folder / "action-tree"
    tree.mkdir(parents=True, exist_ok=True)
    # act opens this one by a way that follows no link.
    shutil.copy(PROJECT / "action.yml", tree)
    for name in _OF_ACTION:
        if not (tree / name).is_symlink():
            (tree / name).symlink_to(PROJECT / name)
    return tree


def _run(command: list[str], environment: Mapping[str, str]) -> str:
    # In a group of its own, so that nothing that a step has started outlives a time-out.
    process = subprocess.Popen(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=_TIMEOUT)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return f'{said}\n{{"returncode": {process.returncode}}}'


def _read(said: str) -> Ran:
    events = []
    for line in said.splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            events.append({"msg": f"{line}\n", "raw_output": True})
    steps = [
        Step(job=row["jobID"], name=row["step"], result=row["stepResult"])
        for row in events
        if "stepResult" in row and row.get("stage") == "Main" and len(row["stepID"]) == 1
    ]
    return Ran(
        code=next(row["returncode"] for row in reversed(events) if "returncode" in row),
        jobs={row["jobID"]: row["jobResult"] for row in events if "jobResult" in row},
        steps=tuple(steps),
        outputs={
            row["name"]: row["arg"]
            for row in events
            if row.get("command") == "set-output" and len(row["stepID"]) > 1
        },
        summary="".join(
            row["content"]
            for row in events
            if row.get("command") == "summary" and len(row["stepID"]) > 1
        ),
        log="".join(row["msg"] for row in events if row.get("raw_output")),
        exit_codes=tuple(
            int(found[1])
            for row in events
            if len(row.get("stepID", ())) > 1 and (found := _EXIT.fullmatch(row["msg"]))
        ),
    )
