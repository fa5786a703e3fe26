"""Owns finding what is wrong with a team's templates, before a run is paid for that uses them."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from gepa_ci.errors import Problem
from gepa_ci.reports.posts.markdown import REPORT, environment
from gepa_ci.reports.templating.rendering import problem_of
from gepa_ci.reports.templating.sources import BUILT_IN, ENTRIES, OURS, OwnTemplates, our_names
from gepa_ci.reports.templating.trial import trial_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jinja2 import Environment, nodes

MAX_BYTES = 256 * 1024
"""Largest template."""
MAX_FILES = 50
"""Most templates of a team."""

_UNESCAPED = frozenset({"safe", "urlize"})
"""Filters that let text of a model or a user be more than text."""


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
    problems += [p for one in parsed.values() for p in _missing_parts(own, one)]
    problems += _unused(own, parsed)
    sound = []
    for name in ENTRIES:
        if name in parsed:
            bases = _bases(parsed, name)
            problems += _entry_problems(own, found, bases, name)
            sound += [name] if bases[-1].extends == f"{OURS}/{name}" else []
    # What is wrong in itself would be found once more in each entry that uses it.
    told = {(problem.path, problem.line) for problem in problems}
    tried = trial_problems(own, sound)
    return problems + [p for p in tried if (p.path, p.line) not in told]


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


def _missing_parts(own: OwnTemplates, one: _Parsed) -> Iterator[Problem]:
    """Yield what a template includes or imports by a name that nothing has."""
    from jinja2 import nodes

    ours = our_names()
    known = {*own.sources, *ours, *(f"{OURS}/{name}" for name in ours)}
    used: nodes.Include | nodes.Import | nodes.FromImport
    for used in one.tree.find_all((nodes.Include, nodes.Import, nodes.FromImport)):  # type: ignore[assignment]
        named = used.template
        may_miss = isinstance(used, nodes.Include) and used.ignore_missing
        if not isinstance(named, nodes.Const) or may_miss:
            continue
        name = named.value
        if isinstance(name, str) and name not in known:
            near = get_close_matches(name, own.sources, n=1)
            question = f"did you mean '{near[0]}'? else " if near else ""
            yield Problem(
                message=f"there is no template '{name}'",
                path=own.path(one.name),
                line=used.lineno,
                hint=f"{question}put it into that folder",
            )


def _bases(parsed: Mapping[str, _Parsed], name: str) -> list[_Parsed]:
    """Return a template and those of the team's that it extends, the last one last."""
    bases, last = [parsed[name]], parsed[name].extends
    while last in parsed and parsed[str(last)] not in bases:
        bases.append(parsed[str(last)])
        last = bases[-1].extends
    return bases


def _entry_problems(
    own: OwnTemplates, found: Environment, bases: Sequence[_Parsed], name: str
) -> Iterator[Problem]:
    from jinja2 import nodes

    if bases[-1].extends != f"{OURS}/{name}":
        yield Problem(
            message=f"it does not extend gepa-ci's '{name}'",
            path=own.path(name),
            line=1,
            hint=f'begin it with {{% extends "{OURS}/{name}" %}} and override blocks of that',
        )
        return
    known = blocks_of(name, found)
    for one in bases:
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
