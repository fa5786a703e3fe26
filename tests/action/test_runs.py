"""Whole runs: the workflows that `init` writes, executed for real against an emulated GitHub."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

import github_events as events
from action_world import KEY, PROMPT, WORSE

if TYPE_CHECKING:
    from action_world import World
    from provider import FakeProvider


def test_a_pull_request_that_makes_a_prompt_worse_is_blocked(
    world: World, provider: FakeProvider
) -> None:
    head = world.head("change", {"prompts/p.md": WORSE.encode()})
    number = world.server.open_pull(head="change")["number"]

    ran = world.run(
        "gepa-ci.yml",
        "pull_request",
        events.pull_request(world.server, number, "opened"),
        checkout=world.merged("change"),
    )

    assert ran.exit_codes == (1,), ran.log
    assert ran.jobs == {"gate": "failure"}
    assert ran.outputs["verdict"] == "regression"
    assert json.loads(ran.outputs["result"])["tasks"][0]["verdict"] == "regression"
    (comment,) = world.server.comments(number)
    assert "regression" in comment["body"]
    (check,) = world.server.checks(head)
    assert (check["name"], check["conclusion"]) == ("gepa-ci", "failure")
    assert "regression" in ran.summary
    assert provider.requests
    assert KEY not in ran.log


def test_a_second_run_updates_the_one_comment(world: World) -> None:
    world.head("change", {"prompts/p.md": WORSE.encode()})
    number = world.server.open_pull(head="change")["number"]
    payload = events.pull_request(world.server, number)

    for _ in range(2):
        world.run("gepa-ci.yml", "pull_request", payload, checkout=world.merged("change"))

    assert len(world.server.comments(number)) == 1


def test_a_pull_request_that_changes_no_prompt_calls_no_model(
    world: World, provider: FakeProvider
) -> None:
    world.head("change", {"README.md": b"# Changed\n"})
    number = world.server.open_pull(head="change")["number"]

    ran = world.run(
        "gepa-ci.yml",
        "pull_request",
        events.pull_request(world.server, number),
        checkout=world.merged("change"),
    )

    assert ran.code == 0, ran.log
    assert provider.requests == []
    assert ran.result_of("Keep a fork's result") != "success"


def test_a_merge_group_reuses_the_verdict_of_its_pull_request(
    world: World, provider: FakeProvider
) -> None:
    world.head("change", {"prompts/p.md": b"Say it: {{ text }}\n"})
    number = world.server.open_pull(head="change")["number"]
    merge = world.merged("change")
    payload = events.pull_request(world.server, number)
    assert world.run("gepa-ci.yml", "pull_request", payload, checkout=merge).code == 0
    asked = len(provider.requests)
    head, base = world.git.sha(merge), world.git.sha("refs/heads/main")
    assert head is not None
    assert base is not None
    group = events.merge_group(world.server, base=base, head=head, number=number)

    ran = world.run("gepa-ci.yml", "merge_group", group, checkout=merge)

    assert ran.code == 0, ran.log
    assert len(provider.requests) == asked
    (check,) = world.server.checks(head)
    assert check["conclusion"] == "success"


def test_a_forks_pull_request_is_read_without_a_key_and_posted_by_the_other_workflow(
    world: World, provider: FakeProvider
) -> None:
    head = world.head("theirs", {"prompts/p.md": WORSE.encode()})
    merge = world.merged("theirs")
    number = world.server.open_fork_pull(head)["number"]
    world.server.add_token("fork", permissions={"contents": "read", "metadata": "read"})
    theirs = world.with_runner(token="fork", secrets={})

    read = theirs.run(
        "gepa-ci.yml", "pull_request", events.pull_request(world.server, number), checkout=merge
    )
    posted_by_fork = len(world.server.comments(number))
    packed = theirs.runner.artifact("gepa-ci", "posted.json")
    assert packed is not None, read.log
    run = world.server.add_run(head_sha=head, head_branch="theirs", head_repository=2002)
    world.server.add_artifact(run, "gepa-ci", _zipped("posted.json", packed))
    posted = world.run(
        "gepa-ci-requests.yml", "workflow_run", events.workflow_run(world.server, run)
    )

    assert read.code == 0, read.log
    assert posted_by_fork == 0
    assert posted.code == 0, posted.log
    assert set(posted.jobs) == {"post"}
    assert provider.requests == []
    (check,) = world.server.checks(head)
    assert check["conclusion"] == "neutral"
    assert "fork" in check["output"]["summary"]


def test_a_night_proposes_the_better_prompt_once(world: World) -> None:
    world.git.commit("main", {"prompts/p.md": WORSE.encode()})

    first = world.run("gepa-ci-nightly.yml", "schedule", events.schedule(world.server))
    second = world.run("gepa-ci-nightly.yml", "schedule", events.schedule(world.server))

    assert (first.code, second.code) == (0, 0), first.log + second.log
    assert set(first.jobs) == {"optimize"}
    (pull,) = world.server.pulls
    assert first.outputs["verdict"] == "promote"
    assert first.outputs["pull-request-operation"] == "created"
    assert first.outputs["pull-request-number"] == str(pull["number"])
    assert world.git.read(pull["head_ref"], "prompts/p.md") == PROMPT.encode()
    assert first.result_of("Save answers") == "success"


def test_a_run_by_hand_takes_the_task_that_was_named(world: World) -> None:
    payload = events.workflow_dispatch(world.server, task="nothing")

    ran = world.run("gepa-ci-nightly.yml", "workflow_dispatch", payload)

    assert ran.exit_codes == (2,)
    assert "there is no task 'nothing'" in ran.log


def test_a_push_to_the_default_branch_records_its_scores(world: World) -> None:
    sha = world.git.sha("refs/heads/main")
    assert sha is not None

    ran = world.run("gepa-ci-nightly.yml", "push", events.push(world.server, before=sha, after=sha))

    assert ran.code == 0, ran.log
    assert set(ran.jobs) == {"record"}
    assert "gepa-ci-data" in world.git.branches()


def test_the_label_asks_for_an_optimization_of_the_pull_requests_branch(world: World) -> None:
    world.head("change", {"prompts/p.md": WORSE.encode()})
    number = world.server.open_pull(head="change")["number"]

    ran = world.run(
        "gepa-ci-requests.yml",
        "pull_request",
        events.labeled(world.server, number),
        checkout=world.merged("change"),
    )

    assert ran.code == 0, ran.log
    assert set(ran.jobs) == {"optimize"}
    assert ran.outputs["verdict"] == "promote"


def test_another_label_starts_nothing(world: World) -> None:
    world.head("change", {"prompts/p.md": WORSE.encode()})
    number = world.server.open_pull(head="change")["number"]

    ran = world.run(
        "gepa-ci-requests.yml",
        "pull_request",
        events.labeled(world.server, number, "bug"),
        checkout=world.merged("change"),
    )

    assert ran.code == 0
    assert ran.steps == ()


def test_a_comment_of_somebody_who_may_write_asks_for_the_gate(world: World) -> None:
    world.server.world.roles["ann"] = "write"
    head = world.head("change", {"prompts/p.md": WORSE.encode()})
    number = world.server.open_pull(head="change")["number"]

    ran = world.run(
        "gepa-ci-requests.yml",
        "issue_comment",
        events.issue_comment(world.server, number, "/gepa-ci gate"),
    )

    assert ran.exit_codes == (1,), ran.log
    assert set(ran.jobs) == {"answer"}
    (check,) = world.server.checks(head)
    assert check["conclusion"] == "failure"


def test_a_comment_without_a_command_starts_nothing(world: World) -> None:
    world.head("change", {"prompts/p.md": WORSE.encode()})
    number = world.server.open_pull(head="change")["number"]

    ran = world.run(
        "gepa-ci-requests.yml",
        "issue_comment",
        events.issue_comment(world.server, number, "What does gepa-ci say?"),
    )

    assert ran.code == 0
    assert ran.steps == ()


def _zipped(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, content)
    return packed.getvalue()
