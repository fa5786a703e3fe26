from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from event_samples import (
    BASE,
    DEFAULT,
    FORK_ID,
    HEAD,
    event,
    forked,
    on_comment,
    on_group,
    on_pull,
    on_run,
    pull,
)

from gepa_ci.delivery.errands import (
    CommandErrand,
    GateErrand,
    MergeGroupErrand,
    NothingErrand,
    OptimizeErrand,
    PostErrand,
    RecordErrand,
    Verb,
)
from gepa_ci.delivery.events import LABEL, Event, decide
from gepa_ci.errors import ExitCode, GitHubError, UsageError


def nothing(event: Event, **options: Any) -> str:
    errand = decide(event, **options)

    assert isinstance(errand, NothingErrand)
    assert errand.reason.endswith(".")
    assert errand.reason.isprintable()
    return errand.reason


@pytest.mark.parametrize("action", ["opened", "synchronize", "reopened", "ready_for_review"])
def test_pull_request_that_is_new_or_changed_is_judged(action: str) -> None:
    errand = decide(on_pull(action))

    assert isinstance(errand, GateErrand)
    assert errand.pull is not None
    assert errand.pull.number == 7
    assert errand.head == HEAD


def test_base_is_the_pull_requests_own_and_never_the_runs_commit() -> None:
    errand = decide(on_pull("synchronize"))

    assert isinstance(errand, GateErrand)
    assert errand.base == BASE


@pytest.mark.parametrize("action", ["edited", "closed", "unlabeled", "assigned", "auto_merge"])
def test_other_actions_of_a_pull_request_ask_for_nothing(action: str) -> None:
    assert action in nothing(on_pull(action))


def test_closed_pull_request_is_left_alone() -> None:
    assert "closed" in nothing(on_pull("labeled", pull(state="closed"), label={"name": LABEL}))


def test_draft_is_judged() -> None:
    assert isinstance(decide(on_pull("opened", pull(draft=True))), GateErrand)


def test_draft_is_not_judged_where_drafts_are_off() -> None:
    assert "draft" in nothing(on_pull("opened", pull(draft=True)), drafts=False)
    assert isinstance(decide(on_pull("opened"), drafts=False), GateErrand)


def test_pull_request_from_a_fork_is_an_errand_that_says_so() -> None:
    errand = decide(on_pull("opened", forked()))

    assert isinstance(errand, GateErrand)
    assert errand.pull is not None
    assert errand.pull.is_from_fork


def test_label_asks_for_an_optimization_of_the_branch() -> None:
    errand = decide(on_pull("labeled", label={"name": LABEL}))

    assert isinstance(errand, OptimizeErrand)
    assert (errand.branch, errand.sha) == ("shorter", HEAD)
    assert errand.pull is not None


def test_label_can_be_named_by_the_caller() -> None:
    labeled = on_pull("labeled", label={"name": "better, please"})

    assert isinstance(decide(labeled, label="better, please"), OptimizeErrand)


def test_other_labels_ask_for_nothing() -> None:
    assert "'bug'" in nothing(on_pull("labeled", label={"name": "bug"}))


def test_denial_of_wallet_a_label_on_a_fork_spends_nothing() -> None:
    assert "fork" in nothing(on_pull("labeled", forked(), label={"name": LABEL}))


def test_loop_our_own_branches_are_judged_and_never_optimized() -> None:
    ours = pull()
    ours["head"] = {**ours["head"], "ref": "gepa-ci/main/orders-4f1c0a2b"}

    assert isinstance(decide(on_pull("opened", ours)), GateErrand)
    assert "gepa-ci/" in nothing(on_pull("labeled", ours, label={"name": LABEL}))


def test_bot_condition_no_login_changes_what_is_judged() -> None:
    bot = {"id": 5, "login": "github-actions[bot]", "type": "User"}
    errand = decide(on_pull("labeled", forked(user=bot), label={"name": LABEL}))

    assert isinstance(errand, NothingErrand)
    assert isinstance(decide(on_comment("/gepa-ci gate", login="a[bot]")), CommandErrand)


def test_pwn_request_the_event_that_lends_secrets_to_forks_is_refused() -> None:
    target = event("pull_request_target", {"action": "opened", "pull_request": forked()})

    with pytest.raises(UsageError, match="pull_request_target") as caught:
        decide(target)

    assert caught.value.exit_code == ExitCode.INPUT
    assert "`pull_request`" in str(caught.value.problems[0].hint)


