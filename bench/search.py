"""Times a GEPA search with one proposal a round and with twelve side by side.

    python bench/search.py [--runs 3]

A mock provider with 200 ms a call knows 48 hidden rules: the task LM is right for an example only
if the prompt states its rule. The reflection LM states the rules of the failures it is shown, or in
half of its answers something useless. All searches make at most 500 metric calls on 50 train and 50
val examples, 256 in flight.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from processes import python_environment, run  # noqa: E402
from provider import FakeProvider, Request, always, slow  # noqa: E402

RULES = 48
LATENCY = 0.2
WAYS: dict[str, dict[str, Any]] = {
    "1": {"proposals": 1},
    "12, put together (default)": {},
    "12, all that gained": {"selection_strategy": "all_improvements"},
}
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
    """Add the rules that the failures' feedback shows, or a useless sentence."""
    if "<current_text>" not in text:
        return "ready"
    current = _CURRENT.findall(text)[0]
    if (hashed := zlib.crc32(text.encode())) % 2:
        return f"Diagnosis: care is missing.\n```text\n{current} Take care of {hashed}.\n```"
    missing = [r for r in _NEEDS.findall(text) if f"kind-{r} is answer-{r}." not in current]
    added = "".join(f" kind-{r} is answer-{r}." for r in dict.fromkeys(missing))
    return f"Diagnosis: a rule is missing.\n```text\n{current}{added}\n```"


def write_repository(root: Path, url: str, policy: Mapping[str, Any]) -> None:
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
        "concurrency": 256,
        "tasks": {
            "rules": {
                "prompts": ["rules.md"],
                "suite": {"file": "rules.jsonl", "near_duplicates": 1},
                "metric": "exact_match",
                "optimize": {"max_metric_calls": 500, **policy},
            }
        },
    }
    (root / "gepa-ci.yml").write_text(json.dumps(config))


def search(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Run one search and return what it did."""
    with (
        FakeProvider(answer=answer, faults=[(always, slow(LATENCY))]) as provider,
        tempfile.TemporaryDirectory() as folder,
    ):
        root = Path(folder)
        write_repository(root, provider.url, policy)
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
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in WAYS}
    for _ in range(runs):
        for name, policy in WAYS.items():
            found[name].append(search(policy))
    head = (
        "proposals a round",
        "seconds",
        "sooner",
        "metric calls",
        "proposals",
        "val",
        "held-out",
    )
    print("| " + " | ".join(head) + " |")
    print("|---|" + "---:|" * (len(head) - 1))
    alone = statistics.median(r["seconds"] for r in found["1"])
    for name, results in found.items():
        seconds = statistics.median(r["seconds"] for r in results)
        last = results[-1]
        print(
            f"| {name} | {seconds:.2f} | {alone / seconds:.1f} | {last['metric_calls']} "
            f"| {last['proposals']} | {last['val']:.2f} | {last['held_out'] or 0:.2f} |"
        )


if __name__ == "__main__":
    main()
