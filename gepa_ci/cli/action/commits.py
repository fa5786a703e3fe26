"""Owns which two commits a gate compares: what would be merged, and what it is merged into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gepa_ci.cli.action.desk import Desk

_DEEPENED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Commits:
    """Two commits that the clone has."""

    base: str
    """Trusted: config, suite and metric come from it."""
    head: str
    note: str = ""
    """A finished sentence about how they were found; empty when that is as usual."""


def pull_commits(desk: Desk, base: str, head: str) -> Commits:
    """Return the commits that show what a pull request changes, and nothing that its base changed.

    GitHub's own merge of the two says it best. Without one it is the common ancestor and the head.
    """
    merge = desk.settings.event.sha
    if desk.settings.event.name == "pull_request" and desk.git.has(merge):
        parents = desk.git.parents(merge)
        if len(parents) == 2 and parents[1] == head:  # noqa: PLR2004 - a merge has two
            desk.bring(parents[0])
            return Commits(base=parents[0], head=merge)
    desk.bring(base)
    desk.bring(head)
    ancestor = desk.git.merge_base(base, head)
    if ancestor is None:
        desk.bring(base, depth=_DEEPENED)
        desk.bring(head, depth=_DEEPENED)
        ancestor = desk.git.merge_base(base, head)
    if ancestor is None:
        return Commits(
            base=base,
            head=head,
            note=f"No common ancestor was found within {_DEEPENED} commits, so the head was "
            "compared with the tip of its base.",
        )
    return Commits(base=ancestor, head=head)
