"""Runs of the Action with a team's own report templates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from forge_world import GOOD, HALF, HELD_OUT_TEXT, ForgeWorld, forge_world
from provider import unauthorized
from world import CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOTE = '{%% extends "gepa-ci/%s" %%}\n{%% block title %%}{{ super() }}\n%s\n\n{%% endblock %%}\n'


def templates(text: str) -> dict[str, bytes]:
    """Return templates that say something below the title."""
    names = ("comment.md.j2", "report.md.j2", "failure.md.j2", "nothing.md.j2")
    return {f"tmpl/{name}": (NOTE % (name, text)).encode() for name in names}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ForgeWorld]:
    """Return a repository with templates of its own on `main`, which knows no texts in files."""
    with forge_world(tmp_path, prompt=GOOD) as made:
        settle(made, "Said by the base.")
        yield made


def settle(world: ForgeWorld, text: str) -> None:
    """Put templates on `main`."""
    config = json.loads(world.files[CONFIG])
    config["report"] = {"templates": "tmpl", "held_out": "ids"}
    files = {CONFIG: json.dumps(config).encode(), **templates(text)}
    world.git.commit("main", files, message="Templates")


def test_a_pull_request_is_shown_by_the_templates_of_its_base(world: ForgeWorld) -> None:
    number = world.pull(HALF, files=templates("Said by the head. {{ 1 // 0 }}"))
    ended = world.gate(number, "opened")

    assert ended.code == 1, ended.log
    for text in (
        world.comment(number),
        ended.summary,
        world.check(world.head())["summary"],
    ):
        assert "Said by the base." in text
        assert "Said by the head." not in text
    assert HELD_OUT_TEXT not in json.dumps(ended.result)


def test_template_that_fails_after_a_paid_run_changes_no_verdict(world: ForgeWorld) -> None:
    settle(
        world,
        "{% if report is defined %}{% for task in report.tasks if task.name == 'parcels' %}"
        "{{ 1 // 0 }}{% endfor %}{% endif %}",
    )
    number = world.pull(HALF)
    ended = world.gate(number, "opened")

    assert ended.code == 1, ended.log
    for text in (world.comment(number), ended.summary):
        assert "## parcels: regression" in text
        assert "A report template failed, so the built-in one is shown" in text
    assert "warning: A report template failed" in ended.log


def test_wrong_template_ends_the_run_before_a_call(world: ForgeWorld) -> None:
    settle(world, "{{ report.nothing_such }}")
    number = world.pull(HALF)
    ended = world.gate(number, "opened")

    assert ended.code == 2
    assert world.provider.calls == 0
    assert "tmpl/comment.md.j2:3" in world.comment(number)


def test_a_run_without_a_verdict_is_shown_by_the_templates_of_its_base(world: ForgeWorld) -> None:
    world.provider.faults = [(lambda _: True, unauthorized())]
    number = world.pull(HALF, files=templates("Said by the head."))
    ended = world.gate(number, "opened")

    assert ended.code == 3
    said = world.comment(number)
    assert "## gepa-ci has no verdict: the run failed\n\nSaid by the base.\n" in said


def test_broken_template_of_the_base_does_not_stop_what_changes_no_prompt(
    world: ForgeWorld,
) -> None:
    settle(world, "{{ report.nothing_such }}")
    number = world.pull(GOOD, files=templates("Mended."))
    ended = world.gate(number, "opened")

    assert ended.code == 0, ended.log
    assert world.check(world.head())["conclusion"] == "neutral"
