"""Owns the way between DSPy's optimizers and our workbench.

The optimizers get a module whose predictors are the components that may change, examples, and a
metric that only reads the score that a run has got already. Running the module runs the task's own
program with the texts that the predictors hold. An evaluation is run as one batch before DSPy asks
for its first example, so that it is refused whole where the budget has no room for it.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gepa_ci.core.digests import digest
from gepa_ci.core.prompt import ComponentKind
from gepa_ci.optimizers.admission import Refusal
from gepa_ci.optimizers.dspy_parts import ROW, Demos, field, fields_of, parts_of
from gepa_ci.optimizers.dspy_rows import Rows
from gepa_ci.optimizers.dspy_text import Literals, literal_of, signed
from gepa_ci.optimizers.predictor_feedback import feedback_by_component
from gepa_ci.optimizers.quiet import Quiet
from gepa_ci.optimizers.recording import keep
from gepa_ci.optimizers.scored import Scored
from gepa_ci.optimizers.workbench import FailedSearch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gepa_ci.core.optimization import Origin
    from gepa_ci.core.score import Trial
    from gepa_ci.core.suite import Example
    from gepa_ci.optimizers.workbench import Workbench


class Bridge:
    """One optimizer's view of a search; made after the baseline was scored on val."""

    def __init__(self, bench: Workbench, *, origin: Origin, reserve: int = 0) -> None:
        """Keep `reserve` metric calls back from the search, for what comes after it."""
        self.bench = bench
        self.quiet = Quiet()
        self.stopped: BaseException | None = None
        self._seen = {digest(bench.start)}
        self.records_val = True
        """Whether a candidate that was evaluated on all of val is recorded by that."""
        self._origin = origin
        self.scored = Scored(bench, reserve=reserve)
        self._start = bench.start
        begun = bench.recorded(self._start)
        self._parents = () if begun is None else (begun.number,)
        self._parts = parts_of(bench.search.prompt, bench.search.components)
        self._literals = Literals()
        self._running: dict[tuple[str, str, int], threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()
        self._rows = Rows(bench.search)
        (trials,) = bench.trials([(self._start, bench.search.tuning.val)])
        self._fields = {
            part.name: fields_of(part, trials, self._rows.names, self._rows.label)
            for part in self._parts
        }
        if len(self._parts) == 1:
            # A labelled example can be a demo of the one predictor only under its own name.
            self._rows.label = self._fields[self._parts[0].name][1][-1]

    def __deepcopy__(self, memo: object) -> Bridge:
        return self

    # What the optimizers get

    def student(self) -> Any:
        """Return the module, with the texts that the search starts from."""
        import dspy

        from gepa_ci.optimizers.dspy_student import PromptProgram

        program = PromptProgram()
        program.run = self.answer
        best = self.bench.best
        more = {} if best is None else dict(best.texts)
        whole = {**self.bench.search.prompt.texts, **more, **self._start}
        for part in self._parts:
            given, told = self._fields[part.name]
            # A name of its own in each signature: DSPy tells predictors apart by their signatures.
            about = f"{{}} of {part.name}"
            fields = {
                **{field(n): (str, dspy.InputField(desc=about.format(n))) for n in given},
                **{field(n): (str, dspy.OutputField(desc=about.format(n))) for n in told},
            }
            predictor = dspy.Predict(signed(dspy.Signature(fields, "-"), whole[part.text]))
            if part.demos is not None:
                known = Demos(part=part, turn=self._rows.turn).read(whole[part.demos])
                predictor.demos = [dspy.Example(**demo) for demo in known]
            self._literals.remember(whole[part.text])
            setattr(program, part.name, predictor)
        return program

    def rows(self, examples: Sequence[Example]) -> list[Any]:
        """Return examples as DSPy's."""
        return self._rows.of(examples)

    def labeled_rows(self) -> list[Any]:
        """Return the train examples whose labels may stand among the demos."""
        rows = self.rows(self.bench.search.tuning.train)
        if all(part.kind is not ComponentKind.DEMOS for part in self._parts):
            return [row for row in rows if self._rows.label in row]
        return [row for row in rows if self._rows.turn(row) is not None]

    def admitted(self, texts: Mapping[str, str]) -> bool:
        """Return whether a candidate may cost a call."""
        return not isinstance(self.bench.admit(texts), Refusal)

    def score(self, row: Any, prediction: Any, *_: Any) -> float:
        """Return the score of a run; a metric of DSPy's."""
        trial = self._trial_of(row, prediction)
        return 0.0 if trial is None else trial.score.value

    def judged(
        self,
        row: Any,
        prediction: Any,
        trace: Any = None,
        pred_name: str | None = None,
        pred_trace: Any = None,
    ) -> Any:
        """Return score and feedback of a run; a metric of dspy.GEPA's and SIMBA's."""
        del trace, pred_trace
        import dspy

        trial = self._trial_of(row, prediction)
        if trial is None:
            return dspy.Prediction(score=0.0, feedback=getattr(prediction, "_refused", ""))
        return dspy.Prediction(
            score=trial.score.value,
            feedback=self._feedback(trial, pred_name),
            objective_scores={"score": trial.score.value, **trial.score.parts},
        )

    def _feedback(self, trial: Trial, pred_name: str | None) -> str:
        """Return feedback for one predictor, where the metric gives it; no metric call."""
        own = [part.text for part in self._parts if part.name == pred_name]
        metric, example = self.bench.search.evaluator.metric, self._rows.example(trial.example_id)
        with self.guarded():
            try:
                found = feedback_by_component(metric, example, trial, own)
            except Exception as error:
                raise FailedSearch(error) from error
        return next(iter(found.values()), trial.score.feedback)

    # What runs the program

    def answer(self, program: Any, inputs: Mapping[str, Any]) -> Any:
        """Run the program on an example; a candidate that is refused costs no call."""
        import dspy

        texts = self.texts(program)
        with self.guarded():
            admitted = self.bench.admit(texts)
            if isinstance(admitted, Refusal):
                prediction = dspy.Prediction(**{self._rows.label: ""})
                prediction._refused = admitted.reason  # noqa: SLF001 - it is ours
                return prediction
            example = self._rows.asked(inputs)
            trial = self._trial(texts, example, number=_rollout(program))
        self._trace(program, inputs, trial)
        prediction = dspy.Prediction(**{**trial.fields, self._rows.label: trial.output})
        prediction._trial, prediction._texts = trial, texts  # noqa: SLF001 - they are ours
        return prediction

    def texts(self, program: Any) -> dict[str, str]:
        """Return the candidate that a program is."""
        found = dict(self._start)
        predictors = dict(program.named_predictors())
        for part in self._parts:
            predictor = predictors[part.name]
            if part.text in found:
                text = literal_of(predictor.signature)
                found[part.text] = self._literals.text(self._start[part.text], text)
            if part.demos is not None:
                demos = Demos(part=part, turn=self._rows.turn)
                found[part.demos] = demos.write(predictor.demos, start=self._start[part.demos])
        self._see(digest(found))
        return found

    def candidate(self, instructions: Mapping[str, str]) -> dict[str, str]:
        """Return the candidate with some instructions, by the names of the predictors."""
        found = dict(self._start)
        for part in self._parts:
            if part.text in found:
                text = instructions[part.name]
                found[part.text] = self._literals.text(self._start[part.text], text)
        return found

    def prepare(self, program: Any, rows: Sequence[Any]) -> None:
        """Run a program on all rows of an evaluation at once, or refuse the whole of it."""
        texts = self.texts(program)
        with self.guarded():
            if isinstance(self.bench.admit(texts), Refusal):
                return
            examples = [self._rows.example(row.get(ROW)) for row in rows]
            self.scored.run([(texts, examples)], number=_rollout(program))
            if self.records_val and self.scored.covers_val(examples):
                self.record(texts)

    def record(self, texts: Mapping[str, str]) -> None:
        """Record a candidate with its val scores, once.

        Raises:
            BudgetReached: the budget has no room for it.
            Enough: there is no reason to look for a better one.
        """
        keep(self.bench, texts, origin=self._origin, parents=self._parents)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Let our progress be heard, and keep the first error: DSPy's threads may drop it."""
        if self.stopped is not None:
            raise self.stopped
        try:
            with self.quiet.lifted():
                yield
        except BaseException as error:
            if self.stopped is None:
                self.stopped = error
            raise

    def _see(self, key: str) -> None:
        with self._lock:
            self.bench.proposals += key not in self._seen
            self._seen.add(key)

    def _trial(self, texts: Mapping[str, str], example: Example, *, number: int) -> Trial:
        # DSPy runs what takes long a second time beside the first.
        with self._lock:
            lock = self._running[digest(dict(texts)), example.id, number]
        with lock:
            return self.scored.run([(texts, [example])], number=number)[0][0]

    def _trial_of(self, row: Any, prediction: Any) -> Trial | None:
        trial: Trial | None = getattr(prediction, "_trial", None)
        if trial is None or row.get(ROW) in (None, trial.example_id):
            return trial
        # Two examples may have the same inputs, and other labels.
        with self.guarded():
            example = self._rows.example(row.get(ROW))
            return self._trial(prediction._texts, example, number=trial.number)  # noqa: SLF001

    def _trace(self, program: Any, inputs: Mapping[str, Any], trial: Trial) -> None:
        import dspy

        if (trace := dspy.settings.trace) is None:
            return
        predictors = dict(program.named_predictors())
        for part in self._parts:
            steps = part.steps(trial)
            if not steps:
                told = dspy.Prediction(**{self._rows.label: trial.output})
                trace.append((predictors[part.name], dict(inputs), told))
            for step in steps:
                told = dspy.Prediction(**(dict(step.fields) or {self._rows.label: step.output}))
                trace.append((predictors[part.name], dict(step.inputs), told))


def _rollout(program: Any) -> int:
    """Return which of several independent runs DSPy wants."""
    import dspy

    for lm in (*(p.lm for p in program.predictors()[:1]), dspy.settings.lm):
        if lm is not None and lm.kwargs.get("rollout_id") is not None:
            return int(lm.kwargs["rollout_id"])
    return 0
