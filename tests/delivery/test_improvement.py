"""Tests of the improvement pull request, one a history, on a GitHub and a git of this machine."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from github_cases import Place, place
from github_repository import Person
from github_server import WORKFLOW_TOKEN

from gepa_ci.delivery.git_repository import Git, Remote
from gepa_ci.delivery.improvement import (
    ClosePull,
    Comment,
    Nothing,
    Operation,
    Outcome,
    Proposal,
    Target,
)
from gepa_ci.delivery.improvement_apply import (
    LostRaceError,
    Places,
    apply,
    deliver,
    read_world,
    withdraw,
)
from gepa_ci.delivery.improvement_marks import Mark, marked_body, proposed_by, read_mark
from gepa_ci.delivery.improvement_plan import plan, plan_close
from gepa_ci.delivery.remotes import valid_branch
from gepa_ci.errors import GitError, GitHubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROMPT = "prompts/a.md"
ANN = Person(name="Ann", email="ann@example.com")


@dataclass(frozen=True, slots=True)
class Scene:
    """A repository on GitHub, and a clone of it as actions/checkout makes one."""

    place: Place
    places: Places

    def proposal(self, text: str = "better\n", **changes: Any) -> Proposal:
        base = changes.pop("base_branch", "main")
        values: dict[str, Any] = {
            "task": "Triage: e-mails",
            "base_branch": base,
            "base_sha": self.place.tip(base),
            "files": {PROMPT: text.encode()},
            "title": f"Improve triage: {text.strip()}",
            "body": f"It says {text.strip()} now.",
            "commit_message": "Improve the prompt of triage",
        }
        return Proposal(**values | changes)

    @property
    def branch(self) -> str:
        return self.proposal().branch

    @property
    def pulls(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.place.server.pulls]

    @property
    def branches(self) -> set[str]:
        return set(self.place.repository.branches())

    def shown(self, branch: str | None = None) -> bytes:
        return self.place.repository.git("show", f"{branch or self.branch}:{PROMPT}")

    def state(self) -> tuple[object, ...]:
        """Return all that a second run must leave as it is."""
        bodies = [(pull["state"], pull["title"], pull["body"]) for pull in self.pulls]
        texts = [c["body"] for p in self.pulls for c in self.place.server.comments(p["number"])]
        return (self.place.repository.branches(), bodies, texts)

    def writes(self) -> int:
        return len(self.place.server.writes)

    def close(self, number: int) -> None:
        self.place.server.world.pull(number)["state"] = "closed"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with place(tmp_path) as here:
        clone = tmp_path / "clone"
        subprocess.run(
            ["git", "clone", "-q", "--depth=1", f"file://{here.repository.path}", str(clone)],
            check=True,
        )
        remote = Remote(url=here.server.clone_url, token=WORKFLOW_TOKEN)
        with Git(clone, environ=dict(os.environ)) as git:
            yield Scene(here, Places(git=git, remote=remote, github=here.github))


# One test a history


def test_the_first_run_opens_a_pull_request_of_one_commit(scene: Scene) -> None:
    outcome = deliver(scene.proposal(), scene.places)

    (pull,) = scene.pulls
    assert (outcome.operation, outcome.number) == (Operation.CREATED, pull["number"])
    assert outcome.url.endswith(f"/pull/{pull['number']}")
    assert outcome.head_sha == scene.place.tip(scene.branch)
    assert scene.branch.startswith("gepa-ci/main/triage-e-mails-")
    assert scene.shown() == b"better\n"
    count = scene.place.repository.text("rev-list", "--count", f"main..{scene.branch}")
    assert count == "1"
    assert pull["title"] == "Improve triage: better"
    assert "It says better now." in pull["body"]


def test_a_second_run_with_nothing_new_touches_nothing(scene: Scene) -> None:
    deliver(scene.proposal(), scene.places)
    before, writes = scene.state(), scene.writes()

    outcome = deliver(scene.proposal(body="Other words, same files."), scene.places)

    assert outcome.operation is Operation.NONE
    assert outcome.number == scene.pulls[0]["number"]
    assert "already proposes this" in outcome.notes[0]
    assert (scene.state(), scene.writes()) == (before, writes)


def test_a_better_candidate_updates_the_branch_and_the_words(scene: Scene) -> None:
    first = deliver(scene.proposal(), scene.places)

    outcome = deliver(scene.proposal("best\n"), scene.places)

    (pull,) = scene.pulls
    assert (outcome.operation, outcome.number) == (Operation.UPDATED, first.number)
    assert scene.shown() == b"best\n"
    assert "It says best now." in pull["body"]
    assert pull["title"] == "Improve triage: best"
    assert scene.place.repository.text("rev-list", "--count", f"main..{scene.branch}") == "1"


def test_a_base_that_moved_is_what_the_branch_is_built_on_again(scene: Scene) -> None:
    deliver(scene.proposal(), scene.places)
    moved = scene.place.repository.commit("main", {"b.txt": b"other\n"}, person=ANN)

    outcome = deliver(scene.proposal(), scene.places)

    assert outcome.operation is Operation.UPDATED
    assert scene.place.repository.text("rev-parse", f"{scene.branch}^") == moved
    assert scene.place.repository.git("show", f"{scene.branch}:b.txt") == b"other\n"
    assert len(scene.pulls) == 1


def test_a_base_that_moved_during_the_run_is_built_on(scene: Scene) -> None:
    early = scene.proposal()
    moved = scene.place.repository.commit("main", {"b.txt": b"other\n"}, person=ANN)

    deliver(early, scene.places)

    assert scene.place.repository.text("rev-parse", f"{scene.branch}^") == moved


def test_a_base_that_was_rewritten_is_built_on(scene: Scene) -> None:
    deliver(scene.proposal(), scene.places)
    root = scene.place.repository.commit("other", {PROMPT: b"one\ntwo\nthree\n"}, person=ANN)
    scene.place.repository.git("update-ref", "refs/heads/main", root)

    outcome = deliver(scene.proposal(), scene.places)

    assert outcome.operation is Operation.UPDATED
    assert scene.place.repository.text("rev-parse", f"{scene.branch}^") == root


def test_a_prompt_that_changed_during_the_run_is_left_to_the_next_run(scene: Scene) -> None:
    early = scene.proposal()
    scene.place.repository.commit("main", {PROMPT: b"edited\n"}, person=ANN)

    outcome = deliver(early, scene.places)

    assert outcome.operation is Operation.NONE
    assert "The next run starts from it." in outcome.notes[0]
    assert scene.branches == {"main"}


@pytest.mark.parametrize("squash", [False, True], ids=["merged", "squash-merged"])
def test_after_a_merge_the_branch_goes_and_nothing_is_proposed(scene: Scene, squash: bool) -> None:
    first = deliver(scene.proposal(), scene.places)
    assert first.number is not None
    scene.place.server.merge(first.number, squash=squash)

    outcome = deliver(scene.proposal(), scene.places)

    assert outcome.operation is Operation.NONE
    assert "already has this proposal" in outcome.notes[0]
    assert scene.branches == {"main"}
    assert len(scene.pulls) == 1


def test_after_a_merge_a_better_candidate_has_a_pull_request_of_its_own(scene: Scene) -> None:
    first = deliver(scene.proposal(), scene.places)
    assert first.number is not None
    scene.place.server.merge(first.number, squash=True)

    outcome = deliver(scene.proposal("best\n"), scene.places)

    assert outcome.operation is Operation.CREATED
    assert [pull["state"] for pull in scene.pulls] == ["closed", "open"]
    assert scene.shown() == b"best\n"


def test_a_proposal_that_came_in_another_way_closes_its_pull_request(scene: Scene) -> None:
    first = deliver(scene.proposal(), scene.places)
    scene.place.repository.commit("main", {PROMPT: b"better\n"}, person=ANN)

    outcome = deliver(scene.proposal(), scene.places)

    assert (outcome.operation, outcome.number) == (Operation.CLOSED, first.number)
    (pull,) = scene.pulls
    assert pull["state"] == "closed"
    (comment,) = scene.place.server.comments(pull["number"])
    assert "already has this proposal" in comment["body"]
    assert scene.branches == {"main"}


def test_what_a_person_closed_is_not_proposed_again(scene: Scene) -> None:
    first = deliver(scene.proposal(), scene.places)
    assert first.number is not None
    scene.close(first.number)
    writes = scene.writes()

    outcome = deliver(scene.proposal(), scene.places)

    assert outcome.operation is Operation.NONE
    assert "somebody closed it" in outcome.notes[0]
    assert scene.writes() == writes


def test_something_else_is_proposed_after_a_person_closed_one(scene: Scene) -> None:
    first = deliver(scene.proposal(), scene.places)
    assert first.number is not None
    scene.close(first.number)

    second = deliver(scene.proposal("best\n"), scene.places)
    assert second.number is not None
    scene.close(second.number)
    third = deliver(scene.proposal(), scene.places)

    assert (second.operation, third.operation) == (Operation.CREATED, Operation.NONE)
    assert len(scene.pulls) == 2


def test_what_a_person_edited_is_left_alone_and_said_once(scene: Scene) -> None:
    deliver(scene.proposal(), scene.places)
    scene.place.repository.commit(scene.branch, {PROMPT: b"by hand\n"}, person=ANN)
    head = scene.place.tip(scene.branch)

    outcomes = [
        deliver(scene.proposal("best\n"), scene.places),
        deliver(scene.proposal("best of all\n"), scene.places),
        withdraw(scene.proposal().target, "It is worse now.", scene.places),
    ]

    assert [outcome.operation for outcome in outcomes] == [Operation.NONE] * 3
    assert "commits of somebody else" in outcomes[0].notes[0]
    assert scene.place.tip(scene.branch) == head
    (pull,) = scene.pulls
    assert (pull["state"], "better" in pull["body"]) == ("open", True)
    assert len(scene.place.server.comments(pull["number"])) == 1


@pytest.mark.parametrize(
    ("person", "message"),
    [
        (ANN, "Fix\n\nGepa-CI-Proposal: {key} {digest}"),
        (Person(), "Format the prompts"),
        (Person(), "Ours, of another task\n\nGepa-CI-Proposal: {other} {digest}"),
    ],
    ids=["a person who copies our mark", "another workflow", "another task"],
)
def test_a_commit_that_only_looks_like_ours_is_left_alone(
    scene: Scene, person: Person, message: str
) -> None:
    proposal = scene.proposal()
    deliver(proposal, scene.places)
    said = message.format(key=proposal.key, digest=proposal.digest, other="0" * 16)
    head = scene.place.repository.commit(scene.branch, {"b.txt": b"x"}, message=said, person=person)

    outcome = deliver(scene.proposal("best\n"), scene.places)

    assert outcome.operation is Operation.NONE
    assert scene.place.tip(scene.branch) == head


def test_a_comment_of_somebody_who_copies_our_mark_does_not_silence_us(scene: Scene) -> None:
    proposal = scene.proposal()
    first = deliver(proposal, scene.places)
    assert first.number is not None
    scene.place.repository.commit(scene.branch, {"b.txt": b"x"}, person=ANN)
    scene.place.server.comment(
        first.number, login="eve", body=f"<!-- gepa-ci:edited:v1 key={proposal.key} -->"
    )

    deliver(proposal, scene.places)
    deliver(proposal, scene.places)

    assert len(scene.place.server.comments(first.number)) == 2


def test_a_branch_of_our_name_that_a_person_made_is_left_alone(scene: Scene) -> None:
    head = scene.place.repository.commit(
        scene.branch, {"b.txt": b"x"}, parent=scene.place.main, person=ANN
    )

    outcome = deliver(scene.proposal(), scene.places)

    assert (outcome.operation, scene.pulls) == (Operation.NONE, [])
    assert scene.place.tip(scene.branch) == head


def test_a_pull_request_that_a_person_opened_from_our_branch_keeps_its_words(
    scene: Scene,
) -> None:
    deliver(scene.proposal(), scene.places)
    scene.place.server.world.pulls.clear()
    number = scene.place.server.open_pull(head=scene.branch, login="ann", body="Mine")["number"]

    outcome = deliver(scene.proposal("best\n"), scene.places)
    left = withdraw(scene.proposal().target, "It is worse now.", scene.places)

    assert (outcome.operation, outcome.number) == (Operation.UPDATED, number)
    assert scene.shown() == b"best\n"
    assert [(pull["body"], pull["state"]) for pull in scene.pulls] == [("Mine", "open")]
    assert left.operation is Operation.NONE


def test_a_prompt_that_was_moved_closes_the_pull_request(scene: Scene) -> None:
    early = scene.proposal()
    deliver(early, scene.places)
    scene.place.repository.commit("main", {PROMPT: None, "moved.md": b"one\n"}, person=ANN)

    outcome = deliver(early, scene.places)

    assert outcome.operation is Operation.CLOSED
    assert f"'{PROMPT}' was moved or deleted on 'main'" in outcome.notes[0]
    assert scene.branches == {"main"}
    assert deliver(early, scene.places).operation is Operation.NONE


def test_a_base_branch_that_is_gone_is_no_place_for_a_proposal(scene: Scene) -> None:
    scene.place.branch("feature")
    proposal = scene.proposal(base_branch="feature")
    scene.place.repository.git("update-ref", "-d", "refs/heads/feature")

    outcome = deliver(proposal, scene.places)

    assert outcome.notes == ("The base branch 'feature' is gone.",)


def test_a_pull_request_stands_on_the_branch_of_another(scene: Scene) -> None:
    scene.place.pull("feature/x", {PROMPT: b"theirs\n"})

    outcome = deliver(scene.proposal(base_branch="feature/x"), scene.places)
    deliver(scene.proposal(), scene.places)

    stacked = next(pull for pull in scene.pulls if pull["number"] == outcome.number)
    assert stacked["base_ref"] == "feature/x"
    assert len(scene.branches) == 4


def test_a_world_that_got_worse_closes_the_pull_request_and_says_why(scene: Scene) -> None:
    first = deliver(scene.proposal(), scene.places)

    outcome = withdraw(scene.proposal().target, "It is no longer better.", scene.places)
    again = withdraw(scene.proposal().target, "It is no longer better.", scene.places)

    assert (outcome.operation, outcome.number) == (Operation.CLOSED, first.number)
    assert again.operation is Operation.NONE
    (pull,) = scene.pulls
    (comment,) = scene.place.server.comments(pull["number"])
    assert "It is no longer better." in comment["body"]
    assert scene.branches == {"main"}


def test_what_we_closed_ourselves_may_be_proposed_again(scene: Scene) -> None:
    deliver(scene.proposal(), scene.places)
    withdraw(scene.proposal().target, "It is no longer better.", scene.places)

    outcome = deliver(scene.proposal(), scene.places)

    assert outcome.operation is Operation.CREATED
    assert [pull["state"] for pull in scene.pulls] == ["closed", "open"]


def test_no_better_candidate_leaves_everything_as_it_is(scene: Scene) -> None:
    deliver(scene.proposal(), scene.places)
    before = scene.state()
    target = scene.proposal().target

    world = read_world(target, (), None, scene.places)
    outcome = apply(plan(None, world, who=scene.places.who), scene.places)

    assert outcome.notes == ("There is no better candidate.",)
    assert scene.state() == before


# Two runs at once


def interrupted(scene: Scene, then: Callable[[], object], *, at: str = "push") -> Places:
    """Return places in which something happens once, just before a call."""
    done: list[str] = []

    class Late:
        def __init__(self, real: object) -> None:
            self._real = real

        def __getattr__(self, name: str) -> Any:
            if name == at and not done:
                done.append(name)
                then()
            return getattr(self._real, name)

    return replace(
        scene.places,
        git=cast("Any", Late(scene.places.git)),
        github=cast("Any", Late(scene.places.github)),
    )


def test_two_first_runs_at_once_leave_one_branch_and_one_pull_request(scene: Scene) -> None:
    outcomes: list[Outcome] = []

    def other() -> None:
        outcomes.append(deliver(scene.proposal("best\n"), scene.places))

    outcomes.append(deliver(scene.proposal(), interrupted(scene, other)))

    assert [one.operation for one in outcomes] == [Operation.CREATED, Operation.UPDATED]
    (pull,) = scene.pulls
    assert scene.shown() == b"better\n"
    assert "It says better now." in pull["body"]


def test_two_runs_with_the_same_proposal_make_the_same_commit(scene: Scene) -> None:
    def other() -> None:
        deliver(scene.proposal(), scene.places)

    deliver(scene.proposal(), interrupted(scene, other))
    first = scene.place.tip(scene.branch)
    scene.place.repository.git("update-ref", "-d", f"refs/heads/{scene.branch}")
    scene.place.server.world.pulls.clear()
    deliver(scene.proposal(), scene.places)

    assert scene.place.tip(scene.branch) == first


@pytest.mark.parametrize("at", ["open_pull", "pulls", "edit_pull"])
def test_a_run_that_comes_between_leaves_words_that_fit_the_branch(scene: Scene, at: str) -> None:
    if at == "edit_pull":
        deliver(scene.proposal("old\n"), scene.places)

    def other() -> None:
        deliver(scene.proposal("best\n"), scene.places)

    deliver(scene.proposal(), interrupted(scene, other, at=at))
    deliver(scene.proposal(), scene.places)

    assert len(scene.pulls) == 1
    text = scene.shown().decode().strip()
    assert f"It says {text} now." in scene.pulls[0]["body"]


def test_a_branch_that_moves_again_and_again_is_left_to_the_others(scene: Scene) -> None:
    texts = iter(["a\n", "b\n", "c\n"])

    class Moving:
        def __getattr__(self, name: str) -> Any:
            if name == "push":
                deliver(scene.proposal(next(texts)), scene.places)
            return getattr(scene.places.git, name)

    moving = replace(scene.places, git=cast("Any", Moving()))
    outcome = deliver(scene.proposal(), moving)

    assert outcome.operation is Operation.NONE
    assert "theirs stands" in outcome.notes[0]
    assert scene.shown() == b"b\n"


def test_a_branch_that_moved_before_it_was_to_be_deleted_stays(scene: Scene) -> None:
    deliver(scene.proposal(), scene.places)

    def push() -> None:
        scene.place.repository.commit(scene.branch, {"b.txt": b"x"}, person=ANN)

    places = interrupted(scene, push, at="delete")
    outcome = withdraw(scene.proposal().target, "It is worse.", places)

    assert outcome.operation is Operation.NONE
    assert scene.branch in scene.branches


def test_a_run_that_pushes_just_before_we_open_makes_us_look_again(scene: Scene) -> None:
    real = scene.places.github.open_pull

    class Late:
        """Lets another run push and open between our last look and our opening."""

        def __getattr__(self, name: str) -> Any:
            return getattr(scene.places.github, name)

        def open_pull(self, **named: Any) -> Any:
            if not scene.pulls:
                deliver(scene.proposal("best\n"), scene.places)
            return real(**named)

    outcome = deliver(scene.proposal(), replace(scene.places, github=cast("Any", Late())))

    assert outcome.operation is Operation.UPDATED
    assert scene.shown() == b"better\n"
    assert "It says better now." in scene.pulls[0]["body"]


def test_a_run_with_the_same_words_opens_the_one_that_we_were_about_to(scene: Scene) -> None:
    old = Mark(key=scene.proposal().key, digest="0" * 32)

    def other() -> None:
        scene.places.github.open_pull(
            head=scene.branch, base="main", title="Old", body=marked_body("Old", old)
        )

    outcome = deliver(scene.proposal(), interrupted(scene, other, at="open_pull"))

    (pull,) = scene.pulls
    assert outcome.number == pull["number"]
    assert "It says better now." in pull["body"]


# Refusals


def test_a_protected_branch_is_an_error_that_names_the_setting(scene: Scene) -> None:
    scene.place.server.world.protected.add(scene.branch)

    with pytest.raises(GitError, match=scene.branch) as caught:
        deliver(scene.proposal(), scene.places)

    assert "Rulesets" in str(caught.value.problems[0].hint)
    assert not isinstance(caught.value, LostRaceError)


@pytest.mark.parametrize("sign", [False, True])
def test_a_switch_that_forbids_pull_requests_is_named_and_the_next_run_opens_it(
    scene: Scene, sign: bool
) -> None:
    places = replace(scene.places, sign=sign)
    scene.place.server.world.may_actions_open_pulls = False

    with pytest.raises(GitHubError, match="not permitted") as caught:
        deliver(scene.proposal(), places)
    head = scene.place.tip(scene.branch)
    scene.place.server.world.may_actions_open_pulls = True
    outcome = deliver(scene.proposal(), places)

    hint = str(caught.value.problems[0].hint)
    assert "Allow GitHub Actions to create and approve pull requests" in hint
    assert f"the branch '{scene.branch}' is pushed" in hint
    assert outcome.operation is Operation.CREATED
    assert scene.place.tip(scene.branch) == head


def test_a_token_that_may_not_write_is_an_error_that_names_the_permission(scene: Scene) -> None:
    scene.place.server.add_token("ghs_less", permissions={"contents": "read"})
    remote = Remote(url=scene.place.server.clone_url, token="ghs_less")

    with pytest.raises(GitError) as caught:
        deliver(scene.proposal(), replace(scene.places, remote=remote))

    assert "contents: write" in str(caught.value.problems[0].hint)
    assert "ghs_less" not in str(caught.value)


# Signed commits


def test_signed_commits_are_made_by_github_and_known_again(scene: Scene) -> None:
    places = replace(scene.places, sign=True)

    first = deliver(scene.proposal(), places)
    again = deliver(scene.proposal(), places)
    better = deliver(scene.proposal("best\n"), places)

    assert [one.operation for one in (first, again, better)] == [
        Operation.CREATED,
        Operation.NONE,
        Operation.UPDATED,
    ]
    assert scene.shown() == b"best\n"
    assert len(scene.pulls) == 1


def test_a_lost_race_is_seen_also_through_the_api(scene: Scene) -> None:
    def other() -> None:
        deliver(scene.proposal("best\n"), scene.places)

    places = replace(interrupted(scene, other, at="set_branch"), sign=True)
    outcome = deliver(scene.proposal(), places)

    assert outcome.operation is Operation.UPDATED
    assert scene.shown() == b"better\n"
    assert len(scene.pulls) == 1


def test_a_refusal_through_the_api_is_an_error(scene: Scene) -> None:
    scene.place.server.world.protected.add(scene.branch)

    with pytest.raises(GitHubError):
        deliver(scene.proposal(), replace(scene.places, sign=True))


# Crashes


class KilledError(BaseException):
    """The run was killed."""


class Mortal:
    """Passes calls on, and dies around one that changes something outside."""

    def __init__(self, real: object, fuse: list[int], *, after: bool) -> None:
        self._real, self._fuse, self._after = real, fuse, after

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        effects = {"push", "delete", "open_pull", "edit_pull", "add_comment", "set_branch"}
        if name not in effects:
            return real

        def call(*arguments: Any, **named: Any) -> Any:
            self._fuse[0] -= 1
            if self._fuse[0] < 0 and not self._after:
                raise KilledError
            answer = real(*arguments, **named)
            if self._fuse[0] < 0:
                raise KilledError
            return answer

        return call


def mortal(places: Places, effects: int, *, after: bool) -> Places:
    """Return places in which a run dies at an outside effect, before or after it happened."""
    fuse = [effects]
    return replace(
        places,
        git=cast("Any", Mortal(places.git, fuse, after=after)),
        github=cast("Any", Mortal(places.github, fuse, after=after)),
    )


def first_run(scene: Scene) -> Callable[[Places], Outcome]:
    return lambda places: deliver(scene.proposal(), places)


def better_run(scene: Scene) -> Callable[[Places], Outcome]:
    deliver(scene.proposal("old\n"), scene.places)
    return lambda places: deliver(scene.proposal(), places)


def edited_run(scene: Scene) -> Callable[[Places], Outcome]:
    deliver(scene.proposal("old\n"), scene.places)
    scene.place.repository.commit(scene.branch, {"b.txt": b"x"}, person=ANN)
    return lambda places: deliver(scene.proposal(), places)


def closing_run(scene: Scene) -> Callable[[Places], Outcome]:
    deliver(scene.proposal("old\n"), scene.places)
    target = Target(task=scene.proposal().task, base_branch="main")
    return lambda places: withdraw(target, "It is worse now.", places)


@pytest.mark.parametrize("sign", [False, True], ids=["git", "signed"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("start", [first_run, better_run, edited_run, closing_run])
def test_a_run_that_was_killed_anywhere_is_ended_by_the_next(
    scene: Scene, tmp_path: Path, start: Callable[..., Any], after: bool, sign: bool
) -> None:
    places = replace(scene.places, sign=sign)
    run = start(scene)
    deaths = 0
    # Each run gets one effect further than the one before, as it finds what that one did.
    for _ in range(8):
        try:
            run(mortal(places, 0 if after else deaths % 2, after=after))
            break
        except KilledError:
            deaths += 1
    run(places)
    before = scene.state()
    run(places)

    assert deaths >= 1
    assert scene.state() == before
    (pull,) = scene.pulls
    comments = scene.place.server.comments(pull["number"])
    if start is closing_run:
        assert (pull["state"], len(comments), scene.branches) == ("closed", 1, {"main"})
    else:
        assert (pull["state"], len(comments)) == ("open", int(start is edited_run))
        assert len(scene.branches) == 2
        text = scene.shown().decode().strip()
        assert f"It says {text} now." in pull["body"]


# Deciding


def test_a_pull_request_without_its_branch_is_closed_all_the_same(scene: Scene) -> None:
    first = deliver(scene.proposal(), scene.places)
    world = read_world(scene.proposal().target, (), None, scene.places)

    made = plan_close(replace(world, head=None, commits=()), "Worse.", who=scene.places.who)

    assert [type(step) for step in made.steps] == [Comment, ClosePull, Nothing]
    assert made.pull is not None
    assert made.pull.number == first.number


def test_a_mark_in_what_a_model_wrote_is_not_ours() -> None:
    mark = Mark(key="a" * 16, digest="b" * 32)
    fake = marked_body("x", Mark(key="a" * 16, digest="c" * 32, is_withdrawn=True))

    body = marked_body(f"{fake}<!-- gepa-ci:edited:v1 -->{'y' * 70_000}", mark)

    assert read_mark(body, "a" * 16) == mark
    assert read_mark(body, "0" * 16) is None
    assert body.count("<!--") == 1
    assert len(body) < 65_536


@pytest.mark.parametrize("message", ["", "x", f"Gepa-CI-Proposal: {'a' * 16} {'b' * 32}\nmore"])
def test_a_message_that_does_not_end_in_our_mark_is_not_ours(message: str) -> None:
    assert proposed_by(message) is None


@pytest.mark.parametrize("name", ["a", "A b/c", "\u00fc", "x" * 300, "--force", "a..b", "v1.lock"])
def test_every_task_and_base_has_a_valid_branch_of_its_own(name: str) -> None:
    branches = {
        Target(task=task, base_branch=base).branch
        for task, base in ((name, "main"), ("main", name), (name, name), (f"{name} ", "main"))
    }

    assert all(valid_branch(branch) for branch in branches)
    assert len(branches) == 4
