"""Tests of the GitHub client, and of improvement pull requests, on somebody else's emulator.

It shares nothing with our code, so it shows where our own emulator and our client are wrong in the
same way. What was written is read back without our client.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from emulate_server import (
    ANN,
    BOT,
    EVE,
    INSTALLED,
    OWNER,
    TOKENS,
    WHY_MISSING,
    Emulate,
    Twin,
    running,
)
from github_repository import BareRepository, Person

from gepa_ci.delivery.forge import Annotation, Check, Conclusion, Level
from gepa_ci.delivery.git_repository import Git, Remote
from gepa_ci.delivery.github_client import GitHub
from gepa_ci.delivery.github_commits import branch_tip
from gepa_ci.delivery.github_transport import Transport
from gepa_ci.delivery.improvement import Operation, Proposal
from gepa_ci.delivery.improvement_apply import Places, deliver, withdraw
from gepa_ci.errors import GitHubError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gepa_ci.delivery.remotes import Push

# Left out, as the emulator (0.12.2) lacks it or answers otherwise than GitHub does:
# - missing: commit statuses, the pull requests of a commit, workflow runs, artifacts, git's own
#   protocol, limits, the scopes of tokens, most validation: a second
#   pull request for a branch, 51 annotations and endless comments are all accepted;
# - wrong: the files of a pull request are always none; the list of annotations is wrapped in an
#   object, and an update replaces annotations instead of adding some, so that every `put_check`
#   here makes a new check run; a branch that is gone is 404 and not 422 when it is moved; the
#   app of a check run is unknown; an unknown token is the first user's.
pytestmark = pytest.mark.skipif(not INSTALLED.exists(), reason=WHY_MISSING)

PROMPT = "prompts/a.md"
MARKER = "<!-- a marker -->"
_NUMBERS = count(1)


class CarryingGit(Git):
    """Git, whose pushes the emulator gets to know, as it does not speak git's protocol."""

    twin: Twin

    def push(self, remote: Remote, sha: str, branch: str, *, expected: str | None) -> Push:
        done = super().push(remote, sha, branch, expected=expected)
        self.twin.put()
        return done

    def delete(self, remote: Remote, branch: str, expected: str) -> Push:
        done = super().delete(remote, branch, expected)
        self.twin.put()
        return done


