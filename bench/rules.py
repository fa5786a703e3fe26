"""Measures our gepa loop beside plain dspy.GEPA in a world of hidden rules (rules_world.py).

    python bench/rules.py [--seeds 10] [--peer-seeds 3] [--world plain] [--latency 0.2] [--quick]

Both run as processes of their own on one mock provider in a process of its own, with the same
examples (50 train, 50 val), the same task LM and reflection LM, 200 ms a call, 64 calls in flight,
and a budget of 15 times |val| metric calls; all other settings are the defaults of each. What is
compared is the search alone: ours goes on to prove the candidate on held-out examples. Exits 1 when
a figure is missed. `--quick` is 3 seeds of ours and 1 of dspy.GEPA without latency, and exits 0.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processes import python_environment, run
from rules_world import ENOUGH, KINDS, OPENING, REPORT, VAL, World, statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HERE = Path(__file__).parent
OURS, DSPYS = "gepa-ci", "dspy.GEPA"
BUDGET = 15 * VAL
CONCURRENCY = 64
FEWEST_SEEDS, MOST_SECONDS, MOST_CALLS = 0.9, 1 / 3, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What one search did."""

    tool: str
    seed: int
    seconds: float
    calls: int
    """Metric calls; those of dspy.GEPA by the provider, as it counts fewer than it makes."""
    reached: int | None
    """Metric calls up to the end of the first val run with 95% of the attainable score."""
    reflections: int
    before: float
    after: float
    """Held-out scores of the baseline and of the best candidate on val."""
    attainable: float

    @property
    def share(self) -> float:
        """Return the share of the attainable held-out score."""
        return self.after / self.attainable

    @property
    def is_enough(self) -> bool:
        """Return whether the held-out score is as good as it has to be."""
        return self.share >= ENOUGH - 1e-9


