"""A small world with hidden rules for any optimizer: scripted models behind the real client.

The task LM is right about a letter's kind only when a message states the kind's rule, or when an
earlier turn shows it. The reflection LM answers DSPy's and our own requests: it states the rules of
the kinds that it is shown, and where it is shown none, one rule after the other.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fakes import SPEC, ScriptedEngines, ScriptedMetric, client, examples, is_expected, prompt

from gepa_ci.core.call import Purpose
from gepa_ci.core.config import ModelSpec, OptimizePolicy, Prune, SpendCaps
from gepa_ci.core.prompt import ComponentKind
from gepa_ci.core.suite import TuningSet
from gepa_ci.evaluate import Evaluator
from gepa_ci.formats import read_prompt
from gepa_ci.optimizers import optimize, plan_budget
from gepa_ci.optimizers.admission import admission
from gepa_ci.optimizers.journal import Journal
from gepa_ci.optimizers.proposers import ReflectionProposer, example_turns
from gepa_ci.optimizers.search import Search
from gepa_ci.programs import ChatProgram

if TYPE_CHECKING:
    from collections.abc import Callable

    from gepa_ci.core.call import Call
    from gepa_ci.core.optimization import Optimization
    from gepa_ci.core.prompt import Prompt
    from gepa_ci.core.score import Score
    from gepa_ci.core.suite import Example

REFLECTION = ModelSpec(model="test/reflection", api_base="http://localhost:1", retries=0)
TEMPLATE = read_prompt(
    "reflection.md", (Path(__file__).parents[1] / "prompts" / "reflection.md").read_bytes()
)
KINDS = 3
_ASKED = re.compile(r"\[\[ ## (\w+) ## \]\]")
_TOLD = re.compile(r"kind (\d)")


def answers_by_rule(call: Call) -> str:
    """Be right about a kind only when a message or a turn says what to do about it."""
    *before, question = call.messages
    kind = question.content[-1]
    told = any(f"Rule {kind}." in message.content for message in call.messages)
    shown = any(message.content == f"kind {kind}" for message in before)
    return f"kind {kind}" if told or shown else "no idea"


def states_rules(call: Call) -> str:
    """Answer a request for instructions, in whatever form it asks for them."""
    text = "\n".join(message.content for message in call.messages)
    if "<current_text>" in text:
        found = re.search(r"<current_text>\n(.*)\n</current_text>", text, re.DOTALL)
        assert found is not None
        return f"```text\n{_rules(text, call)} {found[1]}\n```"
    if "drop-in" in text:
        return f"```\n{_rules(text, call)} Name the kind.\n```"
    rules = f"{_rules(call.messages[-1].content, call)} Name the kind."
    if "JSON object" in call.messages[-1].content:
        return json.dumps({"new_instruction": rules})
    names = _ASKED.findall(text.rpartition("Respond with")[2]) or ["answer"]
    values = {name: rules for name in names if name != "completed"}
    if "module_advice" in values:
        values["module_advice"] = json.dumps({"system": rules, "discussion": "none"})
    told = "".join(f"[[ ## {name} ## ]]\n{value}\n\n" for name, value in values.items())
    return f"{told}[[ ## completed ## ]]"


def _rules(text: str, call: Call) -> str:
    known = re.findall(r"Rule (\d)\.", text)
    shown = list(dict.fromkeys(kind for kind in _TOLD.findall(text) if kind not in known))
    new = shown[call.trial % len(shown)] if shown else str(call.trial % KINDS)
    return " ".join(f"Rule {kind}." for kind in dict.fromkeys([*known, new]))


def wavers(call: Call) -> str:
    """Be right by rule, and by luck in one of three runs."""
    kind = call.messages[-1].content[-1]
    lucky = call.trial > 0 and (call.trial + int(kind)) % KINDS == 0
    return f"kind {kind}" if lucky else answers_by_rule(call)


@dataclass
class World:
    """Models, examples and settings; `run` searches in it."""

    optimizer: str
    options: dict[str, object] = field(default_factory=dict)
    budget: int = 400
    task: Callable[[Call], str] = answers_by_rule
    reflection: Callable[[Call], str] | None = states_rules
    score: Callable[[Example, str], Score] = is_expected
    prompt: Prompt = field(default_factory=prompt)
    components: tuple[str, ...] = ("system",)
    train: int = 12
    val: int = 6
    workers: int = 4
    retries: int = 0
    caps: SpendCaps | None = None
    journal: Path | None = None
    policy: dict[str, object] = field(default_factory=dict)

    def search(self) -> Search:
        """Return the search, with fresh models."""
        policy = replace(
            OptimizePolicy(auto=None, max_metric_calls=self.budget, prune=Prune.OFF),
            optimizer=self.optimizer,
            options=self.options,  # type: ignore[arg-type]
            **self.policy,  # type: ignore[arg-type]
        )
        tuning = TuningSet(
            train=examples(self.train, name="t", kinds=KINDS),
            val=examples(self.val, name="v", kinds=KINDS),
        )
        self.engines = ScriptedEngines(self._answer)
        lm = client(self.engines, caps=self.caps, in_flight=self.workers)
        self.book = journal = Journal(self.journal)
        turns = example_turns(self.prompt, tuning.train, lambda e, text: text == e.expected)
        checks = admission(self.prompt, tuning, turns=turns.values())

        def ask(call: Call) -> str:
            known = journal.text(call.digest)
            if known is None:
                known = lm.complete(call).text
                journal.add_text(call.digest, known)
            return known

        return Search(
            prompt=self.prompt,
            tuning=tuning,
            policy=policy,
            budget=plan_budget(policy, train=self.train, val=self.val, components=1),
            evaluator=Evaluator(
                program=ChatProgram(client=lm, model=replace(SPEC, retries=self.retries)),
                metric=ScriptedMetric(self.score),
                concurrency=self.workers,
            ),
            proposer=ReflectionProposer(
                template=TEMPLATE, spec=REFLECTION, ask=ask, rules=checks.rules
            ),
            reflection=None if self.reflection is None else REFLECTION,
            ask=ask,
            admission=checks,
            journal=journal,
            components=self.components,
            spent=lambda: lm.meter.total,
        )

    def run(self) -> Optimization:
        """Search to the end."""
        search = self.search()
        try:
            return optimize(search)
        finally:
            self.book.close()

    def asked(self, purpose: Purpose) -> list[Call]:
        """Return the calls of one purpose."""
        return [call for call in self.engines.calls if call.purpose is purpose]

    def _answer(self, call: Call) -> str:
        if call.purpose is Purpose.TASK:
            return self.task(call)
        assert self.reflection is not None
        return self.reflection(call)


def demos_of(found: Optimization) -> list[str]:
    """Return the answers among the turns of a result."""
    texts = [c.text for c in found.candidate.components if c.kind is ComponentKind.DEMOS]
    return [turn["content"] for turn in json.loads(texts[0])[1::2]]