class CarryingGitHub(GitHub):
    """The client, whose commits git gets to know."""

    twin: Twin

    def set_branch(self, branch: str, sha: str, *, expected: str | None) -> None:
        super().set_branch(branch, sha, expected=expected)
        self.twin.take(branch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One repository in the emulator, and our client of it."""

    twin: Twin
    github: CarryingGitHub
    folder: Path

    def ask(self, method: str, path: str, body: object = None, *, login: str = OWNER) -> Any:
        return self.twin.ask(method, path, body, login=login)

    @property
    def main(self) -> str:
        return self.twin.bare.branches()["main"]

    def branch(self, name: str, text: bytes = b"better\n") -> str:
        sha = self.twin.bare.commit(name, {PROMPT: text}, message="Change\n", parent=self.main)
        self.twin.put()
        return sha

    def pull(self, name: str = "topic") -> int:
        """Open a pull request as a person does."""
        self.branch(name)
        body = {"head": name, "base": "main", "title": "Change", "body": "Please."}
        return int(self.ask("POST", "/pulls", body, login=ANN)["number"])

    def pulls(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.ask("GET", "/pulls?state=all&per_page=100")
        return rows

    def comments(self, number: int) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.ask("GET", f"/issues/{number}/comments?per_page=100")
        return rows

    def proposal(self, text: bytes = b"better\n") -> Proposal:
        return Proposal(
            task="triage",
            base_branch="main",
            base_sha=self.main,
            files={PROMPT: text},
            title=f"Improve triage: {text.decode().strip()}",
            body="It is better.",
            commit_message="Improve the prompt of triage",
        )

    def client(self, login: str) -> GitHub:
        return GitHub(
            TOKENS[login],
            self.twin.name,
            api_url=self.twin.emulate.url,
            server_url=self.twin.emulate.url,
        )


@pytest.fixture(scope="module")
def emulate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulate]:
    with running(tmp_path_factory.mktemp("emulate")) as emulate:
        yield emulate


@pytest.fixture
def scene(emulate: Emulate, tmp_path: Path) -> Iterator[Scene]:
    """Give a repository of its own, with one commit, into which the bot may write."""
    name = f"prompts-{next(_NUMBERS)}"
    emulate.ask("POST", "/user/repos", {"name": name})
    bare = BareRepository.create(tmp_path / "bare.git")
    bare.commit("main", {PROMPT: b"one\ntwo\nthree\n", "b.txt": b"b\n"}, message="Begin\n")
    twin = Twin(emulate, f"{OWNER}/{name}", bare)
    for login, role in ((BOT, "push"), (ANN, "push")):
        twin.ask("PUT", f"/collaborators/{login}", {"permission": role})
    twin.put()
    with CarryingGitHub(
        TOKENS[BOT], twin.name, api_url=emulate.url, server_url=emulate.url
    ) as github:
        github.twin = twin
        yield Scene(twin=twin, github=github, folder=tmp_path)


@pytest.fixture
def places(scene: Scene) -> Iterator[Places]:
    clone = scene.folder / "clone"
    url = f"file://{scene.twin.bare.path}"
    subprocess.run(["git", "clone", "-q", url, str(clone)], check=True)
    with CarryingGit(clone, environ=dict(os.environ)) as git:
        git.twin = scene.twin
        yield Places(git=git, remote=Remote(url=url), github=scene.github)


# The repository.


def test_the_repository_is_read_as_it_is(scene: Scene) -> None:
    about = scene.ask("GET", "")

    assert scene.github.default_branch() == about["default_branch"] == "main"
    assert scene.github.repository_id() == about["id"]


def test_the_token_s_account_is_known(scene: Scene) -> None:
    me = scene.twin.emulate.ask("GET", "/user", login=BOT)

    assert (scene.github.me().id, scene.github.me().login) == (me["id"], BOT)


def test_the_tip_of_a_branch_is_its_commit_and_none_where_there_is_no_branch(
    scene: Scene,
) -> None:
    scene.branch("gepa-ci/main/a-b")
    transport = Transport(TOKENS[BOT], api_url=scene.twin.emulate.url)
    names = ("main", "gepa-ci/main/a-b", "gepa-ci/main")
    try:
        tips = [branch_tip(transport, scene.twin.name, name) for name in names]
    finally:
        transport.close()

    there = scene.twin.branches()
    assert tips == [there["main"], there["gepa-ci/main/a-b"], None]


@pytest.mark.parametrize(
    ("role", "told"),
    [("admin", "admin"), ("maintain", "maintain"), ("push", "write"), ("triage", "triage")],
)
def test_a_role_is_told_by_its_name(scene: Scene, role: str, told: str) -> None:
    scene.ask("PUT", f"/collaborators/{ANN}", {"permission": role})

    assert scene.github.permission(ANN) == told


def test_the_owner_is_an_admin_and_strangers_are_nobody(scene: Scene) -> None:
    roles = [scene.github.permission(login) for login in (OWNER, EVE, "nobody")]

    assert roles == ["admin", "none", "none"]


# Commits and branches.


def test_a_commit_made_over_the_api_has_the_name_that_git_gives_it(scene: Scene) -> None:
    parent = scene.main
    files = {PROMPT: "größer\n".encode(), "new/ß.md": b"\x00\xff"}
    sha = scene.github.signed_commit(parent=parent, files=files, message="Improve\n\nA line")
    scene.github.set_branch("topic", sha, expected=None)

    # `set_branch` has rebuilt it in git out of the emulator's answers.
    assert scene.twin.bare.text("log", "-1", "--format=%H %P %ae", "topic").split()[:2] == [
        sha,
        parent,
    ]
    assert scene.twin.bare.git("show", f"topic:{PROMPT}") == files[PROMPT]
    assert scene.twin.show(sha, "new/ß.md") == b"\x00\xff"
    assert scene.twin.show(sha, "b.txt") == b"b\n"
    assert scene.ask("GET", f"/git/commits/{sha}")["author"]["name"] == BOT


def test_a_branch_moves_from_where_it_is_expected_also_sideways(scene: Scene) -> None:
    one = scene.branch("gepa-ci/main/a")
    other = scene.github.signed_commit(parent=scene.main, files={PROMPT: b"2\n"}, message="Two")
    scene.github.set_branch("gepa-ci/main/a", other, expected=one)

    assert scene.twin.branches()["gepa-ci/main/a"] == other


@pytest.mark.parametrize("is_there", [True, False])
def test_a_branch_that_somebody_moved_is_left_alone(scene: Scene, is_there: bool) -> None:
    made = scene.github.signed_commit(parent=scene.main, files={PROMPT: b"2\n"}, message="Two")
    theirs = scene.branch("topic") if is_there else None
    with pytest.raises(GitHubError, match="something else changed it"):
        scene.github.set_branch("topic", made, expected=scene.main)

    assert scene.twin.branches().get("topic") == theirs


def test_who_may_not_write_is_told_which_permission_it_takes(scene: Scene) -> None:
    tip, other = scene.branch("topic"), scene.main
    with scene.client(EVE) as github, pytest.raises(GitHubError) as caught:
        github.set_branch("topic", other, expected=tip)

    assert "contents: write" in str(caught.value.problems[0].hint)
    assert TOKENS[EVE] not in str(caught.value)
    assert scene.twin.branches()["topic"] == tip


# Pull requests.


def test_a_pull_request_is_opened_between_branches(scene: Scene) -> None:
    head = scene.branch("gepa-ci/main/a")
    pull = scene.github.open_pull(
        head="gepa-ci/main/a", base="main", title="Improve", body="Why.", draft=True
    )

    (row,) = scene.pulls()
    assert (row["number"], row["title"], row["body"]) == (pull.number, "Improve", "Why.")
    assert (row["head"]["sha"], row["base"]["sha"]) == (head, scene.main)
    assert row["draft"]
    assert row["user"]["login"] == BOT
    assert (pull.head_sha, pull.head_branch, pull.base_branch) == (head, "gepa-ci/main/a", "main")
    assert (pull.url, pull.is_draft, pull.is_open) == (row["html_url"], True, True)
    assert not pull.is_from_fork


def test_a_person_s_pull_request_is_read(scene: Scene) -> None:
    number = scene.pull()

    pull = scene.github.pull(number)

    row = scene.ask("GET", f"/pulls/{number}")
    assert (pull.author.id, pull.author.login) == (row["user"]["id"], ANN)
    assert (pull.title, pull.body) == ("Change", "Please.")
    assert (pull.base_repository, pull.is_merged) == (row["base"]["repo"]["id"], False)


def test_a_pull_request_that_is_not_there_is_an_error_with_its_number(scene: Scene) -> None:
    with pytest.raises(GitHubError, match=r"read pull request 99: Not Found \(HTTP 404\)"):
        scene.github.pull(99)


def test_only_what_is_given_of_a_pull_request_is_changed(scene: Scene) -> None:
    number = scene.pull()
    scene.github.edit_pull(number, title="Other")
    closed = scene.github.edit_pull(number, is_open=False)

    row = scene.ask("GET", f"/pulls/{number}")
    assert (row["title"], row["body"], row["state"]) == ("Other", "Please.", "closed")
    assert not closed.is_open

    opened = scene.github.edit_pull(number, body="More.", is_open=True)

    row = scene.ask("GET", f"/pulls/{number}")
    assert (row["title"], row["body"], row["state"]) == ("Other", "More.", "open")
    assert opened.is_open


def test_the_pull_requests_of_a_branch_are_those_in_every_state_newest_first(
    scene: Scene,
) -> None:
    first = scene.pull("topic")
    scene.pull("topic-2")
    scene.github.edit_pull(first, is_open=False)
    second = scene.pull("topic")

    found = scene.github.pulls("topic")

    assert [(pull.number, pull.is_open) for pull in found] == [(second, True), (first, False)]
    assert scene.github.pulls("topic", base="other") == []
    assert len(scene.pulls()) == 3


def test_more_pull_requests_than_a_page_has_are_all_found(scene: Scene) -> None:
    scene.branch("topic")
    body = {"head": "topic", "base": "main", "title": "Again", "body": ""}
    made = [scene.ask("POST", "/pulls", body)["number"] for _ in range(103)]

    assert [pull.number for pull in scene.github.pulls("topic")] == made[::-1]


def test_a_merged_pull_request_is_known_from_a_closed_one(scene: Scene) -> None:
    number = scene.pull()
    scene.ask("PUT", f"/pulls/{number}/merge", {})

    assert scene.github.pull(number).is_merged
    assert [(pull.is_merged, pull.is_open) for pull in scene.github.pulls("topic")] == [
        (True, False)
    ]


def test_labels_are_added_to_those_that_are_there(scene: Scene) -> None:
    number = scene.pull()
    scene.github.add_labels(number, ["gepa-ci"])
    scene.github.add_labels(number, ["prompt", "gepa-ci"])

    named = [row["name"] for row in scene.ask("GET", f"/issues/{number}/labels")]
    assert sorted(named) == ["gepa-ci", "prompt"]
    assert sorted(scene.github.pull(number).labels) == ["gepa-ci", "prompt"]


# Comments.


def test_a_comment_is_found_behind_a_hundred_others_and_edited_in_place(scene: Scene) -> None:
    number = scene.pull()
    for index in range(104):
        scene.ask("POST", f"/issues/{number}/comments", {"body": f"{MARKER} {index}"}, login=ANN)
    scene.github.add_comment(number, f"{MARKER}\nBefore")

    found = scene.github.comments(number)
    me = scene.github.me()
    (mine,) = [row for row in found if row.author.id == me.id and row.body.startswith(MARKER)]
    scene.github.edit_comment(mine.id, f"{MARKER}\nAfter")

    assert [row.body for row in found[:2]] == [f"{MARKER} 0", f"{MARKER} 1"]
    assert len(found) == 105
    rows = scene.ask("GET", f"/issues/{number}/comments?per_page=100&page=2")
    assert [row["body"] for row in rows[-2:]] == [f"{MARKER} 103", f"{MARKER}\nAfter"]
    assert rows[-1]["user"]["login"] == BOT
    assert mine.url == rows[-1]["html_url"]


def test_a_suggestion_stands_on_its_line_of_the_diff(scene: Scene) -> None:
    number = scene.pull()
    head = scene.twin.branches()["topic"]
    made = scene.github.suggest(
        number, sha=head, path=PROMPT, start_line=1, end_line=1, body="```suggestion\nx\n```"
    )

    (row,) = scene.ask("GET", f"/pulls/{number}/comments")
    assert (row["path"], row["line"], row["side"]) == (PROMPT, 1, "RIGHT")
    assert row["commit_id"] == head
    assert scene.github.review_comments(number) == [made]
    assert scene.github.comments(number) == []


# Check runs.


def _check(sha: str, lines: int, **changes: Any) -> Check:
    annotations = tuple(
        Annotation(
            path=PROMPT,
            start_line=line,
            end_line=line + 1,
            level=Level.WARNING,
            title="Worse",
            message=f"Example {line} got worse",
        )
        for line in range(1, lines + 1)
    )
    values: dict[str, Any] = {
        "sha": sha,
        "conclusion": Conclusion.FAILURE,
        "title": "triage: worse",
        "summary": "**Worse**",
        "annotations": annotations,
        "digest": "d1",
    }
    return Check(**values | changes)


def _check_runs(scene: Scene, sha: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = scene.ask("GET", f"/commits/{sha}/check-runs")["check_runs"]
    return rows


def test_a_check_run_shows_its_verdict_and_its_annotations(scene: Scene) -> None:
    sha = scene.branch("topic")
    number = scene.github.put_check(_check(sha, 2))

    (run,) = _check_runs(scene, sha)
    assert (run["id"], run["name"]) == (number, "gepa-ci")
    assert (run["status"], run["conclusion"], run["external_id"]) == ("completed", "failure", "d1")
    assert (run["output"]["title"], run["output"]["summary"]) == ("triage: worse", "**Worse**")
    listed = scene.ask("GET", f"/check-runs/{number}/annotations")["check_annotations"]
    told = [(row["path"], row["start_line"], row["end_line"]) for row in listed]
    assert told == [(PROMPT, 1, 2), (PROMPT, 2, 3)]
    assert [row["annotation_level"] for row in listed] == ["warning"] * 2
    assert listed[1]["message"] == "Example 2 got worse"


def test_more_annotations_than_a_request_takes_are_added_to_the_same_check_run(
    scene: Scene,
) -> None:
    sha = scene.branch("topic")
    number = scene.github.put_check(_check(sha, 53))

    (run,) = _check_runs(scene, sha)
    assert run["id"] == number
    # The emulator keeps those of the last request only.
    listed = scene.ask("GET", f"/check-runs/{number}/annotations")["check_annotations"]
    assert [row["start_line"] for row in listed] == [51, 52, 53]


def test_a_check_that_is_put_again_is_the_one_that_is_shown(scene: Scene) -> None:
    sha = scene.branch("topic")
    scene.github.put_check(_check(sha, 1))
    number = scene.github.put_check(
        _check(sha, 0, conclusion=Conclusion.NEUTRAL, title="Skipped", digest="d2")
    )

    (run,) = _check_runs(scene, sha)
    assert (run["id"], run["conclusion"], run["external_id"]) == (number, "neutral", "d2")
    (known,) = scene.github.checks(sha, "gepa-ci")
    assert (known.id, known.conclusion, known.digest, known.title) == (
        number,
        "neutral",
        "d2",
        "Skipped",
    )
    assert scene.github.checks(sha, "other") == []


# The improvement pull request.


@pytest.mark.parametrize("sign", [False, True])
def test_a_proposal_becomes_one_commit_on_one_branch_and_one_pull_request(
    scene: Scene, places: Places, sign: bool
) -> None:
    places = Places(git=places.git, remote=places.remote, github=places.github, sign=sign)
    proposal = scene.proposal()
    outcome = deliver(proposal, places)

    (row,) = scene.pulls()
    assert (outcome.operation, outcome.number) == (Operation.CREATED, row["number"])
    assert (row["title"], row["head"]["ref"]) == (proposal.title, proposal.branch)
    assert row["head"]["sha"] == outcome.head_sha == scene.twin.branches()[proposal.branch]
    commit = scene.ask("GET", f"/git/commits/{outcome.head_sha}")
    assert [parent["sha"] for parent in commit["parents"]] == [scene.main]
    assert scene.twin.show(row["head"]["sha"], PROMPT) == b"better\n"

    again = deliver(proposal, places)

    assert again.operation is Operation.NONE
    assert scene.pulls() == [row]


def test_a_better_candidate_replaces_the_commit_and_edits_the_pull_request(
    scene: Scene, places: Places
) -> None:
    first = deliver(scene.proposal(), places)
    second = deliver(scene.proposal(b"best\n"), places)

    (row,) = scene.pulls()
    assert (second.operation, second.number) == (Operation.UPDATED, first.number)
    assert row["title"] == "Improve triage: best"
    assert scene.twin.show(scene.twin.branches()[second.branch], PROMPT) == b"best\n"
    commit = scene.ask("GET", f"/git/commits/{second.head_sha}")
    assert [parent["sha"] for parent in commit["parents"]] == [scene.main]


def test_a_withdrawn_proposal_is_closed_with_a_word_and_without_a_branch(
    scene: Scene, places: Places
) -> None:
    made = deliver(scene.proposal(), places)
    done = withdraw(scene.proposal().target, "It no longer holds.", places)

    (row,) = scene.pulls()
    assert (done.operation, row["state"]) == (Operation.CLOSED, "closed")
    (comment,) = scene.comments(row["number"])
    assert "It no longer holds." in comment["body"]
    assert set(scene.twin.branches()) == {"main"}

    again = deliver(scene.proposal(), places)

    assert again.operation is Operation.CREATED
    assert again.number != made.number


def test_a_proposal_that_a_person_closed_is_not_made_again(scene: Scene, places: Places) -> None:
    made = deliver(scene.proposal(), places)
    scene.ask("PATCH", f"/pulls/{made.number}", {"state": "closed"}, login=ANN)

    done = deliver(scene.proposal(), places)

    assert done.operation is Operation.NONE
    assert len(scene.pulls()) == 1


def test_a_branch_that_a_person_edited_is_left_alone_with_one_word(
    scene: Scene, places: Places
) -> None:
    made = deliver(scene.proposal(), places)
    ann = Person(name="Ann", email="ann@example.com")
    theirs = scene.twin.bare.commit(made.branch, {PROMPT: b"mine\n"}, message="Mine\n", person=ann)
    scene.twin.put()
    for _ in range(2):
        deliver(scene.proposal(b"best\n"), places)

    assert scene.twin.branches()[made.branch] == theirs
    assert made.number is not None
    assert len(scene.comments(made.number)) == 1
    (row,) = scene.pulls()
    assert row["title"] == "Improve triage: better"
