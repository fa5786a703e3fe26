"""Lints action.yml and the workflows, those of this repository and those that `init` writes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from act import PROJECT, PUBLISHED

from gepa_ci.cli import run
from gepa_ci.cli.starter import WORKFLOWS

if TYPE_CHECKING:
    from collections.abc import Iterator

_BIN = Path(sys.executable).parent
_SHIPPED = PROJECT / "gepa_ci" / "starter" / "workflows"
_OWN = PROJECT / ".github" / "workflows"
_ALLOWED = {
    "actions/cache/restore",
    "actions/cache/save",
    "actions/checkout",
    "actions/upload-artifact",
}
_WRITES = re.compile(r"^ +[a-z-]+: (?:write|read)$", re.MULTILINE)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a repository with the workflows that `init` writes, and with action.yml."""
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    (tmp_path / "action.yml").write_bytes((PROJECT / "action.yml").read_bytes())
    return tmp_path


def _workflows(folder: Path) -> list[str]:
    return [str(folder / name) for name in WORKFLOWS]


def _said(*command: str, cwd: Path = PROJECT) -> str:
    """Run a linter and return what it found; nothing when all is well."""
    done = subprocess.run(
        [str(_BIN / command[0]), *command[1:]],
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}"},
    )
    return f"{done.stdout}{done.stderr}" if done.returncode else ""


def _zizmor(*paths: str, cwd: Path) -> str:
    return _said("zizmor", "--offline", "--persona=pedantic", "--no-config", *paths, cwd=cwd)


def test_zizmor_finds_nothing_here() -> None:
    assert _zizmor("action.yml", *_workflows(_OWN), cwd=PROJECT) == ""


def test_zizmor_finds_nothing_in_what_init_writes(tree: Path) -> None:
    assert _zizmor(".", cwd=tree) == ""


def test_zizmor_finds_what_is_wrong(tree: Path) -> None:
    path = tree / ".github" / "workflows" / "gepa-ci.yml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("persist-credentials: false", ""), encoding="utf-8")

    assert "artipacked" in _zizmor(".", cwd=tree)


def test_actionlint_finds_nothing(tree: Path) -> None:
    assert _said("actionlint", *_workflows(_OWN)) == ""
    assert _said("actionlint", *_workflows(tree / ".github" / "workflows"), cwd=tree) == ""


def test_the_schemas_find_nothing(tree: Path) -> None:
    found = [*_workflows(_OWN), *_workflows(tree / ".github" / "workflows")]
    kind = "--builtin-schema=vendor.github-"

    assert _said("check-jsonschema", f"{kind}workflows", *found) == ""
    assert _said("check-jsonschema", f"{kind}actions", "action.yml") == ""


def test_shellcheck_finds_nothing_in_the_script_of_the_action(tmp_path: Path) -> None:
    (script,) = _scripts()
    path = tmp_path / "run.sh"
    path.write_text(f"#!/usr/bin/env bash\nset -eo pipefail\n{script}", encoding="utf-8")

    assert _said("shellcheck", "--enable=all", "--exclude=SC2154,SC2250,SC2292", str(path)) == ""


def test_the_action_runs_one_script_without_expressions_and_no_other_action() -> None:
    (script,) = _scripts()
    steps = _action()["runs"]["steps"]

    assert "${{" not in script
    assert [set(step) for step in steps] == [{"id", "shell", "env", "run"}]


def test_every_input_reaches_the_command_under_its_name() -> None:
    action = _action()
    (step,) = action["runs"]["steps"]
    names = {
        name: "GEPA_CI_TOKEN"
        if name == "token"
        else f"GEPA_CI_INPUT_{name.upper().replace('-', '_')}"
        for name in action["inputs"]
    }

    assert step["env"] == {
        variable: f"${{{{ inputs.{name} }}}}" for name, variable in names.items()
    }


def test_the_outputs_are_those_that_the_command_writes() -> None:
    from gepa_ci.delivery.runner_files import Output

    outputs = _action()["outputs"]

    assert set(outputs) == {name.value for name in Output}
    assert all(
        row["value"] == f"${{{{ steps.run.outputs.{name} }}}}" for name, row in outputs.items()
    )


