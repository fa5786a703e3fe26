"""A result of the size that a page has to bear: 2,000 examples with their texts, and a search."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from report_samples import base_task, comparison, optimization, promote, run

from gepa_ci.core.evaluation import Evaluation
from gepa_ci.core.optimization import CandidateRecord, Origin
from gepa_ci.core.score import ModelFailure, Score, Trial
from gepa_ci.core.suite import Example, Part
from gepa_ci.reports import result_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.core.values import JSON

_TEXT = (
    "the order arrived late and its lid was broken so please send another blue enamel teapot to "
    "my new address in Malmö before the end of next week or refund what I paid for it"
)
_WORDS = tuple(_TEXT.split())
_TAGS = ("returns", "urgent", "late", "refund", "address")


def big_document(examples: int = 2_000, *, seed: int = 7) -> dict[str, JSON]:
    """Return a promotion on so many examples of 200 to 900 characters, two trials each."""
    draw = random.Random(seed)
    rows = tuple(_example(draw, number) for number in range(examples))
    before = _evaluation(draw, rows, lambda: draw.choice((0.0, 0.5, 1.0)))
    after = _evaluation(draw, rows, lambda: draw.choice((0.0, 1.0, 1.0, 1.0)))
    task = replace(
        base_task(),
        verdict="promote",
        reasons=("The confirm test shows a better mean score.",),
        trials=2,
        baseline=before,
        candidate=after,
        comparison=comparison(before, after, 0.21, 0.29),
        changes=promote().tasks[0].changes,
        optimization=replace(optimization(best=2), candidates=_candidates(draw)),
    )
    return result_document(run("optimize", task, replay="gepa-ci optimize orders"), texts=True)


def _prose(draw: random.Random, least: int, most: int) -> str:
    wanted, text = draw.randint(least, most), ""
    while len(text) < wanted:
        text += draw.choice(_WORDS) + (".\n" if draw.random() < 0.05 else " ")
    return text


def _example(draw: random.Random, number: int) -> Example:
    return Example(
        id=f"mail-{number:04}",
        inputs={"email": _prose(draw, 200, 600)},
        expected=_prose(draw, 20, 80),
        tags=tuple(sorted(draw.sample(_TAGS, draw.randint(0, 2)))),
    )


def _evaluation(
    draw: random.Random, rows: tuple[Example, ...], score: Callable[[], float]
) -> Evaluation:
    trials = tuple(
        tuple(_trial(draw, row.id, number, score()) for number in range(2)) for row in rows
    )
    return Evaluation(prompt_digest="b" * 64, part=Part.HELD_OUT, examples=rows, trials=trials)


def _trial(draw: random.Random, example_id: str, number: int, value: float) -> Trial:
    failed = value == 0 and draw.random() < 0.05
    return Trial(
        example_id=example_id,
        number=number,
        output=_prose(draw, 100, 300),
        score=Score(value=value, feedback=_prose(draw, 40, 120)),
        failure=ModelFailure.TRUNCATED if failed else None,
    )


def _candidates(draw: random.Random) -> tuple[CandidateRecord, ...]:
    return tuple(
        CandidateRecord(
            number=number,
            origin=Origin.REFLECTION if number else Origin.BASELINE,
            parents=(draw.randrange(number),) if number else (),
            texts={"system": _prose(draw, 100, 300)},
            val_scores={f"v{v}": draw.choice((0.0, 0.5, 1.0)) for v in range(30)},
            metric_calls=30 + 25 * number,
        )
        for number in range(12)
    )
