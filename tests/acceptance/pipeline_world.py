"""A task of three prompts and one program; each prompt may lack a rule of its own."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

from world import examples, fenced, is_reflection, models, write_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from provider import FakeProvider, Request

TEXTS = {
    "rewrite": "Rewrite the letter as a query: {{letter}}",
    "retrieve": "Find the fact for the query: {{query}}",
    "answer": "Answer with the code by the fact: {{fact}}",
}
PATHS = tuple(f"prompts/{name}.md" for name in TEXTS)
_RULES = {name: f"rule-{topic}" for topic, name in enumerate(TEXTS)}
"""The rule that each prompt lacks; the letters of its topic are lost without it."""
_FIRST_WORDS = {text.split()[0]: name for name, text in TEXTS.items()}
_TOPIC = re.compile(r"topic-(\d)")
_CURRENT = re.compile(r"<current_text>\n(.*?)\n</current_text>", re.DOTALL)

PYTHON = """\
def answer(prompts, inputs, lm):
    query = lm(prompts.rewrite, {"letter": inputs["input"]})
    fact = lm(prompts.retrieve, {"query": query})
    return lm(prompts.answer, {"fact": fact})
"""
COMMAND = """\
import json, sys
def ask(id, prompt, **inputs):
    print(json.dumps({"id": id, "call": {"prompt": prompt, "inputs": inputs}}), flush=True)
    return json.loads(sys.stdin.readline())["reply"].get("text")
for line in sys.stdin:
    given = json.loads(line)
    query = ask(given["id"], "rewrite", letter=given["inputs"]["input"])
    fact = ask(given["id"], "retrieve", query=query)
    output = ask(given["id"], "answer", fact=fact)
    print(json.dumps({"id": given["id"], "output": output}), flush=True)
"""
PROGRAMS: dict[str, tuple[str, Any]] = {
    "python": (PYTHON, "programs/pipeline.py:answer"),
    "command": (COMMAND, [sys.executable, "programs/pipeline.py"]),
}
"""Source of programs/pipeline.py, and the config's `program`."""


def source(name: str, *, rule: bool = False) -> str:
    """Return a prompt file, with its rule or without."""
    return f"---\nrole: user\n---\n{TEXTS[name]}{f' Obey {_RULES[name]}.' if rule else ''}\n"


def pipeline(
    root: Path,
    provider: FakeProvider,
    kind: str = "python",
    *,
    rules: bool = False,
    code: str | None = None,
    task: Mapping[str, Any] | None = None,
    model: Mapping[str, Any] | None = None,
    held_out: int = 12,
    **keys: Any,
) -> Path:
    """Write a repository with the pipeline as a program of a kind, and return its root."""
    usual, program = PROGRAMS[kind]
    files = {
        "programs/pipeline.py": usual if code is None else code,
        **{f"prompts/{name}.md": source(name, rule=rules) for name in TEXTS},
    }
    sizes = {"train": 8, "val": 8, "held_out": held_out}
    for part, count in sizes.items():
        files[f"{part}.jsonl"] = "".join(json.dumps(row) + "\n" for row in examples(part, count))
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    the_task = {
        "prompts": list(PATHS),
        "suite": {part: f"{part}.jsonl" for part in sizes},
        "metric": "exact_match",
        "program": program,
        "gate": {"sequential": False},
        "optimize": {"max_metric_calls": 150, "proposals": 2},
        **(task or {}),
    }
    write_config(
        root, models=models(provider, **(model or {})), tasks={"parcels": the_task}, **keys
    )
    return root


def answer(request: Request) -> str:
    """Pass a letter's topic on where the prompt's rule allows it; reflection finds that rule."""
    if not is_reflection(request):
        return _passed_on(request.text)
    current = _CURRENT.search(request.text)
    if current is None:
        return "ready"
    rule = _RULES[_FIRST_WORDS[current[1].split()[0]]]
    return fenced(f"{current[1]} Obey {rule}.")


def _passed_on(text: str) -> str:
    name = _FIRST_WORDS[text.partition(" ")[0]]
    (topic,) = _TOPIC.findall(text) or ["lost"]
    if topic == _RULES[name][-1] and _RULES[name] not in text:
        topic = "lost"
    if name == "answer":
        return "unknown" if topic == "lost" else f"code-{topic}"
    # Other letters make other queries, so that calls can be told from each other.
    letter = text.split(": ", 1)[1].partition(" topic-")[0]
    return f"{letter}" if topic == "lost" else f"{letter} topic-{topic}"


def rules_of(root: Path) -> list[str]:
    """Return the prompts that state their rule."""
    return [n for n in TEXTS if _RULES[n] in (root / f"prompts/{n}.md").read_text()]
