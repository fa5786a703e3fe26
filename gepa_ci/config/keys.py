"""Owns the keys of a whole config and of a task: the one definition of what a config may say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gepa_ci.config.leaves import Leaf, integer, path
from gepa_ci.config.model_keys import MODEL, MODEL_OR_NAME
from gepa_ci.config.optimize_keys import OPTIMIZE
from gepa_ci.config.policy_keys import GATE, SPEND
from gepa_ci.config.program_keys import PROGRAM
from gepa_ci.config.records import Fields, Key, Record
from gepa_ci.config.report_keys import REPORT
from gepa_ci.config.shapes import Listing, Mapped, OneOf, Table
from gepa_ci.config.suite_keys import METRIC, SPLIT, SUITE
from gepa_ci.config.values import BAD
from gepa_ci.core.config import CacheMode, Config, ModelSpec

if TYPE_CHECKING:
    from gepa_ci.config.problems import Problems

TESTED = (".prompt.yml", ".prompt.yaml")
"""Endings of prompt files that may bring their own examples and evaluators."""


def prompts_of(task: Fields) -> tuple[str, ...]:
    """Return the prompt files of a task; none when they are missing or wrong."""
    one = task.get("prompt")
    return task.get("prompts") or (() if one is None else (one,))


def _brings_examples(found: Fields, problems: Problems) -> None:
    prompts = prompts_of(found)
    if not prompts or (len(prompts) == 1 and prompts[0].endswith(TESTED)):
        return
    for name, what in (("suite", "the file of the examples"), ("metric", "how to score outputs")):
        if name not in found.lines:
            hint = f"add '{name}': {what}; only a single .prompt.yml file brings its own"
            problems.add(found.line, f"{found.at} has no '{name}'", hint)


def _splits_once(found: Fields, problems: Problems) -> None:
    suite = found.get("suite")
    if "split" not in found.lines or suite is None:
        return
    if suite.spec.file is None:
        message = "'split' is for a suite of one file"
        problems.add(found.lines["split"], message, "remove 'split', or give the suite one file")
    elif suite.has_split:
        problems.add(found.lines["split"], "'split' is given twice", "keep one of the two")


TASK = Record(
    about="a task",
    build=lambda found: found,
    is_partial=True,
    exclusive=(("prompts", "prompt"),),
    any_of=("prompts", "prompt"),
    rules=(_brings_examples, _splits_once),
    misnomers={
        "metrics": "did you mean 'metric'? It takes a list too",
        "dataset": "did you mean 'suite'?",
        "examples": "did you mean 'suite'?",
        "test_data": "did you mean 'suite'?",
        "file": "did you mean 'prompt'?",
    },
    keys=(
        Key("prompts", Listing(path()), "Paths of the prompt files."),
        Key("prompt", path(), "Path of the prompt file, when there is only one."),
        Key("suite", SUITE, "Where the examples are."),
        Key("split", SPLIT, "Shares of the three parts, when the suite is one file."),
        Key("metric", METRIC, "How an output is scored."),
        Key(
            "model",
            MODEL_OR_NAME,
            "The task's own model: a name from models, a model string or a mapping.",
        ),
        Key(
            "program",
            PROGRAM,
            "What runs the prompts: chat, path.py:object, a command as a list, or a mapping.",
            default="chat",
        ),
        Key("gate", GATE, "What the gate tolerates and how sure it must be."),
        Key("optimize", OPTIMIZE, "How the task is optimized."),
    ),
)

_VERSION = Leaf(
    expects="version 1, the one that this gepa-ci reads",
    json={"const": 1},
    accept=lambda value: value if value == 1 and not isinstance(value, bool | str) else BAD,
)


def _cache_mode(value: object) -> object:
    # YAML 1.1 reads on and off as booleans.
    if isinstance(value, bool):
        return CacheMode.ON if value else CacheMode.OFF
    return next((mode for mode in CacheMode if mode == value), BAD)


_CACHE = Leaf(
    expects="one of on, off, replay",
    json={"enum": [*(mode.value for mode in CacheMode), True, False]},
    accept=_cache_mode,
    names=tuple(CacheMode),
)

CONFIG = Record(
    about="the config",
    of=Config,
    build=lambda found: found,
    is_partial=True,
    misnomers={
        "reports": "did you mean 'report'?",
        "templates": "write it below 'report'",
        "program": "a program belongs to a task: write it below the task's name",
        "model": "did you mean 'models'? It takes task: and reflection:",
    },
    keys=(
        Key("version", _VERSION, "Version of this file's format: 1.", is_required=True),
        Key(
            "models",
            Table(
                value=OneOf(
                    (Mapped(MODEL_OR_NAME.shapes[0], lambda name, _: ModelSpec(model=name)), MODEL),
                    MODEL_OR_NAME.expects,
                ),
                name=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
                names="letters, digits, '_', '-' and '.'",
            ),
            "Models by name: task, reflection, and names that tasks refer to.",
        ),
        Key("concurrency", integer(1, 1024), "Calls in flight, all models together."),
        Key("spend", SPEND, "Hard caps of one run."),
        Key("cache", _CACHE, "What the response cache may do.", default="on"),
        Key("report", REPORT, "What reports show, and by whose templates."),
        Key(
            "tasks",
            Table(
                value=TASK,
                name=r"^[a-z0-9][a-z0-9_-]*$",
                names="lower-case letters, digits, '_' and '-'",
                minimum=1,
            ),
            "The tasks by name.",
            is_required=True,
        ),
    ),
)
"""The whole config."""
