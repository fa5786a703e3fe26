"""Owns the steps of a chain of optimizers: their settings, and what each may change."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.optimizers.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gepa_ci.core.config import OptimizePolicy
    from gepa_ci.core.optimization import CandidateRecord, Origin
    from gepa_ci.core.prompt import Prompts
    from gepa_ci.optimizers.admission import Refusal
    from gepa_ci.optimizers.search import Search

_ARROW = re.compile(r"\s*->\s*")


def steps_of(policy: OptimizePolicy) -> tuple[OptimizePolicy, ...]:
    """Return the policy of each step of `strategy`; its options stand under the step's name."""
    strategy = policy.options.get("strategy")
    if not isinstance(strategy, str):
        return ()
    names = _ARROW.split(strategy.strip())
    own = {name: policy.options.get(name) for name in names}
    return tuple(
        replace(policy, optimizer=name, options=given if isinstance(given, dict) else {})
        for name, given in ((name, own[name]) for name in names)
    )


class Step(Workbench):
    """A workbench for a step: it shares all that is known, and changes only its own components."""

    @classmethod
    def of(cls, bench: Workbench, search: Search) -> Step:
        """Return a view of a workbench for a search that is a part of its own."""
        made = cls.__new__(cls)
        made.__dict__.update(copy.copy(bench).__dict__)
        made.search = search
        made.proposals = 0
        made._rest = {  # noqa: SLF001 - it is being made
            name: text for name, text in bench.start.items() if name not in search.components
        }
        return made

    _rest: dict[str, str]

    @property
    def start(self) -> dict[str, str]:
        """Return the texts that the step starts from."""
        whole = super().start
        return {name: whole[name] for name in self.search.components}

    def admit(self, texts: Mapping[str, str]) -> Prompts | Refusal:
        """Admit a candidate with what other steps have made."""
        return super().admit({**self._rest, **texts})

    def record(
        self,
        texts: Mapping[str, str],
        *,
        origin: Origin,
        parents: Sequence[int] = (),
        examples: Sequence[str] = (),
    ) -> CandidateRecord:
        """Record a candidate with what other steps have made."""
        whole = {**self._rest, **texts}
        return super().record(whole, origin=origin, parents=parents, examples=examples)

    def recorded(self, texts: Mapping[str, str]) -> CandidateRecord | None:
        """Return the record of a candidate with what other steps have made."""
        return super().recorded({**self._rest, **texts})
