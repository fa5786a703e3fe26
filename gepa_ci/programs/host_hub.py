"""Owns a worker's side of several runs at once: whose call it is, and its reply's way back."""

from __future__ import annotations

from concurrent.futures import Future
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gepa_ci.workers.channel import Channel


class CallError(Exception):
    """A call of a model that could not be made."""


class ModelError(Exception):
    """A model that refused, was cut off or said nothing; `text` holds what it did say."""

    def __init__(self, failure: str, detail: str, text: str) -> None:
        super().__init__(f"{failure}: {detail}")
        self.failure = failure
        self.detail = detail
        self.text = text


class Hub:
    """Sends calls of runs to the parent, and gives each reply to whoever waits for it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._keys = count()
        self._lock = Lock()

    def ask(self, run: str, call: dict[str, Any]) -> Future[dict[str, Any]]:
        """Send a call, and return its reply to come."""
        reply: Future[dict[str, Any]] = Future()
        with self._lock:
            key = next(self._keys)
            self._waiting[key] = reply
        self._channel.send({"id": run, "key": key, "call": call})
        return reply

    def answer(self, message: dict[str, Any]) -> None:
        """Take a reply from the parent."""
        with self._lock:
            reply = self._waiting.pop(message["key"], None)
        if reply is not None and reply.set_running_or_notify_cancel():
            reply.set_result(message["reply"])


def text_of(reply: dict[str, Any]) -> str:
    """Return what a model answered.

    Raises:
        CallError: there is no answer.
        ModelError: there is, but the model failed.
    """
    if "error" in reply:
        raise CallError(reply["error"])
    text: str = reply["text"]
    if "failure" in reply:
        raise ModelError(reply["failure"], reply["detail"], text)
    return text
