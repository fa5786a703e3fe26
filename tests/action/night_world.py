"""Nights of a repository: runs that share one provider, worlds that begin where another ended."""

from __future__ import annotations

import copy
import json
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import github_events as events
from forge_world import ForgeWorld
from github_model import Reply
from github_repository import BareRepository
from github_server import GitHubServer
from provider import FakeProvider, unauthorized
from world import answer, examples, fenced, is_reflection, parcels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from forge_world import Ended
    from provider import Request

DATA = "gepa-ci-data"
DEAD = "dead"
"""A model that nobody may call."""
_SAVED = ("pulls", "comments", "review_comments", "checks", "roles", "users", "last_id")
_CHANGING = (
    (re.compile(r"http://127\.0\.0\.1:\d+"), "URL"),
    (re.compile(r"/actions/runs/\d+"), "/actions/runs/N"),
    # Calls that are out at the same time are shared or not, as it happens.
    (re.compile(r"<details>\n<summary>Spend and method.*?</details>", re.DOTALL), "SPEND"),
    (re.compile(r"<sub>.*?</sub>", re.DOTALL), "SPENT"),
    (re.compile(r"^(?:\$[\d.]+|Dollars unknown) for [\d,]+ calls?.*? s\.", re.MULTILINE), "COST"),
    (re.compile(r"^No call was made.*? s\.", re.MULTILINE), "COST"),
)


@dataclass(slots=True)
class Minds:
    """Both models: the task LM follows the rules of the prompt, the reflection LM finds some."""

    verb: str = "Obey"
    """How the reflection LM words a rule."""
    rules: tuple[str, ...] = ("0", "1", "2", "3")
    """The rules that it can find."""

    def __call__(self, request: Request) -> str:
        """Answer a request."""
        if not is_reflection(request):
            return answer(request)
        current = re.search(r"<current_text>\n(.*?)\n</current_text>", request.text, re.DOTALL)
        if current is None:
            return "ready"
        shown = request.text.split("## Example\n")[1:]
        lost = [topic for one in shown if "### Score\n0\n" in one for topic in _topics(one)[:1]]
        found = [f" {self.verb} rule-{topic}." for topic in lost if topic in self.rules]
        return fenced(f"{current[1]}{''.join(found[:1])}")


