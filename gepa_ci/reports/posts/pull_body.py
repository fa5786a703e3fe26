"""Owns the body of the pull request that proposes a better prompt: the evidence for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.errors import UsageError
from gepa_ci.reports import escape
from gepa_ci.reports.posts.markdown import Room, post_size, render_template
from gepa_ci.reports.templating.sources import BUILT_IN
from gepa_ci.reports.view import view

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.values import JSON
    from gepa_ci.reports.links import Links
    from gepa_ci.reports.templating.sources import OwnTemplates
    from gepa_ci.reports.view.model import Report, Task
    from gepa_ci.reports.view.model_optimization import Candidate, Optimization

MAX_CHARS = 64_000
"""Longest body; GitHub takes 65,536, and the caller adds a hidden first line."""


def _size(text: str) -> int:
    # What is put between characters at the end takes room as well.
    return post_size(escape.without_references(text))


_ROOM = Room(most=MAX_CHARS, size=_size)
_CHARACTERS_PER_TOKEN = 4
_PROMOTED = "promote. The candidate is better and can be merged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One step on the way from the baseline to the proposed prompt."""

    number: int
    """Of the candidate that it made."""
    parents: tuple[int, ...]
    origin: str
    rewritten: tuple[str, ...]
    """Names of the components that it rewrote."""
    examples: tuple[str, ...]
    """Ids of the train examples that led to it."""
    before: float | None
    """Best mean val score of the parents."""
    after: float | None
    """Mean val score of the candidate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How much longer the proposed texts are than the present ones."""

    before: int
    """Characters."""
    after: int
    """Characters."""
    sent: int | None
    """Tokens that a call of the task LM sent on average; None when unknown."""

    @property
    def tokens(self) -> int:
        """Return about how many tokens a call sends more or less."""
        return round(abs(self.after - self.before) / _CHARACTERS_PER_TOKEN)

    @property
    def direction(self) -> str:
        """Return which of the two it is."""
        return "less" if self.after < self.before else "more"

    @property
    def share(self) -> float | None:
        """Return those tokens as a share of what a call sent on average."""
        return round(self.tokens / self.sent, 2) if self.sent else None


def render_pull_body(
    document: Mapping[str, JSON],
    task: str,
    *,
    links: Links,
    notes: Sequence[str] = (),
    own: OwnTemplates = BUILT_IN,
) -> str:
    """Render the evidence for one task's proposed prompt; what it quotes does nothing on merging.

    Args:
        document: The result of the optimization.
        task: Name of the task.
        links: Where a reader finds more.
        notes: Finished sentences about the run as a whole.
        own: The team's templates.

    Raises:
        UsageError: the document has no such task.
    """
    report = view(document)
    found = find_task(report, task)
    run = found.optimization
    text = render_template(
        "pull_body.md.j2",
        _ROOM,
        own,
        report=report,
        task=found,
        verdict=_PROMOTED if found.verdict == "promote" else found.headline,
        effect=found.effect,
        length=None if run is None else _length(run, found),
        edits=() if run is None else edits(run),
        notes=notes,
        links=links.known(),
        whole=links.whole,
    )
    # A squash merge can make this text the message of a commit, which git and the forge obey.
    return escape.without_references(text)


def find_task(report: Report, name: str) -> Task:
    """Return the task of that name.

    Raises:
        UsageError: there is none.
    """
    for task in report.tasks:
        if task.name == name:
            return task
    raise UsageError(f"the result has no task '{name}'", hint="is it the result of another run?")


def edits(run: Optimization) -> tuple[Edit, ...]:
    """Return the steps that led from the baseline to the best candidate, in their order."""
    known = {candidate.number: candidate for candidate in run.candidates}
    line: set[int] = set()
    waiting = [candidate.number for candidate in run.candidates if candidate.best]
    while waiting:
        number = waiting.pop()
        if number in known and number not in line:
            line.add(number)
            waiting.extend(known[number].parents)
    steps = (known[number] for number in sorted(line) if known[number].parents)
    return tuple(_edit(step, known) for step in steps)


def _edit(step: Candidate, known: Mapping[int, Candidate]) -> Edit:
    means = [known[parent].val_mean for parent in step.parents if parent in known]
    return Edit(
        number=step.number,
        parents=step.parents,
        origin=step.origin,
        rewritten=step.rewritten,
        examples=step.examples,
        before=max((mean for mean in means if mean is not None), default=None),
        after=step.val_mean,
    )


def _length(run: Optimization, task: Task) -> Length | None:
    first = next((candidate for candidate in run.candidates if candidate.number == 0), None)
    best = next((candidate for candidate in run.candidates if candidate.best), None)
    if first is None or best is None:
        return None
    spend = next((spend for spend in task.spend if spend.purpose == "task"), None)
    answered = 0 if spend is None else spend.calls - spend.failed
    sent = round(spend.input_tokens / answered) if spend is not None and answered > 0 else None
    return Length(before=first.characters, after=best.characters, sent=sent)
