"""Owns what a run of the Action found out, from which everything that people see is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.errors import ExitCode
from gepa_ci.reports.templating.sources import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.config import Config
    from gepa_ci.core.values import JSON
    from gepa_ci.delivery.forge import CheckRun, PullRequest
    from gepa_ci.delivery.improvement import Outcome as Proposed
    from gepa_ci.reports.templating.sources import OwnTemplates


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one errand."""

    reason: str = ""
    """A finished sentence where nothing was run: why."""
    document: Mapping[str, JSON] | None = None
    """The result, texts of examples included; None where nothing was run."""
    exit_code: int = ExitCode.OK
    sha: str | None = None
    """Commit that the check run stands on; None for none."""
    pull: PullRequest | None = None
    """Pull request that the comment stands on; None for none."""
    digest: str = ""
    """Digest of what was judged."""
    reused: CheckRun | None = None
    """The check run whose verdict was taken over."""
    base: str = ""
    """Commit that was compared with; empty where nothing was compared."""
    head: str = ""
    """Commit that was judged or optimized."""
    proposed: Mapping[str, Proposed] | None = None
    """By task, what was done about its improvement pull request."""
    config: Config | None = None
    """The trusted config; None where none was read."""
    own: OwnTemplates = BUILT_IN
    """The team's report templates, of the trusted side."""
    unverified: bool = False
    """Whether the result was brought by a run that a fork controls."""
