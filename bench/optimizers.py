"""Runs every optimizer through `gepa-ci optimize` on the same budget, and prints what it reached.

    python bench/optimizers.py [--seeds 3] [--local] [--only copro,simba]

Text: the `plain` world of hidden rules (rules_world.py), 50 train, 50 val and 100 held-out
examples, 20 ms a call, and 15 times |val| metric calls. The reflection LM answers whatever form it
is asked in. Where it is shown failures or labelled examples, it states the rules of at most two of
them, and in a quarter of its answers it has learned nothing. Where it is shown neither (COPRO,
MIPROv2), it guesses two rules, and half of its guesses are right. SIMBA learns from outcomes that
differ, so that its world is the `noisy` one, with fresh luck for every call.

Demos, with `--local`: the orders task of prompts/gepa-ci.yml on the bundled local model, 80 metric
calls. What is proved on held-out examples comes on top of the budget and is not in the figures.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import statistics
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processes import python_environment, run
from rules_world import OPENING, PER_REFLECTION, USELESS, VAL, reflect, statements, world

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "tests"))

from provider import FakeProvider, Request, always, slow, text_of  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping

LATENCY, BUDGET = 0.02, 15 * VAL
LOCAL_BUDGET = 80
TEXT: Mapping[str, dict[str, Any]] = {
    "gepa": {},
    "dspy_gepa": {},
    "miprov2": {},
    "copro": {"options": {"breadth": 7, "depth": 2}},
    "simba": {"options": {"bsize": 16, "num_candidates": 3, "max_steps": 4}},
    "infer_rules": {},
    "optimize_anything": {},
    "optimize_anything, multi_task": {"options": {"mode": "multi_task"}},
    "optimize_anything, single_task": {"options": {"mode": "single_task"}},
    "better_together": {"options": {"strategy": "infer_rules -> gepa"}},
}
NOISY = ("simba",)
DEMOS: Mapping[str, dict[str, Any]] = {
    "gepa, proposer examples": {"proposer": "examples", "proposals": 2},
    "labeled_few_shot": {},
    "bootstrap_few_shot": {},
    "bootstrap_random_search": {"options": {"num_candidate_programs": 4}},
}
_EXAMPLE = re.compile(r"example-(\d+)\b")
_FIELD = re.compile(r"\[\[ ## (\w+) ## \]\]\n(.*?)(?=\n\n\[\[ ## |\n\nRespond with|\Z)", re.DOTALL)
_ASKED = re.compile(r"\[\[ ## (\w+) ## \]\]")
_ATTEMPT = re.compile(r"Instruction #(\d+): (.*?)(?=\\?\n|', '|\", \"|$)")
_PAIR = re.compile(r"kind-(\d+)\b(?:(?!kind-\d).)*?\banswer-(\d+)", re.DOTALL)
_OURS = re.compile(
    r"<current_text>\n(.*?)\n</current_text>.*<examples>\n(.*)\n</examples>", re.DOTALL
)
_FENCED = re.compile(r"```\n(.*?)\n```.*?```\n(.*?)\n```", re.DOTALL)


@dataclass(slots=True)
class Answers:
    """Both models of one world."""

    kind: str
    seed: int
    asked: Counter[str] = field(default_factory=Counter)
    reflections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request) -> str:
        """Answer as the task LM or as the reflection LM."""
        text = request.text
        with self.lock:
            self.asked[text] += 1
            time = self.asked[text]
            self.reflections += request.model.endswith("reflection")
        rng = random.Random(f"{self.seed} {time} {text}")
        if request.model.endswith("reflection"):
            return self.reflection(text_of(request.messages[-1]), rng)
        number = int(_EXAMPLE.findall(text)[-1])
        return world(self.kind, self.seed).answer(statements(text), number, rng.random())

    def reflection(self, asked: str, rng: random.Random) -> str:
        """Answer in the form that is asked for."""
        if (ours := _OURS.search(asked)) is not None:
            return f"```text\n{self.improved(ours[1], ours[2], rng)}\n```"
        if (fenced := _FENCED.search(asked)) is not None:
            return f"```\n{self.improved(fenced[1], fenced[2], rng)}\n```"
        shown = dict(_FIELD.findall(asked))
        if not shown:
            return "ready"
        new = self.proposed(shown, rng)
        if "JSON object" in asked:
            return json.dumps({"new_instruction": new})
        wanted = [
            n for n in _ASKED.findall(asked.rpartition("Respond with")[2]) if n != "completed"
        ]
        values = dict.fromkeys(wanted, new)
        if "module_advice" in values:
            values["module_advice"] = json.dumps({"system": new})
        told = "".join(f"[[ ## {name} ## ]]\n{value}\n\n" for name, value in values.items())
        return f"{told}[[ ## completed ## ]]"

    def proposed(self, shown: Mapping[str, str], rng: random.Random) -> str:
        """Return what is to be said to the fields that a DSPy signature shows."""
        if "examples_with_feedback" in shown:
            return self.improved(shown["current_instruction"], shown["examples_with_feedback"], rng)
        if "examples_text" in shown:
            return self.stated(shown["examples_text"], rng)
        if "oracle_metadata" in shown:
            return self.stated(shown["program_inputs"] + shown["oracle_metadata"], rng)
        if "attempted_instructions" in shown:
            attempts = _ATTEMPT.findall(shown["attempted_instructions"])
            return self.guessed(max(attempts, key=lambda a: int(a[0]))[1], rng)
        return self.guessed(shown.get("basic_instruction", OPENING), rng)

    def improved(self, current: str, failures: str, rng: random.Random) -> str:
        """Add the rules of some failures."""
        return reflect(current, failures, self.kind, rng)

    def stated(self, examples: str, rng: random.Random) -> str:
        """State the rules of some labelled examples."""
        found = sorted(set(_PAIR.findall(examples)))
        if not found or rng.random() < USELESS:
            return f"Take care of point {rng.randrange(10**6)}."
        return "".join(
            f" If it says kind-{about}, the answer is answer-{answer}."
            for about, answer in rng.sample(found, min(PER_REFLECTION, len(found)))
        ).strip()

    def guessed(self, current: str, rng: random.Random) -> str:
        """Add two rules, half of which are right in the long run."""
        answers = world(self.kind, self.seed).answers
        for about in rng.sample(range(len(answers)), PER_REFLECTION):
            answer = answers[about] if rng.random() < 1 / 2 else rng.randrange(100, 1000)
            current += f" If it says kind-{about}, the answer is answer-{answer}."
        return current


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one optimization came to."""

    before: float
    after: float
    metric_calls: int
    reflections: int
    seconds: float


