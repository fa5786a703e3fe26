"""Owns the search for inputs that are the same, or nearly so, in two parts of a suite."""

from __future__ import annotations

import bisect
import heapq
import itertools
import zlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from gepa_ci.suites.normal import comparable_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gepa_ci.core.suite import Example

SHORTEST = 20
"""Characters from which similarity says something; shorter inputs only count when equal."""
_LONG = 500
"""Characters from which inputs are compared by word pairs, as any long text has most trigrams."""
_LONGEST = 20_000
"""Characters that the exact comparison reads of one input."""
_GRAM = 3
_UNSPACED_GRAM = 8
"""Characters in place of a word pair, in scripts without blanks between words."""
_LONGEST_WORD = 20
"""Mean length from which words are no words."""
_CHANGED = 6
"""Share of word pairs that change per share of characters: edits of 2, words of 6 characters."""
_SKETCH = 384
"""Grams kept of one text: all of a short one, the lowest hashes of a long one."""
_BITS = 1024
_COMPARISONS_PER_MASK = 30
"""Exact comparisons that take as long as the mask of one text."""
_ZEROS = b"0" * _BITS
_ONE = ord("1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """Two examples of different parts whose inputs are nearly the same."""

    first: Example
    second: Example
    similarity: float


class _Hashes(dict[str, int]):
    """CRC-32 of each gram, computed once: Python's own hash differs from run to run."""

    def __missing__(self, gram: str) -> int:
        value = self[gram] = zlib.crc32(gram.encode("utf-8", "surrogatepass"))
        return value


@dataclass(frozen=True, slots=True, order=True)
class _Text:
    """An input as it is compared; ordered by length."""

    length: int
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class _Masks:
    """What rules most partners of a text out before they are compared."""

    short: int
    """Bit mask of the trigrams; 0 when nothing is compared by them."""
    long: int
    """Bit mask of the word pairs; 0 when nothing is compared by them."""
    pairs: int
    """Word pairs in that mask."""


def near_duplicates(parts: Sequence[Sequence[Example]], threshold: float) -> Iterator[Near]:
    """Yield, for each example, the most similar one in an earlier part from the threshold on.

    Similarity is 1 minus insertions and deletions over the length of both texts. Most pairs are
    ruled out by length and by a bit mask of grams before any exact comparison. Among inputs under
    500 characters no pair is missed; longer ones must share word pairs to be found.
    """
    texts = [
        sorted(
            _Text(len(text), number, text)
            for number, example in enumerate(part)
            if len(text := comparable_text(example.inputs)) >= SHORTEST
        )
        for part in parts
    ]
    masks = _masks_of_parts(texts, threshold)
    for later in range(1, len(parts)):
        found: dict[int, Near] = {}
        for earlier in range(later):
            pairs = _pairs(texts[later], texts[earlier], masks(later, earlier), threshold)
            for number, other, similarity in pairs:
                first, second = parts[earlier][other], parts[later][number]
                if number not in found or similarity > found[number].similarity:
                    found[number] = Near(first=first, second=second, similarity=similarity)
        yield from (found[number] for number in sorted(found))


def _masks_of_parts(
    texts: list[list[_Text]], threshold: float
) -> Callable[[int, int], tuple[list[_Masks], list[_Masks]] | None]:
    """Return a function that gives the masks of two parts, or None where they would not pay."""
    hashes, ratio = _Hashes(), _length_ratio(threshold)

    @cache
    def of_part(part: int) -> list[_Masks]:
        return [_masks(text.text, hashes, ratio) for text in texts[part]]

    def of_pair(part: int, other: int) -> tuple[list[_Masks], list[_Masks]] | None:
        sizes = len(texts[part]), len(texts[other])
        few = sizes[0] * sizes[1] <= _COMPARISONS_PER_MASK * sum(sizes)
        return None if few else (of_part(part), of_part(other))

    return of_pair


def _length_ratio(threshold: float) -> float:
    """Return how much shorter one of two texts can be and still reach the threshold."""
    return threshold / (2 - threshold)


def _masks(text: str, hashes: _Hashes, ratio: float) -> _Masks:
    size = len(text)
    # Near the border a text meets partners on both sides of it.
    short = _mask(_grams(text, _GRAM), hashes) if size <= _LONG / ratio else 0
    pairs = _word_pairs(text) if size >= _LONG * ratio - 1 else set()
    # Word pairs hardly repeat, so that remembering them would only cost memory.
    long = _mask(pairs, _Hashes())
    return _Masks(short, long, min(_SKETCH, len(pairs)))


def _grams(text: str, length: int) -> set[str]:
    return {text[start : start + length] for start in range(len(text) - length + 1)}


def _word_pairs(text: str) -> set[str]:
    words = text.split(" ")
    if len(words) * _LONGEST_WORD < len(text):
        return _grams(text, _UNSPACED_GRAM)
    return {f"{first} {second}" for first, second in itertools.pairwise(words)}


def _mask(grams: set[str], hashes: _Hashes) -> int:
    values = {hashes[gram] for gram in grams}
    sketch = values if len(values) <= _SKETCH else heapq.nsmallest(_SKETCH, values)
    bits = bytearray(_ZEROS)
    for value in sketch:
        bits[value % _BITS] = _ONE
    return int(bits, 2)


def _pairs(
    texts: list[_Text],
    others: list[_Text],
    masks: tuple[list[_Masks], list[_Masks]] | None,
    threshold: float,
) -> Iterator[tuple[int, int, float]]:
    from rapidfuzz import process
    from rapidfuzz.distance import Indel

    ratio = _length_ratio(threshold)
    lengths = [other.length for other in others]
    for place, text in enumerate(texts):
        low = bisect.bisect_left(lengths, int(text.length * ratio))
        high = bisect.bisect_right(lengths, int(text.length / ratio) + 1)
        near: Sequence[int] = range(low, high)
        if masks is not None:
            near = _alike(text.length, masks[0][place], masks[1], near, threshold)
        best = process.extractOne(
            text.text[:_LONGEST],
            [others[number].text[:_LONGEST] for number in near],
            scorer=Indel.normalized_similarity,
            score_cutoff=threshold,
        )
        if best is not None:
            yield text.number, others[near[best[2]]].number, best[1]


def _alike(
    length: int, mine: _Masks, theirs: list[_Masks], near: Sequence[int], threshold: float
) -> list[int]:
    """Return which partners have enough grams in common with a text to be worth comparing."""
    limit = _limit(length, mine.pairs, threshold)
    if length > _LONG:
        return [n for n in near if (mine.long ^ theirs[n].long).bit_count() <= limit]
    return [n for n in near if (mine.short ^ theirs[n].short).bit_count() <= limit]


def _limit(length: int, pairs: int, threshold: float) -> float:
    """Return how many bits the masks of two texts may differ in and still be worth comparing."""
    if length <= _LONG:
        # One inserted or deleted character changes so many trigrams at most, if all are kept.
        edits = (1 - threshold) * length * (1 + (2 - threshold) / threshold)
        return (2 * _GRAM - 1) * edits
    changed = min(1.0, (1 - threshold) * _CHANGED)
    return 2 * pairs * (1 - (1 - changed) / (1 + changed))
