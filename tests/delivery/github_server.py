"""Owns a strict emulator of GitHub on loopback: its REST API and git over HTTP, on one port.

In a test:

    repository = BareRepository.create(tmp_path / "name.git", {"a.txt": b"1"})  # github_repository
    with GitHubServer(repository) as server:
        server.url       # http://127.0.0.1:PORT     -> GITHUB_SERVER_URL
        server.api_url   # http://127.0.0.1:PORT/api/v3  -> GITHUB_API_URL
        server.name      # owner/name                -> GITHUB_REPOSITORY
        server.clone_url # http://127.0.0.1:PORT/owner/name.git; Basic x-access-token:TOKEN
        WORKFLOW_TOKEN   # all permissions, as github-actions[bot]; GET /user is 403 for it
        server.add_token("t", permissions={"contents": "read"})        # a workflow's, with less
        server.add_token("p", login="ann", app=None)                   # a person's (no checks!)
        server.world.roles["ann"] = "admin"                            # who may what

Refs, commits, trees, diffs are real git, so a push shows in the API and the other way round;
`repository.commit("branch", {"a.txt": b"2"})` makes a commit with no client at all.

    server.open_pull(head="branch", base="main", login="ann")          # as a person would
    server.open_fork_pull(head_sha, login="eve")                       # head in another repository
    server.merge(number, squash=True); server.world.pull(number)["state"] = "closed"
    server.comment(number, login="ann", body="hello")
    server.add_run(...); server.add_artifact(run_id, "name", zip_bytes)
    server.world.protected.add("main")              # pushes and ref updates are refused
    server.world.may_actions_open_pulls = False     # the switch in the settings
    server.world.is_private = False

What can be asked: `server.pulls`, `server.comments(number)`, `server.checks(sha)`,
`server.statuses(sha)`, `server.review_comments(number)` (rows as GitHub's JSON has them; their
annotations are in `row["annotations"]`), `server.requests` (everything that came), and
`server.writes` (what of it changed something, pushes that moved a ref included).

What can go wrong on purpose:

    server.fail_next("POST", r"/pulls$", status=502, times=2)       # paths without /api/v3
    server.fail_next("POST", r"git-receive-pack", done_first=True)  # done, and the answer is lost
    server.fail_next("GET", r".", status=0)     # the connection is dropped; git's client then
                                                # tries once more by itself, so give it a 502
    server.fail_next("*", r".", every=7, times=99)
    server.limit_primary(reset_in=1); server.limit_secondary(retry_after=1)
    server.kill_after(2, process.kill)   # called after the 2nd write; its answer is never sent
    server.on_write(callback)            # called with each `Request` that changed something

An endpoint that breaks answers 500 and fails the test when the server ends.

As a process of its own (prints its URL, ends on SIGTERM, keeps what it knows in the file):

    python github_server.py --git name.git --repository owner/name --state-file state.json
"""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from git_http import GitCall, answer, path_below, write_hooks
from github_arranging import Arranging
from github_faults import Faults
from github_http import PREFIX, HttpFront, answer_api, parsed
from github_model import BOT_ID, BOT_LOGIN, Reply, Request, Row, Token, World
from github_repository import BareRepository

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

WORKFLOW_TOKEN = "ghs_workflow"
_SAVED = (
    *("users", "roles", "pulls", "comments", "review_comments", "reactions", "checks"),
    *("statuses", "runs", "artifacts", "may_actions_open_pulls", "is_private"),
)


