"""Owns the normal forms in which texts are compared when spelling is not what matters."""

from __future__ import annotations

import re
import unicodedata

# Sentence and quotation marks and Markdown emphasis only: '#', '+', '-', '%' and '$' change what
# an answer says ('C#', '-5').
_AROUND = (
    ".,;:!?\"'`()[]{}<>*_~"
    "\u2026\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb\u2039\u203a"
    "\u3002\u3001\u300c\u300d\u300e\u300f\u00a1\u00bf"
)

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")


def collapse_whitespace(text: str) -> str:
    """Return the text with every run of whitespace as one blank, and none around it."""
    return " ".join(text.split())


def normal_form(
    text: str, *, case: bool = True, punctuation: bool = True, articles: bool = False
) -> str:
    """Return the text in NFKC with what the flags name taken out, but never emptied by them."""
    text = unicodedata.normalize("NFKC", text)
    if case:
        text = unicodedata.normalize("NFKC", text.casefold())
    text = collapse_whitespace(text)
    if punctuation:
        text = collapse_whitespace(_strip_around(text)) or text
    if articles:
        text = without_articles(text)
    return text


def _strip_around(text: str) -> str:
    # Blanks may stand between two marks, as in "( answer )".
    return text.strip(_AROUND + " ")


def without_articles(text: str) -> str:
    """Return English text without its articles, unless it has no other words."""
    return collapse_whitespace(_ARTICLE.sub(" ", text)) or text
