from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from provider import FakeProvider, Request
from texts import NASTY_TEXTS, as_template
from world import (
    command,
    commit,
    examples,
    fenced,
    is_reflection,
    job,
    models,
    requests,
    solve,
    spend_of,
    write_config,
)

from gepa_ci.errors import PromptError
from gepa_ci.formats import read_prompt, write_texts

if TYPE_CHECKING:
    from pathlib import Path

    from gepa_ci.core.prompt import Prompt

FILES = {
    "prompt_yml": (
        "a.prompt.yml",
        (
            b"# why\nmessages:\n- role: system\n  content: |\n    hello\n    there\n"
            b"# the question\n- {role: user, content: '{{input}}'}\nown: [1, 2]\n"
        ),
    ),
    "markdown with front matter": ("a.md", b"---\n# why\nrole: system\n---\nhello"),
    "markdown": ("a.md", b"hello"),
    "text": ("a.txt", b"hello"),
    "jinja": ("a.j2", b"---\nrole: system\n---\nhello"),
}
# Admitted by the optimizer: no invisible characters, and something to read.
PROPOSED = [
    "tabs\tand trailing blanks  \n\tand more\t\nend ",
    "windows\r\nline\r\nends",
    "braces { } {x} }} ${HOME} %s and <b>&amp;</b>",
    '{"json": [1, 2, {"a": null}], "text": "a\\nb"}',
    "größe, naïve, 日本語 and 🎉",
    "key: value # no comment\n- item\n? question\n: answer",
    "---\nfront: matter?\n---\nbody",
    "# a heading\n\n\n\n    indented 'single' \"double\" `back` \\ slash",
    " leading and trailing ",
    "%YAML 1.2\n---\n& * ! | > @",
]

Messages = list[dict[str, str]]


def nasty_prompts(kind: str) -> dict[str, tuple[str, Prompt]]:
    """Return by task name a text and the prompt file that says it."""
    base = read_prompt(*FILES[kind])
    found = {}
    for number, text in enumerate(NASTY_TEXTS):
        try:
            prompt = write_texts(base, {"system": as_template(base.format, text)})
        except PromptError:
            continue  # a format says what it cannot hold, for instance an empty body
        found[f"t{number}"] = (text, prompt)
    assert len(found) >= 50
    return found


def write_prompts(root: Path, prompts: dict[str, Prompt]) -> None:
    for task, prompt in prompts.items():
        folder = root / task
        folder.mkdir(parents=True, exist_ok=True)
        (folder / prompt.path).write_bytes(prompt.source)


def write_world(
    root: Path, provider: FakeProvider, names: list[str], kind: str, **task: Any
) -> None:
    """Write one task a prompt, each with a letter of its own so that it is known on the wire."""
    path = FILES[kind][0]
    for number, name in enumerate(names):
        letter = {
            "id": "e",
            "inputs": {"input": f"{name}: {NASTY_TEXTS[-number]} topic-1"},
            "expected": "code-1",
            "part": "held_out",
        }
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "suite.jsonl").write_text(json.dumps(letter) + "\n", encoding="utf-8")
    tasks = {
        name: {
            "prompts": [f"{name}/{path}"],
            "suite": f"{name}/suite.jsonl",
            "metric": "exact_match",
            **task,
        }
        for name in names
    }
    write_config(root, models=models(provider), tasks=tasks, concurrency=4)


def rendered(root: Path, task: str, *arguments: str) -> Messages:
    shown = command(root, "render", task, *arguments, "--format", "json")
    assert shown.code == 0, shown.said
    messages: Messages = json.loads(shown.out)["request"]["messages"]
    return messages


def on_the_wire(request: Request) -> Messages:
    """Read the messages from the bytes that arrived, and nothing but role and content."""
    messages: Messages = json.loads(request.raw)["messages"]
    assert all(set(message) == {"role", "content"} for message in messages)
    return messages


@pytest.mark.parametrize("kind", FILES)
def test_evaluate_and_gate_send_what_render_shows(kind: str, tmp_path: Path) -> None:
    found = nasty_prompts(kind)
    names = list(found)
    heads = {name: prompt for name, (_, prompt) in found.items()}
    # The base of each task says what the head of its neighbour says.
    bases = {name: heads[names[at - 1]] for at, name in enumerate(names)}
    root = tmp_path / "repository"
    with FakeProvider(solve) as provider:
        write_world(root, provider, names, kind, gate={"trials": 1})
        (root / ".gitattributes").write_text("* -text\n")
        write_prompts(root, bases)
        commit(root)
        expected_bases = {name: rendered(root, name) for name in names}
        write_prompts(root, heads)
        expected = {name: rendered(root, name) for name in names}
        evaluated = job(root, "evaluate")
        after_evaluate = provider.calls
        gated = job(root, "gate", "--base", "HEAD")

    assert evaluated.code == 0, evaluated.said
    assert gated.code == 0, gated.said
    sent = [on_the_wire(request) for request in provider.requests]
    assert sent[:after_evaluate] == [expected[name] for name in names]
    # The heads are in the cache now, so the gate sends the bases only.
    assert sent[after_evaluate:] == [expected_bases[name] for name in names]
    texts = {name: text for name, (text, _) in found.items()}
    assert {name: expected[name][0]["content"] for name in names} == texts


