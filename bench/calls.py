"""Counts the calls of a sequential gate against those of a fixed-sample one, at the server.

    python bench/calls.py [--runs 100]

Each run is `gepa-ci gate` on a prompt whose change does not change its quality: 200 held-out
examples, one trial, margin 0.10. A mock provider answers 80% of the examples right, and base and
head differ on a tenth of them. Exits 1 when a figure is missed.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from processes import python_environment  # noqa: E402
from provider import FakeProvider, Request  # noqa: E402

EXAMPLES, MARGIN = 200, 0.10
MOST_CALLS, FEWEST_EQUAL = 0.65, 0.94
LUCK = 0.2
"""Share of examples whose answer is a coin's."""
_EXAMPLE = re.compile(r"example-(\d+)")


def right(version: str, seed: int, example: str) -> bool:
    """Return whether the model gets an example right: for a fifth of them each version draws."""
    common, own = (random.Random(f"{seed} {example} {salt}").random() for salt in ("", version))
    return own < 0.5 if common < LUCK else common < LUCK + 0.7


def write_repository(root: Path, url: str, seed: int) -> None:
    """Write a repository with a base commit and a changed prompt in the working tree."""
    rows = [
        {"id": f"e{n}", "inputs": {"input": f"example-{n} {n * 7919}"}, "expected": "yes"}
        for n in range(EXAMPLES)
    ]
    (root / "s.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "p.md").write_text(f"---\nrole: system\n---\nbase {seed}\n")
    config = {
        "version": 1,
        "models": {"task": {"model": "openai/task", "api_base": url, "temperature": 1}},
        "concurrency": 32,
        "cache": "off",
        "tasks": {
            "t": {
                "prompts": ["p.md"],
                "suite": {"file": "s.jsonl", "split": {"held_out": 1}, "near_duplicates": 1},
                "metric": "exact_match",
                "gate": {"margin": MARGIN, "trials": 1},
            }
        },
    }
    (root / "gepa-ci.yml").write_text(json.dumps(config))
    name = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    for arguments in (["init", "-q"], ["add", "-A"], [*name, "commit", "-qm", "base"]):
        subprocess.run(["git", *arguments], cwd=root, check=True)
    (root / "p.md").write_text(f"---\nrole: system\n---\nhead {seed}\n")


def gate(root: Path, environment: dict[str, str], *, sequential: bool) -> str:
    """Run the gate and return its verdict."""
    path = root / "gepa-ci.yml"
    config = json.loads(path.read_text())
    config["tasks"]["t"]["gate"]["sequential"] = sequential
    path.write_text(json.dumps(config))
    command = [sys.executable, "-m", "gepa_ci", "gate", "--base", "HEAD", "--format", "json"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=False)
    verdict: str = json.loads(done.stdout)["tasks"][0]["verdict"]
    return verdict


def main() -> int:
    """Run all pairs and print what they have shown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    runs = parser.parse_args().runs
    shares, equal, verdicts = [], 0, {True: [], False: []}

    def answer(request: Request) -> str:
        version, seed = re.findall(r"(base|head) (\d+)", request.text)[0]
        example = _EXAMPLE.findall(request.text)[-1]
        return "yes" if right(version, int(seed), example) else "no"

    with FakeProvider(answer=answer) as provider, tempfile.TemporaryDirectory() as folder:
        environment = {**python_environment(Path(folder) / "pycache"), "OPENAI_API_KEY": "none"}
        for seed in range(runs):
            root = Path(folder) / str(seed)
            root.mkdir()
            write_repository(root, provider.url, seed)
            counts = {}
            for sequential in (True, False):
                before = len(provider.requests)
                verdicts[sequential].append(gate(root, environment, sequential=sequential))
                counts[sequential] = len(provider.requests) - before
            shares.append(counts[True] / counts[False])
            equal += verdicts[True][-1] == verdicts[False][-1]
    mean, same = statistics.mean(shares), equal / runs
    print(f"calls, sequential / fixed: {mean:.3f} (at most {MOST_CALLS})")
    print(f"same verdict: {same:.2f} (at least {FEWEST_EQUAL})")
    for sequential, found in verdicts.items():
        counted = {verdict: found.count(verdict) for verdict in sorted(set(found))}
        print(f"  {'sequential' if sequential else 'fixed'}: {counted}")
    return int(mean > MOST_CALLS or same < FEWEST_EQUAL)


if __name__ == "__main__":
    sys.exit(main())
