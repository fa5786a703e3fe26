from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gepa_ci.delivery.redaction import Redactor

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON

KEY = 'sk-can/ary+"ü\\&<4711>='
PEM = "-----BEGIN KEY-----\nMIIEcanaryAAAA\nMIIEcanaryBBBB\n}\n-----END KEY-----\n"
REDACT = Redactor({"OPENAI_API_KEY": KEY, "SIGNING_KEY": PEM, "EMPTY": "", "SHORT": "abc"})
NAMED = "[secret OPENAI_API_KEY]"
RAW = KEY.encode()


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        base64.b64encode(RAW).decode(),
        base64.b64encode(RAW).decode().rstrip("="),
        base64.urlsafe_b64encode(RAW).decode(),
        quote(KEY),
        quote(KEY, safe=""),
        quote_plus(KEY),
        quote(KEY, safe="").replace("%2F", "%2f").replace("%C3%BC", "%c3%bc").lower(),
        json.dumps(KEY)[1:-1],
        json.dumps(KEY, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(KEY)[1:-1])[1:-1],
        json.dumps(KEY)[1:-1].replace("/", "\\/"),
        html.escape(KEY),
        html.escape(KEY, quote=False),
        repr(KEY)[1:-1],
    ],
)
def test_secret_is_hidden_in_every_form(form: str) -> None:
    assert REDACT(f"before {form} after {form}") == f"before {NAMED} after {NAMED}"


@pytest.mark.parametrize("prefix", ["", "x", "x-access-token:", "ab"])
def test_secret_is_hidden_inside_other_base64(prefix: str) -> None:
    header = base64.b64encode(f"{prefix}{KEY}:tail".encode()).decode()
    hidden = REDACT(f"Authorization: basic {header}")

    assert NAMED in hidden
    assert all(header[i : i + 8] not in hidden.split(NAMED)[1] for i in range(24, len(header) - 16))
    rest = hidden.removeprefix("Authorization: basic ").replace(NAMED, "")
    assert len(rest) <= len(base64.b64encode(f"{prefix}:tail".encode())) + 6


def test_secret_of_many_lines_is_hidden_line_by_line() -> None:
    hidden = REDACT("x MIIEcanaryAAAA y\r\n  MIIEcanaryBBBB\n")

    assert hidden == "x [secret SIGNING_KEY] y\r\n  [secret SIGNING_KEY]\n"
    assert REDACT(PEM) == "[secret SIGNING_KEY]"
    assert REDACT(json.dumps(PEM)) == '"[secret SIGNING_KEY]"'


def test_what_is_too_short_to_be_a_secret_stays_readable() -> None:
    assert REDACT("abc {}\n}") == "abc {}\n}"


def test_secrets_that_overlap_leave_no_rest() -> None:
    redact = Redactor({"A": "secret-one", "B": "one-secret"})

    assert redact("a secret-one-secret z") == "a [secret A] z"


def test_secret_that_holds_another_is_hidden_whole() -> None:
    redact = Redactor({"A": "canary", "B": "canary-and-more"})

    assert redact("canary-and-more canary") == "[secret B] [secret A]"


def test_json_is_hidden_in_values_and_keys_and_keeps_its_numbers() -> None:
    value: JSON = {"a": [KEY, 1, 0.5, None, True], f"k{KEY}": {"b": f"x{KEY}"}}

    assert REDACT.in_json(value) == {
        "a": [NAMED, 1, 0.5, None, True],
        f"k{NAMED}": {"b": f"x{NAMED}"},
    }


def test_without_secrets_nothing_changes() -> None:
    assert Redactor({})("any text") == "any text"
    assert Redactor({"EMPTY": ""})("any text") == "any text"


def test_redactor_does_not_show_what_it_hides() -> None:
    assert repr(REDACT) == "Redactor(2 secrets)"
    assert not hasattr(REDACT, "__dict__")


@given(st.text(min_size=6).filter(lambda s: len(s.strip()) >= 6), st.text(), st.text())
def test_no_secret_is_ever_left(secret: str, before: str, after: str) -> None:
    hidden = Redactor({"K": secret})(f"{before}{secret}{after}")

    if secret.strip() not in "[secret K]":
        assert secret not in hidden.replace("[secret K]", "\x00")
