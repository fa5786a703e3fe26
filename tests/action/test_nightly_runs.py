"""Tests of nights end to end: what they leave on the branches, pull requests and data branch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from github_repository import Person
from night_world import DATA, DEAD, Night, Nights, open_nights, state_of
from world import PROMPT, PROMPT_SOURCE, rules_in

from gepa_ci.delivery.improvement import Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from forge_world import Ended

ANN = Person(name="ann", email="ann@example.com")
CHANGED = PROMPT_SOURCE.replace("Name the code", "Say the code").encode()
SOLVED = PROMPT_SOURCE.replace("parcel.", "parcel. rule-0 rule-1 rule-2 rule-3").encode()
SEARCHES = "searches.json"


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    """Return worlds that begin fresh, or after one night that proposed a prompt."""
    folder = tmp_path_factory.mktemp("nights")
    with open_nights(folder) as nights:
        with nights.world(folder / "night-1") as world:
            ended = world.night()
            assert ended.code == 0, ended.log
            nights.keep("proposed", world)
        yield nights


@pytest.fixture
def fresh(nights: Nights, tmp_path: Path) -> Iterator[Night]:
    """Return a repository on which gepa-ci never ran."""
    with nights.world(tmp_path) as world:
        yield world


@pytest.fixture
def proposed(nights: Nights, tmp_path: Path) -> Iterator[Night]:
    """Return a repository with one open proposal."""
    with nights.world(tmp_path, after="proposed") as world:
        yield world


def test_the_first_night_leaves_a_branch_a_pull_request_and_one_use(proposed: Night) -> None:
    (pull,) = proposed.open_pulls
    (use,) = proposed.uses()
    commits = proposed.git.text("rev-list", f"main..{proposed.own_branch}").splitlines()

    assert pull["head_ref"] == proposed.own_branch
    assert pull["base_ref"] == "main"
    assert rules_in(proposed.proposed()) == ["rule-0", "rule-1", "rule-2", "rule-3"]
    assert len(commits) == 1
    assert proposed.git.text("rev-parse", f"{commits[0]}^").strip() == proposed.head("main")
    assert use[1] == "promote"
    assert "held-out examples have judged 1 candidate" in pull["body"]
    assert proposed.server.world.comments == []


def test_a_night_on_which_nothing_changed_calls_nothing_and_writes_nothing(
    proposed: Night,
) -> None:
    before, calls = state_of(proposed), proposed.provider.calls
    length = proposed.data_commits()

    ended = proposed.night()

    assert ended.code == 0
    assert "Nothing that decides a search was changed" in ended.log
    assert proposed.provider.calls == calls
    assert proposed.data_commits() == length
    assert proposed.server.writes == []
    assert state_of(proposed) == before


def test_a_search_by_hand_that_finds_the_same_adds_a_line_of_history_and_nothing_else(
    proposed: Night,
) -> None:
    before, length = state_of(proposed), proposed.data_commits()

    ended = proposed.dispatch()

    after = state_of(proposed)
    assert ended.outputs["pull-request-operation"] == "none"
    assert len(after.pop("history")) == len(before.pop("history")) + 1
    assert after == before
    assert proposed.data_commits() == length + 1


def test_a_better_candidate_updates_the_same_pull_request(proposed: Night) -> None:
    proposed.grow_suite()
    proposed.minds.verb = "Follow"

    ended = proposed.night()

    (pull,) = proposed.server.pulls
    assert ended.outputs["pull-request-operation"] == "updated"
    assert "Follow rule-1" in proposed.proposed()
    assert "Follow rule-1" in pull["body"].replace("{+", "").replace("+}", "")
    # More train examples are no new held-out ones.
    assert "held-out examples have judged 2 candidates" in pull["body"]
    assert proposed.git.text("rev-parse", f"{proposed.own_branch}^") == proposed.head("main")
    assert [outcome for _, outcome in proposed.uses()] == ["promote", "promote"]


def test_a_base_that_moved_has_the_proposal_rebuilt_on_its_new_head(proposed: Night) -> None:
    proposed.git.commit("main", {"other.txt": b"1"}, person=ANN)

    ended = proposed.dispatch()

    (pull,) = proposed.server.pulls
    assert ended.outputs["pull-request-operation"] == "updated"
    assert pull["state"] == "open"
    assert proposed.git.text("rev-parse", f"{proposed.own_branch}^") == proposed.head("main")
    assert proposed.git.read(proposed.own_branch, "other.txt") == b"1"


@pytest.mark.parametrize("squash", [False, True], ids=["merged", "squash-merged"])
def test_a_merged_proposal_has_its_branch_removed_and_is_not_made_again(
    proposed: Night, *, squash: bool
) -> None:
    proposed.server.merge(1, squash=squash)

    ended = proposed.night()

    assert ended.code == 0
    assert proposed.own_branches == []
    assert [pull["state"] for pull in proposed.server.pulls] == ["closed"]
    assert [outcome for _, outcome in proposed.uses()] == ["promote"]


def test_what_a_person_closed_is_not_proposed_again_but_something_else_is(
    proposed: Night,
) -> None:
    proposed.server.world.pull(1)["state"] = "closed"

    same = proposed.dispatch()

    assert same.outputs["pull-request-operation"] == "none"
    assert "somebody closed it" in same.outputs["result"]
    assert len(proposed.server.pulls) == 1

    proposed.minds.verb = "Follow"
    other = proposed.dispatch()

    assert other.outputs["pull-request-operation"] == "created"
    assert [pull["state"] for pull in proposed.server.pulls] == ["closed", "open"]
    assert len(proposed.own_branches) == 1


def test_a_branch_that_a_person_edited_is_left_alone_with_one_comment(proposed: Night) -> None:
    edit = proposed.git.commit(proposed.own_branch, {"note.txt": b"mine"}, person=ANN)
    proposed.minds.verb = "Follow"

    first, second = proposed.dispatch(), proposed.dispatch()

    assert (first.code, second.code) == (0, 0)
    assert proposed.head(proposed.own_branch) == edit
    assert len(proposed.server.comments(1)) == 1
    assert "gepa-ci did not make" in proposed.comment(1)


def test_a_stale_proposal_is_closed_with_a_reason_when_the_new_search_finds_nothing(
    proposed: Night,
) -> None:
    proposed.git.commit("main", {PROMPT: CHANGED}, person=ANN)
    proposed.minds.rules = ()

    ended = proposed.night()

    (pull,) = proposed.server.pulls
    assert ended.outputs["pull-request-operation"] == "closed"
    assert pull["state"] == "closed"
    assert "has changed since this was proved" in proposed.comment(1)
    assert proposed.own_branches == []
    assert [outcome for _, outcome in proposed.uses()] == ["promote"]


def test_a_stale_proposal_is_updated_when_the_new_search_finds_something(proposed: Night) -> None:
    proposed.git.commit("main", {PROMPT: CHANGED}, person=ANN)

    ended = proposed.night()

    (pull,) = proposed.open_pulls
    assert ended.outputs["pull-request-operation"] == "updated"
    assert proposed.proposed().count("Say the code") == 1
    assert proposed.git.text("rev-parse", f"{proposed.own_branch}^") == proposed.head("main")
    assert "Say the code" in pull["body"]


def test_a_protected_branch_ends_the_run_with_the_rule_to_change(fresh: Night) -> None:
    branch = Target(task="parcels", base_branch="main").branch
    fresh.server.world.protected.add(branch)

    ended = fresh.night()

    assert ended.code == 3
    assert f"leave '{branch}' out of the rule" in ended.log
    assert fresh.server.pulls == []
    assert SEARCHES not in fresh.data_files()


def test_where_pull_requests_are_not_permitted_the_next_run_after_switching_opens_it(
    fresh: Night,
) -> None:
    fresh.server.world.may_actions_open_pulls = False

    refused = fresh.night()

    assert refused.code == 3
    assert "Settings > Actions > General" in refused.log
    assert len(fresh.own_branches) == 1
    assert fresh.server.pulls == []

    fresh.server.world.may_actions_open_pulls = True
    ended = fresh.night()

    assert ended.outputs["pull-request-operation"] == "created"
    assert len(fresh.open_pulls) == 1
    assert [outcome for _, outcome in fresh.uses()] == ["promote"]


def test_a_corrupt_data_branch_is_an_error_that_names_the_file_and_harms_nothing(
    proposed: Night,
) -> None:
    before = state_of(proposed)
    (name,) = [path for path in proposed.data_files() if path.startswith("held-out/")]
    good = proposed.git.read(DATA, name)
    proposed.git.commit(DATA, {name: b'{"task":'.join([b"", b"\n"])}, person=ANN)
    calls = proposed.provider.calls

    by_night, by_hand, recording = proposed.night(), proposed.dispatch(), proposed.pushed()

    assert [ended.code for ended in (by_night, by_hand, recording)] == [3, 3, 3]
    assert all(name in ended.log for ended in (by_night, by_hand, recording))
    assert proposed.provider.calls == calls

    proposed.git.commit(DATA, {name: good}, person=ANN)

    assert proposed.night().code == 0
    assert state_of(proposed) == before


def test_with_sign_commits_github_makes_and_verifies_the_commit(fresh: Night) -> None:
    ended = fresh.night(sign_commits="true")

    head = fresh.head(fresh.own_branch)
    assert ended.outputs["pull-request-operation"] == "created"
    assert head in fresh.server.world.verified
    assert fresh.git.text("rev-parse", f"{head}^") == fresh.head("main")
    assert fresh.night().outputs.get("pull-request-operation", "") in ("", "none")


def test_on_a_pull_request_a_fitting_change_is_suggested_once(fresh: Night) -> None:
    number = fresh.pull(CHANGED)

    first, second = fresh.labeled(number), fresh.labeled(number)

    (remark,) = fresh.server.review_comments(number)
    assert (first.code, second.code) == (0, 0)
    assert "```suggestion" in remark["body"]
    assert rules_in(remark["body"]) == ["rule-0", "rule-1", "rule-2", "rule-3"]
    assert fresh.own_branches == []
    assert [outcome for _, outcome in fresh.uses()] == ["promote"]
    assert SEARCHES not in fresh.data_files()
    assert fresh.records("history") == []


def test_on_a_pull_request_a_change_elsewhere_becomes_a_stacked_pull_request(
    fresh: Night,
) -> None:
    fresh.git.git("branch", "change", "main")
    fresh.git.commit("change", {"other.txt": b"1"}, person=ANN)
    number = int(fresh.server.open_pull(head="change")["number"])

    ended = fresh.labeled(number)

    stacked = fresh.server.world.pull(number + 1)
    assert ended.outputs["pull-request-operation"] == "created"
    assert len(fresh.server.pulls) == 2
    assert stacked["base_ref"] == "change"
    assert fresh.git.text("rev-parse", f"{fresh.own_branch}^") == fresh.head("change")
    assert fresh.server.review_comments(number) == []


def test_neither_forks_nor_own_branches_are_optimized(proposed: Night) -> None:
    fork = proposed.git.commit("elsewhere", {PROMPT: CHANGED}, parent=proposed.head("main"))
    proposed.git.git("branch", "-D", "elsewhere")
    number = int(proposed.server.open_fork_pull(fork)["number"])
    before, calls = state_of(proposed), proposed.provider.calls

    from_fork, own = proposed.labeled(number), proposed.labeled(1)

    assert (from_fork.code, own.code) == (0, 0)
    assert "comes from a fork" in from_fork.log
    assert "optimized already" in own.log
    assert proposed.provider.calls == calls
    assert state_of(proposed) == before


def test_a_task_that_was_proved_is_proposed_although_the_next_one_fails(fresh: Night) -> None:
    config = json.loads(fresh.git.read("main", "gepa-ci.yml"))
    config["models"]["dead"] = {**config["models"]["task"], "model": f"openai/{DEAD}"}
    task = config["tasks"]["parcels"]
    config["tasks"]["zebras"] = {**task, "prompts": ["zebras.prompt.yml"], "model": "dead"}
    fresh.git.commit(
        "main",
        {"gepa-ci.yml": json.dumps(config).encode(), "zebras.prompt.yml": PROMPT_SOURCE.encode()},
    )

    ended = fresh.night()

    (pull,) = fresh.server.pulls
    assert ended.code == 3
    assert "parcels" in pull["title"]
    assert [outcome for _, outcome in fresh.uses()] == ["promote"]
    assert list(json.loads(fresh.data_files()[SEARCHES])["searches"]) == ["parcels"]


def test_a_push_is_recorded_once_and_again_only_when_inputs_changed(fresh: Night) -> None:
    first = fresh.pushed()
    calls, length = fresh.provider.calls, fresh.data_commits()

    (baseline,) = fresh.records("baselines")
    assert first.code == 0
    assert baseline["commit"] == fresh.head("main")
    assert fresh.badges() == ["0.00 on 40 examples"]
    assert len(fresh.records("history")) == 1

    fresh.git.commit("main", {"other.txt": b"1"}, person=ANN)
    again = fresh.pushed()

    assert "was changed, so nothing was run" in again.log
    assert (fresh.provider.calls, fresh.data_commits()) == (calls, length)

    fresh.git.commit("main", {PROMPT: SOLVED}, person=ANN)
    fresh.pushed()

    assert fresh.badges() == ["1.00 on 40 examples"]
    assert [entry["mean"] for entry in fresh.records("history")] == [0.0, 1.0]
    before, after = fresh.records("history")
    assert before["digest"] != after["digest"]
    assert before["prompt_digest"] == baseline["prompt_digest"]
    assert (before["low"], after["high"]) == (0.0, 1.0)
    assert before["high"] < 0.1
    assert after["low"] > 0.9
    assert before["fresh"]
    assert fresh.data_commits() == length + 1


def test_held_out_texts_stand_nowhere_but_on_the_default_branch(fresh: Night) -> None:
    texts = fresh.held_out_texts()
    number = fresh.pull(CHANGED)

    for ended in (fresh.pushed(), fresh.night(), fresh.labeled(number)):
        assert ended.code == 0, ended.log

    written = [json.dumps(request.body) for request in fresh.server.requests]
    data = fresh.git.text("log", "--patch", DATA)
    own = fresh.git.text("log", "--patch", "main..", *fresh.own_branches)
    everything = "\n".join([*fresh.logs, *written, data, own])
    assert len(fresh.server.pulls) == 2
    assert [text for text in texts if text in everything] == []


def test_a_cap_that_cannot_pay_leaves_no_proposal_and_an_honest_record(fresh: Night) -> None:
    config = json.loads(fresh.git.read("main", "gepa-ci.yml"))
    config["spend"] = {"calls": 200}
    fresh.git.commit("main", {"gepa-ci.yml": json.dumps(config).encode()})
    before = fresh.provider.calls

    ended = fresh.night()

    assert ended.code in (2, 3)
    assert "the spend cap 'calls: 200' cannot pay for the proof" in ended.log
    assert fresh.provider.calls - before <= 200
    assert fresh.server.pulls == []
    assert fresh.own_branches == []
    assert fresh.uses() == []


def test_ten_interleaved_nights_leave_one_branch_one_pull_request_and_one_use(
    fresh: Night,
) -> None:
    for batch in range(2):
        assert [ended.code for ended in at_once(fresh, 5)] == [0] * 5, batch
        if not batch:
            # The second five find the first five's work, and have to search again.
            fresh.git.commit("main", {"other.txt": b"1"}, person=ANN)

    (pull,) = fresh.server.pulls
    assert pull["state"] == "open"
    assert len(fresh.own_branches) == 1
    assert [outcome for _, outcome in fresh.uses()] == ["promote"]


def at_once(world: Night, count: int) -> list[Ended]:
    """Start so many runs at the same time, and wait for all of them."""
    running = [world.start("workflow_dispatch", world.by_hand()) for _ in range(count)]
    ended = []
    for process, folder in running:
        log, _ = process.communicate(timeout=100)
        ended.append(world.ended(process.returncode, log, folder))
    return ended
