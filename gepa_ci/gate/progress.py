"""Owns how far a run of examples got, and how that is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How many of the planned examples were run, and why no more."""

    run: int
    """Examples run, with scores or without."""
    planned: int
    """Examples that there are."""
    looks: int = 1
    """Looks done."""
    planned_looks: int = 1
    """Looks planned."""
    level: float
    """One-sided level of the confidence bounds."""
    decided: bool = True
    """Whether the verdict was reached; not so while examples are still being run."""
    futile: bool = False
    """Whether it was stopped because the rest would hardly have changed anything."""

    @property
    def is_partial(self) -> bool:
        """Tell whether examples were left out."""
        return self.run < self.planned

    @property
    def is_fixed(self) -> bool:
        """Tell whether all of the data are looked at once, at the end."""
        return self.planned_looks == 1

    def beyond_planned(self, needed: int | None) -> int | None:
        """Return how many examples are needed where so many as were planned do not suffice."""
        if needed is None or not self.is_partial:
            return needed
        return max(needed, self.planned + 1)

    def reasons(self) -> tuple[str, ...]:
        """Say in a finished sentence that examples were left out, and why."""
        if not self.is_partial:
            return ()
        so_far, rest = f"{self.run} of {_examples(self.planned)}", self.planned - self.run
        if not self.decided:
            return (f"Only {so_far} have been run so far, which is not enough to stop.",)
        others = f"the other {rest}" if rest > 1 else "the last one"
        if self.futile:
            return (f"It was stopped after {so_far}: {others} would hardly have decided it.",)
        were = "were" if rest > 1 else "was"
        return (f"It was decided after {so_far}; {others} {were} not run.",)


def _examples(n: int) -> str:
    return f"{n} example{'' if n == 1 else 's'}"
