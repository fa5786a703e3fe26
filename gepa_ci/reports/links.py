"""Owns the links of a report: the only addresses in it that lead anywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gepa_ci.reports import escape

# No parenthesis, blank, quote or bracket: nothing that ends a link of Markdown early.
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&*+,;=%-]{1,2000}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A named address."""

    label: str
    url: str

    @property
    def is_plain(self) -> bool:
        """Return whether the address leads to the web and nowhere else."""
        return _URL.fullmatch(self.url) is not None

    def markdown(self) -> str:
        """Return the link, or its text only when the address is not a plain one."""
        label = escape.inline(self.label)
        return f"[{label}]({self.url})" if self.is_plain else label


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where a reader finds more; all addresses are the forge's own, and empty when unknown."""

    run: str = ""
    """The workflow run with its log and summary."""
    artifact: str = ""
    """The whole result."""
    page: str = ""
    """The HTML page of the run."""
    proposal: str = ""
    """The pull request that proposes a better prompt."""

    def known(self) -> tuple[Link, ...]:
        """Return the links that there are."""
        named = (
            ("Proposed prompt", self.proposal),
            ("Page", self.page),
            ("Run", self.run),
            ("Whole result", self.artifact),
        )
        return tuple(Link(label=label, url=url) for label, url in named if url)

    @property
    def whole(self) -> Link:
        """Return where everything is that a post has no room for; without an address if unknown."""
        return Link(label="the whole result", url=self.page or self.artifact)