@pytest.mark.parametrize("checked_out", [HEAD, "e" * 40])
def test_pwn_request_a_forks_files_beside_our_rights_are_refused(checked_out: str) -> None:
    with pytest.raises(UsageError, match="workflow_run") as caught:
        decide(on_run(checked_out=checked_out))

    assert "`pull_request`" in str(caught.value.problems[0].hint)


@pytest.mark.parametrize("checked_out", [None, DEFAULT])
def test_a_forks_run_that_is_over_is_posted(checked_out: str | None) -> None:
    errand = decide(on_run(checked_out=checked_out))

    assert isinstance(errand, PostErrand)
    assert errand.is_from_fork
    assert errand.run.id == 77
    assert errand.run.head_sha == HEAD
    assert errand.run.head_repository == FORK_ID


def test_failed_run_is_posted_too() -> None:
    errand = decide(on_run(conclusion="failure"))

    assert isinstance(errand, PostErrand)
    assert errand.run.conclusion == "failure"


def test_run_of_the_same_repository_may_have_its_head_checked_out() -> None:
    errand = decide(on_run(checked_out=HEAD, head_repository={"id": 100}))

    assert isinstance(errand, PostErrand)
    assert not errand.is_from_fork


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"action": "requested"}, "requested"),
        ({"event": "push"}, "push"),
        ({"conclusion": None}, "without a result"),
        ({"conclusion": "cancelled"}, "cancelled"),
        ({"conclusion": "action_required"}, "action_required"),
        ({"head_repository": None}, "gone"),
    ],
)
def test_run_without_a_result_of_a_pull_request_is_not_posted(
    changes: dict[str, Any], word: str
) -> None:
    assert word in nothing(on_run(**changes))


def test_merge_group_is_judged_and_names_its_pull_request() -> None:
    assert decide(on_group()) == MergeGroupErrand(base=BASE, head=HEAD, pull_number=7)


@pytest.mark.parametrize(
    ("base_branch", "tail", "number"),
    [
        ("release/pr-3", f"/pr-12-{BASE}", 12),
        ("main", f"/other/pr-12-{BASE}", None),
        ("main", f"-2/pr-12-{BASE}", None),
        ("main", "/pr-12-short", None),
        ("main", f"/pr-0-{BASE}", None),
    ],
)
def test_number_in_a_queues_ref_is_read_exactly(
    base_branch: str, tail: str, number: int | None
) -> None:
    group = on_group(
        base_ref=f"refs/heads/{base_branch}",
        head_ref=f"refs/heads/gh-readonly-queue/{base_branch}{tail}",
    )
    errand = decide(group)

    assert isinstance(errand, MergeGroupErrand)
    assert errand.pull_number == number


def test_merge_group_of_a_ref_elsewhere_has_no_number() -> None:
    errand = decide(on_group(head_ref=f"refs/heads/evil/pr-7-{BASE}"))

    assert isinstance(errand, MergeGroupErrand)
    assert errand.pull_number is None


def test_destroyed_merge_group_asks_for_nothing() -> None:
    group = on_group()

    assert "destroyed" in nothing(
        dataclasses.replace(group, payload={**group.payload, "action": "destroyed"})
    )


def test_schedule_optimizes_the_default_branch_without_its_name_in_the_payload() -> None:
    nightly = Event(
        name="schedule",
        payload={"schedule": "0 3 * * *"},
        repository="acme/mail",
        ref="refs/heads/main",
        sha=DEFAULT,
    )

    assert decide(nightly) == OptimizeErrand(branch="main", sha=DEFAULT, pull=None)


def test_dispatch_optimizes_the_default_branch() -> None:
    assert decide(event("workflow_dispatch", {"inputs": None})) == OptimizeErrand(
        branch="main", sha=DEFAULT, pull=None
    )


@pytest.mark.parametrize("ref", ["refs/heads/feature", "refs/tags/main"])
def test_dispatch_on_another_ref_asks_for_nothing(ref: str) -> None:
    assert "'main'" in nothing(event("workflow_dispatch", {}, ref=ref))


@pytest.mark.parametrize(
    ("field", "value"), [("ref", "refs/tags/v1"), ("ref", "refs/heads/a b"), ("sha", "main")]
)
def test_schedule_without_a_branch_and_a_commit_is_an_error(field: str, value: str) -> None:
    with pytest.raises(GitHubError, match="GITHUB_"):
        decide(event("schedule", {}, **{field: value}))