class HookedServer(GitHubServer):
    """The emulator, with a hook on what only reads as well."""

    dying: tuple[int, Callable[[], object]] | None = None

    def kill_at(self, requests: int, kill: Callable[[], object]) -> None:
        """Call back at the request after so many more, which is neither done nor answered."""
        self.dying = (len(self.requests) + requests, kill)

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer one request, unless its sender is to die at it."""
        if self.dying is not None and len(self.requests) >= self.dying[0]:
            self.dying[1]()
            self.dying = None
            return Reply(is_dropped=True)
        return super().handle(method, target, headers, body)


@dataclass(kw_only=True)
class Night(ForgeWorld):
    """A world with shorter words for what a night does."""

    minds: Minds
    server: HookedServer
    logs: list[str] = field(default_factory=list)

    def night(self, **inputs: Any) -> Ended:
        """Run as the schedule does."""
        return self._noted(self.run("schedule", events.schedule(self.server), **inputs))

    def dispatch(self, **inputs: Any) -> Ended:
        """Run as a person starts it by hand."""
        return self._noted(self.run("workflow_dispatch", self.by_hand(), **inputs))

    def by_hand(self) -> dict[str, Any]:
        """Return the event of a start by hand."""
        return events.workflow_dispatch(self.server)

    def pushed(self, **inputs: Any) -> Ended:
        """Run as a push to the default branch does."""
        return self._noted(self.run("push", self.push_event(), **inputs))

    def push_event(self) -> dict[str, Any]:
        """Return the event of a push of what the default branch has."""
        return events.push(self.server, before="0" * 40, after=self.head("main"))

    def labeled(self, number: int, **inputs: Any) -> Ended:
        """Run as the label that asks for an optimization does."""
        event = events.labeled(self.server, number)
        return self._noted(self.run("pull_request", event, ref=self.merge_ref(number), **inputs))

    def killed(self, event: str, how: Callable[[Callable[[], None]], object], **inputs: Any) -> int:
        """Start a run that `how` kills by the function that it is given; return how it ended."""
        payload = events.schedule(self.server) if event == "schedule" else self.push_event()
        process, _ = self.start(event, payload, **inputs)
        how(process.kill)
        process.communicate(timeout=100)
        return process.returncode

    def _noted(self, ended: Ended) -> Ended:
        self.logs += [ended.log, ended.summary, *ended.outputs.values()]
        return ended

    @property
    def own_branches(self) -> list[str]:
        """The branches of improvements."""
        return sorted(name for name in self.git.branches() if name.startswith("gepa-ci/"))

    @property
    def own_branch(self) -> str:
        """The only one."""
        (name,) = self.own_branches
        return name

    @property
    def open_pulls(self) -> list[dict[str, Any]]:
        """The open pull requests."""
        return [pull for pull in self.server.pulls if pull["state"] == "open"]

    def proposed(self, path: str = "kind.prompt.yml") -> str:
        """Return the prompt that the only improvement branch has."""
        return self.git.read(self.own_branch, path).decode()

    def data_files(self) -> dict[str, str]:
        """Return the files of the data branch."""
        if DATA not in self.git.branches():
            return {}
        names = self.git.text("ls-tree", "-r", "--name-only", DATA).splitlines()
        return {name: self.git.read(DATA, name).decode() for name in names}

    def records(self, folder: str) -> list[dict[str, Any]]:
        """Return the records in a folder of the data branch."""
        return [
            json.loads(line)
            for name, text in self.data_files().items()
            if name.startswith(f"{folder}/")
            for line in text.splitlines()
        ]

    def badges(self) -> list[str]:
        """Return what the badges say."""
        return [badge["message"] for badge in self.records("badges")]

    def uses(self) -> list[tuple[str, str | None]]:
        """Return the candidates that held-out sets were asked about, and what came of each."""
        asked: dict[tuple[str, ...], str | None] = {}
        for line in self.records("held-out"):
            key = tuple(line[name] for name in ("candidate", "baseline", "suite", "exam", "task"))
            asked[key] = line["decision"] or asked.get(key)
        return [(key[0], decision) for key, decision in asked.items()]

    def data_commits(self) -> int:
        """Return how long the data branch is."""
        return int(self.git.text("rev-list", "--count", DATA))

    def grow_suite(self) -> None:
        """Put a few examples more into train, on the default branch."""
        more = [json.dumps(example) for example in examples("more", 4)]
        before = self.git.read("main", "train.jsonl").decode()
        text = before + "\n".join(more) + "\n"
        self.git.commit("main", {"train.jsonl": text.encode()}, message="More examples")

    def held_out_texts(self) -> list[str]:
        """Return what nobody may read anywhere: the first words of each held-out letter."""
        lines = self.git.read("main", "held_out.jsonl").decode().splitlines()
        return [" ".join(json.loads(line)["inputs"]["input"].split()[:3]) for line in lines]


def state_of(world: Night) -> dict[str, Any]:
    """Return all that a run leaves behind, without what differs from run to run."""
    data = world.data_files()
    return {
        "branches": {n: sha for n, sha in world.git.branches().items() if n != DATA},
        "pulls": [
            (p["number"], p["state"], p["title"], plain(p["body"] or ""), p["head_ref"])
            for p in world.server.pulls
        ],
        "comments": [(c["number"], plain(c["body"])) for c in world.server.world.comments],
        "remarks": [(c["number"], plain(c["body"])) for c in world.server.world.review_comments],
        "uses": world.uses(),
        "searches": data.get("searches.json"),
        "baselines": [(b["digest"], b["scores"]) for b in world.records("baselines")],
        "history": [(h["commit"], h["verdict"], h["mean"]) for h in world.records("history")],
        "badges": world.badges(),
        "files": sorted(data),
    }


def plain(text: str) -> str:
    """Return a text of a report without what differs from run to run."""
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    return text


@dataclass(kw_only=True)
class Nights:
    """Starts worlds on one provider; `first` has no run behind it, `proposed` one night."""

    folder: Path
    provider: FakeProvider
    minds: Minds
    kept: dict[str, tuple[Path, int, dict[str, Any]]] = field(default_factory=dict)

    @contextmanager
    def world(self, folder: Path, *, after: str = "") -> Iterator[Night]:
        """Open a world that begins where a kept one ended."""
        self.minds.verb, self.minds.rules = Minds().verb, Minds().rules
        folder.mkdir(parents=True, exist_ok=True)
        path, runs, known = self.kept.get(after, (self.folder / "first.git", 0, {}))
        git = BareRepository(folder / "name.git")
        shutil.copytree(path, git.path)
        with HookedServer(git) as server:
            for name, value in copy.deepcopy(known).items():
                setattr(server.world, name, value)
            yield Night(
                folder=folder,
                server=server,
                provider=self.provider,
                git=git,
                runs=runs,
                minds=self.minds,
            )

    def keep(self, name: str, world: Night) -> None:
        """Remember what a world has come to, for worlds that begin there."""
        path = self.folder / f"{name}.git"
        shutil.copytree(world.git.path, path)
        known = {key: getattr(world.server.world, key) for key in _SAVED}
        self.kept[name] = (path, world.runs, copy.deepcopy(known))


@contextmanager
def open_nights(folder: Path, **keys: Any) -> Iterator[Nights]:
    """Start the provider, and make the repository that every world begins with."""
    minds = Minds()
    dead = (lambda request: request.model == DEAD, unauthorized())
    with FakeProvider(minds, faults=[dead]) as provider:
        tree = parcels(folder / "start", provider, **{"held_out": 40, **keys})
        files = {path.name: path.read_bytes() for path in tree.iterdir() if path.is_file()}
        BareRepository.create(folder / "first.git", files)
        yield Nights(folder=folder, provider=provider, minds=minds)


def _topics(text: str) -> list[str]:
    return re.findall(r"topic-(\d)", text)
