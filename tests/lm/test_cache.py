"""Tests of gepa_ci.lm.cache."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gepa_ci.core.call import Reply
from gepa_ci.core.score import ModelFailure
from gepa_ci.errors import UsageError
from gepa_ci.lm.cache import ResponseCache

if TYPE_CHECKING:
    from pathlib import Path


def test_an_answer_comes_back_as_it_was_and_says_that_it_is_cached(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path / "c.sqlite")
    cache.put(
        "k",
        Reply(
            text="a",
            failure=ModelFailure.TRUNCATED,
            detail="cut",
            input_tokens=3,
            output_tokens=4,
            model="m",
            usd=0.5,
        ),
    )

    found = cache.get("k")
    cache.close()

    assert found == Reply(
        text="a",
        failure=ModelFailure.TRUNCATED,
        detail="cut",
        input_tokens=3,
        output_tokens=4,
        model="m",
        usd=0.5,
        cached=True,
    )


def test_a_key_that_is_not_there_is_none(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path / "c.sqlite")

    assert cache.get("k") is None
    cache.close()


def test_the_first_answer_stays(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path / "c.sqlite")
    cache.put("k", Reply(text="first"))
    cache.put("k", Reply(text="second"))

    found = cache.get("k")
    cache.close()

    assert found is not None
    assert found.text == "first"


def test_an_answer_outlives_the_process_that_never_closed_it(tmp_path: Path) -> None:
    writer = ResponseCache(tmp_path / "c.sqlite")
    writer.put("k", Reply(text="a"))

    reader = ResponseCache(tmp_path / "c.sqlite")
    found = reader.get("k")
    reader.close()
    writer.close()

    assert found is not None


def test_a_file_that_is_no_database_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"this is a text file, and not a small one" * 100)

    with pytest.raises(UsageError, match="response cache") as caught:
        ResponseCache(path)

    assert "delete the file" in str(caught.value.problems[0].hint)


@pytest.mark.parametrize(
    "planted",
    ["", "[]", "{}", '{"text": 1}', "null", b"\x80\x04\x95cos\nsystem\n"],
    ids=["empty", "list", "object", "typed", "null", "pickle"],
)
def test_a_planted_answer_is_an_error_and_is_never_executed(
    tmp_path: Path, planted: str | bytes
) -> None:
    ResponseCache(tmp_path / "c.sqlite").close()
    with sqlite3.connect(tmp_path / "c.sqlite") as database:
        database.execute("INSERT INTO replies VALUES ('k', ?)", (planted,))
    database.close()
    cache = ResponseCache(tmp_path / "c.sqlite")

    with pytest.raises(UsageError, match="not in our format"):
        cache.get("k")
    cache.close()


@given(text=st.text())
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    cache = ResponseCache(tmp_path_factory.mktemp("c") / "c.sqlite")
    cache.put("k", Reply(text=text))

    found = cache.get("k")
    cache.close()

    assert found is not None
    assert found.text == text
