"""Times a GEPA search with one proposal a round and with eight side by side.

    python bench/search.py [--runs 3]

A mock provider with 200 ms a call knows 16 hidden rules: the task LM is right for an example only
if the prompt states its rule, and the reflection LM finds the rules of the failures it is shown.
Both searches make at most 500 metric calls on 50 train and 50 val examples, 64 in flight.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from processes import python_environment, run  # noqa: E402
from provider import FakeProvider, Request, always, slow  # noqa: E402

RULES = 16
LATENCY = 0.2
_NEEDS = re.compile(r"answer-(\d+)")
_CURRENT = re.compile(r"<current_text>\n(.*?)\n</current_text>", re.DOTALL)


def answer(request: Request) -> str:
    """Answer as the task LM or as the reflection LM."""
    text = request.text
    if request.model.endswith("reflection"):
        return reflect(text)
    rule = int(re.findall(r"kind-(\d+)", text)[-1])
    return f"answer-{rule}" if f"kind-{rule} is answer-{rule}." in text else "no idea"


def reflect(text: str) -> str:
    """Add the rule that a failure's feedback shows, one a call."""
    if "<current_text>" not in text:
        return "ready"
    current = _CURRENT.findall(text)[0]
    missing = [r for r in _NEEDS.findall(text) if f"kind-{r} is answer-{r}." not in current]
    added = "".join(f" kind-{r} is answer-{r}." for r in dict.fromkeys(missing))
    return f"Diagnosis: a rule is missing.\n```text\n{current}{added}\n```"


def write_repository(root: Path, url: str, proposals: int) -> None:
    """Write prompt, suite and config."""
    words = [
        "amber",
        "basket",
        "canyon",
        "desert",
        "engine",
        "forest",
        "garden",
        "harbor",
        "island",
        "jungle",
        "kettle",
    ]
    rows = []
    for number in range(200):
        part = "train" if number < 50 else "val" if number < 100 else "held_out"
        kind = f"kind-{number % RULES}"
        noise = " ".join(words[(number * k) % len(words)] for k in (1, 3, 7))
        rows.append(
            {
                "id": f"e{number}",
                "inputs": {"input": f"{number * 7919} {noise} {number * 104729} {kind}"},
                "expected": f"answer-{number % RULES}",
                "part": part,
            }
        )
    (root / "rules.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "rules.md").write_text("---\nrole: system\n---\nAnswer the question.\n")
    model: dict[str, Any] = {"api_base": url, "temperature": 0, "max_tokens": 500}
    config = {
        "version": 1,
        "models": {
            "task": {"model": "openai/task", **model},
            "reflection": {"model": "openai/reflection", **model},
        },
        "concurrency": 64,
        "tasks": {
            "rules": {
                "prompts": ["rules.md"],
                "suite": {"file": "rules.jsonl", "near_duplicates": 1},
                "metric": "exact_match",
                "optimize": {"max_metric_calls": 500, "proposals": proposals},
            }
        },
    }
    (root / "gepa-ci.yml").write_text(json.dumps(config))


def search(proposals: int) -> dict[str, Any]:
    """Run one search and return what it did."""
    with (
        FakeProvider(answer=answer, faults=[(always, slow(LATENCY))]) as provider,
        tempfile.TemporaryDirectory() as folder,
    ):
        root = Path(folder)
        write_repository(root, provider.url, proposals)
        command = [sys.executable, "-m", "gepa_ci", "optimize", "--output", "result.json"]
        environment = python_environment(root / "pycache")
        run(command, folder=root, environment=environment, label="optimize")
        task = json.loads((root / "result.json").read_text())["tasks"][0]
    optimization = task["optimization"]
    best = max(c["val_mean"] for c in optimization["candidates"] if c["val_mean"] is not None)
    return {
        "seconds": task["phases"]["optimize"],
        "metric_calls": optimization["metric_calls"],
        "proposals": optimization["proposals"],
        "val": best,
        "held_out": task["candidate"]["mean"] if task["candidate"] else None,
    }


def main() -> None:
    """Run both searches in turn and print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    found: dict[int, list[dict[str, Any]]] = {1: [], 8: []}
    for _ in range(runs):
        for proposals, results in found.items():
            results.append(search(proposals))
    head = ("proposals", "seconds", "metric calls", "proposed", "val", "held-out")
    print("{:>9} {:>8} {:>12} {:>8} {:>6} {:>8}".format(*head))
    medians = {}
    for proposals, results in found.items():
        medians[proposals] = statistics.median(r["seconds"] for r in results)
        last = results[-1]
        print(
            f"{proposals:>9} {medians[proposals]:>8.2f} {last['metric_calls']:>12} "
            f"{last['proposals']:>8} {last['val']:>6.2f} {last['held_out'] or 0:>8.2f}"
        )
    print(f"eight side by side are {medians[1] / medians[8]:.1f} times sooner")


if __name__ == "__main__":
    main()
