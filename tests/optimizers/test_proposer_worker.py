"""A proposer's worker, run within the test's own process."""

from __future__ import annotations

from collections import deque
from typing import Any

from gepa_ci.optimizers.proposer_worker import serve
from gepa_ci.workers.channel import Printed

SOURCE = """\
def propose(occasion, reflect):
    (seen,) = occasion.observations
    match occasion.refused:
        case "print":
            print(seen.steps[0].prompt)
        case "ask":
            return {"system": reflect("Better?")}
        case "ask nothing":
            reflect(3)
        case "number":
            return 3
        case "texts":
            return {"system": "New."}


async def later(occasion, reflect):
    return {"system": reflect("Later?")}
"""


class Script:
    """A channel whose requests are known beforehand."""

    def __init__(self, *requests: dict[str, Any]) -> None:
        self._requests = deque({"nonce": "n", **request} for request in requests)
        self.answers: list[dict[str, Any]] = []

    def receive(self) -> dict[str, Any] | None:
        return self._requests.popleft() if self._requests else None

    def send(self, answer: dict[str, Any]) -> None:
        assert answer.pop("nonce") == "n"
        self.answers.append(answer)


def loading(function: str = "propose") -> dict[str, Any]:
    return {"path": "p.py", "file": "/p.py", "source": SOURCE, "is_package": False} | {
        "function": function
    }


def calling(refused: str) -> dict[str, Any]:
    seen = {"id": "e", "steps": [{"prompt": "first", "inputs": {}, "output": "", "fields": {}}]}
    return {"occasion": {"refused": refused, "observations": [seen]}}


def test_a_worker_answers_with_texts_or_with_what_went_wrong() -> None:
    channel = Script(loading(), *map(calling, ("texts", "number", "print", "ask nothing")))
    printed = Printed()

    serve(channel, printed)

    loaded, texts, number, nothing, raised = channel.answers
    assert loaded["is_there"]
    assert texts["texts"] == {"system": "New."}
    assert number["not_texts"] == "int: 3"
    assert nothing["texts"] == {}
    assert raised["raised"]["text"] == "reflect() takes the text of a prompt, not 3"


def test_a_worker_asks_the_reflection_lm_over_the_way_that_it_was_asked_by() -> None:
    channel = Script(
        loading(), calling("ask"), {"text": "answer"}, calling("ask"), {"problem": "none there"}
    )

    serve(channel, Printed())

    _, asked, texts, again, raised = channel.answers
    assert asked == again == {"neighbour": "Better?"}
    assert texts["texts"] == {"system": "answer"}
    assert raised["raised"]["text"] == "none there"


def test_a_worker_awaits_coroutines() -> None:
    channel = Script(loading("later"), calling(""), {"text": "late"})

    serve(channel, Printed())

    assert channel.answers[-1]["texts"] == {"system": "late"}
