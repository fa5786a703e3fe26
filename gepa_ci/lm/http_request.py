"""Owns an HTTP request to a provider: how its origin is reached, and its bytes in one piece."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import SplitResult, unquote

if TYPE_CHECKING:
    from collections.abc import Sequence

PORTS = {"http": 80, "https": 443}
"""By scheme, where an address names none."""


class Request(Protocol):
    """What DSPy's native engines ask a transport for."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How to reach an origin: directly, or through a proxy."""

    scheme: str
    host: str
    port: int
    proxy: SplitResult | None = None

    @property
    def is_tls(self) -> bool:
        """Return whether the connection is encrypted."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Return host and port as a request names them."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == PORTS[self.scheme] else f"{name}:{self.port}"

    @property
    def credentials(self) -> dict[str, str]:
        """Return the header that a proxy with a password wants."""
        if self.proxy is None or self.proxy.username is None:
            return {}
        pair = f"{unquote(self.proxy.username)}:{unquote(self.proxy.password or '')}"
        return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def message_of(request: Request, url: SplitResult, route: Route) -> bytes:
    """Return head and body in one piece, to be sent by one system call."""
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    # Requests that are signed bring these two themselves.
    own = {name.lower() for name, _ in request.headers}
    ours = (("Host", route.authority), ("Content-Length", str(len(request.body))))
    headers = [(name, value) for name, value in ours if name.lower() not in own]
    if route.proxy is not None and not route.is_tls:
        target = f"http://{route.authority}{target}"
        headers += route.credentials.items()
    headers += request.headers
    lines = [
        f"{request.method} {target} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers),
    ]
    head = "\r\n".join([*lines, "", ""])
    # Only these line ends may be in it: a key may have one of its own, say.
    ends = len(lines) + 1
    if head.count("\n") != ends or head.count("\r") != ends or "\0" in head or " " in target:
        raise configuration_error("a header or the address holds a line end or a blank")
    try:
        return head.encode("latin-1") + request.body
    except UnicodeEncodeError:
        # The error would repeat the whole head, the key included.
        reason = "a header or the address holds a character that HTTP cannot carry"
        raise configuration_error(reason) from None


def configuration_error(reason: str) -> Any:
    """Return the error for a request or an address that can never be sent."""
    from lm15 import ConfigurationError

    return ConfigurationError(reason)
