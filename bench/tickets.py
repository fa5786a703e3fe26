"""The benchmark's suite: support tickets, each with the word that the mock server answers with."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("billing", "shipping", "returns", "account", "hardware", "outage", "praise")
INSTRUCTION = "Sort the support ticket into one category. Answer with the category's name only."
_WORD_LIST = """
after again anything arrived before broken button cable cannot card charged checkout code colour
courier customer damaged delivered device different email empty error every expected finally friday
garden handle invoice kitchen kettle ladder later letter lights loose manual missing monday morning
neighbour never nobody number ordered package paid parcel password payment phone printer quickly
reply screen shop signal someone speaker still strange sunday support table ticket tomorrow twice
upstairs warranty website weeks window wrong yesterday
"""
_WORDS = tuple(_WORD_LIST.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """One example."""

    id: str
    text: str
    label: str


def write_tickets(count: int, seed: int) -> list[Ticket]:
    """Draw tickets of 16 to 28 words; two of them are never near-duplicates."""
    rng = random.Random(seed)
    tickets = []
    for number in range(count):
        words = rng.choices(_WORDS, k=rng.randint(16, 28))
        label = rng.choice(LABELS)
        text = f"Hello, {' '.join(words)}. Reference label:{label}"
        tickets.append(Ticket(id=f"t{number:04}", text=text, label=label))
    return tickets


def write_project(folder: Path, url: str, *, examples: int, concurrency: int) -> Path:
    """Write a repository for gepa-ci and return the path of its config."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"train": (6, 1), "val": (6, 2), "held_out": (examples, 3)}
    for part, (count, seed) in parts.items():
        write_examples(folder / f"{part}.jsonl", write_tickets(count, seed), prefix=part)
    (folder / "tickets.prompt.yml").write_text(
        f"messages:\n  - role: system\n    content: {INSTRUCTION}\n"
        '  - role: user\n    content: "{{ticket}}"\n',
        encoding="utf-8",
    )
    config = folder / "gepa-ci.yml"
    config.write_text(
        "version: 1\n"
        "models:\n"
        f"  task: {{model: openai/mock, api_base: '{url}', temperature: 0, max_tokens: 50}}\n"
        f"concurrency: {concurrency}\n"
        "tasks:\n"
        "  tickets:\n"
        "    prompts: [tickets.prompt.yml]\n"
        "    suite: {train: train.jsonl, val: val.jsonl, held_out: held_out.jsonl}\n"
        "    metric: exact_match\n",
        encoding="utf-8",
    )
    return config


def write_examples(path: Path, tickets: list[Ticket], *, prefix: str) -> None:
    """Write a part of the suite as JSONL."""
    lines = (
        json.dumps({"id": f"{prefix}-{t.id}", "inputs": {"ticket": t.text}, "expected": t.label})
        for t in tickets
    )
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
