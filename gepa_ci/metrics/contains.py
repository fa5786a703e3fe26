"""Owns the metric contains: the expected text, or each of several, stands in the output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gepa_ci.core.score import Score
from gepa_ci.errors import Problem
from gepa_ci.metrics.feedback import as_text, quote
from gepa_ci.metrics.labels import list_of, texts_problem
from gepa_ci.metrics.metric import BuiltIn, Option

if TYPE_CHECKING:
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Contains:
    """Looks for texts in the output."""

    texts: tuple[str, ...] | None = None
    """What to look for in every output; None for the example's label."""
    require: Literal["all", "any", "share"] = "all"
    ignore_case: bool = False

    @property
    def needs_expected(self) -> bool:
        """Return whether the label says what to look for."""
        return self.texts is None

    def label_problem(self, expected: JSON) -> Problem | None:
        """Return a problem when the label is not a text or a list of texts."""
        if (problem := texts_problem(expected)) is not None:
            return problem
        if "" in _texts(expected):
            return Problem(
                message="is an empty text, which every output contains",
                hint="give the text that a good output contains",
            )
        return None

    def score(self, example: Example, output: str) -> Score:
        """Return 1 when the required texts are there, or their share."""
        texts = self.texts or _texts(example.expected)
        where = output.casefold() if self.ignore_case else output
        missing = [text for text in texts if self._folded(text) not in where]
        share = 1 - len(missing) / len(texts)
        value = share if self.require == "share" else float(self._holds(missing, texts))
        if not missing:
            found = ", ".join(quote(text) for text in texts)
            return Score(value=value, feedback=f"Correct: the output contains {found}.")
        return Score(value=value, feedback=self._describe(missing, texts, output))

    def _holds(self, missing: list[str], texts: tuple[str, ...]) -> bool:
        return len(missing) < len(texts) if self.require == "any" else not missing

    def _folded(self, text: str) -> str:
        return text.casefold() if self.ignore_case else text

    def _describe(self, missing: list[str], texts: tuple[str, ...], output: str) -> str:
        names = ", ".join(quote(text) for text in missing)
        if self.require == "any" and len(missing) < len(texts):
            return f"Correct: the output contains one of the accepted texts (not there: {names})."
        need = "at least one of " if self.require == "any" and len(texts) > 1 else ""
        sentence = f"The output must contain {need}{names}, got {quote(output)}."
        if not output.strip():
            return f"{sentence} The output is empty."
        near = [text for text in missing if text.casefold() in output.casefold()]
        if near:
            listed = ", ".join(quote(text) for text in near)
            return f"{sentence} In other upper and lower case it holds {listed}: copy the spelling."
        return sentence


def _texts(expected: JSON) -> tuple[str, ...]:
    items = list_of(expected)
    return (as_text(expected),) if items is None else tuple(as_text(item) for item in items)


def make_contains(
    *,
    texts: str | list[str] | None = None,
    require: Literal["all", "any", "share"] = "all",
    ignore_case: bool = False,
) -> Contains:
    """Build the scorer from options as they stand in the config."""
    listed = (texts,) if isinstance(texts, str) else tuple(texts) if texts is not None else None
    return Contains(texts=listed, require=require, ignore_case=ignore_case)


CONTAINS = BuiltIn(
    name="contains",
    description="1 when the expected text stands somewhere in the output; a list of texts: each.",
    make=make_contains,
    options=(
        Option(
            name="texts",
            schema={
                "type": ["string", "array"],
                "items": {"type": "string", "minLength": 1},
                "minItems": 1,
                "minLength": 1,
            },
            default=None,
            description="what every output must contain, instead of the example's expected",
        ),
        Option(
            name="require",
            schema={"type": "string", "enum": ["all", "any", "share"]},
            default="all",
            description="of several texts: all, any one, or the share that was found as the score",
        ),
        Option(
            name="ignore_case",
            schema={"type": "boolean"},
            default=False,
            description="true ignores upper and lower case",
        ),
    ),
)
