"""Owns the keys of `optimize` in the config."""

from __future__ import annotations

from gepa_ci.config.leaves import choice, flag, integer, metric_name, number, text
from gepa_ci.config.optimizer_keys import OPTIMIZER, OPTIONS, options_fit, read_options
from gepa_ci.config.problems import Problems
from gepa_ci.config.records import Fields, Key, Record
from gepa_ci.config.shapes import Listing
from gepa_ci.core.config import (
    Budget,
    Mlflow,
    OptimizePolicy,
    Proposer,
    Prune,
    Tracking,
    Wandb,
)

_BUDGETS = ("auto", "max_metric_calls", "max_full_evals")
_BUILT_IN = tuple(item.value for item in Proposer if item is not Proposer.CODE)


def _optimize(found: Fields) -> OptimizePolicy:
    values = dict(found.values)
    if "proposer" in values and values["proposer"] in _BUILT_IN:
        values["proposer"] = Proposer(values["proposer"])
    elif "proposer" in values:
        values |= {"proposer": Proposer.CODE, "proposer_code": values["proposer"]}
    if "auto" in values:
        values["auto"] = Budget(values["auto"])
    elif any(name in values for name in _BUDGETS):
        values["auto"] = None
    if "prune" in values:
        values["prune"] = Prune(values["prune"])
    if "options" in values:
        name = values.get("optimizer", "gepa")
        values["options"] = read_options(values["options"], name, Problems(""))
    return OptimizePolicy(**values)


_TRACKING = Record(
    about="tracking",
    of=Tracking,
    build=lambda found: Tracking(**found.values),
    any_of=("mlflow", "wandb"),
    misnomers={"weights_and_biases": "did you mean 'wandb'?"},
    keys=(
        Key(
            "mlflow",
            Record(
                about="mlflow",
                of=Mlflow,
                build=lambda found: Mlflow(**found.values),
                keys=(
                    Key(
                        "uri",
                        text(),
                        "Tracking server or store; MLFLOW_TRACKING_URI if not given.",
                    ),
                    Key("experiment", text(), "Name of the experiment, which is made if needed."),
                ),
            ),
            "MLflow, of the extra `mlflow`.",
        ),
        Key(
            "wandb",
            Record(
                about="wandb",
                of=Wandb,
                build=lambda found: Wandb(**found.values),
                keys=(
                    Key("project", text(), "Name of the project."),
                    Key("entity", text(), "User or team; your own if not given."),
                    Key("mode", choice("online", "offline", "disabled"), "Where runs go."),
                ),
            ),
            "Weights & Biases, of the extra `wandb`.",
        ),
    ),
)

_SEARCH = (
    Key("optimizer", OPTIMIZER, "Name of the optimizer; `auto` chooses by what there is."),
    Key("options", OPTIONS, "Options of an optimizer other than gepa, in its own words."),
    Key(
        "proposer",
        metric_name(_BUILT_IN, kind="proposers"),
        "Where new candidates come from: a reflection LM, failed train examples as turns, or a "
        "function of yours.",
    ),
    Key("auto", choice(*(item.value for item in Budget)), "A named budget."),
    Key("max_metric_calls", integer(1), "Budget in evaluations of one example."),
    Key("max_full_evals", integer(1, 1_000_000), "Budget in evaluations of train and val."),
    Key("reflection_minibatch_size", integer(1, 1000), "Train examples per proposal."),
    Key(
        "candidate_selection_strategy",
        choice("pareto", "current_best", "epsilon_greedy", "top_k_pareto"),
        "Which candidate the next proposal starts from.",
    ),
    Key(
        "frontier_type",
        choice("instance", "objective", "hybrid", "cartesian"),
        "What the Pareto frontier is made of.",
    ),
    Key(
        "objectives",
        Listing(text("score, cost, latency, output_length, prompt_length or a part's name")),
        "What the frontier is told of a candidate: the score, measures of the run, and parts of "
        "the metric by name; the score and all parts if not given.",
    ),
    Key(
        "component_selector",
        choice("round_robin", "all"),
        "Which components a proposal changes.",
    ),
    Key(
        "acceptance",
        choice("strict_improvement", "improvement_or_equal"),
        "When a proposal is good enough on its minibatch to go on to val.",
    ),
    Key(
        "selection_strategy",
        choice("combined", "all_improvements", "best_improvement"),
        "Which proposals of a round go on to val: those that gained, put together in one "
        "candidate, and the best of them beside it; all that gained; or the best.",
    ),
    Key("proposals", integer(1, 256), "Proposals made side by side in a round."),
    Key("skip_perfect_score", flag(), "Whether to skip minibatches that are all right."),
    Key("use_merge", flag(), "Whether to merge good candidates."),
    Key("max_merge_invocations", integer(0, 10_000), "Most merges."),
)

_STOPPERS = (
    Key("stop_at_score", number(0, 1, above=True), "Stop when the best val mean reaches this."),
    Key(
        "stop_without_improvement",
        integer(1, 1_000_000),
        "Stop after so many rounds without a better candidate.",
    ),
    Key("stop_after_minutes", number(0, 100_000, above=True), "Stop after so many minutes."),
    Key("stop_after_proposals", integer(1, 1_000_000), "Stop after so many proposals."),
    Key(
        "stop_after_candidates",
        integer(1, 1_000_000),
        "Stop when so many candidates besides the baseline have reached val.",
    ),
    Key(
        "stop_at_usd",
        number(0, 1_000_000, above=True),
        "Stop when the search has spent so many dollars.",
    ),
)

OPTIMIZE = Record(
    about="optimize",
    of=OptimizePolicy,
    build=_optimize,
    exclusive=(_BUDGETS,),
    rules=(options_fit,),
    misnomers={"budget": "give one of auto, max_metric_calls and max_full_evals"},
    keys=(
        *_SEARCH,
        *_STOPPERS,
        Key(
            "components",
            Listing(text("the name of a component", r"^\S+$")),
            "Names of the components that may change.",
        ),
        Key("max_chars", integer(1), "Longest text of one component."),
        Key("max_demos", integer(0, 1000), "Most examples as turns that are added."),
        Key(
            "prune",
            choice(*(item.value for item in Prune)),
            "Which sentences of the best candidate are left out again when val does as well "
            "without them: none, those that the search has added, or any.",
        ),
        Key(
            "track_best_outputs",
            flag(),
            "Whether the result has the outputs of the best candidates on val.",
        ),
        Key("tracking", _TRACKING, "Where the search is written down besides the result."),
        Key("seed", integer(0, 2**32 - 1), "Seed of every random choice."),
    ),
)
