from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gepa_ci.cli.action.settings import Command, read_settings
from gepa_ci.errors import UsageError
from gepa_ci.reports.outcome import Mode

if TYPE_CHECKING:
    from pathlib import Path


def environ(folder: Path, **more: str) -> dict[str, str]:
    event = folder / "event.json"
    event.write_text(json.dumps({"action": "opened"}))
    return {
        "GITHUB_WORKSPACE": str(folder / "checkout"),
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": "owner/name",
        "GITHUB_RUN_ID": "17",
        "RUNNER_TEMP": str(folder / "temp"),
        "GEPA_CI_TOKEN": "ghs_x",
        **more,
    }


def test_what_is_not_given_has_a_default(tmp_path: Path) -> None:
    settings = read_settings(environ(tmp_path, GEPA_CI_INPUT_TASK=""))

    assert (settings.command, settings.mode, settings.task) == (Command.AUTO, Mode.ENFORCE, None)
    assert settings.config == "gepa-ci.yml"
    assert settings.api_url == "https://api.github.com"
    assert settings.clone_url == "https://github.com/owner/name.git"
    assert settings.run_url == "https://github.com/owner/name/actions/runs/17"
    assert (settings.comments, settings.signs, settings.drafts) == (True, False, True)


def test_what_makes_a_result_again_names_config_and_task_where_they_were_given(
    tmp_path: Path,
) -> None:
    plain = read_settings(environ(tmp_path))
    given = read_settings(
        environ(tmp_path, GEPA_CI_INPUT_TASK="triage", GEPA_CI_INPUT_CONFIG="llm/gepa-ci.yml")
    )

    assert plain.again("gate", "--base", "abc") == ("gate", "--base", "abc")
    assert given.again("gate", "--base", "abc") == (
        *("gate", "triage", "--base", "abc", "--config", "llm/gepa-ci.yml"),
    )


def test_cache_and_reports_lie_outside_of_the_checkout(tmp_path: Path) -> None:
    settings = read_settings(environ(tmp_path))

    for path in (settings.folder, settings.state, settings.result):
        assert path.is_relative_to(tmp_path / "temp" / "gepa-ci")


def test_an_enterprise_server_is_taken_from_the_environment(tmp_path: Path) -> None:
    settings = read_settings(
        environ(
            tmp_path,
            GITHUB_API_URL="https://git.example/api/v3",
            GITHUB_SERVER_URL="https://git.example/",
        )
    )

    assert settings.api_url == "https://git.example/api/v3"
    assert settings.clone_url == "https://git.example/owner/name.git"


def test_the_token_leaves_the_environment_and_is_never_shown(tmp_path: Path) -> None:
    variables = environ(tmp_path)
    settings = read_settings(variables)

    assert settings.token == "ghs_x"
    assert "GEPA_CI_TOKEN" not in variables
    assert "ghs_x" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GEPA_CI_INPUT_COMMAND", "gates"),
        ("GEPA_CI_INPUT_MODE", "off"),
        ("GEPA_CI_INPUT_COMMENT", "yes"),
        ("GEPA_CI_INPUT_CONFIG", "../gepa-ci.yml"),
        ("GEPA_CI_INPUT_CONFIG", "/etc/gepa-ci.yml"),
        ("GEPA_CI_INPUT_CONFIG", ".git/config"),
        ("GITHUB_WORKSPACE", ""),
        ("GITHUB_EVENT_NAME", ""),
        ("GITHUB_EVENT_PATH", "/nowhere/event.json"),
    ],
)
def test_a_wrong_input_is_refused_with_what_to_do(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings(environ(tmp_path, **{name: value}))

    assert caught.value.problems[0].hint


@pytest.mark.parametrize("content", ["", "[1]", "{", '"text"'])
def test_an_event_that_is_no_object_is_refused(tmp_path: Path, content: str) -> None:
    variables = environ(tmp_path)
    (tmp_path / "event.json").write_text(content)

    with pytest.raises(UsageError, match="event's file"):
        read_settings(variables)
