"""Tests of gepa_ci.optimizers.plugins, with the documented example as an installed package."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes import prompt
from optimizer_world import World

from gepa_ci.core.call import Purpose
from gepa_ci.core.config import OptimizePolicy, ProgramKind
from gepa_ci.errors import InfraError, UsageError
from gepa_ci.lm.failures import Transient
from gepa_ci.optimizers import plugins
from gepa_ci.optimizers.checks import Ground, check

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.core.call import Call

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "text_gradient"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Return what puts a module with an entry point on the path, as an installer would."""

    def installs(name: str, code: str, target: str = "optimize") -> None:
        module = f"outside_{name}"
        site = tmp_path / name
        folder = site / f"outside_{name}-1.0.dist-info"
        folder.mkdir(parents=True)
        (site / f"{module}.py").write_text(code)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[{plugins.GROUP}]\n{name} = {module}:{target}\n")
        monkeypatch.syspath_prepend(site)

    return installs


def criticizes(call: Call) -> str:
    """Answer the example's two questions: what is missing, and the text with it."""
    asked = call.messages[0].content
    if "Do not rewrite it" in asked:
        (kind, *_) = re.findall(r"expected kind (\d)", asked)
        return f"It lacks Rule {kind}."
    (text,) = re.findall(r"<prompt>\n(.*)\n</prompt>", asked, re.DOTALL)
    (rule,) = re.findall(r"It lacks (Rule \d\.)", asked)
    return f"<new>\n{rule} {text}\n</new>"


@pytest.fixture
def example(install: Callable[[str, str], None]) -> str:
    """Install the example and return its name."""
    install("text_gradient", (EXAMPLE / "text_gradient.py").read_text())
    return "text_gradient"


def test_the_example_finds_the_rules(example: str, tmp_path: Path) -> None:
    options: dict[str, object] = {"steps": 12, "minibatch": 6}
    first = World(example, options=options, reflection=criticizes, journal=tmp_path / "j")
    again = World(example, options=options, reflection=criticizes, journal=tmp_path / "j")

    result, repeated = first.run(), again.run()

    assert result.candidates[result.best].val_mean == 1.0
    assert all(f"Rule {k}." in result.candidate.component("system").text for k in range(3))
    assert result.optimizer == example
    assert result.metric_calls == len(first.asked(Purpose.TASK)) <= result.budget
    assert again.engines.calls == []
    assert repeated.candidates == result.candidates


@pytest.mark.parametrize("budget", [5, 12, 20, 30])
def test_a_budget_is_never_passed(example: str, budget: int) -> None:
    world = World(example, reflection=criticizes, budget=budget)

    result = world.run()

    assert result.metric_calls == len(world.asked(Purpose.TASK)) <= budget


def test_the_example_is_declared_as_its_project_says() -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]

    assert project["entry-points"][plugins.GROUP] == {"text_gradient": "text_gradient:optimize"}


def test_the_example_says_what_is_wrong_with_its_options(example: str) -> None:
    assert plugins.option_problems(example, {"stepz": 1}) == [
        "'text_gradient' has no option 'stepz'"
    ]
    assert plugins.option_problems(example, {"steps": 1}) == []


GREEDY = """
def optimize(task, options):
    print("never seen")
    seen = []
    while True:
        texts = {"system": f"Rule {len(seen) % 3}. Try {len(seen)}."}
        seen += task.evaluate(texts, task.train[:2])
"""