class GitHubServer(Arranging, Faults):
    """The emulator; use it as a context manager.

    Args:
        git: the repository behind it.
        name: `owner/name`.
        port: where to listen; 0 takes a free one.
        state_file: where to keep what is known, for a server that outlives its process.
    """

    def __init__(
        self,
        git: BareRepository,
        *,
        name: str = "owner/name",
        port: int = 0,
        state_file: Path | None = None,
    ) -> None:
        super().__init__()
        self.world = World(name=name, git=git)
        self.world.users[BOT_LOGIN] = BOT_ID
        self.world.tokens[WORKFLOW_TOKEN] = Token()
        self.requests: list[Request] = []
        self.broken: list[BaseException] = []
        self._state_file = state_file
        self._on_write: list[Callable[[Request], None]] = []
        self._kills: list[tuple[int, Callable[[], object]]] = []
        self._port = port
        if state_file is not None and state_file.exists():
            saved = json.loads(state_file.read_text(encoding="utf-8"))
            for key in _SAVED:
                setattr(self.world, key, saved[key])
            self.world.last_id = saved["last_id"]

    def __enter__(self) -> Self:
        """Start to listen."""
        self._folder = tempfile.TemporaryDirectory(prefix="github-server-")
        write_hooks(Path(self._folder.name))
        self._server = HttpFront(self._port, self.handle)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="github-server"
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and raise what an endpoint raised."""
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()
        self._folder.cleanup()
        if kind is None and (broken := [*self.broken, *self._server.broken]):
            raise broken[0]

    @property
    def name(self) -> str:
        """`owner/name`."""
        return self.world.name

    @property
    def url(self) -> str:
        """What GITHUB_SERVER_URL says."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def api_url(self) -> str:
        """What GITHUB_API_URL says."""
        return self.url + PREFIX

    @property
    def clone_url(self) -> str:
        """Where git clones from."""
        return f"{self.url}/{self.name}.git"

    @property
    def writes(self) -> list[Request]:
        """The requests that changed something."""
        return [request for request in self.requests if request.is_write]

    def on_write(self, callback: Callable[[Request], None]) -> None:
        """Call back after everything that changes something, before it is answered."""
        self._on_write.append(callback)

    def kill_after(self, writes: int, callback: Callable[[], object]) -> None:
        """Call back after so many more writes; the last one's answer is never sent."""
        self._kills.append((len(self.writes) + writes, callback))

    # Answering.

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer one request and remember it."""
        short = target.removeprefix(PREFIX)
        fault = self.due_fault(method, short)
        if fault is None:
            reply, noted = self._answer(method, target, headers, body)
            seen = reply
        elif fault.is_done_first:
            seen, noted = self._answer(method, target, headers, body)
            reply = fault.reply
        else:
            reply = seen = fault.reply
            noted = parsed(body)
        request = Request(
            method=method, path=short, body=noted, status=seen.status, headers=headers
        )
        return self._note(request, reply)

    def _note(self, request: Request, reply: Reply) -> Reply:
        with self.world.lock:
            self.requests.append(request)
            done = len(self.writes)
            due = [kill for at, kill in self._kills if request.is_write and done >= at]
            self._kills = [(at, kill) for at, kill in self._kills if kill not in due]
            self._save()
        if request.is_write:
            for callback in self._on_write:
                callback(request)
        for kill in due:
            kill()
        return Reply(is_dropped=True) if due else reply

    def _answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[Reply, Any]:
        path, _, query = target.partition("?")
        below = path_below(self.name, path)
        try:
            with self.world.lock:
                if path.startswith(f"{PREFIX}/"):
                    short = target.removeprefix(PREFIX)
                    reply = answer_api(self.world, self.url, method, short, headers, body)
                    return reply, parsed(body)
                if path.startswith("/_blob/"):
                    return self._blob(path, headers), None
                if below is not None:
                    call = GitCall(
                        method=method, path=below, query=query, headers=headers, body=body
                    )
                    return self._git(call)
        except Exception as error:  # noqa: BLE001 - the test raises it again when it ends
            self.broken.append(error)
            return Reply(status=500, data={"message": f"emulator: {error!r}"}), parsed(body)
        return Reply(status=404, data={"message": "Not Found"}), parsed(body)

    def _git(self, call: GitCall) -> tuple[Reply, Any]:
        before = self.world.git.branches()
        reply = answer(self.world, Path(self._folder.name), call)
        after = self.world.git.branches() if call.is_push else before
        names = before.keys() | after.keys()
        moved = {name: after.get(name) for name in names if before.get(name) != after.get(name)}
        if moved:
            self.world.sync()
        return reply, moved or None

    def _blob(self, path: str, headers: Mapping[str, str]) -> Reply:
        # The store behind GitHub refuses tokens that are not its own.
        if "authorization" in headers:
            return Reply(status=400, data=b"InvalidAuthenticationInfo")
        content = self.world.blobs.get(int(path.rpartition("/")[2]))
        if content is None:
            return Reply(status=404, data=b"BlobNotFound")
        return Reply(data=content, headers={"Content-Type": "application/zip"})

    def _save(self) -> None:
        if self._state_file is None:
            return
        saved: Row = {key: getattr(self.world, key) for key in _SAVED}
        saved["last_id"] = self.world.last_id
        saved["requests"] = [
            {"method": request.method, "path": request.path, "status": request.status}
            for request in self.requests
        ]
        new = self._state_file.with_name(f"{self._state_file.name}.new")
        new.write_text(json.dumps(saved, indent=1), encoding="utf-8")
        new.replace(self._state_file)


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description="A strict emulator of GitHub on loopback.")
    parser.add_argument("--git", type=Path, required=True, help="bare repository")
    parser.add_argument("--repository", default="owner/name", help="owner/name")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state-file", type=Path)
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server = GitHubServer(
        BareRepository(options.git),
        name=options.repository,
        port=options.port,
        state_file=options.state_file,
    )
    with server:
        print(server.url, flush=True)  # noqa: T201 - what a caller reads
        ended.wait()


if __name__ == "__main__":
    main()
