"""Tests of gepa_ci.delivery.github_checks, against a strict emulator over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from github_cases import Place, place, remarks, verdict

from gepa_ci.delivery.forge import CheckRun, Conclusion
from gepa_ci.errors import GitHubError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Iterator[Place]:
    with place(tmp_path) as made:
        yield made


def add_check(here: Place, *, app: str, title: str | None, name: str = "gepa-ci") -> int:
    """Let somebody else show a check run on the default branch's tip."""
    made = here.server.world.next_id()
    here.server.world.checks.append(
        {
            "id": made,
            "name": name,
            "head_sha": here.main,
            "status": "completed",
            "conclusion": "success",
            "external_id": "",
            "app": {"id": 1, "slug": app},
            "output": {"title": title, "summary": None, "annotations_count": 0},
            "annotations": [],
        }
    )
    return made


def test_a_check_run_is_shown_with_all_that_it_says(here: Place) -> None:
    made = here.github.put_check(verdict(here.main, annotations=remarks(1)))

    [row] = here.server.checks(here.main)
    assert (row["id"], row["name"], row["status"]) == (made, "gepa-ci", "completed")
    assert (row["conclusion"], row["external_id"]) == ("success", "d1")
    assert (row["output"]["title"], row["output"]["summary"]) == ("no regression", "all good")
    assert row["annotations"] == [
        {
            "path": "prompts/a.md",
            "start_line": 1,
            "end_line": 1,
            "annotation_level": "warning",
            "title": "worse",
            "message": "example e1 got worse",
        }
    ]


def test_the_check_runs_of_a_name_are_listed(here: Place) -> None:
    made = here.github.put_check(verdict(here.main, conclusion=Conclusion.NEUTRAL))
    add_check(here, app="other", title="x", name="lint")

    assert here.github.checks(here.main, "gepa-ci") == [
        CheckRun(
            id=made,
            name="gepa-ci",
            conclusion="neutral",
            digest="d1",
            app="github-actions",
            title="no regression",
        )
    ]


def test_annotations_are_sent_fifty_at_a_time(here: Place) -> None:
    here.github.put_check(verdict(here.main, annotations=remarks(120)))

    [row] = here.server.checks(here.main)
    assert [line["start_line"] for line in row["annotations"]] == list(range(1, 121))
    assert [request.method for request in here.server.writes] == ["POST", "PATCH", "PATCH"]


def test_shown_again_it_is_the_same_check_run_with_no_annotation_twice(here: Place) -> None:
    first = here.github.put_check(verdict(here.main, annotations=remarks(3)))

    again = here.github.put_check(
        verdict(here.main, conclusion=Conclusion.FAILURE, annotations=remarks(60))
    )

    [row] = here.server.checks(here.main)
    assert (first, row["conclusion"]) == (again, "failure")
    assert [line["start_line"] for line in row["annotations"]] == list(range(1, 61))


def test_annotations_that_are_wrong_by_now_take_a_new_check_run(here: Place) -> None:
    first = here.github.put_check(verdict(here.main, annotations=remarks(2)))

    second = here.github.put_check(verdict(here.main, annotations=remarks(2, start=2)))

    assert first != second
    [shown] = here.github.checks(here.main, "gepa-ci")
    assert shown.id == second


@pytest.mark.parametrize(
    ("status", "body"), [(200, {"annotations": []}), (200, [{"path": 3}]), (404, None)]
)
def test_annotations_that_cannot_be_told_take_a_new_check_run(
    here: Place, status: int, body: object
) -> None:
    first = here.github.put_check(verdict(here.main))
    here.server.fail_next("GET", "/annotations", status=status, body=body)

    assert here.github.put_check(verdict(here.main)) != first


def test_another_app_s_check_run_of_the_name_is_left_alone(here: Place) -> None:
    other = add_check(here, app="other", title="theirs")

    made = here.github.put_check(verdict(here.main))

    assert made != other
    assert here.server.checks(here.main)[0]["output"]["title"] == "theirs"


def test_the_check_run_of_a_job_of_the_name_is_left_alone(here: Place) -> None:
    job = add_check(here, app="github-actions", title=None)

    made = here.github.put_check(verdict(here.main))

    assert made != job
    assert here.server.checks(here.main)[0]["output"]["title"] is None


def test_what_is_too_long_for_github_is_cut(here: Place) -> None:
    here.github.put_check(verdict(here.main, title="t" * 300, summary="s" * 70_000))

    [row] = here.server.checks(here.main)
    assert (len(row["output"]["title"]), len(row["output"]["summary"])) == (255, 65_535)


def test_annotations_whose_answer_was_lost_are_not_sent_twice(here: Place) -> None:
    here.server.fail_next("PATCH", "check-runs", status=502, done_first=True)

    with pytest.raises(GitHubError, match="HTTP 502"):
        here.github.put_check(verdict(here.main, annotations=remarks(60)))

    assert len(here.server.checks(here.main)[0]["annotations"]) == 60


def test_a_commit_that_github_has_not_is_an_error(here: Place) -> None:
    with pytest.raises(GitHubError, match="No commit found for SHA"):
        here.github.put_check(verdict("f" * 40))


def test_a_refused_update_that_is_no_matter_of_rights_is_an_error(here: Place) -> None:
    here.github.put_check(verdict(here.main))
    here.server.fail_next("PATCH", "check-runs", status=422, body={"message": "Bad"})

    with pytest.raises(GitHubError, match="refused to write the check run: Bad"):
        here.github.put_check(verdict(here.main))


@pytest.mark.parametrize(
    ("conclusion", "state"),
    [
        (Conclusion.SUCCESS, "success"),
        (Conclusion.FAILURE, "failure"),
        (Conclusion.NEUTRAL, "pending"),
    ],
)
def test_without_check_runs_a_commit_status_has_to_do(
    here: Place, conclusion: Conclusion, state: str
) -> None:
    with here.client_with(statuses="write") as github:
        made = github.put_check(verdict(here.main, conclusion=conclusion, title="t" * 200))

    assert made == 0
    [row] = here.server.statuses(here.main)
    assert (row["state"], row["context"], row["description"]) == (state, "gepa-ci", "t" * 140)


def test_a_token_that_reads_check_runs_only_sets_a_status_too(here: Place) -> None:
    with here.client_with(checks="read", statuses="write") as github:
        assert github.put_check(verdict(here.main)) == 0


def test_a_person_s_token_sets_a_status(here: Place) -> None:
    here.server.add_token("p", login="ann", app=None)

    with here.client("p") as github:
        assert github.put_check(verdict(here.main)) == 0


def test_a_token_that_may_neither_is_told_the_permission(here: Place) -> None:
    with here.client_with(contents="read") as github:
        with pytest.raises(GitHubError, match="neither a check run nor a commit st") as caught:
            github.put_check(verdict(here.main))

    assert "`permissions: checks: write`" in (caught.value.problems[0].hint or "")


def test_a_status_that_is_refused_for_its_content_is_that_error(here: Place) -> None:
    here.server.fail_next("POST", "statuses", status=422, body={"message": "Too many"})

    with here.client_with(statuses="write") as github:
        with pytest.raises(GitHubError, match="refused to set the commit's status: Too many"):
            github.put_check(verdict(here.main))