def test_an_optimizer_that_never_ends_ends_with_its_budget(
    install: Callable[[str, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    install("greedy", GREEDY)

    result = World("greedy", budget=20).run()

    assert result.stop_reason.startswith("The budget is used")
    assert len(result.candidates) == 2
    assert result.candidates[1].val_mean == pytest.approx(1 / 3)
    assert capsys.readouterr().out == ""


VARIOUS = """
from gepa_ci.optimizers.plugins import Case, Outcome, Task

def optimize(task, options):
    assert isinstance(task, Task) and task.seed == 7 and options == {"a": 1}
    assert task.budget_left == 400 - 6 - 6
    case = task.train[0]
    assert (case.id, dict(case.inputs)) == ("t0", {"text": "letter t0 about 0"})
    assert case.expected == "kind 0"
    refused = task.evaluate({"system": "Tell {{x}}."}, [case])[0]
    assert refused.refused and refused.score == 0.0 and "{{x}}" in refused.feedback
    good = task.evaluate({"system": "Rule 0."}, [case])[0]
    assert (good.output, good.score, good.feedback) == ("kind 0", 1.0, "expected kind 0")
    assert task.budget_left == 400 - 6 - 6 - 1
    task.evaluate({"system": "Rule 0."}, task.val)
    assert task.reflect("Hm?") == task.reflect("Hm?") == "Well."
    assert any("placeholders" in rule for rule in task.rules("system"))
    return [{"system": "Tell {{y}}."}, {"system": "Rule 0. Rule 1."}]
"""


def test_an_optimizer_is_given_what_is_documented(install: Callable[[str, str], None]) -> None:
    install("various", VARIOUS)
    world = World("various", options={"a": 1}, policy={"seed": 7}, reflection=lambda call: "Well.")

    result = world.run()

    assert [c.texts["system"] for c in result.candidates] == [
        "Name the kind.",
        "Rule 0.",
        "Rule 0. Rule 1.",
    ]
    assert len(result.rejections) == 2
    assert [call.trial for call in world.asked(Purpose.REFLECTION)] == [0, 1]


BROKEN = {
    "raises": ("def optimize(task, options): raise KeyError('gone')", "failed: KeyError: 'gone'"),
    "number": ("def optimize(task, options): return [3]", "returned no texts"),
    "names": ("def optimize(task, options): return {1: 'x'}", "returned no texts"),
    "component": ("def optimize(task, options): return {'user': 'x'}", "for 'user', which is no"),
    "import": ("import no_such_module", "failed: ModuleNotFoundError"),
    "asks": ("def optimize(task, options): task.reflect('?')", "asks a reflection LM"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_an_optimizer_that_fails_is_named(case: str, install: Callable[[str, str], None]) -> None:
    code, message = BROKEN[case]
    install(case, code)

    with pytest.raises(UsageError, match=re.escape(message)) as failed:
        World(case, reflection=None).run()

    assert f"'{case}'" in str(failed.value)


def test_an_optimizer_that_returns_nothing_changes_nothing(
    install: Callable[[str, str], None],
) -> None:
    install("idle", "def optimize(task, options): return None")

    result = World("idle").run()

    assert not result.changed
    assert result.stop_reason == "The optimizer 'idle' has come to its end."


def test_an_optimizer_cannot_swallow_a_failed_call(install: Callable[[str, str], None]) -> None:
    install(
        "deaf",
        """
def optimize(task, options):
    try:
        task.evaluate({"system": "Rule 1."}, task.train)
    except Exception:
        return {}
""",
    )

    def fails_later(call: Call) -> str:
        if "Rule 1." in call.messages[0].content:
            raise Transient("503")
        return "no idea"

    with pytest.raises(InfraError):
        World("deaf", task=fails_later).run()


def test_a_plug_in_is_found_by_the_policy_only(install: Callable[[str, str], None]) -> None:
    install("copro", "raise AssertionError('never imported')")

    assert World("copro", options={"breadth": 2, "depth": 1}).run().optimizer == "copro"
    assert OptimizePolicy(optimizer="copro").options == {}


def test_options_of_a_plug_in_are_checked_by_it(example: str) -> None:
    ground = Ground(
        prompts=prompt(), program=ProgramKind.CHAT, train=12, val=6, path="gepa-ci.yml", line=7
    )
    policy = OptimizePolicy(optimizer=example, options={"stepz": 1})

    (problem,) = check(policy, ground)

    assert str(problem) == "gepa-ci.yml:7: 'text_gradient' has no option 'stepz'"
    assert check(replace(policy, options={}), ground) == []


def test_what_is_returned_is_run_on_val_as_far_as_the_budget_goes(
    install: Callable[[str, str], None],
) -> None:
    install("many", "def optimize(task, o): return [{'system': f'Rule {n}.'} for n in range(3)]")

    result = World("many", budget=20).run()

    assert [c.texts["system"] for c in result.candidates] == [
        "Name the kind.",
        "Rule 0.",
        "Rule 1.",
    ]