def test_push_to_the_default_branch_is_recorded_by_the_commit_it_brought() -> None:
    pushed = event("push", {"ref": "refs/heads/main", "after": HEAD, "deleted": False})

    assert decide(pushed) == RecordErrand(sha=HEAD, branch="main")


@pytest.mark.parametrize("ref", ["refs/heads/feature", "refs/heads/gepa-ci-data", "refs/tags/main"])
def test_push_elsewhere_asks_for_nothing(ref: str) -> None:
    assert ref in nothing(event("push", {"ref": ref, "after": HEAD}))


def test_deleted_default_branch_is_not_recorded() -> None:
    gone = {"ref": "refs/heads/main", "after": "0" * 40, "deleted": True}

    assert "deleted" in nothing(event("push", gone))


@pytest.mark.parametrize("name", ["issues", "release", "fork", "", "::error::x\n##[group]"])
def test_other_events_ask_for_nothing(name: str) -> None:
    assert "nothing to do" in nothing(event(name, {}))


@pytest.mark.parametrize(
    ("body", "verb", "argument"),
    [
        ("/gepa-ci gate", Verb.GATE, ""),
        ("/gepa-ci optimize  ", Verb.OPTIMIZE, ""),
        ("Thanks!\r\n\r\n/gepa-ci\trerun\r\n", Verb.RERUN, ""),
        ("/gepa-ci why mail-065", Verb.WHY, "mail-065"),
        ("/gepa-ci why a b; $(c) --d", Verb.WHY, "a b; $(c) --d"),
        ("```\n/gepa-ci gate\n```\n/gepa-ci rerun", Verb.RERUN, ""),
        ("/gepa-ci gate\n/gepa-ci rerun", Verb.GATE, ""),
    ],
)
def test_comment_at_the_start_of_a_line_is_a_command(body: str, verb: Verb, argument: str) -> None:
    errand = decide(on_comment(body))

    assert isinstance(errand, CommandErrand)
    assert (errand.verb, errand.argument) == (verb, argument)
    assert (errand.number, errand.comment_id, errand.author.id) == (7, 31, 5)


@pytest.mark.parametrize(
    "body",
    [
        "Looks good",
        "Try /gepa-ci gate",
        " /gepa-ci gate",
        "> /gepa-ci gate",
        "/gepa-cigate",
        "~~~\n/gepa-ci gate",
        "x" * 70_000 + "\n/gepa-ci gate",
    ],
)
def test_comment_without_a_command_asks_for_nothing(body: str) -> None:
    assert "no line" in nothing(on_comment(body))


@pytest.mark.parametrize(
    "body",
    [
        "/gepa-ci",
        "/gepa-ci merge",
        "/gepa-ci GATE",
        "/gepa-ci gate everything",
        "/gepa-ci why",
        f"/gepa-ci why {'x' * 201}",
        "/gepa-ci \u202eetag",
    ],
)
def test_wrong_command_is_told_what_there_is(body: str) -> None:
    assert "gate, optimize, rerun or why ID" in nothing(on_comment(body))


def test_our_own_comment_is_no_command() -> None:
    assert "itself" in nothing(on_comment("<!-- gepa-ci:comment:v1 -->\n/gepa-ci gate"))


def test_loop_a_bots_comment_is_no_command() -> None:
    assert "bots" in nothing(on_comment("/gepa-ci gate", kind="Bot"))


def test_comment_on_an_issue_asks_for_nothing() -> None:
    assert "not a pull request" in nothing(on_comment("/gepa-ci gate", pull_request=None))


def test_comment_on_a_closed_pull_request_asks_for_nothing() -> None:
    assert "closed" in nothing(on_comment("/gepa-ci gate", state="closed"))


def test_changed_comment_asks_for_nothing() -> None:
    new = on_comment("/gepa-ci gate")

    assert "new comment" in nothing(
        dataclasses.replace(new, payload={**new.payload, "action": "edited"})
    )


@pytest.mark.parametrize(
    "name",
    ["pull_request", "merge_group", "workflow_dispatch", "push", "issue_comment", "workflow_run"],
)
@pytest.mark.parametrize("payload", [{}, {"action": 3}, {"repository": [], "action": []}])
def test_payload_of_another_shape_is_an_error_and_never_a_crash(
    name: str, payload: dict[str, Any]
) -> None:
    broken = Event(
        name=name, payload=payload, repository="acme/mail", ref="refs/heads/x", sha=DEFAULT
    )

    with pytest.raises(GitHubError, match="GitHub's"):
        decide(broken)
