"""Owns taking secrets out of text before it is shown, posted or stored anywhere."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gepa_ci.core.values import JSON

SHORTEST = 6
"""Characters from which on something counts as a secret; less would blot out common words."""

_BASE64_GROUP = 3
_BITS = 6


class Redactor:
    """Replaces secrets, as they are and as they are commonly encoded, by their names."""

    __slots__ = ("_names", "_pattern")

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._names: dict[str, str] = {}
        for name, value in sorted(secrets.items()):
            for form in _forms(value):
                self._names.setdefault(form, name)
        longest_first = sorted(self._names, key=len, reverse=True)
        # A look-ahead finds secrets that overlap, so that no rest of one is left.
        self._pattern = re.compile(f"(?=({'|'.join(map(re.escape, longest_first))}))")

    def __repr__(self) -> str:
        return f"Redactor({len(set(self._names.values()))} secrets)"

    def __call__(self, text: str) -> str:
        """Return the text with the name of each secret in its place."""
        if not self._names:
            return text
        parts: list[str] = []
        end = 0
        for found in self._pattern.finditer(text):
            start, stop = found.span(1)
            if start >= end:
                parts += (text[end:start], f"[secret {self._names[found[1]]}]")
            end = max(end, stop)
        return "".join((*parts, text[end:]))

    def in_json(self, value: JSON) -> JSON:
        """Return a JSON value without secrets in any string, keys of objects included."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {self(key): self.in_json(item) for key, item in value.items()}
        if isinstance(value, Sequence):
            return [self.in_json(item) for item in value]
        return value


def _forms(secret: str) -> Iterator[str]:
    lines = [line.strip() for line in secret.splitlines()]
    for plain in dict.fromkeys((secret.strip(), secret, *lines)):
        if len(plain.strip()) >= SHORTEST:
            yield from (form for form in _encoded(plain) if len(form) >= SHORTEST)


def _encoded(plain: str) -> Iterator[str]:
    yield plain
    yield from _base64(plain.encode("utf-8", "surrogatepass"))
    for safe in ("", "/"):
        url = quote(plain, safe=safe, errors="replace")
        yield from (url, re.sub("%..", lambda found: found.group().lower(), url))
    yield quote_plus(plain, errors="replace")
    for ascii_only in (True, False):
        text = json.dumps(plain, ensure_ascii=ascii_only)[1:-1]
        # JSON inside of JSON is what an error of a provider about a request holds.
        yield from (text, text.replace("/", "\\/"), json.dumps(text)[1:-1])
    yield from (html.escape(plain), html.escape(plain, quote=False))
    yield repr(plain)[1:-1]


def _base64(data: bytes) -> Iterator[str]:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(data).decode()
        yield from (whole, whole.rstrip("="))
        # Behind other bytes, as in a header of basic authentication, the digits are others; those
        # at both ends depend on the neighbours.
        for shift in range(_BASE64_GROUP):
            digits = encode(bytes(shift) + data).decode().rstrip("=")
            first = -(-8 * shift // _BITS)
            last = 8 * (shift + len(data)) // _BITS
            yield digits[first:last]
