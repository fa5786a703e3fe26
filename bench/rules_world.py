"""Hidden rules: a task LM that knows none, and a reflection LM that finds one or two at a time.

    python bench/rules_world.py LATENCY_SECONDS

serves all worlds until it is killed and prints its address on the first line. Every example is of
one of 16 kinds, some three times as common as others, and every kind has one right answer. The task
LM gives it only if the prompt states that kind's rule; of several statements that apply the last
wins. The reflection LM reads the failures it is shown and states the rules of at most two of
them, whichever it happens to see; in a quarter of its answers it has learned nothing and adds a
useless sentence. It reads our reflection prompt as well as DSPy's. Asked the same thing again, it
may answer something else.

Attainable are the examples whose kind occurs in train: nobody can learn anything else. What a
prompt scores is worked out from what it states, in the same way for every optimizer.

The worlds differ in one thing each:

- `plain`: as above.
- `noisy`: the task LM is right with 0.9 where it should be, and with 0.1 where it should not.
- `conflict`: a quarter of the rules are stated as one for everything, which spoils every rule that
  stands before it.
- `padded`: the reflection LM rewords the opening sentence every time, and writes two useless
  sentences after each rule.
"""

from __future__ import annotations

import json
import random
import re
import sys
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from provider import FakeProvider, Request, slow, text_of  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = ("plain", "noisy", "conflict", "padded")
RULES, TRAIN, VAL, HELD_OUT = 16, 50, 50, 100
PER_REFLECTION, USELESS, OVERREACH = 2, 0.25, 0.25
RIGHT, LUCKY = 0.9, 0.1
ENOUGH = 0.95
"""Share of the attainable score that counts as reached."""
OPENING = "Answer the question."
REPORT = "report"
_OPENINGS = (OPENING, "Please answer the question.", "Answer what is asked.", "Reply to the input.")
_STATED = re.compile(r"(?:If it says kind-(\d+)|Whatever it says), the answer is answer-(\d+)\.")
_EXAMPLE = re.compile(r"example-(\d+)\b")
_SHOWN = re.compile(r"kind-(\d+)\b.*?(?:Correct:|Expected exactly \W{1,4}answer-(\d+))", re.DOTALL)
_OURS = re.compile(
    r"<current_text>\n(.*?)\n</current_text>.*<examples>\n(.*)\n</examples>", re.DOTALL
)
_DSPYS = re.compile(
    r"\[\[ ## current_instruction ## \]\]\n(.*?)\n\n\[\[ ## examples_with_feedback ## \]\]\n(.*)",
    re.DOTALL,
)
_WORDS = ("amber", "basket", "canyon", "desert", "engine", "forest", "garden", "harbor", "island")

Statement = tuple[int | None, int]
"""A kind, or None for all kinds, and the number of the answer that is stated for it."""


@dataclass(frozen=True)
class World:
    """One draw of a world's rules and examples."""

    kind: str
    seed: int

    @cached_property
    def answers(self) -> list[int]:
        """Return the number of each kind's right answer."""
        return random.Random(f"answers {self.seed}").sample(range(100, 1000), RULES)

    @cached_property
    def kinds(self) -> list[int]:
        """Return the kind of each example: train, then val, then held-out."""
        weights = [1 / (1 + 2 * rule / (RULES - 1)) for rule in range(RULES)]
        rng = random.Random(f"kinds {self.seed}")
        return rng.choices(range(RULES), weights, k=TRAIN + VAL + HELD_OUT)

    def rows(self) -> list[dict[str, object]]:
        """Return the suite's lines."""
        rng = random.Random(f"inputs {self.seed}")
        rows: list[dict[str, object]] = []
        for number, kind in enumerate(self.kinds):
            words = " ".join(rng.choice(_WORDS) for _ in range(3))
            rows.append(
                {
                    "id": f"e{number}",
                    "inputs": {"input": f"example-{number} {words} {rng.random()} kind-{kind}"},
                    "expected": f"answer-{self.answers[kind]}",
                    "part": part_of(number),
                }
            )
        return rows

    def score(self, stated: Sequence[Statement], part: str) -> float:
        """Return the score on a part that a prompt with these statements has in the long run."""
        rights = [self._is_right(stated, n) for n in self._numbers(part)]
        return self._expected(rights)

    def attainable(self, part: str) -> float:
        """Return the score of a prompt that states every rule that train can teach."""
        known = {self.kinds[number] for number in self._numbers("train")}
        return self._expected([self.kinds[number] in known for number in self._numbers(part)])

    def answer(self, stated: Sequence[Statement], number: int, luck: float) -> str:
        """Answer as the task LM; `luck` is from 0 to 1."""
        right = self._is_right(stated, number)
        if self.kind == "noisy":
            right = luck < (RIGHT if right else LUCKY)
        return f"answer-{self.answers[self.kinds[number]]}" if right else "no idea"

    def _is_right(self, stated: Sequence[Statement], number: int) -> bool:
        kind = self.kinds[number]
        said = [answer for about, answer in stated if about in (kind, None)]
        return bool(said) and said[-1] == self.answers[kind]

    def _expected(self, rights: Sequence[bool]) -> float:
        share = sum(rights) / len(rights)
        return LUCKY + (RIGHT - LUCKY) * share if self.kind == "noisy" else share

    def _numbers(self, part: str) -> list[int]:
        return [number for number in range(len(self.kinds)) if part_of(number) == part]


