"""Plants canaries in a world with a forge: files, requests and texts that only an attack makes."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

import github_events as events
from forge_world import GOOD, KEY
from github_repository import BOT
from github_server import WORKFLOW_TOKEN
from world import CONFIG, PROMPT, PROMPT_SOURCE

from gepa_ci.delivery.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from forge_world import Ended, ForgeWorld

BASE = PROMPT_SOURCE.encode()
_FENCED = re.compile(
    r"^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?^ {0,3}\1[`~]*[ ]*$", re.DOTALL | re.MULTILINE
)
_CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)")
_OBEYED = re.compile(r"^\s*::|##\[", re.MULTILINE)
_ALIVE = re.compile(
    r"@[A-Za-z0-9]|(?<![&\w])#[0-9]|<(?:img|script|a|!--)\b|https?://evil|!\[|(?<!\\)\]\((?!http://127\.0\.0\.1:)|[\u202a-\u202e]"
    r"|\bGH-[0-9]"
)


@dataclass(slots=True)
class Listener:
    """A server on loopback that remembers who came: a request in it is a canary that fired."""

    heard: list[str] = field(default_factory=list)
    _server: ThreadingHTTPServer = field(init=False)
    _thread: threading.Thread = field(init=False)

    def __enter__(self) -> Self:
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size).decode(errors="replace")
                heard.append(f"{self.requestline}\n{self.headers}\n{body}")
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST = do_CONNECT = answer  # noqa: N815 - names of http.server

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"


def call_home(listener: Listener, name: str) -> str:
    """Return Python that tells the listener."""
    call = f"u.urlopen('{listener.url}/{name}', timeout=5)"
    return f"import urllib.request as u\ntry:\n {call}\nexcept OSError: pass\n"


def gated(world: ForgeWorld, number: int, **inputs: Any) -> Ended:
    """Gate a pull request."""
    return world.run(
        "pull_request",
        events.pull_request(world.server, number),
        ref=world.merge_ref(number),
        **inputs,
    )


def changed_config(world: ForgeWorld, **keys: Any) -> bytes:
    """Return the world's config with some keys replaced; a key of a task by `parcels__KEY`."""
    config = json.loads(world.files[CONFIG])
    for key, value in keys.items():
        if key.startswith("parcels__"):
            config["tasks"]["parcels"][key.removeprefix("parcels__")] = value
        else:
            config[key] = value
    return json.dumps(config).encode()


def set_base(world: ForgeWorld, files: Mapping[str, bytes | None]) -> None:
    """Put files on the default branch."""
    world.git.commit("main", files)
    world.files.update({name: content for name, content in files.items() if content is not None})


def propose(world: ForgeWorld, files: Mapping[str, bytes | None], *, branch: str = "change") -> int:
    """Open a pull request of a person who can push branches, which changes these files."""
    if branch not in world.git.branches():
        world.git.git("branch", branch, "main")
    world.git.commit(branch, files)
    return int(world.server.open_pull(head=branch, base="main", login="mallory")["number"])


def propose_link(world: ForgeWorld, path: str, target: str) -> int:
    """Open a pull request that makes a file a symbolic link."""
    git = world.git
    tip = git.branches()["main"]
    entry = {"path": path, "mode": "120000", "sha": git.put_blob(target.encode())}
    tree = git.put_tree(git.text("rev-parse", f"{tip}^{{tree}}"), [entry])
    git.git("update-ref", "refs/heads/link", git.put_commit("Link", tree, [tip], author=BOT))
    return int(world.server.open_pull(head="link", base="main", login="mallory")["number"])


def posted(world: ForgeWorld) -> str:
    """Return all that GitHub was ever given by us, as text."""
    return "\n".join(
        json.dumps(request.body, ensure_ascii=False, default=str)
        for request in world.server.requests
    )


def shown(world: ForgeWorld, ended: Ended) -> list[str]:
    """Return every Markdown that people see of a run: comments, checks, bodies, the summary."""
    texts = [row["body"] for row in world.server.world.comments if row["user"]["type"] == "Bot"]
    texts += [row["body"] for row in world.server.world.review_comments]
    texts += [pull["body"] or "" for pull in world.server.pulls]
    for check in world.server.world.checks:
        texts += [check["output"]["summary"], check["output"].get("text") or ""]
    return [*texts, ended.summary]


def alive(markdown: str) -> list[str]:
    """Return what GitHub would act on in Markdown: mentions, references, pictures, hidden text."""
    own = re.sub(r"\A(?:<!-- gepa-ci:[^\n]*? -->\n?)+", "", markdown)
    outside = _CODE.sub("", _FENCED.sub("", own))
    return _ALIVE.findall(outside)


def commands(log: str) -> list[str]:
    """Return what the runner would take for an order in a log."""
    return _OBEYED.findall(log)


def leaks(world: ForgeWorld, ended: Ended) -> list[str]:
    """Return where the key or the token turned up: files, log, requests to the wrong server."""
    redactor = Redactor({"key": KEY, "token": WORKFLOW_TOKEN})
    found = [
        str(path)
        for path, text in _files(ended.folder)
        if path.name != "event.json" and redactor(text) != text
    ]
    found += ["log"] if redactor(ended.log) != ended.log else []
    key, token = Redactor({"key": KEY}), Redactor({"token": WORKFLOW_TOKEN})
    found += ["posted"] if redactor(posted(world)) != posted(world) else []
    for asked in world.server.requests:
        text = f"{asked.path} {dict(asked.headers)}"
        found += [asked.path] if key(text) != text else []
    for sent in world.provider.requests:
        text = f"{sent.path} {dict(sent.headers)} {sent.raw.decode()}"
        found += [sent.path] if token(text) != text else []
        found += ["body"] if key(sent.raw.decode()) != sent.raw.decode() else []
    return found


def better(rules: int) -> bytes:
    """Return the prompt with so many of its four rules."""
    words = " ".join(f"rule-{number}" for number in range(rules))
    return BASE.replace(b"the parcel.", f"the parcel. {words}".encode())


def worse_than_good() -> bytes:
    """Return a prompt that loses what the good one has."""
    return GOOD.replace(b" rule-0 rule-1 rule-2 rule-3", b" Score 1.0.")


def prompt_of(world: ForgeWorld, branch: str) -> bytes:
    """Return the prompt on a branch."""
    return world.git.git("show", f"{branch}:{PROMPT}")


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes().decode("utf-8", "replace")
