"""Tests of gepa_ci.optimizers.tracking, against stand-ins of the libraries that record calls."""

from __future__ import annotations

import io
import sys
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from gepa_ci.core.config import Mlflow, Tracking, Wandb
from gepa_ci.core.optimization import CandidateRecord, Optimization, Origin
from gepa_ci.core.result import TaskResult
from gepa_ci.core.spend import Usage
from gepa_ci.errors import ConfigError, UsageError
from gepa_ci.optimizers.budget import MetricCalls
from gepa_ci.optimizers.tracking import Tracker, check_tracking, start_tracking

if TYPE_CHECKING:
    from collections.abc import Iterator

BOTH = Tracking(mlflow=Mlflow(uri="http://here", experiment="mine"), wandb=Wandb(entity="us"))


class Recorder:
    """Records every call as (name, arguments)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.fails: str | None = None

    def take(self, name: str, /, *arguments: Any, **named: Any) -> None:
        self.calls.append((name, arguments, named))
        if name == self.fails:
            raise ConnectionError("http://me:secret@here is down.\nand more")

    def of(self, name: str) -> list[tuple[Any, ...]]:
        return [arguments for found, arguments, _ in self.calls if found == name]


class MlflowClient(Recorder):
    """Stands in for mlflow.MlflowClient."""

    known: str | None = None

    def __init__(self, tracking_uri: str | None = None) -> None:
        super().__init__()
        self.uri = tracking_uri

    def get_experiment_by_name(self, name: str) -> Any:
        self.take("get_experiment_by_name", name)
        return None if self.known is None else SimpleNamespace(experiment_id=self.known)

    def create_experiment(self, name: str) -> str:
        self.take("create_experiment", name)
        return "7"

    def create_run(self, experiment_id: str, run_name: str | None = None) -> Any:
        self.take("create_run", experiment_id, run_name)
        return SimpleNamespace(info=SimpleNamespace(run_id="r"))

    def log_metric(self, run: str, key: str, value: float, step: int | None = None) -> None:
        self.take("log_metric", key, value, step)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith(("log_", "set_")):
            raise AttributeError(name)
        return lambda run, *rest: self.take(name, *rest)


class WandbRun(Recorder):
    """Stands in for a run of W&B."""

    id = "w"

    def __init__(self) -> None:
        super().__init__()
        self.summary: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return lambda *a, **k: self.take(name, *a, **k)


class Artifact:
    """Stands in for wandb.Artifact."""

    def __init__(self, name: str, **named: str) -> None:
        self.name, self.type = name, named["type"]
        self.files: dict[str, str] = {}

    @contextmanager
    def new_file(self, name: str, encoding: str) -> Iterator[io.StringIO]:
        file = io.StringIO()
        yield file
        self.files[name] = file.getvalue()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """Return the client that `mlflow` will hand out."""
    library, made = ModuleType("mlflow"), MlflowClient()

    def start(tracking_uri: str | None) -> MlflowClient:
        made.uri = tracking_uri
        return made

    library.MlflowClient = start  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", library)
    return made


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> WandbRun:
    """Return the run that `wandb` will start."""
    library, made = ModuleType("wandb"), WandbRun()

    def init(**named: Any) -> WandbRun:
        made.take("init", **named)
        return made

    library.init, library.Settings, library.Artifact = init, dict, Artifact  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", library)
    return made


def record(number: int, score: float) -> CandidateRecord:
    return CandidateRecord(
        number=number,
        origin=Origin.REFLECTION,
        texts={"a/b.system": f"Text {number}."},
        val_scores={"secret example": score},
        objectives={"cost": 0.5},
    )


def result(verdict: str = "promote", usd: float | None = 0.25) -> TaskResult:
    found = Optimization(
        optimizer="gepa",
        proposer="reflection",
        candidate=None,  # type: ignore[arg-type]
        best=1,
        candidates=(record(0, 0.5), record(1, 1.0)),
        rejections=(),
        metric_calls=60,
        budget=100,
        proposals=4,
        stop_reason="It is perfect.",
        seed=0,
        usage=Usage(usd=usd),
        seconds=2.5,
    )
    return TaskResult(name="triage", verdict=verdict, optimization=found)


def started(tracking: Tracking = BOTH, warnings: list[str] | None = None) -> Tracker:
    told = [] if warnings is None else warnings
    return start_tracking(
        tracking, name="triage", parameters={"seed": "0"}, folder="state", warn=told.append
    )


def test_mlflow_keeps_parameters_scores_against_metric_calls_texts_and_the_verdict(
    client: MlflowClient,
) -> None:
    tracker = started(Tracking(mlflow=BOTH.mlflow))
    calls = MetricCalls(100)
    calls.take(10)
    tracker.candidate(record(0, 0.5), calls)
    calls.take(20)
    tracker.candidate(record(1, 0.25), calls)
    tracker.end(result())

    assert client.uri == "http://here"
    assert client.of("create_experiment") == [("mine",)]
    assert client.of("create_run") == [("7", "triage")]
    assert client.of("log_param") == [("seed", "0")]
    assert client.of("log_metric")[:4] == [
        ("objective_cost", 0.5, 10),
        ("val_score", 0.5, 10),
        ("best_val_score", 0.5, 10),
        ("characters", 7.0, 10),
    ]
    assert ("best_val_score", 0.5, 30) in client.of("log_metric")
    assert client.of("log_metric")[-5:] == [
        ("best_candidate", 1.0, None),
        ("metric_calls", 60.0, None),
        ("proposals", 4.0, None),
        ("seconds", 2.5, None),
        ("usd", 0.25, None),
    ]
    assert client.of("log_text") == [
        ("Text 0.", "candidates/0000/a-b.system.txt"),
        ("Text 1.", "candidates/0001/a-b.system.txt"),
        ("Text 1.", "best/a-b.system.txt"),
    ]
    assert client.of("set_tag") == [("verdict", "promote"), ("stop_reason", "It is perfect.")]
    assert client.of("set_terminated") == [("FINISHED",)]
    assert "secret example" not in str(client.calls)


def test_an_experiment_that_is_there_is_used(client: MlflowClient) -> None:
    client.known = "3"

    started(Tracking(mlflow=Mlflow()))

    assert client.of("create_experiment") == []
    assert client.of("create_run") == [("3", "triage")]
    assert client.uri is None


def test_wandb_keeps_the_same_and_is_kept_from_taking_more(run: WandbRun) -> None:
    tracker = started(Tracking(wandb=BOTH.wandb))
    calls = MetricCalls(100)
    calls.take(10)
    tracker.candidate(record(1, 0.5), calls)
    tracker.end(result(usd=None))

    ((_, _, init),) = [call for call in run.calls if call[0] == "init"]
    settings = init.pop("settings")
    assert init == {
        "project": "gepa-ci",
        "entity": "us",
        "mode": "online",
        "name": "triage",
        "config": {"seed": "0"},
        "dir": "state",
        "reinit": "create_new",
    }
    assert (settings["console"], settings["disable_git"], settings["disable_code"]) == (
        "off",
        True,
        True,
    )
    assert run.of("log") == [
        (
            {
                "objective_cost": 0.5,
                "val_score": 0.5,
                "best_val_score": 0.5,
                "characters": 7.0,
                "metric_calls": 10,
            },
        )
    ]
    artifacts = [artifact for (artifact,) in run.of("log_artifact")]
    assert [(a.name, a.type, a.files) for a in artifacts] == [
        ("candidates-0001-w", "prompt", {"a-b.system.txt": "Text 1."}),
        ("best-w", "prompt", {"a-b.system.txt": "Text 1."}),
    ]
    assert run.summary["verdict"] == "promote"
    assert "usd" not in run.summary
    assert run.calls[-1] == ("finish", (), {"exit_code": 0})


def test_a_run_that_failed_is_ended_as_such(client: MlflowClient, run: WandbRun) -> None:
    started().end(None)

    assert client.of("set_terminated") == [("FAILED",)]
    assert client.of("set_tag") == [("verdict", "none")]
    assert run.calls[-1] == ("finish", (), {"exit_code": 1})


def test_a_search_that_scored_nothing_has_no_best_texts(client: MlflowClient) -> None:
    tracker = started(Tracking(mlflow=Mlflow()))

    tracker.end(TaskResult(name="triage", verdict="hold"))

    assert client.of("log_text") == []
    assert client.of("set_tag") == [("verdict", "hold")]


def test_a_place_that_fails_is_given_up_and_the_others_go_on(
    client: MlflowClient, run: WandbRun
) -> None:
    warnings: list[str] = []
    tracker = started(warnings=warnings)
    client.fails = "log_metric"

    tracker.candidate(record(0, 0.5), MetricCalls(10))
    tracker.candidate(record(1, 0.5), MetricCalls(10))
    tracker.end(result())

    assert warnings == [
        "MLflow keeps nothing from here on: ConnectionError: http://***@here is down"
    ]
    assert len(client.of("log_metric")) == 1
    assert len(run.of("log")) == 2


def test_a_place_that_cannot_be_reached_is_an_error_before_anything_runs(
    client: MlflowClient, run: WandbRun
) -> None:
    run.fails = "init"

    with pytest.raises(UsageError, match="Weights & Biases cannot keep the search") as caught:
        started()

    assert "secret" not in str(caught.value)
    assert client.of("set_terminated") == [("FAILED",)]


@pytest.mark.parametrize("library", ["mlflow", "wandb"])
def test_a_missing_library_names_the_extra(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, library, raising=False)
    tracking = Tracking(mlflow=Mlflow()) if library == "mlflow" else Tracking(wandb=Wandb())

    with pytest.raises(ConfigError, match=f"`tracking: {library}` needs a library") as caught:
        check_tracking(tracking, where="gepa-ci.yml", line=4)

    (problem,) = caught.value.problems
    assert problem.hint == f"install gepa-ci with the extra: pip install 'gepa-ci[{library}]'"
    assert (problem.path, problem.line) == ("gepa-ci.yml", 4)
    check_tracking(None, where="gepa-ci.yml", line=None)


def test_an_error_without_words_is_named() -> None:
    class Silent:
        title = "Somewhere"

        def end(self, facts: Any, *, failed: bool) -> None:
            raise TimeoutError

    warnings: list[str] = []

    Tracker([Silent()], warn=warnings.append).end(None)  # type: ignore[list-item]

    assert warnings == ["Somewhere keeps nothing from here on: TimeoutError"]
