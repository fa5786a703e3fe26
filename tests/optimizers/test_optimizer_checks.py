"""Tests of gepa_ci.optimizers.checks."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest
from fakes import prompt

from gepa_ci.core.config import OptimizePolicy, ProgramKind
from gepa_ci.core.prompt import PromptSet
from gepa_ci.formats import read_prompt
from gepa_ci.optimizers.checks import Ground, check

if TYPE_CHECKING:
    from gepa_ci.core.prompt import Prompts

MARKDOWN = read_prompt("kind.md", b"Name the kind of {{text}}.\n")


def said(
    optimizer: str,
    *,
    prompts: Prompts | None = None,
    program: ProgramKind = ProgramKind.CHAT,
    train: int = 40,
    val: int = 20,
    calls: int = 5000,
    components: tuple[str, ...] | None = None,
    **options: object,
) -> str:
    policy = OptimizePolicy(
        optimizer=optimizer,
        auto=None,
        max_metric_calls=calls,
        components=components,
        options=options,  # type: ignore[arg-type]
    )
    ground = Ground(
        prompts=prompt() if prompts is None else prompts,
        program=program,
        train=train,
        val=val,
        path="gepa-ci.yml",
        line=7,
    )
    problems = check(policy, ground)
    assert all(str(problem).startswith("gepa-ci.yml:7: ") for problem in problems)
    return "\n".join(f"{problem.message} | {problem.hint}" for problem in problems)


@pytest.mark.parametrize(
    "name",
    [
        *("auto", "gepa", "dspy_gepa", "miprov2", "copro", "simba", "infer_rules"),
        *("bootstrap_few_shot", "bootstrap_random_search", "labeled_few_shot"),
        "optimize_anything",
    ],
)
def test_an_optimizer_that_fits_has_no_problem(name: str) -> None:
    assert said(name) == ""


def test_an_unknown_optimizer_is_named_with_the_nearest_one() -> None:
    assert "unknown optimizer 'mipro2' | did you mean 'miprov2'? optimizers: gepa," in said(
        "mipro2"
    )


def without(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == library else found(name)
    )


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    without("optuna", monkeypatch)

    assert said("miprov2") == (
        "the optimizer 'miprov2' needs optuna, which is not installed | "
        'install it with `pip install "gepa-ci[mipro]"`'
    )


TWO = PromptSet(files=(prompt(path="a.prompt.yml"), prompt(path="b.prompt.yml")))


@pytest.mark.parametrize(
    ("prompts", "program"),
    [(TWO, ProgramKind.PYTHON), (prompt(), ProgramKind.PYTHON), (MARKDOWN, ProgramKind.COMMAND)],
    ids=["several files", "python", "command"],
)
def test_demos_need_a_file_that_can_hold_them(prompts: Prompts, program: ProgramKind) -> None:
    found = said("labeled_few_shot", prompts=prompts, program=program)

    assert "the optimizer 'labeled_few_shot' puts examples into the prompt, and '" in found
    assert "cannot hold any of this task's | examples can stand in" in found


def test_the_json_of_a_dspy_program_can_hold_demos() -> None:
    state = (
        b'{"qa": {"traces": [], "train": [], "demos": [], "signature": '
        b'{"instructions": "Answer.", "fields": []}, "lm": null}}'
    )
    program = read_prompt("program.json", state)

    assert said("bootstrap_few_shot", prompts=program, program=ProgramKind.PYTHON) == ""


def test_demos_that_may_not_change_cannot_be_chosen() -> None:
    assert "cannot hold" in said("miprov2", max_labeled_demos=2, components=("system",))


def test_instructions_need_a_text_that_may_change() -> None:
    found = said("copro", components=("demos",))

    assert found == (
        "'kind.prompt.yml' has no text that 'copro' may change | "
        "name some in `components`; there are: system, demos, user"
    )


def test_simba_needs_train_examples_for_a_step() -> None:
    assert said("simba", train=12) == (
        "a step of 'simba' takes 32 train examples, and there are 12 | "
        "add `options: {bsize: 12}` or less, or train examples"
    )
    assert said("simba", train=12, bsize=12) == ""


def test_simba_needs_a_budget_for_a_step() -> None:
    found = said("simba", calls=500)

    # Val twice, train for 7 programs, and a step of 32 * 13.
    assert "500 metric calls has no room for a step of 'simba' | give 736 `max" in found
    assert said("simba", calls=736) == ""


def test_the_counts_of_miprov2_go_together() -> None:
    assert "'miprov2' has 'num_trials' without its counterpart" in said("miprov2", num_trials=3)
    assert "'num_candidates' without" in said("miprov2", num_candidates=3)
    assert said("miprov2", num_trials=3, num_candidates=3) == ""


def test_a_minibatch_of_miprov2_fits_into_val() -> None:
    assert said("miprov2", minibatch=True) == (
        "a minibatch of 35 is larger than val, which has 20 examples | "
        "give `minibatch_size: 20` or less, or `minibatch: false`"
    )
    assert said("miprov2", minibatch=True, minibatch_size=20) == ""
    assert said("miprov2", val=51) == ""


@pytest.mark.parametrize("library", ["wandb", "mlflow"])
def test_what_dspy_gepa_logs_to_must_be_installed(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(library, monkeypatch)

    found = said("dspy_gepa", use_wandb=library == "wandb", use_mlflow=library == "mlflow")

    assert found == (
        f"'use_{library}' needs {library}, which is not installed | "
        f"install it with `pip install {library}`"
    )


def test_what_dspy_gepa_is_to_import_must_be_installed() -> None:
    found = said("dspy_gepa", instruction_proposer="no_such_package.x:Proposer")

    assert "'instruction_proposer' names the package 'no_such_package.x', which is not" in found
    assert said("dspy_gepa", component_selector="all") == ""


def test_a_chain_is_checked_step_by_step() -> None:
    assert said("better_together", strategy="copro -> labeled_few_shot") == ""
    assert said("better_together") == (
        "'better_together' has no strategy | add `options: {strategy: a -> b}`"
    )
    assert "unknown optimizer 'coppro'" in said("better_together", strategy="coppro -> gepa")
    assert "'auto' cannot be a step" in said("better_together", strategy="auto -> gepa")
    assert "takes 32 train examples" in said("better_together", strategy="simba -> gepa", train=9)


def test_options_of_a_step_that_is_not_there_are_a_problem() -> None:
    found = said("better_together", strategy="copro -> gepa", simba={"bsize": 3})

    assert found == "'simba' has options but is no step of the strategy | remove them"
