"""Tests of gepa_ci.delivery.github_client, against a strict emulator over HTTP."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from github_cases import Place, place

from gepa_ci.delivery.forge import Account
from gepa_ci.delivery.github_client import WORKFLOW_BOT, GitHub
from gepa_ci.errors import GitHubError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Iterator[Place]:
    with place(tmp_path) as made:
        yield made


def hint_of(error: GitHubError) -> str:
    return error.problems[0].hint or ""


def test_importing_it_does_not_import_the_library() -> None:
    script = "import sys, gepa_ci.delivery.github_client; print('github' in sys.modules)"

    said = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    assert said.stdout.strip() == b"False"


def test_nothing_is_sent_before_the_first_call(here: Place) -> None:
    with here.client("ghs_workflow"):
        pass

    assert here.server.requests == []


def test_a_name_that_is_no_repository_is_refused() -> None:
    with pytest.raises(GitHubError, match=r"'\.\./\.\./user' is not a repository's owner/name"):
        GitHub("t", "../../user", api_url="https://api.github.com", server_url="")


# Who.


def test_a_person_s_token_tells_whose_it_is(here: Place) -> None:
    here.server.add_token("p", login="ann", app=None)

    with here.client("p") as github:
        assert github.me() == Account(id=here.server.world.users["ann"], login="ann")


def test_a_token_that_may_not_know_is_the_workflow_s(here: Place) -> None:
    with here.client("ghs_workflow", server_url="https://github.com") as github:
        assert github.me() == WORKFLOW_BOT


def test_on_an_enterprise_server_the_bot_has_its_own_id(here: Place) -> None:
    here.server.world.users[WORKFLOW_BOT.login] = 77

    assert here.github.me() == Account(id=77, login=WORKFLOW_BOT.login)


def test_an_enterprise_server_that_does_not_tell_the_bot_has_the_usual_one(here: Place) -> None:
    here.server.fail_next("GET", "/users/", status=404)

    assert here.github.me() == WORKFLOW_BOT


def test_a_bad_token_is_an_error_that_does_not_repeat_it(here: Place) -> None:
    with here.client("ghs_wrong") as github, pytest.raises(GitHubError) as caught:
        github.me()

    assert str(caught.value) == (
        "GitHub refused to ask whose token this is: Bad credentials (HTTP 401)"
    )
    assert "token" in hint_of(caught.value)


def test_the_repository_is_asked_once(here: Place) -> None:
    assert (here.github.default_branch(), here.github.repository_id()) == ("main", 1001)
    assert len(here.server.requests) == 1


@pytest.mark.parametrize("role", ["admin", "maintain", "write", "triage", "read"])
def test_a_role_is_told(here: Place, role: str) -> None:
    here.server.world.roles["ann"] = role

    assert here.github.permission("ann") == role


def test_a_role_of_the_organization_s_own_counts_as_what_it_is_made_of(here: Place) -> None:
    here.server.world.roles["ann"] = "prompt-keeper"

    assert here.github.permission("ann") == "read"


@pytest.mark.parametrize("login", ["nobody", "../../user", "a/b?c#d"])
def test_a_stranger_may_do_nothing(here: Place, login: str) -> None:
    assert here.github.permission(login) == "none"
    asked = f"/repos/owner/name/collaborators/{quote(login, safe='')}/permission"
    assert [request.path for request in here.server.requests] == [asked]


def test_a_role_that_nobody_knows_is_none(here: Place) -> None:
    here.server.fail_next("GET", "permission", status=200, body={"permission": "god"})

    assert here.github.permission("ann") == "none"


def test_a_role_that_cannot_be_asked_is_an_error(here: Place) -> None:
    here.server.fail_next("GET", "permission", status=403)

    with pytest.raises(GitHubError, match="refused to read what 'ann' may do"):
        here.github.permission("ann")


# Pull requests.


def test_a_pull_request_is_read(here: Place) -> None:
    sha = here.branch("topic")
    number = int(here.server.open_pull(head="topic", labels=["x"], draft=True)["number"])

    pull = here.github.pull(number)

    assert (pull.number, pull.head_sha, pull.head_branch) == (number, sha, "topic")
    assert (pull.base_sha, pull.base_branch, pull.labels) == (here.main, "main", ("x",))
    assert (pull.is_open, pull.is_merged, pull.is_draft, pull.body) == (True, False, True, "")
    assert pull.url == f"{here.server.url}/owner/name/pull/{number}"
    assert pull.author.login == "ann"
    assert not pull.is_from_fork


def test_a_pull_request_of_a_fork_that_is_gone_has_no_head_repository(here: Place) -> None:
    row = here.server.open_fork_pull(here.branch("x"), head_repository=None)

    pull = here.github.pull(row["number"])

    assert pull.head_repository is None
    assert pull.is_from_fork


def test_a_pull_request_that_is_not_there_is_an_error_with_the_permission(here: Place) -> None:
    with pytest.raises(GitHubError, match="refused to read pull request 9: Not Found") as caught:
        here.github.pull(9)

    assert "pull-requests: read" in hint_of(caught.value)


def test_all_pull_requests_of_a_branch_are_found_newest_first(here: Place) -> None:
    first = here.pull("topic")
    here.server.world.pull(first)["state"] = "closed"
    second = here.pull("topic")
    here.server.merge(second)
    here.pull("other")

    found = here.github.pulls("topic")

    assert [(pull.number, pull.is_open, pull.is_merged) for pull in found] == [
        (second, False, True),
        (first, False, False),
    ]


def test_pull_requests_of_a_branch_are_told_apart_by_their_base(here: Place) -> None:
    here.branch("release")
    here.pull("topic", {"b.txt": b"c"})
    to_release = here.server.open_pull(head="topic", base="release")["number"]

    found = here.github.pulls("topic", base="release")

    assert [pull.number for pull in found] == [to_release]


def test_a_branch_of_the_same_name_in_a_fork_of_the_owner_is_not_ours(here: Place) -> None:
    here.server.world.fork_owner = "owner"
    here.server.open_fork_pull(here.branch("x"), head="topic")

    assert here.github.pulls("topic") == []
    assert "head=owner%3Atopic" in here.server.requests[0].path


def test_the_pull_request_of_a_commit_is_found_also_when_it_was_squashed(here: Place) -> None:
    number = here.pull()
    squashed = here.server.merge(number, squash=True)

    assert [pull.number for pull in here.github.pulls_of_commit(squashed)] == [number]


def test_what_is_no_commit_is_not_asked_for(here: Place) -> None:
    with pytest.raises(GitHubError, match=r"'\.\./\.\./user' is not the full id of a commit"):
        here.github.pulls_of_commit("../../user")


def test_a_pull_request_is_opened(here: Place) -> None:
    here.branch("topic")

    pull = here.github.open_pull(head="topic", base="main", title="T", body="B", draft=True)

    assert (pull.title, pull.body, pull.is_draft, pull.author) == ("T", "B", True, WORKFLOW_BOT)
    assert len(here.server.pulls) == 1


def test_a_second_pull_request_of_a_branch_is_the_first(here: Place) -> None:
    number = here.pull()

    pull = here.github.open_pull(head="topic", base="main", title="T", body="B")

    assert pull.number == number


def test_a_pull_request_whose_answer_was_lost_is_found_again(here: Place) -> None:
    here.branch("topic")
    here.server.fail_next("POST", "/pulls$", status=0, done_first=True)

    pull = here.github.open_pull(head="topic", base="main", title="T", body="B")

    assert pull.number == 1
    assert len(here.server.pulls) == 1


def test_a_twin_that_nobody_can_find_stays_an_error(here: Place) -> None:
    here.branch("topic")
    body = {"message": "Validation Failed", "errors": [{"message": "It already exists."}]}
    here.server.fail_next("POST", "/pulls$", status=422, body=body)

    with pytest.raises(GitHubError, match="Validation Failed: It already exists"):
        here.github.open_pull(head="topic", base="main", title="T", body="B")


def test_a_closed_twin_is_not_taken_for_the_open_one(here: Place) -> None:
    here.server.world.pull(here.pull())["state"] = "closed"
    body = {"message": "Validation Failed", "errors": [{"message": "It already exists."}]}
    here.server.fail_next("POST", "/pulls$", status=422, body=body)

    with pytest.raises(GitHubError, match="already exists"):
        here.github.open_pull(head="topic", base="main", title="T", body="B")


def test_a_pull_request_with_nothing_in_it_is_refused_in_github_s_words(here: Place) -> None:
    here.branch("topic", {})
    here.repository.git("update-ref", "refs/heads/topic", here.main)

    with pytest.raises(GitHubError, match="No commits between main and topic") as caught:
        here.github.open_pull(head="topic", base="main", title="T", body="B")

    assert caught.value.problems[0].hint is None


def test_where_actions_may_not_open_pull_requests_the_switch_is_named(here: Place) -> None:
    here.branch("topic")
    here.server.world.may_actions_open_pulls = False

    with pytest.raises(GitHubError, match="not permitted to create") as caught:
        here.github.open_pull(head="topic", base="main", title="T", body="B")

    assert "Settings > Actions > General > Workflow permissions" in hint_of(caught.value)


def test_a_token_that_only_reads_is_told_which_permission_it_lacks(here: Place) -> None:
    here.branch("topic")

    with here.client_with(pull_requests="read", contents="write") as github:
        with pytest.raises(GitHubError, match="not accessible by integration") as caught:
            github.open_pull(head="topic", base="main", title="T", body="B")

    assert "pull-requests: write" in hint_of(caught.value)


def test_only_what_is_given_of_a_pull_request_changes(here: Place) -> None:
    number = here.pull()

    pull = here.github.edit_pull(number, body="new")

    assert (pull.title, pull.body, pull.is_open) == ("Change", "new", True)


def test_a_pull_request_is_closed_and_opened_again(here: Place) -> None:
    number = here.pull()

    assert not here.github.edit_pull(number, is_open=False).is_open
    assert here.github.edit_pull(number, title="T", is_open=True).is_open


def test_labels_are_added_to_those_there_are(here: Place) -> None:
    number = here.pull()

    here.github.add_labels(number, ["a"])
    here.github.add_labels(number, ["a", "b"])

    assert here.github.pull(number).labels == ("a", "b")


def test_the_changed_files_come_with_their_patches(here: Place) -> None:
    number = here.pull("topic", {"prompts/a.md": b"one\n2\nthree\n", "pic": b"\0\1"})

    assert here.github.files(number) == [
        ("pic", None),
        ("prompts/a.md", "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three"),
    ]


# Comments.


def test_all_pages_of_comments_are_read(here: Place) -> None:
    number = here.pull()
    for index in range(205):
        here.server.comment(number, body=f"c{index}")

    comments = here.github.comments(number)

    assert [comment.body for comment in comments] == [f"c{index}" for index in range(205)]
    assert len(here.server.requests) == 3


def test_a_comment_is_written_and_changed_in_place(here: Place) -> None:
    number = here.pull()

    made = here.github.add_comment(number, "first")
    changed = here.github.edit_comment(made.id, "second")

    assert (made.id, changed.body, changed.author) == (changed.id, "second", WORKFLOW_BOT)
    assert [row["body"] for row in here.server.comments(number)] == ["second"]


def test_a_comment_that_is_too_long_is_refused_in_github_s_words(here: Place) -> None:
    number = here.pull()

    with pytest.raises(GitHubError, match="body is too long"):
        here.github.add_comment(number, "x" * 65_537)


def test_a_comment_whose_answer_was_lost_is_not_written_twice(here: Place) -> None:
    number = here.pull()
    here.server.fail_next("POST", "comments", status=502, done_first=True)

    with pytest.raises(GitHubError, match="HTTP 502"):
        here.github.add_comment(number, "once")

    assert len(here.server.comments(number)) == 1


def test_a_suggestion_stands_on_its_lines(here: Place) -> None:
    number = here.pull()
    sha = here.tip("topic")

    here.github.suggest(number, sha=sha, path="prompts/a.md", start_line=1, end_line=2, body="both")
    here.github.suggest(number, sha=sha, path="prompts/a.md", start_line=2, end_line=2, body="one")

    rows = here.server.review_comments(number)
    assert [(row["start_line"], row["line"], row["side"]) for row in rows] == [
        (1, 2, "RIGHT"),
        (None, 2, "RIGHT"),
    ]
    assert [comment.body for comment in here.github.review_comments(number)] == ["both", "one"]


def test_a_suggestion_outside_the_diff_is_refused(here: Place) -> None:
    number = here.pull()

    with pytest.raises(GitHubError, match="path could not be resolved"):
        here.github.suggest(
            number, sha=here.tip("topic"), path="b.txt", start_line=1, end_line=1, body="x"
        )


# Runs.


def test_a_workflow_run_is_read(here: Place) -> None:
    number = here.server.add_run(head_sha=here.main, head_branch="main", head_repository=2002)

    run = here.github.run(number)

    assert (run.id, run.event, run.head_sha, run.head_branch) == (
        number,
        "pull_request",
        here.main,
        "main",
    )
    assert (run.head_repository, run.conclusion) == (2002, "success")
    assert run.path == ".github/workflows/gepa-ci.yml"
