"""The same mock server as mock_server.c on asyncio, for machines without a C compiler.

usage: mock_server.py LATENCY_MS [PORT]
"""

from __future__ import annotations

import asyncio
import json
import re
import resource
import socket
import sys

LABEL = re.compile(rb"label:([A-Za-z0-9_]+)")
HEADER_END = b"\r\n\r\n"
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
MODELS = b'{"object":"list","data":[{"id":"mock","object":"model"}]}'
UNKNOWN = b'{"error":{"message":"unknown path","type":"not_found"}}'


class Counters:
    """What GET /stats reports."""

    def __init__(self) -> None:
        self.requests = self.answered = self.bad = self.connections = 0
        self.in_flight = self.max_in_flight = self.prompt_tokens = 0

    def as_json(self) -> bytes:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        names = ("requests", "answered", "bad", "connections", "max_in_flight", "prompt_tokens")
        counts: dict[str, float] = {name: getattr(self, name) for name in names}
        return json.dumps(counts | {"cpu_seconds": usage.ru_utime + usage.ru_stime}).encode()


class Connection(asyncio.Protocol):
    """One keep-alive connection: one request at a time, answered by a timer."""

    def __init__(self, latency: float, counters: Counters) -> None:
        self.latency = latency
        self.counters = counters
        self.buffer = bytearray()
        self.waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.counters.connections += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.serve_buffer()

    def serve_buffer(self) -> None:
        while not self.waiting and (end := self.buffer.find(HEADER_END)) >= 0:
            stated = CONTENT_LENGTH.search(self.buffer, 0, end)
            whole = end + len(HEADER_END) + (int(stated[1]) if stated else 0)
            if len(self.buffer) < whole:
                return
            line = bytes(self.buffer[: self.buffer.find(b"\r\n")])
            body = bytes(self.buffer[end + len(HEADER_END) : whole])
            del self.buffer[:whole]
            self.answer_request(line, body)

    def answer_request(self, line: bytes, body: bytes) -> None:
        if line.startswith(b"POST ") and b"/chat/completions " in line:
            counters = self.counters
            counters.requests += 1
            counters.in_flight += 1
            counters.max_in_flight = max(counters.max_in_flight, counters.in_flight)
            self.waiting = True
            asyncio.get_running_loop().call_later(self.latency, self.answer_chat, body)
        elif line.startswith(b"GET /stats "):
            self.send(b"200 OK", self.counters.as_json())
        elif line.startswith(b"GET /v1/models "):
            self.send(b"200 OK", MODELS)
        else:
            self.counters.bad += 1
            self.send(b"404 Not Found", UNKNOWN)

    def answer_chat(self, body: bytes) -> None:
        self.counters.in_flight -= 1
        self.waiting = False
        if self.transport.is_closing():
            return
        words = LABEL.findall(body)
        word = words[-1] if words else b"none"
        if b"[[ ## completed ## ]]" in body:
            word = b"[[ ## label ## ]]\\n" + word + b"\\n\\n[[ ## completed ## ]]"
        prompt = len(body) // 4
        self.send(
            b"200 OK",
            b'{"id":"chatcmpl-%d","object":"chat.completion","created":1700000000,"model":"mock",'
            b'"choices":[{"index":0,"message":{"role":"assistant","content":"%b"},"logprobs":null,'
            b'"finish_reason":"stop"}],"usage":{"prompt_tokens":%d,"completion_tokens":1,'
            b'"total_tokens":%d}}' % (self.counters.answered, word, prompt, prompt + 1),
        )
        self.counters.answered += 1
        self.counters.prompt_tokens += prompt
        self.serve_buffer()

    def send(self, status: bytes, body: bytes) -> None:
        self.transport.write(
            b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
            b"Connection: keep-alive\r\n\r\n%b" % (status, len(body), body)
        )


async def serve(latency: float, port: int) -> None:
    """Print the port and answer until killed."""
    counters = Counters()
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    print(listener.getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(latency, counters), sock=listener, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]) / 1000, int(sys.argv[2]) if len(sys.argv) > 2 else 0))
