"""Owns the names of the optimizers in the config, and the options of each in its own words."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import yaml

from gepa_ci.config.documents import line_of
from gepa_ci.config.leaves import Leaf, choice, either, flag, integer, number, raw_text, text
from gepa_ci.config.problems import Problems, shown
from gepa_ci.config.records import Fields, Key, Record
from gepa_ci.config.shapes import FreeMapping, Listing, OneOf
from gepa_ci.config.values import BAD, plain
from gepa_ci.core.config import AUTO

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP = "gepa_ci.optimizers"
"""The entry point group of optimizers from outside."""
_OBJECT = text(
    "an object of an installed package, as package.module:name",
    r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$",
)
_SHARE = number(0, 1)
_COUNT = integer(1, 10_000)
_ABOVE_ZERO = number(0, 100, above=True)

_DEMOS = (
    Key("max_bootstrapped_demos", integer(0, 1000), "Most demos with answers of the task LM."),
    Key("max_labeled_demos", integer(0, 1000), "Most demos with labels."),
    Key(
        "metric_threshold",
        _SHARE,
        "Score from which an answer is good enough for a demo.",
        default=1.0,
    ),
)
_BOOTSTRAP = (
    *_DEMOS,
    Key("max_rounds", integer(1, 100), "Attempts at a train example.", default=1),
)
_COPRO = (
    Key("breadth", integer(2, 1000), "New instructions of a round.", default=10),
    Key("depth", integer(1, 1000), "Rounds.", default=3),
)
_MIPRO = (
    Key(
        "num_candidates",
        integer(2, 1000),
        "Instructions, and sets of demos, to choose among; with num_trials.",
    ),
    Key("num_trials", _COUNT, "Combinations to try; with num_candidates, instead of `auto`."),
    *_DEMOS,
    Key("minibatch", flag(), "Whether trials are scored on a part of val; from 51 examples on."),
    Key("minibatch_size", _COUNT, "Val examples of a trial.", default=35),
    Key("minibatch_full_eval_steps", _COUNT, "Trials between runs on all of val.", default=5),
    Key(
        "program_aware_proposer",
        flag(),
        "Whether the reflection LM sees the program.",
        default=True,
    ),
    Key("data_aware_proposer", flag(), "Whether it sees a summary of train.", default=True),
    Key("tip_aware_proposer", flag(), "Whether it is given tips.", default=True),
    Key("fewshot_aware_proposer", flag(), "Whether it sees demos.", default=True),
    Key("view_data_batch_size", _COUNT, "Train examples it is shown at once.", default=10),
)
_SIMBA = (
    Key("bsize", _COUNT, "Train examples of a step.", default=32),
    Key(
        "num_candidates", _COUNT, "Trajectories of an example, and candidates of a step.", default=6
    ),
    Key("max_steps", _COUNT, "Steps; fewer where the budget has no room for them.", default=8),
    Key("max_demos", integer(0, 1000), "Most demos; 0 for rules only.", default=0),
    Key("demo_input_field_maxlen", _COUNT, "Characters of an input in a demo.", default=100_000),
    Key("temperature_for_sampling", _ABOVE_ZERO, "How freely programs are drawn.", default=0.2),
    Key("temperature_for_candidates", _ABOVE_ZERO, "How freely parents are drawn.", default=0.2),
)
_RULES = (
    Key("num_candidates", _COUNT, "Sets of rules to try.", default=10),
    Key("num_rules", _COUNT, "Rules of a set.", default=10),
    *_BOOTSTRAP,
)
_ANYTHING = (
    Key(
        "mode",
        choice("generalization", "multi_task", "single_task"),
        "Whether val selects, or the single train examples, or their mean.",
        default="generalization",
    ),
    Key("objective", raw_text("a text"), "What the reflection LM is told to reach."),
    Key("background", raw_text("a text"), "What it should know."),
    Key(
        "max_refinements",
        integer(1, 100),
        "Times that a candidate is refined on each example before it is scored.",
    ),
)
_PROPOSER = Record(
    about="instruction_proposer",
    build=lambda found: dict(found.values),
    keys=(
        Key("skills", Listing(raw_text("a text")), "Skill files, folders with SKILL.md, or texts."),
        Key("additional_instructions", raw_text("a text"), "Guidance for every proposal."),
        Key("base_instructions", raw_text("a text"), "What replaces the reflection prompt."),
        Key("max_chars", integer(1), "Longest instructions; asked once to shorten them."),
        Key("truncate_history_outputs", flag(), "Whether long tool results are cut."),
        Key("adapter", choice("chat", "json", "xml"), "How it asks the reflection LM."),
    ),
)
_GEPA_KWARGS = Record(
    about="gepa_kwargs",
    build=lambda found: dict(found.values),
    misnomers={
        "cache_evaluation": "leave it out: gepa 0.1.4 mixes up train and val in it",
        "callbacks": "leave it out: gepa-ci needs them itself",
        "stop_callbacks": "use stop_at_score, stop_without_improvement and their like",
        "run_dir": "leave it out: gepa-ci keeps its own checkpoint",
        "max_reflection_cost": "use stop_at_usd of optimize",
    },
    keys=(
        Key(
            "frontier_type",
            choice("instance", "objective", "hybrid", "cartesian"),
            "What the Pareto frontier is made of.",
        ),
        Key(
            "acceptance_criterion",
            either(choice("strict_improvement", "improvement_or_equal"), _OBJECT),
            "When a proposal is good enough to go on to val.",
        ),
        Key("sampling_strategy", _OBJECT, "Which parents and minibatches a round has."),
        Key("selection_strategy", _OBJECT, "Which proposals of a round go on."),
        Key("val_evaluation_policy", either(choice("full_eval"), _OBJECT), "What val is run on."),
        Key("batch_sampler", either(choice("epoch_shuffled"), _OBJECT), "How train is drawn."),
        Key("merge_val_overlap_floor", _COUNT, "Val examples that parents share, at least."),
        Key("mlflow_tracking_uri", text(), "Where MLflow is."),
        Key("mlflow_experiment_name", text(), "Its experiment."),
        Key("mlflow_attach_existing", flag(), "Whether to join its active run."),
        Key("wandb_attach_existing", flag(), "Whether to join the active run of W&B."),
        Key("tracking_key_prefix", text(), "What names of metrics begin with."),
    ),
)
_GEPA = (
    Key("reflection_minibatch_size", integer(1, 1000), "Train examples of a proposal."),
    Key(
        "candidate_selection_strategy",
        choice("pareto", "current_best", "epsilon_greedy", "top_k_pareto"),
        "Which candidate a proposal starts from.",
    ),
    Key("skip_perfect_score", flag(), "Whether to skip minibatches that are all right."),
    Key(
        "add_format_failure_as_feedback",
        flag(),
        "Whether an answer that cannot be read is feedback; here every run has an output.",
        default=False,
    ),
    Key(
        "instruction_proposer",
        OneOf((_OBJECT, _PROPOSER), "an object, or the options of DSPy's own proposer"),
        "Who writes new instructions: options of DSPy's InstructionProposer, or an object.",
    ),
    Key("code_proposer", _OBJECT, "Who rewrites dspy.Flex code; prompt files have none."),
    Key(
        "component_selector",
        either(choice("round_robin", "all"), _OBJECT),
        "Which components a proposal changes.",
    ),
    Key("use_merge", flag(), "Whether to merge good candidates."),
    Key("max_merge_invocations", integer(0, 10_000), "Most merges."),
    Key(
        "failure_score", _SHARE, "Score of a run without one; here every run has one.", default=0.0
    ),
    Key("perfect_score", _SHARE, "Score that cannot be improved.", default=1.0),
    Key("use_wandb", flag(), "Whether to log to Weights & Biases.", default=False),
    Key("wandb_init_kwargs", FreeMapping(), "What wandb.init is given."),
    Key("track_best_outputs", flag(), "Whether GEPA keeps the best outputs.", default=False),
    Key(
        "warn_on_score_mismatch", flag(), "Whether DSPy looks for metrics that waver.", default=True
    ),
    Key("use_mlflow", flag(), "Whether to log to MLflow.", default=False),
    Key("gepa_kwargs", _GEPA_KWARGS, "What gepa.optimize is given besides."),
)

DECIDED: Mapping[str, Mapping[str, str]] = {
    "dspy_gepa": {
        "metric": "it is the task's `metric`",
        "auto": "give `auto` of optimize",
        "max_full_evals": "give `max_full_evals` of optimize",
        "max_metric_calls": "give `max_metric_calls` of optimize",
        "reflection_lm": "it is `models: {reflection: ...}`",
        "num_threads": "it is `concurrency` of the config",
        "log_dir": "gepa-ci keeps its own checkpoint; GEPA's is a pickle, which can run code",
        "track_stats": "it is always on, for the result's candidates",
        "wandb_api_key": "a key has no place in a config: set WANDB_API_KEY",
        "seed": "give `seed` of optimize",
    },
    "miprov2": {
        "auto": "give `auto` of optimize",
        "seed": "give `seed` of optimize",
        "init_temperature": "give `temperature` of `models: {reflection: ...}`",
        "num_threads": "it is `concurrency` of the config",
        "prompt_model": "it is `models: {reflection: ...}`",
    },
    "copro": {"init_temperature": "give `temperature` of `models: {reflection: ...}`"},
    "simba": {"num_threads": "it is `concurrency` of the config"},
    "bootstrap_random_search": {"stop_at_score": "give `stop_at_score` of optimize"},
}
"""Parameters that gepa-ci sets itself: by optimizer and name, where else the value is given."""

_SINGLE: Mapping[str, tuple[Key, ...]] = {
    "gepa": (),
    "dspy_gepa": _GEPA,
    "miprov2": _MIPRO,
    "copro": _COPRO,
    "simba": _SIMBA,
    "infer_rules": _RULES,
    "bootstrap_few_shot": _BOOTSTRAP,
    "bootstrap_random_search": (
        *_BOOTSTRAP,
        Key("num_candidate_programs", _COUNT, "Sets of demos to try.", default=16),
        Key("labeled_sample", flag(), "Whether labelled demos are drawn at random.", default=True),
    ),
    "labeled_few_shot": (
        Key("k", integer(1, 1000), "Demos; `max_demos` of optimize if not given."),
        Key("sample", flag(), "Whether they are drawn at random.", default=True),
    ),
    "optimize_anything": _ANYTHING,
}


def options_record(name: str) -> Record:
    """Return the options of a built-in optimizer."""
    return Record(
        about=f"options of {name}",
        build=lambda found: dict(found.values),
        misnomers=DECIDED.get(name, {}),
        keys=_chain() if name == CHAIN else _SINGLE[name],
    )


CHAIN = "better_together"


def _chain() -> tuple[Key, ...]:
    return (
        Key(
            "strategy",
            text("names of optimizers with arrows between them", r"->"),
            "The steps, as in `bootstrap_random_search -> gepa`.",
            is_required=True,
        ),
        *(
            Key(name, options_record(name), f"Options of the step {name}.")
            for name, keys in _SINGLE.items()
            if keys
        ),
    )


OPTIMIZERS = (*_SINGLE, CHAIN)
"""Names of the built-in optimizers."""


def _named(value: object) -> object:
    if value in (*OPTIMIZERS, AUTO):
        return value
    # Asked only for names that are not ours: it reads the list of all that is installed.
    return value if value in {point.name for point in entry_points(group=GROUP)} else BAD


OPTIMIZER = Leaf(
    expects=f"one of {', '.join((AUTO, *OPTIMIZERS))}, or the name of an installed plug-in",
    json={"anyOf": [{"enum": [AUTO, *OPTIMIZERS]}, {"type": "string", "pattern": r"^\S+$"}]},
    accept=_named,
    names=(AUTO, *OPTIMIZERS),
)


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """Options before it is known whose they are."""

    node: yaml.MappingNode
    at: str


@dataclass(frozen=True, slots=True)
class _Options:
    """A mapping that is read once the optimizer is known."""

    def read(self, node: yaml.Node, at: str, problems: Problems) -> object:
        """Return the mapping as it stands."""
        if isinstance(node, yaml.MappingNode):
            return Given(node, at)
        problems.add(line_of(node), f"{at} is no mapping", "give options by name")
        return BAD

    def schema(self) -> dict[str, Any]:
        """Return the options of each optimizer, and any for a plug-in's."""
        known = [{"title": name, **options_record(name).schema()} for name in OPTIMIZERS]
        return {"type": "object", "anyOf": [*known, {"title": "a plug-in"}]}


OPTIONS = _Options()


def options_fit(found: Fields, problems: Problems) -> None:
    """Report what is wrong with the options of the optimizer that is named beside them."""
    given = found.get("options")
    if given is not None and found.values.get("optimizer") is not BAD:
        read_options(given, str(found.get("optimizer") or "gepa"), problems)
    elif found.get("optimizer") == CHAIN:
        message, hint = f"{found.at} has no strategy", "add `options: {strategy: a -> b}`"
        problems.add(found.lines["optimizer"], message, hint)


def read_options(given: Given, name: str, problems: Problems) -> object:
    """Return the options of an optimizer; report what it does not have."""
    if name == AUTO:
        hint = "name the optimizer that they are for"
        problems.add(line_of(given.node), f"{shown(AUTO)} takes no options", hint)
        return BAD
    if name == "gepa":
        message = f"'{name}' has no options of its own"
        problems.add(line_of(given.node), message, "write them one level up, under 'optimize'")
        return BAD
    if name not in OPTIMIZERS:
        return plain(given.node, problems)
    return options_record(name).read(given.node, given.at, problems)
