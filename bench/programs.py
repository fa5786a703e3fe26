"""How much longer a program takes than a chat for the same calls, as ratios of wall time.

    python bench/programs.py [--examples 640] [--in-flight 64] [--latency 50] [--runs 3]

Every kind makes one call per example of the same mock server through the same client, in this
process; starting workers is not counted, as a run pays for it once. Kinds take turns, and each
ratio is of medians. Exits 1 when a Python function takes more than 1.15 times as long as a chat.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from server.build import running  # noqa: E402

from gepa_ci.cli.tree import tree_reader  # noqa: E402
from gepa_ci.core.config import (  # noqa: E402
    MetricSpec,
    ModelSpec,
    ProgramKind,
    ProgramSpec,
    SpendCaps,
)
from gepa_ci.core.suite import Example, Part  # noqa: E402
from gepa_ci.evaluate import Evaluator  # noqa: E402
from gepa_ci.formats import read_prompt  # noqa: E402
from gepa_ci.lm.client import LMClient  # noqa: E402
from gepa_ci.lm.engines import Engines  # noqa: E402
from gepa_ci.lm.limiter import Limiter  # noqa: E402
from gepa_ci.lm.meter import Meter  # noqa: E402
from gepa_ci.metrics import build_metric  # noqa: E402
from gepa_ci.programs import build_program  # noqa: E402

if TYPE_CHECKING:
    from gepa_ci.programs import Program

AT_MOST = 1.15
CHAT, FUNCTION = "chat", "python function"
PROMPT = read_prompt("answer.md", b"---\nrole: user\n---\nticket {{question}}\n")
CODE = {
    "function.py": "def answer(prompts, inputs, lm):\n    return lm(prompts.answer, inputs)\n",
    "coroutine.py": "async def answer(prompts, inputs, lm):\n"
    "    return await lm.acall(prompts.answer, inputs)\n",
    "command.py": """\
import json, sys
for line in sys.stdin:
    said = json.loads(line)
    if "reply" in said:
        answer = {"output": said["reply"]["text"]}
    else:
        answer = {"call": {"prompt": "answer", "inputs": said["inputs"]}}
    print(json.dumps({"id": said["id"], **answer}), flush=True)
""",
    "module.py": "import dspy\n\nclass Answer(dspy.Module):\n    def __init__(self):\n"
    "        super().__init__()\n        self.answer = dspy.Predict('question -> label')\n"
    "    def forward(self, question):\n        return self.answer(question=question)\n",
}
PYTHON, COMMAND = ProgramKind.PYTHON, ProgramKind.COMMAND
KINDS = {
    CHAT: ProgramSpec(),
    FUNCTION: ProgramSpec(kind=PYTHON, target="function.py:answer"),
    "python async function": ProgramSpec(kind=PYTHON, target="coroutine.py:answer"),
    "command, one run each": ProgramSpec(
        kind=COMMAND, command=(sys.executable, "command.py"), threads=1, processes=64
    ),
    "command, 64 runs in one": ProgramSpec(
        kind=COMMAND, command=(sys.executable, "command.py"), threads=64, processes=1
    ),
    "DSPy module": ProgramSpec(kind=PYTHON, target="module.py:Answer"),
}


def seconds(program: Program, examples: list[Example], in_flight: int, trial: int) -> float:
    """Return how long a program takes for one trial of all examples."""
    metric = build_metric((MetricSpec(name="exact_match"),), where="", line=1)
    evaluator = Evaluator(program=program, metric=metric, concurrency=in_flight)
    began = time.perf_counter()
    found = evaluator.evaluate(PROMPT, examples, part=Part.VAL, trials=range(trial, trial + 1))
    took = time.perf_counter() - began
    assert {score for row in found.scores for score in row} == {1.0}
    return took


def main() -> int:
    """Measure all kinds, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=640)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--latency", type=float, default=50.0, help="milliseconds")
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    examples = [
        Example(id=f"e{n}", inputs={"question": f"{n} label:right"}, expected="right")
        for n in range(given.examples)
    ]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name, text in CODE.items():
            (folder / name).write_text(text)
        server = stack.enter_context(running(given.latency))
        client = LMClient(
            engines=Engines(environ={"OPENAI_API_KEY": "none"}),
            meter=Meter(SpendCaps(), clock=time.monotonic),
            limiter=Limiter(given.in_flight, clock=time.monotonic),
            cache=None,
        )
        stack.callback(client.close)
        build = partial(
            build_program,
            client=client,
            model=ModelSpec(model="openai/mock", api_base=server.url),
            models={},
            read_code=tree_reader(folder),
            root=folder,
            concurrency=given.in_flight,
            environ={},
        )
        programs = {name: build(spec) for name, spec in KINDS.items()}
        for program in programs.values():
            stack.callback(program.close)
        taken: dict[str, list[float]] = {name: [] for name in KINDS}
        for turn in range(given.runs + 1):
            for name, program in programs.items():
                taken[name].append(seconds(program, examples, given.in_flight, turn))
    limit = given.examples * given.latency / 1000 / given.in_flight
    # The first turn starts the processes.
    medians = {name: statistics.median(rounds[1:]) for name, rounds in taken.items()}
    print(f"{given.examples} calls, {given.in_flight} in flight: the limit is {limit:.2f} s")
    for name, took in medians.items():
        print(f"{name:<24} {took:6.2f} s   {took / medians[CHAT]:5.2f} of chat")
    return int(medians[FUNCTION] > AT_MOST * medians[CHAT])


if __name__ == "__main__":
    sys.exit(main())