@contextmanager
def provider(latency: float) -> Iterator[str]:
    """Start the mock provider and stop it at the end."""
    command = [sys.executable, str(HERE / "rules_world.py"), str(latency)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def search_ours(world: World, url: str, root: Path, policy: Mapping[str, Any]) -> Search:
    """Run `gepa-ci optimize`."""
    models = f"ours/{world.kind}/{world.seed}"
    model = {"api_base": url, "max_tokens": 2000}
    config = {
        "version": 1,
        "models": {
            "task": {"model": f"openai/{models}/task", **model, "temperature": 0},
            "reflection": {"model": f"openai/{models}/reflection", **model, "temperature": 1.0},
        },
        "concurrency": CONCURRENCY,
        "tasks": {
            "rules": {
                "prompts": ["rules.md"],
                "suite": {"file": "rules.jsonl", "near_duplicates": 1},
                "metric": "exact_match",
                "optimize": {"max_metric_calls": BUDGET, "seed": world.seed, **policy},
            }
        },
    }
    (root / "gepa-ci.yml").write_text(json.dumps(config))
    (root / "rules.md").write_text(f"---\nrole: system\n---\n{OPENING}\n")
    command = [sys.executable, "-m", "gepa_ci", "optimize", "--output", "result.json"]
    run(command, folder=root, environment=python_environment(root / "pycache"), label="ours")
    task = json.loads((root / "result.json").read_text())["tasks"][0]
    found = task["optimization"]
    best = found["candidates"][found["best"]]
    text = "\n".join(best["texts"].values())
    search = _found(OURS, world, url, models, text=text, seconds=found["seconds"])
    # The provider has also counted what found out whether the model repeats itself.
    return replace(search, calls=found["metric_calls"])


def search_dspys(world: World, url: str, root: Path, _policy: Mapping[str, Any]) -> Search:
    """Run dspy.GEPA."""
    models = f"dspy/{world.kind}/{world.seed}"
    script = str(HERE / "peers" / "dspy_gepa.py")
    numbers = (str(CONCURRENCY), str(BUDGET), str(world.seed))
    command = [sys.executable, script, "rules.jsonl", url, models, *numbers, OPENING]
    environment = python_environment(root / "pycache")
    _, out = run(command, folder=root, environment=environment, label="dspy")
    found = json.loads(out.splitlines()[-1])
    return _found(DSPYS, world, url, models, text=found["text"], seconds=found["seconds"])


def _found(tool: str, world: World, url: str, models: str, *, text: str, seconds: float) -> Search:
    body = {"model": f"{models}/{REPORT}", "messages": [{"role": "user", "content": REPORT}]}
    request = urllib.request.Request(
        f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as response:
        said = json.loads(response.read())["choices"][0]["message"]["content"]
    return Search(
        tool=tool,
        seed=world.seed,
        seconds=seconds,
        before=world.score((), "held_out"),
        after=world.score(statements(text), "held_out"),
        attainable=world.attainable("held_out"),
        **json.loads(said),
    )


def measure(tool: str, kind: str, seed: int, url: str, policy: Mapping[str, Any]) -> Search:
    """Run one search in a folder of its own."""
    world = World(kind, seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "rules.jsonl").write_text("".join(json.dumps(row) + "\n" for row in world.rows()))
        search = search_ours if tool == OURS else search_dspys
        return search(world, url, root, policy)


def table(searches: Sequence[Search]) -> str:
    """Show every search in a row."""
    head = (
        *("", "seed", "held-out before", "after", "attainable", "share"),
        f"{ENOUGH:.0%} on val after",
        "metric calls",
        "reflections",
        "seconds",
    )
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    for s in searches:
        reached = "never" if s.reached is None else s.reached
        lines.append(
            f"| {s.tool} | {s.seed} | {s.before:.2f} | {s.after:.2f} | {s.attainable:.2f} "
            f"| {s.share:.2f} | {reached} | {s.calls} | {s.reflections} | {s.seconds:.2f} |"
        )
    return "\n".join(lines)


def judge(searches: Sequence[Search]) -> bool:
    """Print each figure with what it must be, and return whether all are reached."""
    ours = [s for s in searches if s.tool == OURS]
    peers = {s.seed: s for s in searches if s.tool == DSPYS}
    pairs = [(s, peers[s.seed]) for s in ours if s.seed in peers]
    enough = sum(s.is_enough for s in ours) / len(ours)
    # A search that never got there would have needed more than its whole budget.
    calls = [(a.reached or BUDGET, b.reached or BUDGET) for a, b in pairs]
    ratio = sum(a for a, _ in calls) / sum(b for _, b in calls)
    seconds = statistics.median(a.seconds / b.seconds for a, b in pairs)
    most = max(s.calls for s in ours)
    peer_enough = sum(b.is_enough for _, b in pairs) / len(pairs)
    figures = (
        (f"seeds with {ENOUGH:.0%} of the attainable", enough, ">=", FEWEST_SEEDS),
        ("most metric calls of a search of ours", most, "<=", BUDGET),
        ("metric calls to get there, ours / dspy.GEPA", ratio, "<=", MOST_CALLS),
        ("seconds of the search, ours / dspy.GEPA (median)", seconds, "<=", MOST_SECONDS),
    )
    passed = True
    for name, value, sign, limit in figures:
        good = value >= limit if sign == ">=" else value <= limit
        passed = passed and good
        print(f"{'pass' if good else 'MISS'}  {name}: {value:.2f} ({sign} {limit:.2f})")
    print(f"      for comparison, seeds of dspy.GEPA that got there: {peer_enough:.2f}")
    return passed


def main() -> int:
    """Run all searches and print what they have shown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--peer-seeds", type=int, default=3)
    parser.add_argument("--world", choices=KINDS, default="plain")
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--policy", type=json.loads, default={}, help="ours, as JSON")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.peer_seeds, options.latency = 3, 1, 0.0
    searches: list[Search] = []
    with provider(options.latency) as url:
        for seed in range(options.seeds):
            # In turn, so that both meet the same state of the machine.
            tools = (OURS, DSPYS) if seed < options.peer_seeds else (OURS,)
            searches += [measure(t, options.world, seed, url, options.policy) for t in tools]
    print(table(sorted(searches, key=lambda s: s.tool != OURS)))
    if not options.peer_seeds:
        return 0
    passed = judge(searches)
    return int(not passed and not options.quick)


if __name__ == "__main__":
    sys.exit(main())
