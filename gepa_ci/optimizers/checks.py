"""Owns what must hold before an optimizer's first call, beyond a config that can be read."""

from __future__ import annotations

import difflib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.core.config import AUTO, ProgramKind
from gepa_ci.core.prompt import ComponentKind
from gepa_ci.errors import Problem
from gepa_ci.optimizers import plugins, registry
from gepa_ci.optimizers.budget import plan_budget
from gepa_ci.optimizers.chain import steps_of
from gepa_ci.optimizers.dspy_gepa import IMPORTED
from gepa_ci.optimizers.miprov2 import MINIBATCH, uses_minibatches
from gepa_ci.optimizers.simba import Cost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gepa_ci.core.config import OptimizePolicy
    from gepa_ci.core.prompt import Prompts

CHAIN = "better_together"
_CAN_HOLD = (
    "examples can stand in the one .prompt.yml file or front matter of a `chat` program, and in "
    "the JSON of a DSPy program"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What an optimizer would work on."""

    prompts: Prompts
    program: ProgramKind
    train: int
    """Train examples."""
    val: int
    """Val examples."""
    path: str
    """The config, for problems."""
    line: int | None = None


def check(policy: OptimizePolicy, ground: Ground) -> list[Problem]:
    """Return what keeps a policy's optimizer from working; nothing is called for it."""
    return [
        Problem(message=message, path=ground.path, line=ground.line, hint=hint)
        for message, hint in _wrong(policy, ground)
    ]


def _wrong(policy: OptimizePolicy, ground: Ground) -> Iterator[tuple[str, str]]:
    name = policy.optimizer
    if name == AUTO:
        return
    if name == CHAIN:
        yield from _chain(policy, ground)
        return
    entry = registry.BUILT_IN.get(name)
    if entry is None:
        yield from _plugin(policy)
        return
    if entry.package and importlib.util.find_spec(entry.package) is None:
        message = f"the optimizer '{name}' needs {entry.package}, which is not installed"
        yield message, f'install it with `pip install "gepa-ci[{entry.extra}]"`'
    yield from _components(policy, ground)
    if name == "simba":
        yield from _simba(policy, ground)
    elif name == "miprov2":
        yield from _miprov2(policy, ground)
    elif name == "dspy_gepa":
        yield from _dspy_gepa(policy)


def _plugin(policy: OptimizePolicy) -> Iterator[tuple[str, str]]:
    name = policy.optimizer
    if name not in plugins.installed():
        yield _unknown(name)
        return
    for message in plugins.option_problems(name, policy.options):
        yield message, f"see what '{name}' says of its options"


def _unknown(name: str) -> tuple[str, str]:
    known = [*registry.BUILT_IN, *plugins.installed()]
    near = difflib.get_close_matches(name, known, n=1)
    start = f"did you mean '{near[0]}'? " if near else ""
    return f"unknown optimizer '{name}'", f"{start}optimizers: {', '.join(known)}"


def _chain(policy: OptimizePolicy, ground: Ground) -> Iterator[tuple[str, str]]:
    steps = steps_of(policy)
    if not steps:
        yield f"'{CHAIN}' has no strategy", "add `options: {strategy: a -> b}`"
    for step in steps:
        if step.optimizer in (AUTO, CHAIN):
            message = f"'{step.optimizer}' cannot be a step of a strategy"
            yield message, "name the optimizers themselves"
        else:
            yield from _wrong(step, ground)
    names = [step.optimizer for step in steps]
    for name in policy.options:
        if name != "strategy" and name not in names:
            yield f"'{name}' has options but is no step of the strategy", "remove them"


def _components(policy: OptimizePolicy, ground: Ground) -> Iterator[tuple[str, str]]:
    prompts, kinds = ground.prompts, registry.changes(policy)
    if policy.optimizer == "gepa":
        return
    own = registry.components(policy, prompts)
    found = {prompts.component(name).kind for name in own}
    path = prompts.files[0].path
    if kinds & registry.DEMOS and not _holds_demos(ground, found):
        what = f"the optimizer '{policy.optimizer}' puts examples into the prompt"
        yield f"{what}, and '{path}' cannot hold any of this task's", _CAN_HOLD
    if ComponentKind.TEXT in kinds and ComponentKind.TEXT not in found:
        known = ", ".join(c.name for c in prompts.components)
        message = f"'{path}' has no text that '{policy.optimizer}' may change"
        yield message, f"name some in `components`; there are: {known}"


def _holds_demos(ground: Ground, kinds: set[ComponentKind]) -> bool:
    if ComponentKind.RECORDS in kinds:
        return True
    return ComponentKind.DEMOS in kinds and ground.program is ProgramKind.CHAT


def _simba(policy: OptimizePolicy, ground: Ground) -> Iterator[tuple[str, str]]:
    cost = Cost(policy.options, ground.train, ground.val)
    if cost.batch > ground.train:
        yield (
            f"a step of 'simba' takes {cost.batch} train examples, and there are {ground.train}",
            f"add `options: {{bsize: {ground.train}}}` or less, or train examples",
        )
        return
    calls = plan_budget(policy, train=ground.train, val=ground.val, components=1).metric_calls
    if cost.steps(calls) < 1:
        need = cost.ends + cost.step
        message = f"the budget of {calls} metric calls has no room for a step of 'simba'"
        hint = f"give {need} `max_metric_calls`, or less bsize and num_candidates in `options`"
        yield message, hint


def _miprov2(policy: OptimizePolicy, ground: Ground) -> Iterator[tuple[str, str]]:
    options = policy.options
    if ("num_trials" in options) != ("num_candidates" in options):
        one = "num_trials" if "num_trials" in options else "num_candidates"
        message = f"'miprov2' has '{one}' without its counterpart"
        yield message, "give both num_trials and num_candidates, or neither"
    size = options.get("minibatch_size", MINIBATCH)
    if uses_minibatches(options, ground.val) and isinstance(size, int) and size > ground.val:
        message = f"a minibatch of {size} is larger than val, which has {ground.val} examples"
        yield message, f"give `minibatch_size: {ground.val}` or less, or `minibatch: false`"


def _dspy_gepa(policy: OptimizePolicy) -> Iterator[tuple[str, str]]:
    options = policy.options
    for switch, library in (("use_wandb", "wandb"), ("use_mlflow", "mlflow")):
        if options.get(switch) and importlib.util.find_spec(library) is None:
            message = f"'{switch}' needs {library}, which is not installed"
            yield message, f"install it with `pip install {library}`"
    for option in IMPORTED:
        value = options.get(option)
        if isinstance(value, str) and ":" in value:
            module = value.partition(":")[0]
            if importlib.util.find_spec(module.partition(".")[0]) is None:
                message = f"'{option}' names the package '{module}', which is not installed"
                yield message, "install it where gepa-ci runs"
