"""Owns the metric token_f1: the overlap of words with the expected text, as in SQuAD."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.core.score import Score
from gepa_ci.metrics.feedback import as_text, quote
from gepa_ci.metrics.labels import list_of, texts_problem
from gepa_ci.metrics.metric import BuiltIn
from gepa_ci.metrics.normal_form import without_articles

if TYPE_CHECKING:
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON
    from gepa_ci.errors import Problem

# Chinese and Japanese put no blanks between words; a character is a token there, as in MLQA.
_TOKEN = re.compile("[\u3040-\u30ff\u3400-\u9fff]|[^\\s\u3040-\u30ff\u3400-\u9fff]+")

_MOST = 12
"""Words that feedback lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenF1:
    """Compares bags of words."""

    @property
    def needs_expected(self) -> bool:
        """Return True: the label is what is compared with."""
        return True

    def label_problem(self, expected: JSON) -> Problem | None:
        """Return a problem when the label is not a text or a list of texts."""
        return texts_problem(expected)

    def score(self, example: Example, output: str) -> Score:
        """Return the F1 of the words; the best over several expected texts."""
        items = list_of(example.expected)
        answers = [as_text(item) for item in ([example.expected] if items is None else items)]
        got = _tokens(output)
        overlaps = [_Overlap.of(answer, got) for answer in answers]
        best = max(overlaps, key=lambda overlap: overlap.f1)
        return Score(
            value=best.f1,
            feedback=best.describe(output),
            parts={"precision": best.precision, "recall": best.recall},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Overlap:
    expected: str
    precision: float
    recall: float
    f1: float
    missing: tuple[str, ...]
    extra: tuple[str, ...]

    @classmethod
    def of(cls, expected: str, got: Counter[str]) -> _Overlap:
        wanted = _tokens(expected)
        shared = (wanted & got).total()
        if wanted == got:
            precision = recall = f1 = 1.0
        else:
            precision = shared / got.total() if got else 0.0
            recall = shared / wanted.total() if wanted else 0.0
            f1 = 2 * shared / (got.total() + wanted.total())
        return cls(
            expected=expected,
            precision=precision,
            recall=recall,
            f1=f1,
            missing=tuple(wanted - got),
            extra=tuple(got - wanted),
        )

    def describe(self, output: str) -> str:
        """Return the feedback."""
        if self.f1 == 1.0:
            return f"Correct: {quote(output)}."
        sentence = f"Expected {quote(self.expected)}, got {quote(output)}."
        if not output.strip():
            return f"{sentence} The output is empty."
        if self.f1 == 0.0:
            return f"{sentence} They share no word."
        notes = [f"Words missing: {_listed(self.missing)}."] if self.missing else []
        notes += [f"Words too many: {_listed(self.extra)}."] if self.extra else []
        return " ".join((sentence, *notes))


def _tokens(text: str) -> Counter[str]:
    text = unicodedata.normalize("NFKC", text.casefold())
    bare = "".join("" if unicodedata.category(c).startswith("P") else c for c in text)
    return Counter(_TOKEN.findall(without_articles(bare)))


def _listed(words: tuple[str, ...]) -> str:
    names = ", ".join(quote(word, 40) for word in words[:_MOST])
    more = len(words) - _MOST
    return f"{names} and {more} more" if more > 0 else names


TOKEN_F1 = BuiltIn(
    name="token_f1",
    description="Overlap of words with the expected text (F1, as in SQuAD), from 0 to 1.",
    make=TokenF1,
)
