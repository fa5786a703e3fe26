"""Judge LMs of known character behind real HTTP, and a repository that uses one."""

from __future__ import annotations

import hashlib
import json
import random
import re
import threading
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from provider import Request

_BLOCK = re.compile(
    r"^\[begin data ([0-9a-f]+): .*?\]\n(.*?)\n\[end data \1\]$", re.MULTILINE | re.DOTALL
)
_QUALITY = re.compile(r"quality (\d)")

CONFIG = """\
version: 1
models:
  task: {{model: openai/mock-task, api_base: {url}, retries: 0}}
  judge: {{model: openai/mock-judge, api_base: {url}, retries: 0}}
  reflection: {{model: openai/mock-reflection, api_base: {url}, retries: 0}}
{extra}tasks:
  answer:
    prompts: [p.md]
    suite: {{file: s.jsonl, near_duplicates: 1}}
    metric: {{name: judge, rubric: rubric.md{more}}}
{task}"""
RUBRIC = "A good answer is true, and says no more than was asked.\n"


def outputs_in(request: Request) -> list[str]:
    """Return the outputs that a judge is shown: the blocks after the input."""
    return [found[2] for found in _BLOCK.finditer(request.text)][1:]


def noise(*parts: object) -> random.Random:
    return random.Random(hashlib.sha256(repr(parts).encode()).hexdigest())


def quality_of(output: str) -> int:
    """Return the quality, from 1 to 5, that an output's text says it has."""
    found = _QUALITY.search(output)
    return int(found[1]) if found else 3


def good(output: str, number: int) -> float:
    """Judge by the quality, one step off now and then."""
    step = noise("good", output, number).choice([0, 0, 0, 0, 0, 0, 0, 0, 1, -1])
    return min(5, max(1, quality_of(output) + step))


def fond_of_length(output: str, number: int) -> float:
    """Judge by the length alone."""
    return min(5, max(1, round(len(output) / 60)))


def coin(output: str, number: int) -> float:
    """Judge by nothing."""
    return noise("coin", output, number).choice([1, 5])


def harsher(output: str, number: int) -> float:
    """Judge as the good one, and a step lower: what a provider's update may do."""
    return max(1, good(output, number) - 1)


def contrary(output: str, number: int) -> float:
    """Judge the other way round: the mean of a balanced set stays where it was."""
    return 6 - good(output, number)


def answering(judge: Callable[[str, int], float]) -> Callable[[Request], str]:
    """Return what a judge LM, a task LM that can be told to care, and a reflection LM answer."""
    asked: Counter[bytes] = Counter()
    guard = threading.Lock()

    def answer(request: Request) -> str:
        if request.model == "mock-reflection":
            return "```text\nAnswer with care: {{question}}\n```"
        if request.model == "mock-task":
            quality = 5 if "with care" in request.text else 2
            return f"quality {quality}: {request.messages[-1]['content'][-20:]}"
        # How often the same was asked is the chance of a model that samples, whatever the threads.
        with guard:
            asked[request.raw] += 1
            time = asked[request.raw]
        grades = [judge(output, time) for output in outputs_in(request)]
        if len(grades) > 1:
            return json.dumps({"reason": "both", "score_1": grades[0], "score_2": grades[1]})
        return json.dumps({"reason": f"It deserves a {grades[0]}.", "score": grades[0]})

    return answer


def labels(count: int = 60) -> str:
    """Return labelled outputs: two of each input, of lengths that say nothing of their quality."""
    rows = []
    for number in range(count):
        chance = noise("label", number)
        quality = 1 + number % 5
        filler = "and so on " * chance.randint(0, 28)
        rows.append(
            {
                "inputs": {"question": f"question {number // 2}?"},
                "output": f"answer {number} of quality {quality} {filler}".strip(),
                "score": quality,
            }
        )
    return "".join(json.dumps(row) + "\n" for row in rows)


def files(
    url: str, *, more: str = "", extra: str = "", task: str = "", count: int = 20
) -> dict[str, str]:
    """Return a repository without labels: a config, a prompt, a rubric and inputs."""
    rows = ({"id": f"e{i}", "inputs": {"question": f"why {i}?"}} for i in range(count))
    return {
        "gepa-ci.yml": CONFIG.format(url=url, more=more, extra=extra, task=task),
        "p.md": "Answer: {{question}}\n",
        "rubric.md": RUBRIC,
        "s.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "labels.jsonl": labels(),
    }
