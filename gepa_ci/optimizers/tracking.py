"""Owns writing a search down in MLflow or Weights & Biases: val scores and texts of candidates.

GEPA's own tracking would send reflection prompts, which quote train examples. This one sends
numbers, the texts of candidates and the verdict; nothing of an example, and nothing of the proof.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from typing import TYPE_CHECKING, Any, Protocol

from gepa_ci.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gepa_ci.core.config import Mlflow, Tracking, Wandb
    from gepa_ci.core.optimization import CandidateRecord
    from gepa_ci.core.result import TaskResult
    from gepa_ci.optimizers.budget import MetricCalls

_CREDENTIALS = re.compile(r"//[^/@\s]+@")
_ODD = re.compile(r"[^\w.-]+")
_SAID = 300
_BEST, _VAL, _CHARACTERS = "best_val_score", "val_score", "characters"


class Place(Protocol):
    """One place in which one search is written down."""

    title: str
    """What it is called."""

    def numbers(self, values: Mapping[str, float], *, step: int) -> None:
        """Keep numbers at a count of metric calls."""

    def texts(self, folder: str, texts: Mapping[str, str]) -> None:
        """Keep texts as files of a folder."""

    def end(self, facts: Mapping[str, str | float], *, failed: bool) -> None:
        """Keep what is known at the end, and end the run."""


class Tracker:
    """Writes one search down; a place that fails is given up with a warning, not the run."""

    def __init__(self, places: Sequence[Place], *, warn: Callable[[str], None]) -> None:
        """Take the places, whose runs have been started."""
        self._places = list(places)
        self._warn = warn
        self._best: float | None = None

    def candidate(self, record: CandidateRecord, calls: MetricCalls) -> None:
        """Keep a candidate that has been scored on val."""
        mean = record.val_mean or 0.0
        self._best = mean if self._best is None else max(self._best, mean)
        told = {f"objective_{name}": value for name, value in record.objectives.items()}
        told |= {_VAL: mean, _BEST: self._best}
        told[_CHARACTERS] = float(sum(len(text) for text in record.texts.values()))

        def keep(place: Place) -> None:
            place.numbers(told, step=calls.used)
            place.texts(f"candidates/{record.number:04}", record.texts)

        self._each(keep)

    def end(self, result: TaskResult | None) -> None:
        """Keep the verdict and how the search went; None for a run that failed."""
        facts: dict[str, str | float] = {"verdict": "none"}
        best: Mapping[str, str] = {}
        if result is not None:
            facts["verdict"] = str(result.verdict)
        if result is not None and (found := result.optimization) is not None:
            facts |= {
                "stop_reason": found.stop_reason,
                "best_candidate": float(found.best),
                "metric_calls": float(found.metric_calls),
                "proposals": float(found.proposals),
                "seconds": found.seconds,
            }
            if found.usage.usd is not None:
                facts["usd"] = found.usage.usd
            if found.candidates:
                best = found.candidates[found.best].texts

        def finish(place: Place) -> None:
            if best:
                place.texts("best", best)
            place.end(facts, failed=result is None)

        self._each(finish)

    def _each(self, step: Callable[[Place], None]) -> None:
        for place in list(self._places):
            try:
                step(place)
            except Exception as error:  # noqa: BLE001 - a tracking server may fail in any way
                # What was paid for goes on; the result file has all of it anyway.
                self._places.remove(place)
                self._warn(f"{place.title} keeps nothing from here on: {_said(error)}")


def check_tracking(tracking: Tracking | None, *, where: str, line: int | None) -> None:
    """Raise ConfigError unless the libraries are installed that tracking needs."""
    wanted = () if tracking is None else (("mlflow", tracking.mlflow), ("wandb", tracking.wandb))
    for library, given in wanted:
        if given is not None and importlib.util.find_spec(library) is None:
            raise ConfigError(
                f"`tracking: {library}` needs a library that is not installed",
                path=where,
                line=line,
                hint=f"install gepa-ci with the extra: pip install 'gepa-ci[{library}]'",
            )


def start_tracking(
    tracking: Tracking,
    *,
    name: str,
    parameters: Mapping[str, str],
    folder: str,
    warn: Callable[[str], None],
) -> Tracker:
    """Start a run in every place that the config names.

    Args:
        tracking: The places.
        name: What the run is called: the task.
        parameters: What the search is made with.
        folder: Where a place may keep its own files.
        warn: Shows a sentence.

    Raises:
        UsageError: a place cannot be reached.
    """
    places: list[Place] = []
    starts: list[tuple[str, Callable[[], Place]]] = []
    if tracking.mlflow is not None:
        mlflow = tracking.mlflow
        starts.append(("MLflow", lambda: _MlflowRun(mlflow, name, parameters)))
    if tracking.wandb is not None:
        wandb = tracking.wandb
        starts.append(("Weights & Biases", lambda: _WandbRun(wandb, name, parameters, folder)))
    for title, start in starts:
        try:
            places.append(start())
        except Exception as error:
            Tracker(places, warn=warn).end(None)
            raise UsageError(
                f"{title} cannot keep the search: {_said(error)}",
                hint="see that it can be reached, and `optimize: {tracking: ...}` in the config",
            ) from error
    return Tracker(places, warn=warn)


class _MlflowRun:
    """A run of MLflow, through its client: the fluent functions would add what lies around."""

    title = "MLflow"

    def __init__(self, spec: Mlflow, name: str, parameters: Mapping[str, str]) -> None:
        mlflow = importlib.import_module("mlflow")
        self._client: Any = mlflow.MlflowClient(tracking_uri=spec.uri)
        known = self._client.get_experiment_by_name(spec.experiment)
        number = known.experiment_id if known else self._client.create_experiment(spec.experiment)
        self._run = self._client.create_run(number, run_name=name).info.run_id
        for key, value in parameters.items():
            self._client.log_param(self._run, key, value)

    def numbers(self, values: Mapping[str, float], *, step: int) -> None:
        """Keep numbers at a count of metric calls."""
        for key, value in values.items():
            self._client.log_metric(self._run, _key(key), value, step=step)

    def texts(self, folder: str, texts: Mapping[str, str]) -> None:
        """Keep texts as artifacts."""
        for name, text in texts.items():
            self._client.log_text(self._run, text, f"{folder}/{_key(name)}.txt")

    def end(self, facts: Mapping[str, str | float], *, failed: bool) -> None:
        """Keep numbers as metrics, the rest as tags, and end the run."""
        for key, value in facts.items():
            if isinstance(value, str):
                self._client.set_tag(self._run, key, value)
            else:
                self._client.log_metric(self._run, key, value)
        self._client.set_terminated(self._run, "FAILED" if failed else "FINISHED")


class _WandbRun:
    """A run of Weights & Biases, which is kept from taking more than it is given."""

    title = "Weights & Biases"

    def __init__(self, spec: Wandb, name: str, parameters: Mapping[str, str], folder: str) -> None:
        self._wandb: Any = importlib.import_module("wandb")
        # What is printed may quote held-out examples, and a diff may be anybody's.
        settings = self._wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            save_code=False,
            disable_job_creation=True,
            x_disable_stats=True,
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
        )
        self._run: Any = self._wandb.init(
            project=spec.project,
            entity=spec.entity,
            mode=spec.mode,
            name=name,
            config=dict(parameters),
            dir=folder,
            reinit="create_new",
            settings=settings,
        )
        # Not the count of log calls, which is what W&B would draw everything against.
        self._run.define_metric("metric_calls")
        self._run.define_metric("*", step_metric="metric_calls")

    def numbers(self, values: Mapping[str, float], *, step: int) -> None:
        """Keep numbers at a count of metric calls."""
        self._run.log({**{_key(k): v for k, v in values.items()}, "metric_calls": step})

    def texts(self, folder: str, texts: Mapping[str, str]) -> None:
        """Keep texts as an artifact with a file for each."""
        artifact = self._wandb.Artifact(f"{_key(folder)}-{self._run.id}", type="prompt")
        for name, text in texts.items():
            with artifact.new_file(f"{_key(name)}.txt", encoding="utf-8") as file:
                file.write(text)
        self._run.log_artifact(artifact)

    def end(self, facts: Mapping[str, str | float], *, failed: bool) -> None:
        """Keep the facts in the summary, and end the run."""
        for key, value in facts.items():
            self._run.summary[key] = value
        self._run.finish(exit_code=int(failed))


def _key(name: str) -> str:
    return _ODD.sub("-", name)


def _said(error: Exception) -> str:
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    text = _CREDENTIALS.sub("//***@", first)[:_SAID].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