def mock_run(name: str, policy: Mapping[str, Any], seed: int) -> Run:
    """Optimize in the world of hidden rules."""
    kind = "noisy" if name in NOISY else "plain"
    answers = Answers(kind, seed)
    with (
        FakeProvider(answer=answers, faults=[(always, slow(LATENCY))]) as provider,
        tempfile.TemporaryDirectory() as folder,
    ):
        root = Path(folder)
        rows = world(kind, seed).rows()
        (root / "rules.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (root / "rules.md").write_text(f"---\nrole: system\n---\n{OPENING}\n")
        model = {"api_base": provider.url, "temperature": 0, "max_tokens": 4000}
        task = {
            "prompts": ["rules.md"],
            "suite": {"file": "rules.jsonl", "near_duplicates": 1},
            "metric": "exact_match",
            "optimize": _policy(name, {**policy, "max_metric_calls": BUDGET, "seed": seed}),
        }
        config = {
            "version": 1,
            "models": {
                "task": {"model": "openai/task", **model},
                "reflection": {"model": "openai/reflection", **model},
            },
            "concurrency": 64,
            "tasks": {"rules": task},
        }
        (root / "gepa-ci.yml").write_text(json.dumps(config))
        return _optimized(root, answers)


def local_run(name: str, policy: Mapping[str, Any], seed: int) -> Run:
    """Optimize the orders task on the bundled model."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for file in ("orders.jsonl", "orders.prompt.yml"):
            shutil.copy(ROOT / "prompts" / file, root / file)
        task = {
            "prompts": ["orders.prompt.yml"],
            "suite": {
                "file": "orders.jsonl",
                "split": {"train": 0.6, "val": 0.1, "held_out": 0.3},
            },
            "metric": {"name": "json_fields", "fields": ["name", "order", "item"]},
            "optimize": _policy(name, {**policy, "max_metric_calls": LOCAL_BUDGET, "seed": seed}),
        }
        config = {"version": 1, "concurrency": 2, "tasks": {"orders": task}}
        (root / "gepa-ci.yml").write_text(json.dumps(config))
        return _optimized(root, None)


def _policy(name: str, policy: Mapping[str, Any]) -> dict[str, Any]:
    return {"optimizer": name.partition(",")[0], **policy}


def _optimized(root: Path, answers: Answers | None) -> Run:
    """Run the command, and then both versions on all of held-out."""
    environment = python_environment(Path(tempfile.gettempdir()) / "gepa-ci-bench-pycache")
    command = [sys.executable, "-m", "gepa_ci", "optimize", "--output", "result.json"]
    run(command, folder=root, environment=environment, label="optimize")
    (task,) = json.loads((root / "result.json").read_text())["tasks"]
    found = task["optimization"]
    reflections = 0 if answers is None else answers.reflections
    baseline, candidate = task["baseline"], task["candidate"]
    before = 0.0 if baseline is None else baseline["mean"]
    return Run(
        before=before,
        after=before if candidate is None else candidate["mean"],
        metric_calls=found["metric_calls"],
        reflections=reflections,
        seconds=task["phases"]["optimize"],
    )


def main() -> None:
    """Run all, and print medians as a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--local", action="store_true", help="demos on the local model instead")
    parser.add_argument("--only", default="", help="names of optimizers, with commas between")
    asked = parser.parse_args()
    ways, one = (DEMOS, local_run) if asked.local else (TEXT, mock_run)
    only = [name for name in asked.only.split(",") if name]
    head = ("optimizer", "held-out before", "after", "metric calls", "reflections", "seconds")
    print("| " + " | ".join(head) + " |")
    print("|---|" + "---:|" * (len(head) - 1))
    for name, policy in ways.items():
        if only and name.partition(",")[0] not in only:
            continue
        runs = [one(name, policy, seed) for seed in range(1 if asked.local else asked.seeds)]
        print(
            f"| {name} | {_median(runs, 'before'):.2f} | {_median(runs, 'after'):.2f} "
            f"| {_median(runs, 'metric_calls'):.0f} | {_median(runs, 'reflections'):.0f} "
            f"| {_median(runs, 'seconds'):.1f} |",
            flush=True,
        )


def _median(runs: list[Run], name: str) -> float:
    return float(statistics.median(getattr(one, name) for one in runs))


if __name__ == "__main__":
    main()
