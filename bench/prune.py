"""Shows what the prune pass leaves of padded prompts, and what that does to held-out scores.

    python bench/prune.py [--seeds 20]

Six rules are needed and stand among 30 useless sentences in random order. The task LM is right for
an example if the prompt states its rule; in the noisy world with probability 0.9, and with 0.1
where the rule is missing. Held-out scores are those in the long run, worked out from what the
prompt states. Exits 1 when more than 8 sentences are left by a model that repeats its answers, or
when anything is lost there, or when the noisy world loses more than noise on average.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "optimizers")]

from fakes import prompt  # noqa: E402
from test_prune import World, count, padded  # noqa: E402

from gepa_ci.core.config import Prune  # noqa: E402
from gepa_ci.core.optimization import Origin  # noqa: E402
from gepa_ci.optimizers.prune import prune  # noqa: E402

USELESS = 30
MOST_SENTENCES, MOST_LOSS = 8, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What one prune pass did."""

    left: int
    """Sentences."""
    before: float
    after: float
    """Held-out scores."""
    calls: int
    """Metric calls of the pass."""


def measure(seed: int, *, mode: Prune, is_noisy: bool, val: int) -> Pass:
    """Prune one padded prompt: a candidate's, or for `all` the baseline itself."""
    text = padded(USELESS, seed=seed)
    world = World(val=val, right=0.9 if is_noisy else 1.0, lucky=0.1 if is_noisy else 0.0)
    if mode is Prune.ALL:
        world.before = text
    bench = world.bench()
    if mode is Prune.ADDED:
        bench.record({"system": text}, origin=Origin.REFLECTION, parents=(0,))
    used = bench.calls.used
    prune(bench, mode=mode)
    assert bench.chosen is not None
    found = bench.chosen.texts["system"]
    return Pass(
        left=count(found),
        before=world.truth(prompt(text)),
        after=world.truth(prompt(found)),
        calls=bench.calls.used - used,
    )


def main() -> int:
    """Print a row for each world, and say whether the figures are reached."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    seeds = range(parser.parse_args().seeds)
    head: tuple[str, ...] = (
        "world",
        "prune",
        "val",
        "sentences left (median, most)",
        "held-out before",
    )
    head += ("after (mean, least)", "metric calls (median)")
    print(f"| {' | '.join(head)} |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    good = True
    for is_noisy, mode, val in (
        (False, Prune.ADDED, 48),
        (False, Prune.ALL, 48),
        (True, Prune.ADDED, 48),
        (True, Prune.ALL, 48),
    ):
        found = [measure(seed, mode=mode, is_noisy=is_noisy, val=val) for seed in seeds]
        left, after = [p.left for p in found], [p.after for p in found]
        before, calls = found[0].before, statistics.median(p.calls for p in found)
        print(
            f"| {'noisy' if is_noisy else 'exact'} | {mode.value} | {val} "
            f"| {statistics.median(left):g}, {max(left)} | {before:.2f} "
            f"| {statistics.mean(after):.3f}, {min(after):.2f} | {calls:g} |",
            flush=True,
        )
        lost = before - statistics.mean(after)
        good &= lost <= MOST_LOSS if is_noisy else max(left) <= MOST_SENTENCES and lost == 0
    print("pass" if good else "MISS")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
