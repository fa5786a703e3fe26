from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Indel

from gepa_ci.core.suite import Example
from gepa_ci.suites.leaks import SHORTEST, near_duplicates
from gepa_ci.suites.normal import comparable_text


def examples(texts: list[str]) -> list[Example]:
    return [Example(id=str(n), inputs={"input": text}) for n, text in enumerate(texts)]


def pairs(first: list[str], second: list[str], threshold: float = 0.95) -> list[tuple[str, str]]:
    found = near_duplicates([examples(first), examples(second)], threshold)
    return [(pair.first.id, pair.second.id) for pair in found]


VOCABULARY = [
    "".join(random.Random(seed).choices("etaoinshrdlucmfw", k=2 + seed % 8)) for seed in range(2000)
]


VOCABULARY = [
    "".join(random.Random(seed).choices("etaoinshrdlucmfw", k=2 + seed % 8)) for seed in range(2000)
]


def prose(seed: int, length: int) -> str:
    text = " ".join(random.Random(seed).choices(VOCABULARY, k=length // 4))
    return text[:length].strip()


def test_a_changed_number_is_found() -> None:
    text = "Where is my order number {}? It has not come yet."

    assert pairs([prose(1, 60), text.format(41)], [text.format(42)]) == [("1", "0")]


def test_different_texts_are_not_found() -> None:
    assert pairs([prose(1, 300)], [prose(2, 300)]) == []


def test_short_texts_are_not_compared() -> None:
    assert pairs(["order number 1"], ["order number 2"]) == []


def test_the_most_similar_one_is_named() -> None:
    text = prose(3, 200)

    assert pairs([text + " abc", text + " a", text + " ab"], [text]) == [("1", "0")]


def test_each_example_is_named_once_whatever_the_number_of_parts() -> None:
    text = prose(4, 200)
    parts = [examples([text + " bc"]), examples([text + " bx"]), examples([text + " b"])]
    closer = [examples([text + " cde"]), examples([text + " b"]), examples([text + " b"])]

    assert [pair.second.id for pair in near_duplicates(parts, 0.95)] == ["0", "0"]
    assert [pair.similarity for pair in near_duplicates(closer, 0.95)][1] == 1


@pytest.mark.parametrize("length", [100, 480, 500, 520, 800, 5000, 30_000])
def test_a_changed_passage_is_found_in_texts_of_any_length(length: int) -> None:
    text = prose(5, length)
    cut = length // 2
    changed = text[:cut] + "x" * (length // 50) + text[cut + length // 50 :]

    assert pairs([prose(6, length), text], [changed]) == [("1", "0")]


def test_texts_without_blanks_are_compared_too() -> None:
    text = "".join(chr(0x4E00 + random.Random(7).randint(0, 3000)) for _ in range(900))

    assert pairs([text], [text[:400] + "一二三" + text[400:]]) == [("0", "0")]


@settings(deadline=None)
@given(st.data(), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
def test_no_pair_of_texts_below_500_characters_is_missed(
    data: st.DataObject, threshold: float
) -> None:
    text = data.draw(st.text(st.sampled_from("abc de"), min_size=SHORTEST, max_size=120))
    edits = data.draw(st.lists(st.tuples(st.integers(0, 119), st.sampled_from(["", "x", "yz"]))))
    other = text
    for place, new in edits:
        other = other[:place] + new + other[place + 1 :]
    first, second = (comparable_text({"input": t}) for t in (text, other))
    is_near = Indel.normalized_similarity(first, second) >= threshold
    is_long = min(len(first), len(second)) >= SHORTEST

    assert bool(pairs([text], [other], threshold)) == (is_near and is_long)


def test_a_million_pairs_are_compared_quickly() -> None:
    first = examples([prose(n, 300) for n in range(1000)])
    second = examples([prose(n, 300) for n in range(5000, 6000)])
    start = time.process_time()
    found = list(near_duplicates([first, second], 0.95))

    assert found == []
    # 0.2 s on an idle machine; the limit leaves room for a slower one and for coverage.
    assert time.process_time() - start < 1.5
