"""One pipeline of three prompts, as a function and as a command, over a real provider."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from typing import TYPE_CHECKING

import pytest
from program_world import command, python
from provider import FakeProvider, Request, always, every, hang, rate_limited

from gepa_ci.core.config import MetricSpec, ModelSpec, SpendCaps
from gepa_ci.core.prompt import PromptSet
from gepa_ci.core.suite import Example, Part
from gepa_ci.errors import InfraError
from gepa_ci.evaluate import Evaluator
from gepa_ci.formats import read_prompt
from gepa_ci.lm.client import LMClient
from gepa_ci.lm.engines import Engines
from gepa_ci.lm.limiter import Limiter
from gepa_ci.lm.meter import Meter
from gepa_ci.metrics import build_metric

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gepa_ci.programs import Program

TEXTS = {
    "rewrite": "Rewrite as a query: {{question}}",
    "retrieve": "Find a fact for: {{query}}",
    "answer": "Given {{fact}}, say the number.",
}
PROMPTS = PromptSet(
    files=tuple(
        read_prompt(f"prompts/{name}.md", f"---\nrole: user\n---\n{text}\n".encode())
        for name, text in TEXTS.items()
    )
)
PYTHON = """
def answer(prompts, inputs, lm):
    query = lm(prompts.rewrite, inputs)
    fact = lm(prompts.retrieve, {"query": query})
    return lm(prompts.answer, {"fact": fact})
"""
COMMAND = """
import json, sys
def ask(id, prompt, **inputs):
    call = {"prompt": prompt, "inputs": inputs}
    print(json.dumps({"id": id, "call": call}), flush=True)
    return json.loads(sys.stdin.readline())["reply"]["text"]
for line in sys.stdin:
    given = json.loads(line)
    query = ask(given["id"], "rewrite", **given["inputs"])
    fact = ask(given["id"], "retrieve", query=query)
    output = ask(given["id"], "answer", fact=fact)
    print(json.dumps({"id": given["id"], "output": output}), flush=True)
"""
EXAMPLES = tuple(
    Example(id=f"e{n}", inputs={"question": f"what is number {n}?"}, expected=f"{n}")
    for n in range(8)
)


def answer(request: Request) -> str:
    """Know a rule for each prompt; the last one is wrong about every third number."""
    (number,) = re.findall(r"\d+", request.text)
    if request.text.startswith("Rewrite"):
        return f"query {number}"
    if request.text.startswith("Find"):
        return f"fact {number}"
    return number if int(number) % 3 else "unknown"


@contextlib.contextmanager
def lm_client(retries: int = 4) -> Iterator[LMClient]:
    lm = LMClient(
        engines=Engines(environ={}),
        meter=Meter(SpendCaps(), clock=time.monotonic),
        limiter=Limiter(8, clock=time.monotonic),
        cache=None,
    )
    try:
        yield lm
    finally:
        lm.close()


def scores(program: Program) -> tuple[tuple[float, ...], ...]:
    metric = build_metric((MetricSpec(name="exact_match"),), where="g.yml", line=1)
    evaluator = Evaluator(program=program, metric=metric, concurrency=4)
    found = evaluator.evaluate(PROMPTS, EXAMPLES, part=Part.VAL, trials=range(1))
    assert found.usage.calls == 3 * len(EXAMPLES)
    return found.scores


def test_a_function_and_a_command_give_the_same_scores_for_the_same_calls(tmp_path: Path) -> None:
    found, counts = [], []
    for kind in ("python", "command"):
        # Every fifth request is refused for a moment, which is nobody's score.
        faults = [(every(5), rate_limited(0.01))]
        with FakeProvider(answer, faults=faults) as provider, lm_client() as lm:
            spec = ModelSpec(model="openai/mock", api_base=provider.url, retries=8)
            build = (
                python(PYTHON, model=lm)
                if kind == "python"
                else command(tmp_path, COMMAND, model=lm, words=(sys.executable, "p.py"))
            )
            with build as program:
                program.caller = type(program.caller)(client=lm, model=spec)
                found.append(scores(program))
            counts.append(provider.answered)
            assert lm.meter.total.calls == provider.calls

    assert found[0] == found[1] == tuple((float(n % 3 != 0),) for n in range(8))
    assert counts == [24, 24]


@pytest.mark.parametrize("kind", ["python", "command"])
def test_a_provider_that_does_not_answer_gives_no_score(tmp_path: Path, kind: str) -> None:
    fault = rate_limited(0.01) if kind == "python" else hang()
    with FakeProvider(answer, faults=[(always, fault)]) as provider, lm_client() as lm:
        spec = ModelSpec(model="openai/mock", api_base=provider.url, retries=1, timeout=0.2)
        build = (
            python(PYTHON, model=lm) if kind == "python" else command(tmp_path, COMMAND, model=lm)
        )
        with build as program:
            program.caller = type(program.caller)(client=lm, model=spec)
            with pytest.raises(InfraError, match="did not answer after 2 attempts"):
                program.run(PROMPTS, EXAMPLES[0], 0)
