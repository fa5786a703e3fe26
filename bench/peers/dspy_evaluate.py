"""dspy.Evaluate on the benchmark's suite; prints its evaluation seconds and score as JSON.

usage: dspy_evaluate.py SUITE.jsonl URL CONCURRENCY INSTRUCTION [--wide]

With --wide the native engine gets a connection for each thread; by default its pool holds 100.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import dspy


def language_model(url: str, concurrency: int, *, wide: bool) -> dspy.LM:
    """Build the LM, without a cache and without retries that could hide a failure."""
    if not wide:
        return dspy.LM(
            "openai/mock", api_base=url, api_key="bench", cache=False, temperature=0, max_tokens=50
        )
    from dspy.clients.engines.lm15_engine import LM15Engine
    from dspy.lm15 import RouterConfig

    config = RouterConfig(
        api_keys={"openai-chat": "bench"},
        base_urls={"openai-chat": url},
        max_connections=concurrency,
    )
    engine = LM15Engine(config)
    return dspy.LM("openai/mock", engine=engine, cache=False, temperature=0, max_tokens=50)


def is_right(example: dspy.Example, prediction: dspy.Prediction, _trace: object = None) -> bool:
    """Compare the labels."""
    return bool(example.label == prediction.label)


def main(suite: str, url: str, concurrency: int, instruction: str, *, wide: bool) -> None:
    """Evaluate one Predict on all examples."""
    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
    dspy.configure(lm=language_model(url, concurrency, wide=wide), disable_history=True)
    rows = map(json.loads, Path(suite).read_text(encoding="utf-8").splitlines())
    examples = [
        dspy.Example(ticket=row["inputs"]["ticket"], label=row["expected"]).with_inputs("ticket")
        for row in rows
    ]
    program = dspy.Predict(dspy.Signature("ticket -> label", instruction))
    evaluator = dspy.Evaluate(
        devset=examples,
        metric=is_right,
        num_threads=concurrency,
        display_progress=False,
        max_errors=1,
    )
    began = time.perf_counter()
    result = evaluator(program)
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "score": result.score / 100}))


if __name__ == "__main__":
    suite_path, base_url, in_flight, text, *flags = sys.argv[1:]
    main(suite_path, base_url, int(in_flight), text, wide="--wide" in flags)