def proposals(texts: list[str]) -> Any:
    """Answer as a reflection LM that proposes the texts one after the other, as a task LM never."""
    left = iter(texts)

    def answer(request: Request) -> str:
        if not is_reflection(request):
            return "unknown"
        if "<current_text>" not in request.text:
            return "ready"
        text = next(left, None)
        return "No more." if text is None else fenced(text)

    return answer


@pytest.mark.parametrize("kind", FILES)
def test_every_proposed_text_is_sent_as_it_was_proposed(kind: str, tmp_path: Path) -> None:
    path, source = FILES[kind]
    base = read_prompt(path, source)
    proposed = [as_template(base.format, text) for text in [*NASTY_TEXTS, *PROPOSED]]
    root = tmp_path / "repository"
    with FakeProvider(proposals(proposed)) as provider:
        task = {
            "optimize": {
                "max_metric_calls": 400,
                "proposals": 8,
                "reflection_minibatch_size": 1,
                "components": ["system"],
            }
        }
        write_prompts(root, {"t": base})
        write_world(root, provider, ["t"], kind, **task)
        letters = [
            {**example, "part": part}
            for part, count in (("train", 8), ("val", 2), ("held_out", 2))
            for example in examples(part, count)
        ]
        lines = "".join(json.dumps(letter) + "\n" for letter in letters)
        (root / "t" / "suite.jsonl").write_text(lines)
        ended = job(root, "optimize")

    assert ended.code == 0, ended.said
    refused = {rejection["text"] for rejection in ended.task["optimization"]["rejections"]}
    wanted = {_broken_like(base.texts["system"], text) for text in proposed}
    admitted = [text for text in wanted - refused if text != base.texts["system"]]
    sent = {on_the_wire(r)[0]["content"] for r in requests(provider, reflection=False)}
    files = [write_texts(base, {"system": text}) for text in admitted]
    assert len(admitted) >= 50
    assert sent == {_said(file) for file in files} | {_said(base)}
    assert (root / "t" / path).read_bytes() == source


def _broken_like(old: str, new: str) -> str:
    """Break and end lines as the old text does, which a fenced answer cannot say."""
    return f"{new}\n".replace("\r\n", "\n").rstrip("\n") + old[len(old.rstrip("\n")) :]


def _said(prompt: Prompt) -> str:
    from gepa_ci.formats import render

    return render(prompt, {"input": "x"}).messages[0].content


@pytest.mark.parametrize("kind", FILES)
def test_a_written_text_was_proved_as_it_stands_in_the_file(kind: str, tmp_path: Path) -> None:
    path, source = FILES[kind]
    base = read_prompt(path, source)
    # A brace in a Jinja text is a new expression, and an optimizer may not add those.
    able = [text for text in PROPOSED if base.format != "jinja" or "{" not in text]
    texts = {f"w{number}": text for number, text in enumerate(able)}
    winners = {_broken_like(base.texts["system"], text) for text in PROPOSED}

    def answer(request: Request) -> str:
        if is_reflection(request):
            # The letters name their task; its text is the one that wins.
            name = next((n for n in texts if f"{n}: " in request.text), None)
            return "ready" if name is None else fenced(texts[name])
        return solve(request) if request.messages[0]["content"] in winners else "unknown"

    root = tmp_path / "repository"
    task = {
        "optimize": {
            "max_metric_calls": 40,
            "proposals": 1,
            "reflection_minibatch_size": 2,
            "components": ["system"],
        }
    }
    with FakeProvider(answer) as provider:
        write_prompts(root, dict.fromkeys(texts, base))
        write_world(root, provider, list(texts), kind, **task)
        for name in texts:
            letters = [
                {
                    **example,
                    "part": part,
                    "inputs": {"input": f"{name}: {example['inputs']['input']}"},
                }
                for part, count in (("train", 2), ("val", 3), ("held_out", 6))
                for example in examples(part, count)
            ]
            lines = "".join(json.dumps(letter) + "\n" for letter in letters)
            (root / name / "suite.jsonl").write_text(lines)
        ended = job(root, "optimize")

        assert ended.code == 0, ended.said
        verdicts = [task["verdict"] for task in ended.result["tasks"]]
        assert verdicts == ["promote"] * len(texts)
        sent = [on_the_wire(request) for request in requests(provider, reflection=False)]
        for name, text in texts.items():
            written = read_prompt(path, (root / name / path).read_bytes())
            span, old = written.component("system").span, base.component("system").span
            assert _said(written) == _broken_like(base.texts["system"], text)
            assert written.source.startswith(source[: old.start])
            assert written.source[span.end :] == source[old.end :]
            assert {n: t for n, t in written.texts.items() if n != "system"} == {
                n: t for n, t in base.texts.items() if n != "system"
            }
            for part in ("val", "held_out"):
                assert rendered(root, name, "--example", f"{part}-1") in sent
    assert spend_of(ended)[0] == provider.calls