def part_of(number: int) -> str:
    """Return the part that an example is in."""
    return "train" if number < TRAIN else "val" if number < TRAIN + VAL else "held_out"


@cache
def world(kind: str, seed: int) -> World:
    """Return the world of a kind and a seed."""
    return World(kind, seed)


def statements(text: str) -> tuple[Statement, ...]:
    """Return what a prompt states, in its order."""
    return tuple((int(k) if k else None, int(answer)) for k, answer in _STATED.findall(text))


def reflect(current: str, examples: str, kind: str, rng: random.Random) -> str:
    """Rewrite a prompt: add the rules of at most two failures, or a useless sentence."""
    before = statements(current)
    failed = {(int(k), int(answer)) for k, answer in _SHOWN.findall(examples) if answer}
    found = sorted(failed - set(before) if kind != "conflict" else failed)
    text = current.rstrip()
    if kind == "padded":
        opening = next(o for o in _OPENINGS if text.startswith(o))
        text = rng.choice(_OPENINGS) + text.removeprefix(opening)
    if not found or rng.random() < USELESS:
        return f"{text} Take care of point {rng.randrange(10**6)}."
    for about, answer in rng.sample(found, min(PER_REFLECTION, len(found))):
        if kind == "conflict" and rng.random() < OVERREACH:
            text += f" Whatever it says, the answer is answer-{answer}."
        else:
            text += f" If it says kind-{about}, the answer is answer-{answer}."
        if kind == "padded":
            text += "".join(f" Mind matter {rng.randrange(10**6)} as well." for _ in range(2))
    return text


@dataclass(slots=True)
class Answers:
    """What the provider says, and what each run has asked; a model is `RUN/KIND/SEED/ROLE`."""

    calls: dict[str, list[tuple[tuple[Statement, ...], int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """Statements of the prompt and the number of the example, in order of arrival, by run."""
    reflections: Counter[str] = field(default_factory=Counter)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request) -> str:
        """Answer a request of any run."""
        if request.model.endswith(REPORT):
            return json.dumps(self.report(request.model.removesuffix(f"/{REPORT}")))
        run, kind, seed, role = request.model.rsplit("/", 3)
        label = f"{run}/{kind}/{seed}"
        if role == "reflection":
            return self._reflection(request, label, kind)
        prompt = "\n".join(text_of(message) for message in request.messages)
        stated, number = statements(prompt), int(_EXAMPLE.findall(prompt)[-1])
        with self.lock:
            self.calls[label].append((stated, number))
        luck = random.Random(f"{seed} {number} {prompt}").random()
        said = world(kind, int(seed)).answer(stated, number, luck)
        if "[[ ## completed ## ]]" in prompt:
            return f"[[ ## answer ## ]]\n{said}\n\n[[ ## completed ## ]]"
        return said

    def _reflection(self, request: Request, label: str, kind: str) -> str:
        # DSPy's first message explains the form, with the same marks around the fields.
        asked = text_of(request.messages[-1])
        ours, dspys = _OURS.search(asked), _DSPYS.search(asked)
        found = ours or dspys
        if found is None:
            return "ready"
        with self.lock:
            self.reflections[label] += 1
            self.asked[label, found[0]] += 1
            time = self.asked[label, found[0]]
        new = reflect(found[1], found[2], kind, random.Random(f"{label[-1]} {time} {found[0]}"))
        if dspys is not None:
            return json.dumps({"new_instruction": new})
        return f"# Diagnosis\nA rule is missing.\n```text\n{new}\n```"

    def report(self, label: str) -> dict[str, int | None]:
        """Count a run's metric calls, and those up to the first prompt that has reached enough."""
        _, kind, seed = label.rsplit("/", 2)
        here = world(kind, int(seed))
        enough = ENOUGH * here.attainable("val")
        seen: dict[tuple[Statement, ...], set[int]] = defaultdict(set)
        calls, reached = 0, None
        for stated, number in self.calls[label]:
            part = part_of(number)
            calls += part != "held_out"
            if part == "val" and reached is None:
                seen[stated].add(number)
                if len(seen[stated]) == VAL and here.score(stated, "val") >= enough - 1e-9:
                    reached = calls
        return {"calls": calls, "reached": reached, "reflections": self.reflections[label]}


def main() -> None:
    """Serve until killed."""
    latency = slow(float(sys.argv[1]))
    late = [(lambda request: not request.model.endswith(REPORT), latency)]
    with FakeProvider(answer=Answers(), faults=late) as provider:
        print(provider.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
