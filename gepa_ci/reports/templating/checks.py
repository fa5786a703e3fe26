"""Owns finding what is wrong with a team's templates, before a run is paid for that uses them."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from gepa_ci.errors import Problem
from gepa_ci.reports.links import Links
from gepa_ci.reports.posts.comment import (
    render_comment,
    render_failure_comment,
    render_nothing_comment,
)
from gepa_ci.reports.posts.markdown import REPORT, environment, render_markdown
from gepa_ci.reports.posts.pull_body import render_pull_body
from gepa_ci.reports.templating.rendering import OwnTemplateError, problem_of
from gepa_ci.reports.templating.sample import sample_documents
from gepa_ci.reports.templating.sources import BUILT_IN, ENTRIES, OURS, OwnTemplates, our_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jinja2 import Environment, nodes

    from gepa_ci.core.values import JSON

MAX_BYTES = 256 * 1024
"""Largest template."""
MAX_FILES = 50
"""Most templates of a team."""

_UNESCAPED = frozenset({"safe", "urlize"})
"""Filters that let text of a model or a user be more than text."""
_MARKER = "<!-- gepa-ci:comment:v1 -->"
_HEAD = "0" * 40
_LINKS = Links(run="https://forge.example/run", artifact="https://forge.example/artifact")


class _Parsed(NamedTuple):
    """A template of the team's that has no error of syntax."""

    name: str
    tree: nodes.Template
    extends: str | None
    uses: frozenset[str | None]
    """Names of templates that it extends, includes or imports; None for a computed name."""


def template_problems(own: OwnTemplates) -> list[Problem]:
    """Return all that is wrong with a team's templates, each with file and line."""
    found = environment(REPORT.levels[0], own)
    problems = [*_name_problems(own, found)]
    parsed: dict[str, _Parsed] = {}
    for name in own.sources:
        outcome = _parsed(own, found, name)
        if isinstance(outcome, Problem):
            problems.append(outcome)
        else:
            parsed[name] = outcome
    problems += [p for one in parsed.values() for p in _filter_problems(own, one)]
    problems += _unused(own, parsed)
    for name in ENTRIES:
        if name in parsed:
            problems += _entry_problems(own, found, parsed, name)
    # What is wrong in itself would be found once more in each entry that uses it.
    return problems or _trial(own)


def blocks_of(name: str, found: Environment | None = None) -> tuple[str, ...]:
    """Return the blocks of an entry template of ours, in their order."""
    from jinja2 import nodes

    found = found or environment(REPORT.levels[0], BUILT_IN)
    assert found.loader is not None
    source = found.loader.get_source(found, f"{OURS}/{name}")[0]
    return tuple(block.name for block in found.parse(source).find_all(nodes.Block))


def _name_problems(own: OwnTemplates, found: Environment) -> Iterator[Problem]:
    for name in own.sources:
        if name in ENTRIES or name not in our_names():
            continue
        stem = name.split(".")[0]
        holders = [entry for entry in ENTRIES if entry in our_names()]
        holders = [entry for entry in holders if stem in blocks_of(entry, found)]
        what = f"override the block '{stem}' in {' or '.join(holders)}" if holders else "rename it"
        yield Problem(
            message=f"'{name}' is the name of a part of gepa-ci's own templates",
            path=own.path(name),
            hint=what,
        )


def _parsed(own: OwnTemplates, found: Environment, name: str) -> _Parsed | Problem:
    from jinja2 import TemplateError, meta, nodes

    source = own.sources[name]
    try:
        tree = found.parse(source, name, own.path(name))
        if not name.endswith(".html.j2"):
            # Also says which filters and tests there are not.
            found.compile(source, name, own.path(name))
    except TemplateError as error:
        return problem_of(own, name, error)
    extends = [
        node.template.value
        for node in tree.find_all(nodes.Extends)
        if isinstance(node.template, nodes.Const)
    ]
    uses = frozenset(meta.find_referenced_templates(tree))
    return _Parsed(name, tree, extends[0] if extends else None, uses)


def _filter_problems(own: OwnTemplates, one: _Parsed) -> Iterator[Problem]:
    from jinja2 import nodes

    for used in one.tree.find_all(nodes.Filter):
        if used.name in _UNESCAPED:
            yield Problem(
                message=f"the filter '{used.name}' is not for reports",
                path=own.path(one.name),
                line=used.lineno,
                hint="leave it out: a report may hold text that anybody wrote",
            )
    for scope in one.tree.find_all(nodes.ScopedEvalContextModifier):
        yield Problem(
            message="escaping cannot be switched",
            path=own.path(one.name),
            line=scope.lineno,
            hint="leave 'autoescape' out: a report may hold text that anybody wrote",
        )


def _unused(own: OwnTemplates, parsed: Mapping[str, _Parsed]) -> Iterator[Problem]:
    uses = {name for one in parsed.values() for name in one.uses}
    if None in uses or len(parsed) < len(own.sources):
        return
    for name in own.sources:
        if name in ENTRIES or name in uses or name in our_names():
            continue
        near = get_close_matches(name, ENTRIES, n=1)
        question = f"did you mean '{near[0]}'? " if near else ""
        yield Problem(
            message=f"no template is called '{name}', and none of yours includes it",
            path=own.path(name),
            hint=f"{question}templates: {', '.join(ENTRIES)}",
        )


def _entry_problems(
    own: OwnTemplates, found: Environment, parsed: Mapping[str, _Parsed], name: str
) -> Iterator[Problem]:
    from jinja2 import nodes

    chain, last = [parsed[name]], parsed[name].extends
    while last in parsed and parsed[str(last)] not in chain:
        chain.append(parsed[str(last)])
        last = chain[-1].extends
    if last != f"{OURS}/{name}":
        yield Problem(
            message=f"it does not extend gepa-ci's '{name}'",
            path=own.path(name),
            line=1,
            hint=f'begin it with {{% extends "{OURS}/{name}" %}} and override blocks of that',
        )
        return
    known = blocks_of(name, found)
    for one in chain:
        for block in one.tree.body:
            if isinstance(block, nodes.Block) and block.name not in known:
                near = get_close_matches(block.name, known, n=1)
                question = f"did you mean '{near[0]}'? " if near else ""
                yield Problem(
                    message=f"'{name}' has no block '{block.name}'",
                    path=own.path(one.name),
                    line=block.lineno,
                    hint=f"{question}blocks: {', '.join(known)}",
                )


def _trial(own: OwnTemplates) -> list[Problem]:
    """Return what goes wrong when small results are rendered with the templates."""
    problems: dict[tuple[str | None, int | None, str], Problem] = {}
    for name, render in _RENDERERS.items():
        if name not in own.sources:
            continue
        for document in sample_documents(texts=True):
            try:
                render(document, own)
            except OwnTemplateError as error:
                for problem in error.problems:
                    problems[problem.path, problem.line, problem.message] = problem
    return list(problems.values())


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
