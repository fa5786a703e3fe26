"""Judges that answer by a function, behind the real client or none."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from metric_examples import reader

from gepa_ci.core.call import Reply
from gepa_ci.core.config import MetricSpec, ModelSpec
from gepa_ci.metrics import Metric, bind, build_metric

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gepa_ci.core.call import Call
    from gepa_ci.core.values import JSON

CRITERIA = "A good answer is polite.\n"
PROMPT = (
    "---\nrole: user\n---\nWas {{question}} answered well?\n\n{{output}}\n\n"
    'Say {"reason": "...", "score": n}.\n'
)
MODEL = ModelSpec(model="test/judge", api_base="http://localhost:1", retries=0)
_BLOCK = re.compile(
    r"^\[begin data ([0-9a-f]+): .*?\]\n(.*?)\n\[end data \1\]$", re.MULTILINE | re.DOTALL
)


def blocks(text: str) -> list[str]:
    """Return what stands between the fences of a text."""
    return [found[2] for found in _BLOCK.finditer(text)]


def grade(score: object, reason: str = "so so", **more: JSON) -> str:
    return json.dumps({"reason": reason, "score": score, **more})


class Bench:
    """A function in the place of the client, which remembers the calls."""

    def __init__(self, *answers: str | Reply) -> None:
        self.calls: list[Call] = []
        self._answers = list(answers)

    def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        answer = self._answers.pop(0)
        return answer if isinstance(answer, Reply) else Reply(text=answer)

    @property
    def texts(self) -> list[str]:
        return [call.messages[0].content for call in self.calls]


def judge_metric(
    complete: Callable[[Call], Reply] | None = None,
    *,
    rubric: str = CRITERIA,
    model: ModelSpec | None = MODEL,
    files: Mapping[str, str] | None = None,
    **options: JSON,
) -> Metric:
    spec = MetricSpec(name="judge", options={"rubric": "r.md", **options}, model=model)
    metric = build_metric(
        (spec,),
        read_code=reader({"r.md": rubric, **(files or {})}),
        where="gepa-ci.yml",
        line=3,
    )
    return metric if complete is None else bind(metric, complete)
