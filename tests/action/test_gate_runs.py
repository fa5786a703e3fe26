"""Runs of the Action that gate: what they ask, decide, show and return."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import github_events
import pytest
from forge_world import GOOD, HALF, HELD_OUT_TEXT, ForgeWorld, forge_world
from provider import every, rate_limited, unauthorized
from world import CONFIG, PROMPT, examples

from gepa_ci.delivery.data_branch import slug

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from forge_world import Ended

SAME = GOOD.replace(b"Name the code", b"Please name the code")
"""Another text of the same worth."""
OTHER = {"other.txt": b"1"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ForgeWorld]:
    """Return a repository whose prompt on `main` is good."""
    with forge_world(tmp_path, prompt=GOOD) as made:
        yield made


@pytest.fixture(scope="module")
def regressed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ForgeWorld, Ended]]:
    """Return a repository with a pull request that makes the prompt worse, and its run."""
    with forge_world(tmp_path_factory.mktemp("regressed"), prompt=GOOD) as made:
        yield made, made.gate(made.pull(HALF), "opened")


def config_of(world: ForgeWorld) -> dict[str, Any]:
    """Return the config of `main`."""
    found: dict[str, Any] = json.loads(world.files[CONFIG])
    return found


def changed_config(world: ForgeWorld, **task: Any) -> bytes:
    """Return the config with other keys of its task."""
    config = config_of(world)
    config["tasks"]["parcels"] |= task
    return json.dumps(config).encode()


# A pull request that makes the prompt worse.


def test_a_regression_blocks(regressed: tuple[ForgeWorld, Ended]) -> None:
    world, ended = regressed
    check = world.check(world.head())

    assert ended.code == 1, ended.log
    assert check["conclusion"] == "failure"
    assert check["title"] == "parcels: regression, 1.00 → 0.50 (-0.50)"


def test_the_changed_line_names_examples_that_got_worse(
    regressed: tuple[ForgeWorld, Ended],
) -> None:
    world, _ = regressed
    (remark,) = world.check(world.head())["annotations"]
    line = (
        HALF.decode().splitlines().index("    content: Name the code of the parcel. rule-0 rule-1")
    )

    assert (remark["path"], remark["start_line"], remark["end_line"]) == (
        PROMPT,
        line + 1,
        line + 1,
    )
    assert remark["annotation_level"] == "failure"
    assert "held_out-2 (1.00 → 0.00)" in remark["message"]
    assert "held_out-0 " not in remark["message"]


def test_the_comment_and_the_job_summary_say_what_got_worse(
    regressed: tuple[ForgeWorld, Ended],
) -> None:
    world, ended = regressed
    comment = world.comment(1)

    assert comment.startswith("<!-- gepa-ci:comment:v1 -->\n## parcels: regression")
    for text in (comment, ended.summary):
        assert "**1.00 → 0.50**" in text
        assert "held_out-2" in text
    assert "The check fails." in comment
    assert "/owner/name/actions/runs/4001" in comment


def test_the_outputs_have_the_verdict_and_the_scores(
    regressed: tuple[ForgeWorld, Ended],
) -> None:
    _, ended = regressed
    result = json.loads(ended.outputs["result"])

    assert ended.outputs["verdict"] == "regression"
    assert (ended.outputs["score-base"], ended.outputs["score-head"]) == ("1.000000", "0.500000")
    assert ended.outputs["pull-request-operation"] == "none"
    assert ended.outputs["report-path"] == str(ended.folder / "gepa-ci" / "report.md")
    assert result["tasks"][0]["verdict"] == "regression"
    assert result["proposed"] == {}


def test_the_page_has_the_examples_and_its_path_is_an_output(
    regressed: tuple[ForgeWorld, Ended],
) -> None:
    _, ended = regressed
    path = ended.folder / "gepa-ci" / "report.html"
    page = path.read_text(encoding="utf-8")

    assert ended.outputs["page-path"] == str(path)
    assert "Do not merge: the check fails." in page
    assert HELD_OUT_TEXT in page


def test_no_text_of_an_example_is_posted(regressed: tuple[ForgeWorld, Ended]) -> None:
    world, ended = regressed
    sent = json.dumps([request.body for request in world.server.writes])

    for text in (sent, ended.summary, ended.log, json.dumps(ended.posted), *ended.outputs.values()):
        assert HELD_OUT_TEXT not in text
    assert HELD_OUT_TEXT in json.dumps(ended.result)


# The same question is not asked twice.


def test_a_run_that_is_repeated_leaves_the_verdict_as_it_was(world: ForgeWorld) -> None:
    number = world.pull(HALF)
    world.gate(number, "opened")
    before, comment, calls = world.check(world.head()), world.comment(number), world.provider.calls

    ended = world.gate(number)

    assert ended.code == 1
    assert world.provider.calls == calls
    assert world.check(world.head()) == before
    assert world.comment(number) == comment
    assert ended.outputs["verdict"] == "regression"
    assert "The same prompts were judged by the same exam before" in ended.log


def test_a_commit_that_leaves_the_prompt_alone_takes_the_verdict_over(world: ForgeWorld) -> None:
    number = world.pull(HALF)
    world.gate(number, "opened")
    calls, before = world.provider.calls, world.head()
    world.git.commit("change", OTHER)

    payload = {**github_events.pull_request(world.server, number), "before": before}
    ended = world.run("pull_request", payload, ref=world.merge_ref(number))

    assert (ended.code, world.provider.calls) == (1, calls), ended.log
    check = world.check(world.head())
    assert (check["conclusion"], check["title"]) == (
        "failure",
        "parcels: regression, 1.00 → 0.50 (-0.50)",
    )
    assert "neutral" not in check["summary"]
    assert ended.outputs["verdict"] == "regression"


def test_a_commit_that_changes_the_prompt_is_judged_anew(world: ForgeWorld) -> None:
    number = world.pull(HALF)
    world.gate(number, "opened")
    calls, before = world.provider.calls, world.head()
    world.git.commit("change", {PROMPT: SAME})

    payload = {**github_events.pull_request(world.server, number), "before": before}
    ended = world.run("pull_request", payload, ref=world.merge_ref(number))

    assert ended.code == 0, ended.log
    assert world.provider.calls > calls
    assert world.check(before)["conclusion"] == "failure"
    assert world.check(world.head())["conclusion"] == "success"
    assert "parcels: pass" in world.comment(number)


def _queue(world: ForgeWorld, number: int) -> dict[str, Any]:
    """Put a pull request into the merge queue, and return the event of that."""
    base = world.head("main")
    ref = world.merge_ref(number)
    sha = world.git.text("rev-parse", ref)
    name = f"gh-readonly-queue/main/pr-{number}-{base}"
    world.git.git("update-ref", f"refs/heads/{name}", sha)
    return github_events.merge_group(world.server, base=base, head=sha, number=number)


def test_a_merge_group_takes_over_the_verdict_of_its_pull_request(world: ForgeWorld) -> None:
    number = world.pull(SAME)
    world.gate(number, "opened")
    calls = world.provider.calls
    event = _queue(world, number)
    head = event["merge_group"]["head_sha"]

    ended = world.run("merge_group", event, ref=event["merge_group"]["head_ref"])

    assert (ended.code, world.provider.calls) == (0, calls), ended.log
    assert world.check(head)["conclusion"] == "success"
    assert ended.outputs["verdict"] == "pass"


def test_a_merge_group_whose_base_has_another_prompt_is_judged(world: ForgeWorld) -> None:
    number = world.pull(None, files={CONFIG: changed_config(world), **OTHER})
    world.git.commit("change", {PROMPT: GOOD.replace(b"# The parcels' codes.", b"# Codes.")})
    world.gate(number, "opened")
    calls = world.provider.calls
    world.git.commit("main", {PROMPT: GOOD.replace(b"'{{input}}'", b"'Letter: {{input}}'")})
    event = _queue(world, number)

    ended = world.run("merge_group", event, ref=event["merge_group"]["head_ref"])

    assert ended.code == 0, ended.log
    assert world.provider.calls > calls


def test_a_verdict_that_another_app_claims_is_not_taken_over(world: ForgeWorld) -> None:
    number = world.pull(HALF)
    world.gate(number, "opened")
    calls = world.provider.calls
    (row,) = world.server.world.checks
    row["app"] = {"id": 7, "slug": "somebody-else"}
    row["conclusion"] = "success"

    ended = world.gate(number)

    assert ended.code == 1
    assert world.provider.calls > calls


# Observing.


def test_observing_reports_a_regression_and_blocks_nothing(world: ForgeWorld) -> None:
    number = world.pull(HALF)

    ended = world.gate(number, "opened", mode="observe")

    assert ended.code == 0, ended.log
    check = world.check(world.head())
    assert check["conclusion"] == "neutral"
    assert check["annotations"][0]["annotation_level"] == "warning"
    assert "only observes" in world.comment(number)
    assert ended.outputs["verdict"] == "regression"


def test_observing_does_not_block_by_an_earlier_verdict(
    regressed: tuple[ForgeWorld, Ended],
) -> None:
    world, _ = regressed
    number = world.pull(HALF, branch="observed")
    world.git.commit("observed", OTHER)
    before = world.head()
    payload = {**github_events.pull_request(world.server, number), "before": before}

    ended = world.run("pull_request", payload, ref=world.merge_ref(number), mode="observe")

    assert ended.code == 0, ended.log
    assert world.check(world.head("observed"))["conclusion"] == "neutral"


# What is trusted.


def test_the_base_decides_how_a_pull_request_is_examined(world: ForgeWorld) -> None:
    lenient = changed_config(world, gate={"margin": 0.9}, metric="metric.py:score")
    suite = "".join(f"{json.dumps(row)}\n" for row in examples("easy", 40)).encode()
    metric = b"raise SystemExit('canary')\ndef score(example, prediction):\n    return 1.0\n"
    files = {CONFIG: lenient, "held_out.jsonl": suite, "metric.py": metric}

    ended = world.gate(world.pull(HALF, files=files), "opened")

    assert ended.code == 1, ended.log
    assert "canary" not in ended.log
    assert "held_out-2" in world.comment(1)
    assert "easy-" not in world.comment(1)
    (note,) = (note for note in ended.result["tasks"][0]["notes"] if "exam differs" in note)
    assert "(gepa-ci.yml, held_out.jsonl); the base's was taken." in note
    for text in (world.comment(1), ended.summary):
        assert "The exam differs between base and head" in text


def test_a_base_without_a_config_is_no_failure(tmp_path: Path) -> None:
    with forge_world(tmp_path, prompt=GOOD) as world:
        world.git.commit("main", {CONFIG: None})
        number = world.pull(HALF, files={CONFIG: world.files[CONFIG]})

        ended = world.gate(number, "opened")

        assert ended.code == 0, ended.log
        assert world.provider.calls == 0
        assert world.check(world.head())["conclusion"] == "neutral"
        assert "The base has no gepa-ci.yml yet" in ended.log
        assert ended.outputs["verdict"] == ""


def test_an_unchanged_prompt_asks_no_model(regressed: tuple[ForgeWorld, Ended]) -> None:
    world, _ = regressed
    calls = world.provider.calls
    number = world.pull(files=OTHER, branch="else")

    ended = world.gate(number, "opened")

    assert (ended.code, world.provider.calls) == (0, calls), ended.log
    assert "No prompt of a task was changed, so nothing was run." in ended.log
    assert world.check(world.head("else"))["conclusion"] == "neutral"
    assert world.server.comments(number) == []


def test_a_prompt_that_was_deleted_fails_and_says_what_to_do(
    regressed: tuple[ForgeWorld, Ended],
) -> None:
    world, _ = regressed
    number = world.pull(files={PROMPT: None}, branch="deleted")

    ended = world.gate(number, "opened")

    assert ended.code == 2, ended.log
    assert world.check(world.head("deleted"))["conclusion"] == "failure"
    assert "the head has no prompt file for task 'parcels'" in ended.log
    assert "restore the file" in world.comment(number)


def test_a_prompt_that_was_moved_is_judged_at_its_new_place(world: ForgeWorld) -> None:
    moved = {PROMPT: None, "new/p.prompt.yml": HALF}
    config = changed_config(world, prompts=["new/p.prompt.yml"])

    ended = world.gate(world.pull(files={**moved, CONFIG: config}), "opened")

    assert ended.code == 1, ended.log
    (remark,) = world.check(world.head())["annotations"]
    assert remark["path"] == "new/p.prompt.yml"
    assert f"The prompt file was {PROMPT} on the base." in ended.result["tasks"][0]["notes"]


def test_a_new_task_counts_once_the_base_has_it(regressed: tuple[ForgeWorld, Ended]) -> None:
    world, _ = regressed
    config = config_of(world)
    config["tasks"]["second"] = {**config["tasks"]["parcels"], "prompts": ["second.prompt.yml"]}
    files = {CONFIG: json.dumps(config).encode(), "second.prompt.yml": HALF}

    ended = world.gate(world.pull(files=files, branch="second"), "opened")

    assert ended.code == 0, ended.log
    assert "The task is new; its exam counts once the base has it." in ended.log


def test_a_prompt_that_is_new_is_scored_and_compared_with_nothing(tmp_path: Path) -> None:
    with forge_world(tmp_path, prompt=GOOD) as world:
        world.git.commit("main", {PROMPT: None})

        ended = world.gate(world.pull(HALF), "opened")

        assert ended.code == 0, ended.log
        assert world.check(world.head())["conclusion"] != "failure"
        assert ended.outputs["score-head"] == "0.500000"
        assert ended.outputs["score-base"] == ""


def test_paths_are_those_of_the_repository_when_the_config_is_in_a_folder(tmp_path: Path) -> None:
    with forge_world(tmp_path, prompt=GOOD, below="ml/") as world:
        number = world.pull(files={f"ml/{PROMPT}": HALF})

        ended = world.gate(number, "opened", config=f"ml/{CONFIG}")

        assert ended.code == 1, ended.log
        (remark,) = world.check(world.head())["annotations"]
        assert remark["path"] == f"ml/{PROMPT}"


def test_a_wrong_config_on_the_base_is_named_with_its_folder(tmp_path: Path) -> None:
    with forge_world(tmp_path, prompt=GOOD, below="ml/") as world:
        world.git.commit("main", {f"ml/{CONFIG}": b"version: 1\ntasks: 7\n"})
        number = world.pull(files={f"ml/{PROMPT}": HALF})

        ended = world.gate(number, "opened", config=f"ml/{CONFIG}")

        assert ended.code == 2, ended.log
        check = world.check(world.head())
        assert check["conclusion"] == "failure"
        assert {row["path"] for row in check["annotations"]} == {f"ml/{CONFIG}"}
        assert f"ml/{CONFIG}:2" in world.comment(number)
        assert world.provider.calls == 0


@pytest.mark.parametrize("change", ["deleted", "linked", "linked elsewhere"])
def test_the_folder_of_the_config_cannot_be_taken_away(change: str, tmp_path: Path) -> None:
    def prepare(tree: Path) -> None:
        shutil.rmtree(tree / "ml")
        if change != "deleted":
            (tree / "ml").symlink_to(tree / "easy" if change == "linked" else tmp_path)

    with forge_world(tmp_path, prompt=GOOD, below="ml/") as world:
        easy = {f"easy/{name.removeprefix('ml/')}": text for name, text in world.files.items()}
        world.git.commit("main", easy)
        number = world.pull(files={f"ml/{PROMPT}": HALF})
        world.prepare = prepare

        ended = world.gate(number, "opened", config=f"ml/{CONFIG}")

        assert ended.code == 2, ended.log
        assert "the checkout has no folder 'ml' of its own" in ended.log
        assert "restore the folder" in world.comment(number)


# What the run was given to look at.


def test_without_githubs_merge_the_common_ancestor_is_compared(world: ForgeWorld) -> None:
    number = world.pull(HALF)
    world.git.commit("main", {PROMPT: GOOD.replace(b"'{{input}}'", b"'Letter: {{input}}'")})

    ended = world.gate(number, "opened", ref="refs/pull/1/head")

    assert ended.code == 1, ended.log
    assert ended.outputs["score-base"] == "1.000000"


def test_what_the_base_improved_meanwhile_is_not_held_against_a_pull_request(
    tmp_path: Path,
) -> None:
    with forge_world(tmp_path) as world:
        number = world.pull(files=OTHER)
        world.git.commit("main", {PROMPT: GOOD})

        merged = world.gate(number, "opened")
        unmerged = world.gate(number, "reopened", ref="refs/pull/1/head")

        assert (merged.code, unmerged.code) == (0, 0), unmerged.log
        assert world.provider.calls == 0
        assert "No prompt of a task was changed" in unmerged.log


# Drafts, failures and money.


def test_drafts_are_left_alone_when_told_so(regressed: tuple[ForgeWorld, Ended]) -> None:
    world, _ = regressed
    calls, writes = world.provider.calls, len(world.server.writes)
    number = world.pull(HALF, branch="draft", draft=True)

    ended = world.gate(number, "opened", drafts="false")

    assert ended.code == 0, ended.log
    assert f"Pull request #{number} is a draft" in ended.log
    assert (world.provider.calls, len(world.server.writes)) == (calls, writes)


def test_a_spend_cap_that_was_reached_is_never_green(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"spend": {"calls": 100}, "task": {"gate": {"trials": 1}}}
    with forge_world(tmp_path, prompt=GOOD, **keys) as world:
        # Calls that fail count too, which no estimate can know.
        world.provider.faults = [(every(4), rate_limited(0.01))]
        number = world.pull(HALF)

        ended = world.gate(number, "opened")

        assert ended.code == 3, ended.log
        check = world.check(world.head())
        assert (check["conclusion"], check["title"]) == (
            "neutral",
            "No verdict: the spend cap was reached",
        )
        assert "What to do:" in world.comment(number)
        assert "the spend cap 'calls: 100' is reached" in ended.summary


def test_a_provider_that_refuses_gives_no_verdict(tmp_path: Path) -> None:
    with forge_world(tmp_path, prompt=GOOD, model={"retries": 0}) as world:
        world.provider.faults = [(lambda _: True, unauthorized())]
        number = world.pull(HALF)

        ended = world.gate(number, "opened")

        assert ended.code == 3, ended.log
        check = world.check(world.head())
        assert (check["conclusion"], check["title"]) == ("failure", "No verdict: the run failed")
        assert "What to do:" in world.comment(number)
        assert ended.outputs.get("verdict", "") == ""


def test_the_failure_gives_way_to_the_verdict_of_the_next_run(tmp_path: Path) -> None:
    with forge_world(tmp_path, prompt=GOOD, model={"retries": 0}) as world:
        number = world.pull(SAME)
        world.provider.faults = [(lambda _: True, unauthorized())]
        world.gate(number, "opened")
        world.provider.faults = []

        ended = world.gate(number)

        assert ended.code == 0, ended.log
        assert world.check(world.head())["conclusion"] == "success"
        assert "parcels: pass" in world.comment(number)


# Recorded scores of the base.


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForgeWorld]:
    """Return a repository whose scores of `main` are on record."""
    keys: dict[str, Any] = {"task": {"gate": {"trials": 3}}, "model": {"temperature": 0.7}}
    folder = tmp_path_factory.mktemp("recorded")
    with forge_world(folder, prompt=GOOD, held_out=20, **keys) as made:
        event = github_events.push(made.server, before="0" * 40, after=made.head("main"))
        ended = made.run("push", event)
        assert ended.code == 0, ended.log
        yield made


def notes_of(ended: Ended) -> str:
    """Return the notes of the only task, in one text."""
    (task,) = ended.result["tasks"]
    return " ".join(task["notes"])


def test_fresh_scores_of_the_base_are_not_paid_again(recorded: ForgeWorld) -> None:
    number, calls = recorded.pull(HALF, branch="fresh"), recorded.provider.calls

    ended = recorded.gate(number, "opened")

    assert ended.code == 1, ended.log
    assert 0 < recorded.provider.calls - calls < 2 * 3 * 20
    assert "The base's scores were recorded on" in notes_of(ended)


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({"made_at": "2026-01-01T00:00:00+00:00"}, "are older than a day"),
        ({"trials": 2}, "have fewer than 3 trials"),
        ({"digest": "0" * 64}, "are of another prompt, model, suite or metric"),
    ],
    ids=["old", "few trials", "another question"],
)
def test_recorded_scores_that_do_not_fit_are_not_taken(
    changed: dict[str, Any], note: str, recorded: ForgeWorld
) -> None:
    path = f"baselines/{slug('parcels')}.json"
    kept = recorded.git.git("show", f"gepa-ci-data:{path}")
    row = {**json.loads(kept), **changed}
    row["scores"] = {name: scores[: row["trials"]] for name, scores in row["scores"].items()}
    recorded.git.commit("gepa-ci-data", {path: json.dumps(row).encode() + b"\n"})
    number = recorded.pull(HALF, branch="-".join(changed))
    calls = recorded.provider.calls

    ended = recorded.gate(number, "opened")

    recorded.git.commit("gepa-ci-data", {path: kept})
    assert ended.code == 1, ended.log
    assert recorded.provider.calls - calls >= 2 * 3 * 20
    assert note in notes_of(ended)


def test_a_data_branch_that_was_tampered_with_is_named_and_gives_no_verdict(
    recorded: ForgeWorld,
) -> None:
    path = f"baselines/{slug('parcels')}.json"
    kept = recorded.git.git("show", f"gepa-ci-data:{path}")
    recorded.git.commit("gepa-ci-data", {path: b"::error::canary @everyone\n"})
    number = recorded.pull(HALF, branch="tampered")

    ended = recorded.gate(number, "opened")

    recorded.git.commit("gepa-ci-data", {path: kept})
    assert ended.code == 3, ended.log
    assert path in ended.log
    assert path in recorded.comment(number)
    assert "@everyone" not in recorded.comment(number)
    assert recorded.check(recorded.head("tampered"))["conclusion"] == "failure"
