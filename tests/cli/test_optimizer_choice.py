from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from provider import FakeProvider, Request
from workbench import answer, task_files

if TYPE_CHECKING:
    from workbench import Workbench

AUTO = "    optimize: {optimizer: auto, max_metric_calls: 60}\n"
REFLECTION = "  reflection: {model: openai/thinker}\n"


def auto(*, reflection: str = "", url: str = "http://127.0.0.1:9/v1") -> dict[str, str]:
    """Return the files of a task whose optimizer is chosen."""
    files = task_files(url, count=40, more=AUTO)
    config = files["gepa-ci.yml"].replace("tasks:", f"{reflection}tasks:")
    return {**files, "gepa-ci.yml": config}


def test_plan_says_which_optimizer_auto_chose_and_why(bench: Workbench) -> None:
    bench.write(auto(reflection=REFLECTION))

    outcome = bench.run("plan")

    assert outcome.code == 0, outcome.err
    assert "`optimizer: auto` chose GEPA, as the metric gives feedback" in outcome.out


def test_without_a_reflection_lm_auto_chooses_examples(bench: Workbench) -> None:
    bench.write(auto())

    outcome = bench.run("plan")

    assert "random search, as no reflection LM is configured" in outcome.out


def test_a_metric_that_gives_a_bare_score_gets_no_gepa(bench: Workbench) -> None:
    files = auto(reflection=REFLECTION)
    config = files["gepa-ci.yml"].replace("metric: exact_match", "metric: m.py:score")
    code = "def score(example, output):\n    return float(output == example.expected)\n"
    bench.write({**files, "gepa-ci.yml": config, "m.py": code})

    outcome = bench.run("plan")

    assert "chose InferRules, as the metric gives a bare score" in outcome.out
    assert "and as many calls of the reflection LM as it makes" in outcome.out


def test_a_chosen_optimizer_stands_in_the_report(bench: Workbench) -> None:
    def learner(request: Request) -> str:
        return answer(request) if len(request.messages) > 1 else "no idea"

    with FakeProvider(answer=learner) as provider:
        bench.write(auto(url=provider.url))
        outcome = bench.run("optimize")

    assert outcome.code == 0, outcome.err
    assert "`optimizer: auto` chose BootstrapFewShot" in outcome.out
    assert "bootstrap_random_search" in outcome.out


@pytest.mark.parametrize("command", ["check", "optimize"])
def test_an_optimizer_that_cannot_work_is_said_before_any_call(
    bench: Workbench, command: str
) -> None:
    files = task_files(count=40, more="    optimize: {optimizer: simba, max_metric_calls: 60}\n")
    bench.write(files)

    outcome = bench.run(command)

    assert outcome.code == 2
    assert "a step of 'simba' takes 32 train examples, and there are 15" in outcome.err


def test_an_optimizer_that_needs_a_reflection_lm_says_so(bench: Workbench) -> None:
    bench.write(task_files(count=40, more="    optimize: {optimizer: copro}\n"))

    outcome = bench.run("optimize")

    assert outcome.code == 2
    assert "`optimizer: copro` needs a reflection LM, and the config names none" in outcome.err


def test_tokens_of_a_program_are_not_made_up(bench: Workbench) -> None:
    files = task_files(more="    program: run.py:program\n")
    code = "def program(prompts, inputs, lm):\n    return lm(prompts.p, inputs)\n"
    bench.write({**files, "run.py": code})

    outcome = bench.run("plan")

    assert "4 calls, 0 of them cached; tokens unknown, price unknown" in outcome.out
    assert "A run of the program counts as one call" in outcome.out
