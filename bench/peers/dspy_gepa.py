"""dspy.GEPA on the world of hidden rules, as a user would write it; prints what came of it as JSON.

usage: dspy_gepa.py SUITE.jsonl URL MODELS CONCURRENCY BUDGET SEED INSTRUCTION
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import dspy


def metric(example, prediction, _trace=None, _name=None, _predictor_trace=None):  # type: ignore[no-untyped-def]
    """Compare the answers, and say what was expected."""
    expected, got = example.answer, prediction.answer
    if expected == got:
        return dspy.Prediction(score=1.0, feedback=f"Correct: '{got}'.")
    return dspy.Prediction(score=0.0, feedback=f"Expected exactly '{expected}', got '{got}'.")


def main(arguments: list[str]) -> None:
    """Compile one Predict."""
    suite, url, models, concurrency, budget, seed, instruction = arguments
    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
    settings = {"api_base": url, "api_key": "bench", "cache": False, "max_tokens": 2000}
    dspy.configure(lm=dspy.LM(f"openai/{models}/task", temperature=0, **settings))
    rows = list(map(json.loads, Path(suite).read_text(encoding="utf-8").splitlines()))
    train, val = (
        [
            dspy.Example(input=r["inputs"]["input"], answer=r["expected"]).with_inputs("input")
            for r in rows
            if r["part"] == part
        ]
        for part in ("train", "val")
    )
    optimizer = dspy.GEPA(
        metric=metric,
        max_metric_calls=int(budget),
        num_threads=int(concurrency),
        reflection_lm=dspy.LM(f"openai/{models}/reflection", temperature=1.0, **settings),
        track_stats=True,
        seed=int(seed),
    )
    program = dspy.Predict(dspy.Signature("input -> answer", instruction))
    began = time.perf_counter()
    optimized = optimizer.compile(program, trainset=train, valset=val)
    found = optimized.detailed_results
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - began,
                "metric_calls": found.total_metric_calls,
                "text": optimized.signature.instructions,
                "candidates": len(found.candidates),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
