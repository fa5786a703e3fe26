"""Owns trying a team's templates on made-up results, and telling each slip once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.errors import Problem
from gepa_ci.reports.links import Links
from gepa_ci.reports.posts.comment import (
    render_comment,
    render_failure_comment,
    render_nothing_comment,
)
from gepa_ci.reports.posts.markdown import render_markdown
from gepa_ci.reports.posts.pull_body import render_pull_body
from gepa_ci.reports.templating.rendering import OwnTemplateError, is_misnamed, missing_of
from gepa_ci.reports.templating.sample import sample_documents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gepa_ci.core.values import JSON
    from gepa_ci.reports.templating.sources import OwnTemplates

_MARKER = "<!-- gepa-ci:comment:v1 -->"
_HEAD = "0" * 40
_LINKS = Links(run="https://forge.example/run", artifact="https://forge.example/artifact")


def trial_problems(own: OwnTemplates, entries: Iterable[str]) -> list[Problem]:
    """Return what goes wrong when small results are rendered with the templates, by file and line.

    Names that there are not are all told; of whatever else goes wrong in a line, the first.
    """
    unnamed: dict[tuple[str | None, int | None, str], Problem] = {}
    others: dict[tuple[str | None, int | None], Problem] = {}
    for name in entries:

        def missed(error: Exception, name: str = name) -> None:
            problem = missing_of(own, name, error)
            if is_misnamed(error):
                unnamed[problem.path, problem.line, problem.message] = problem
            else:
                others.setdefault((problem.path, problem.line), problem)

        for document in sample_documents(texts=True):
            try:
                _RENDERERS[name](document, replace(own, missed=missed))
            except OwnTemplateError as error:
                for problem in error.problems:
                    others.setdefault((problem.path, problem.line), problem)
    lines = {(problem.path, problem.line) for problem in unnamed.values()}
    rest = [problem for where, problem in others.items() if where not in lines]
    found = [*unnamed.values(), *rest]
    return sorted(found, key=lambda problem: (problem.path or "", problem.line or 0))


def _comment(document: Mapping[str, JSON], own: OwnTemplates) -> None:
    render_comment(document, links=_LINKS, head=_HEAD, marker=_MARKER, notes=("A note.",), own=own)


def _failure(_: Mapping[str, JSON], own: OwnTemplates) -> None:
    problems = (
        Problem(message="it failed", path="gepa-ci.yml", line=1, hint="try again"),
        Problem(message="it failed too"),
    )
    for some in (problems, ()):
        render_failure_comment(some, links=_LINKS, head=_HEAD, marker=_MARKER, own=own)


def _nothing(_: Mapping[str, JSON], own: OwnTemplates) -> None:
    render_nothing_comment("No prompt changed.", links=_LINKS, head=_HEAD, marker=_MARKER, own=own)


def _page(document: Mapping[str, JSON], own: OwnTemplates) -> None:
    from gepa_ci.reports.page import render_page

    render_page(document, own)


def _body(document: Mapping[str, JSON], own: OwnTemplates) -> None:
    if document["command"] == "optimize":
        render_pull_body(document, "sample", links=_LINKS, own=own)


def _report(document: Mapping[str, JSON], own: OwnTemplates) -> None:
    render_markdown(document, own, links=_LINKS)


_RENDERERS: dict[str, Callable[[Mapping[str, JSON], OwnTemplates], None]] = {
    "comment.md.j2": _comment,
    "failure.md.j2": _failure,
    "nothing.md.j2": _nothing,
    "page.html.j2": _page,
    "pull_body.md.j2": _body,
    "report.md.j2": _report,
}
