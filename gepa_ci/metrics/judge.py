"""Owns the metric judge: an LM grades the output by a rubric; no grade is an error, never a 0."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from gepa_ci.core.call import Call, Purpose
from gepa_ci.core.judging import Judgement
from gepa_ci.core.prompt import Message, Role
from gepa_ci.core.score import ModelFailure, Score
from gepa_ci.errors import MetricError, PromptError
from gepa_ci.metrics.judge_answer import NoGradeError, read_grade, read_pair
from gepa_ci.metrics.metric import SingleMetric, WeightedMetric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from gepa_ci.core.call import Reply
    from gepa_ci.core.config import ModelSpec
    from gepa_ci.core.judging import Anchors, Grade, JudgedOutput, Scale
    from gepa_ci.core.suite import Example
    from gepa_ci.core.values import JSON
    from gepa_ci.errors import Problem
    from gepa_ci.metrics.judge_rubric import Rubric
    from gepa_ci.metrics.metric import Metric

T = TypeVar("T")

_GUESS = "x" * 1000
"""Stands for an output that is not known yet, of about 250 tokens."""
_EXCERPT = 120
TRIALS_APART = 64
"""Numbers of answers that are kept for one purpose; more than any judge has samples."""
_PAIR = (
    "There are two outputs above. Grade each by itself, by the same criteria and on the same "
    'scale. Answer with one JSON object and nothing after it: {"reason": "...", "score_1": the '
    'grade of output 1, "score_2": the grade of output 2}'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Asks a judge LM for a grade, as often as there are samples."""

    rubric: Rubric
    spec: ModelSpec
    """The judge LM."""
    samples: int
    """Independent answers on each output."""
    scale: Scale
    digest: str
    """Of everything that decides a grade: rubric, model, scale."""
    anchors: Anchors | None = None
    """What it is held to in every run."""
    first_trial: int = 0
    """Number of the first answer; another range for each calibration, so that none is reused."""
    complete: Callable[[Call], Reply] | None = None
    """How a call is made; None until the judge is bound."""

    def bound(self, complete: Callable[[Call], Reply]) -> Judge:
        """Return the judge with a way to make its calls."""
        return replace(self, complete=complete)

    @property
    def needs_expected(self) -> bool:
        """Return whether the rubric shows the label."""
        return self.rubric.needs_expected

    def label_problem(self, _: JSON) -> Problem | None:
        """Return None: any label can be shown."""
        return None

    def score(self, example: Example, output: str) -> Score:
        """Return the mean grade, with the reason of the one in the middle as feedback.

        Raises:
            MetricError: the judge gives no grade.
        """
        judgement = self.judge(example, output)
        names = list(dict.fromkeys(name for g in judgement.grades for name in g.scores))
        return Score(
            value=self.scale.share(judgement.mean),
            feedback=self._feedback(judgement),
            parts={name: self._part(judgement, name) for name in names},
        )

    def judge(
        self, example: Example, output: str, *, samples: int | None = None, first: int | None = None
    ) -> Judgement:
        """Return the grades of an output; `first` is the number of the first answer."""
        calls = self.calls(example, output, samples=samples, first=first)
        return Judgement(grades=tuple(self._grade(call, example.id) for call in calls))

    def calls(
        self,
        example: Example,
        output: str | None,
        *,
        samples: int | None = None,
        first: int | None = None,
    ) -> tuple[Call, ...]:
        """Return the calls that a judgement makes, without second tries; None: of some output."""
        messages = self.rubric.messages(
            example, (_GUESS if output is None else output,), self.scale
        )
        start = self.first_trial if first is None else first
        return tuple(
            Call(spec=self.spec, messages=messages, trial=start + number, purpose=Purpose.JUDGE)
            for number in range(self.samples if samples is None else samples)
        )

    def compare(
        self, first: JudgedOutput, second: JudgedOutput, *, trial: int = 0
    ) -> tuple[float, float]:
        """Return the grades of two outputs of the same inputs that are shown in this order.

        Raises:
            MetricError: the judge gives no grades.
        """
        messages = self.rubric.messages(first.example, (first.output, second.output), self.scale)
        asked = Message(role=Role.USER, content=_PAIR)
        call = Call(
            spec=self.spec,
            messages=(*messages, asked),
            trial=trial,
            purpose=Purpose.JUDGE,
        )
        return self._answer(call, first.id, lambda text: read_pair(text, self.scale), _PAIR)

    def _grade(self, call: Call, example_id: str) -> Grade:
        again = (
            'Answer with one JSON object and nothing else: {"reason": "...", "score": a number '
            f"from {self.scale}}}"
        )
        return self._answer(call, example_id, lambda text: read_grade(text, self.scale), again)

    def _answer(self, call: Call, example_id: str, read: Callable[[str], T], again: str) -> T:
        assert self.complete is not None, "a judge is bound before it is asked"
        reply = self.complete(call)
        try:
            return read(_text(reply))
        except NoGradeError as error:
            if reply.failure is ModelFailure.CONTEXT_LENGTH:
                raise self._no_grade(example_id, error, reply) from None
        reply = self.complete(_asked_again(call, reply, again))
        try:
            return read(_text(reply))
        except NoGradeError as error:
            raise self._no_grade(example_id, error, reply) from None

    def _no_grade(self, example_id: str, error: NoGradeError, reply: Reply) -> MetricError:
        said = f"; it said {reply.text[:_EXCERPT]!r}" if reply.text else ""
        return MetricError(
            f"the judge '{self.spec.model}' gave no score for example '{example_id}': "
            f"{error}{said}",
            path=self.rubric.file.path,
            hint='the rubric must ask for a JSON object with "reason" and "score"; give the judge '
            "room with `max_tokens`, or take a stronger model",
        )

    def _feedback(self, judgement: Judgement) -> str:
        scores = [f"{score:g}" for score in judgement.scores]
        given = f"{', '.join(scores[:-1])} and {scores[-1]}" if len(scores) > 1 else scores[0]
        return (
            f"{judgement.median.reason}\nThe judge gave {given} on a scale of {self.scale}.".strip()
        )

    def _part(self, judgement: Judgement, name: str) -> float:
        found = [grade.scores[name] for grade in judgement.grades if name in grade.scores]
        return self.scale.share(sum(found) / len(found))