@pytest.mark.parametrize("name", WORKFLOWS)
def test_this_repository_uses_the_workflows_that_init_writes(name: str) -> None:
    shipped = (_SHIPPED / name).read_text(encoding="utf-8")
    own = (_OWN / name).read_text(encoding="utf-8")

    assert _comparable(own, uses="./", config="prompts/gepa-ci.yml") == _comparable(
        shipped, uses=PUBLISHED, config="gepa-ci.yml"
    )
    assert {path.name for path in _OWN.iterdir()} >= set(WORKFLOWS)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_other_action_is_githubs_own_and_pinned(name: str) -> None:
    used = re.findall(r"uses: (\S+?)@(\S+)(.*)", (_SHIPPED / name).read_text(encoding="utf-8"))

    for action, ref, comment in used:
        if f"{action}@{ref}" != PUBLISHED:
            assert action in _ALLOWED
            assert re.fullmatch(r"[0-9a-f]{40}", ref)
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_job_has_a_limit_and_no_more_permissions_than_it_explains(name: str) -> None:
    text = (_SHIPPED / name).read_text(encoding="utf-8")
    document = yaml.safe_load(text)

    assert document["permissions"] == {}
    for job in document["jobs"].values():
        assert job["permissions"]
        assert job["timeout-minutes"]
        assert "concurrency" in job or "concurrency" in document
    assert _WRITES.findall(text) == []


def test_only_jobs_that_push_may_write_contents() -> None:
    assert {
        f"{name}:{job_id}": job["permissions"]["contents"] for name, job_id, job in _jobs()
    } == {
        "gepa-ci.yml:gate": "read",
        "gepa-ci-nightly.yml:optimize": "write",
        "gepa-ci-nightly.yml:record": "write",
        "gepa-ci-requests.yml:optimize": "write",
        "gepa-ci-requests.yml:answer": "read",
        "gepa-ci-requests.yml:post": "read",
    }


def test_the_job_that_posts_for_forks_has_no_key_and_checks_out_the_default_branch() -> None:
    post = next(job for _, job_id, job in _jobs() if job_id == "post")

    assert all("env" not in step for step in post["steps"])
    (checkout,) = (step for step in post["steps"] if step.get("uses", "").startswith("actions/"))
    assert set(checkout["with"]) == {"persist-credentials"}


def test_no_workflow_runs_on_pull_request_target() -> None:
    assert all("pull_request_target" not in _triggers(name) for name in WORKFLOWS)


def test_the_artifact_of_a_forks_run_is_what_the_posting_half_reads() -> None:
    from gepa_ci.cli.action.posting import ARTIFACT, RESULT

    gate = next(job for _, job_id, job in _jobs() if job_id == "gate")
    uploads = [step for step in gate["steps"] if "upload-artifact" in step.get("uses", "")]
    (upload,) = (step for step in uploads if "name" in step["with"])

    assert upload["with"]["name"] == ARTIFACT
    assert upload["with"]["path"] == f"${{{{ runner.temp }}}}/gepa-ci/posted/{RESULT}"


def test_the_workflows_keep_the_page_that_a_run_writes() -> None:
    from gepa_ci.cli.action.page import PAGE

    kept = [
        step["with"]
        for _, _, job in _jobs()
        for step in job["steps"]
        if step.get("name") == "Keep the page"
    ]

    assert [(one["path"], one["archive"]) for one in kept] == [
        (f"${{{{ runner.temp }}}}/gepa-ci/{PAGE}", False)
    ] * len(kept)
    assert len(kept) == 2


def test_the_label_and_the_command_of_the_workflow_are_those_of_the_action() -> None:
    from gepa_ci.delivery.events import LABEL

    text = (_SHIPPED / "gepa-ci-requests.yml").read_text(encoding="utf-8")

    assert f"github.event.label.name == '{LABEL}'" in text
    assert _action()["inputs"]["label"]["default"] == LABEL


def _triggers(name: str) -> dict[str, Any]:
    document = yaml.safe_load((_SHIPPED / name).read_text(encoding="utf-8"))
    found: dict[str, Any] = document[True]  # YAML 1.1 reads `on` as a boolean
    return found


def _jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name in WORKFLOWS:
        document = yaml.safe_load((_SHIPPED / name).read_text(encoding="utf-8"))
        for job_id, job in document["jobs"].items():
            yield name, job_id, job


def _action() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((PROJECT / "action.yml").read_text(encoding="utf-8"))
    return found


def _scripts() -> list[str]:
    return [step["run"] for step in _action()["runs"]["steps"] if "run" in step]


def _comparable(text: str, *, uses: str, config: str) -> str:
    """Take out of a workflow what may differ: how the action is named, and where the config is."""
    named = re.sub(rf"uses: {re.escape(uses)} # .*", "uses: gepa-ci", text)
    return named.replace(f"config: {config}\n", "config:\n")
