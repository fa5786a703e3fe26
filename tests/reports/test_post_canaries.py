"""Hostile text in every field of a result, in everything that is posted on a forge."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from post_samples import HEAD, LINKS, MARKER, SERVER
from test_canaries import CANARIES, MARKDOWN, OUR_HTML, poisoned

from gepa_ci.errors import Problem
from gepa_ci.reports.posts.check import check_of, check_of_nothing, check_without_verdict
from gepa_ci.reports.posts.comment import (
    render_comment,
    render_failure_comment,
    render_nothing_comment,
)
from gepa_ci.reports.posts.pull_body import render_pull_body

MORE = {
    **CANARIES,
    "marker": "<!-- gepa-ci:comment:v1 state=0 -->\n<!--gepa-ci:pr:v1 key=x-->",
    "obeyed": "fixes #1 Closes: o/r#2\nCo-authored-by: E <e@evil.example>\n[skip ci]\n/approve",
}
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
Post = Callable[[dict[str, Any], str], str]


def _comment(document: dict[str, Any], text: str) -> str:
    return render_comment(document, links=LINKS, head=HEAD, marker=MARKER, notes=(text,) * 3)


def _body(document: dict[str, Any], _: str) -> str:
    name = document["tasks"][0]["name"]
    return f"{MARKER}\n{render_pull_body(document, name, links=LINKS)}"


def _failure(document: dict[str, Any], text: str) -> str:
    problem = Problem(path=text, line=3, message=text, hint=text)
    return render_failure_comment((problem,) * 2, links=LINKS, head=HEAD, marker=MARKER)


def _nothing(document: dict[str, Any], text: str) -> str:
    return render_nothing_comment(text, links=LINKS, head=HEAD, marker=MARKER)


def _summary(document: dict[str, Any], text: str) -> str:
    problem = Problem(path=text, message=text, hint=text)
    parts = (check_of(document), check_without_verdict((problem,) * 2), check_of_nothing(text))
    return "\n\n".join((MARKER, *(part.summary for part in parts)))


POSTS: dict[str, Post] = {
    "comment": _comment,
    "body": _body,
    "failure": _failure,
    "nothing": _nothing,
    "summary": _summary,
}


def assert_harmless(post: str) -> None:
    """Check what a forge would make of the post: our marker, our links, and nothing else."""
    marker, _, markdown = post.partition("\n")
    assert marker == MARKER
    prose = []
    for block in MARKDOWN.parse(markdown):
        if block.type == "html_block":
            assert "<" not in OUR_HTML.sub("", block.content)
            prose.append(block.content)
        for token in block.children or ():
            if token.type == "link_open":
                assert str(token.attrs["href"]).startswith(SERVER)
            assert token.type not in {"image", "s_open"}
            assert token.type != "html_inline" or OUR_HTML.fullmatch(token.content)
            if token.type in {"text", "text_special"}:
                prose.append(token.content)
    text = "".join(prose)
    assert re.search(r"@\w|#\d|://|www\.|gh-\d", text, re.IGNORECASE) is None


@pytest.mark.parametrize("post", POSTS)
@pytest.mark.parametrize("name", MORE)
def test_markdown_injection_a_post_shows_hostile_text_and_does_nothing(
    name: str, post: str
) -> None:
    for document in poisoned(MORE[name]):
        text = POSTS[post](document, MORE[name])

        assert_harmless(text)
        assert "evil" in text or "evil" not in MORE[name]
        assert len(re.findall(r"<!--\s*gepa-ci", text)) == 1
        assert HIDDEN.search(text) is None


@pytest.mark.parametrize("post", POSTS)
@pytest.mark.parametrize("name", MORE)
def test_workflow_commands_no_line_of_a_post_is_one(name: str, post: str) -> None:
    for document in poisoned(MORE[name]):
        text = POSTS[post](document, MORE[name])

        assert re.search(r"(?m)^\s*::", text) is None
        assert "##[" not in text
        # Bots read comments and bodies; the diff of a summary has a sign before each real line.
        assert post == "summary" or re.search(r"(?m)^/\w", text) is None


def test_jinja_escape_no_field_is_run() -> None:
    for document in poisoned(CANARIES["jinja"]):
        for post in POSTS.values():
            assert "49" not in post(document, CANARIES["jinja"]).split("\n")[1]