def _text(reply: Reply) -> str:
    if reply.failure is not None:
        raise NoGradeError(f"the model failed ({reply.failure.value})")
    return reply.text


def _asked_again(call: Call, reply: Reply, again: str) -> Call:
    # An empty turn is refused by some providers.
    said = (Message(role=Role.ASSISTANT, content=reply.text),) if reply.text else ()
    asked = Message(role=Role.USER, content=f"Your answer could not be read. {again}")
    return replace(call, messages=(*call.messages, *said, asked))


def day_trial(day: date) -> int:
    """Return the number of a day's first answer, which no other day and no scoring has.

    What must be asked afresh is asked once a day: a run that is started again pays for nothing.
    """
    return -TRIALS_APART * day.toordinal()


def bind(metric: Metric, complete: Callable[[Call], Reply]) -> Metric:
    """Return a metric whose judges make their calls by a function; others come back as they are."""
    if isinstance(metric, WeightedMetric):
        return replace(metric, metrics=tuple(_bound(each, complete) for each in metric.metrics))
    return _bound(metric, complete) if isinstance(metric, SingleMetric) else metric


def _bound(metric: SingleMetric, complete: Callable[[Call], Reply]) -> SingleMetric:
    if not isinstance(metric.scorer, Judge):
        return metric
    return replace(metric, scorer=metric.scorer.bound(complete))


def judges_of(metrics: Iterable[object]) -> dict[str, Judge]:
    """Return the judges among some metrics and their parts, by name; equal ones once."""
    found: dict[str, Judge] = {}
    for metric in metrics:
        parts = metric.metrics if isinstance(metric, WeightedMetric) else (metric,)
        for part in parts:
            if not isinstance(part, SingleMetric) or not isinstance(part.scorer, Judge):
                continue
            if part.scorer not in found.values():
                found[_unused(part.name, found)] = part.scorer
    return found


def _unused(name: str, taken: dict[str, Judge]) -> str:
    number, tried = 2, name
    while tried in taken:
        tried, number = f"{name}_{number}", number + 1
    return tried


def judge_calls(metrics: Iterable[object], example: Example, output: str | None) -> list[Call]:
    """Return the calls that all judges among some metrics make to score an output.

    None stands for an output that is not known yet. Answers that cannot be read are asked for once
    more, which is not counted.
    """
    return [call for judge in judges_of(metrics).values() for call in judge.calls(example, output)]


def rubric_problems(metrics: Iterable[object], examples: Iterable[Example]) -> list[Problem]:
    """Return why rubrics cannot be filled in, for each example with which one cannot."""
    found: list[Problem] = []
    for judge in judges_of(metrics).values():
        for example in examples:
            try:
                judge.calls(example, "", samples=1)
            except PromptError as error:
                found += [_at(problem, example) for problem in error.problems]
    return found


def _at(problem: Problem, example: Example) -> Problem:
    message = f"rubric {problem.path}: {problem.message}"
    return replace(problem, message=message, path=example.path or None, line=example.line or None)
