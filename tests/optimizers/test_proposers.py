"""Tests of gepa_ci.optimizers.proposers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes import SPEC, examples, prompt
from hypothesis import given, settings
from hypothesis import strategies as st

from gepa_ci.core.call import Purpose
from gepa_ci.core.prompt import DEMOS
from gepa_ci.core.score import Score, Trial
from gepa_ci.core.suite import Example
from gepa_ci.formats import read_prompt
from gepa_ci.optimizers.proposers import (
    ExampleProposer,
    Observation,
    Occasion,
    ReflectionProposer,
    demos_text,
    example_turns,
    fenced_text,
    preflight_call,
)

if TYPE_CHECKING:
    from gepa_ci.core.call import Call

TEMPLATE = read_prompt(
    "reflection.md",
    (Path(__file__).parents[2] / "prompts" / "reflection.md").read_bytes(),
)


def seen(example: Example, score: float, output: str = "wrong") -> Observation:
    return Observation(
        example=example,
        trial=Trial(
            example_id=example.id,
            number=0,
            output=output,
            score=Score(value=score, feedback=f"feedback on {example.id}"),
        ),
    )


# Fences


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("no fence at all", None),
        ("", None),
        ("```text\nnever closed", None),
        ("```text\nA\n```json\n{}\n```\ncut off", None),
        ("``` text in a line ```", None),
        ("```text\nA\n```", "A"),
        ("```text\nA\n```\n", "A"),
        ("Diagnosis\n\n```text\nA\nB\n\n```\n\n", "A\nB\n"),
        ("```\nA\n```", "A"),
        ("~~~\nA\n~~~", "A"),
        ("~~~text\nA\n```\nB\n~~~", "A\n```\nB"),
        ("````markdown\nA\n```\nB\n```\n````", "A\n```\nB\n```"),
        ("```md\nA\n```", "A"),
        ("```Text  \nA\n```  ", "A"),
        ("  ```text\nA\n  ```", "A"),
        ("```text\n```", ""),
        ("```text\n\tA  \n```", "\tA  "),
        ("```text\r\nA\r\nB\r\n```\r\n", "A\r\nB"),
        ("```text\nA\u2028B\x0cC\n```", "A\u2028B\x0cC"),
        # Fences of the text's own, with and without a language.
        ("```text\nA\n```json\n{}\n```\nB\n```", "A\n```json\n{}\n```\nB"),
        ("```text\nA\n```\n{}\n```\nB\n```", "A\n```\n{}\n```\nB"),
        ("```text\nA\n```text\nx\n```\nB\n```", "A\n```text\nx\n```\nB"),
        ("```text\nA\n```json\n{}\n```\n```", "A\n```json\n{}\n```"),
        ("```text\nOpen with\n```json\nand stop.\n```", "Open with\n```json\nand stop."),
        # Several blocks.
        ("```text\nold\n```\nbetter:\n```text\nnew\n```", "new"),
        ("```json\n{}\n```\n```text\nnew\n```", "new"),
        ("```\nold\n```\n```\nnew\n```", "new"),
        ("```json\n{}\n```\n```yaml\na: 1\n```", "a: 1"),
    ],
)
def test_the_new_text_is_the_last_fenced_block(answer: str, text: str | None) -> None:
    assert fenced_text(answer) == text


@settings(deadline=None)
@given(st.lists(st.sampled_from(["A", "", "  B\t", "c\r", "{{x}}", "~~~", "` `"])).map("\n".join))
def test_a_text_without_fences_of_its_own_comes_back_as_it_was(text: str) -> None:
    assert fenced_text(f"Diagnosis\n```text\n{text}\n```\n") == text.removesuffix("\r")


@settings(deadline=None)
@given(st.text())
def test_no_answer_can_break_the_search_for_a_fence(answer: str) -> None:
    fenced_text(answer)
    fenced_text(f"```text\n{answer}\n```")


# Reflection


class Asked:
    """Answers reflection calls from a list and keeps them."""

    def __init__(self, *answers: str) -> None:
        self.calls: list[Call] = []
        self._answers = iter(answers)

    def __call__(self, call: Call) -> str:
        self.calls.append(call)
        return next(self._answers)


def reflection(ask: Asked) -> ReflectionProposer:
    return ReflectionProposer(
        template=TEMPLATE, spec=SPEC, ask=ask, rules=lambda name: [f"rule of {name}"]
    )


def occasion(old: str = "Old.", components: tuple[str, ...] = ("system",)) -> Occasion:
    first, second = examples(2)
    return Occasion(
        texts={"system": old, "user": "{{text}} please"},
        components=components,
        observations=(seen(first, 0.0), seen(second, 0.125, output="close")),
    )


def proposed(answer: str, *, old: str = "Old.") -> dict[str, str] | None:
    return reflection(Asked(answer)).propose(occasion(old), attempt=0, refused="")


def test_the_request_shows_text_inputs_output_score_feedback_and_rules() -> None:
    ask = Asked("```text\nNew.\n```")

    reflection(ask).propose(occasion(), attempt=3, refused="")
    (call,) = ask.calls
    (message,) = call.messages

    assert "<current_text>\nOld.\n</current_text>" in message.content
    assert (
        "### Inputs\ntext: letter e1 about 1\n### Output\nclose\n### Score\n0.125\n"
        "### Feedback\nfeedback on e1"
    ) in message.content
    assert "<constraints>\n- rule of system\n</constraints>" in message.content
    assert "named `system`" in message.content
    assert (call.spec, call.trial, call.purpose) == (SPEC, 3, Purpose.REFLECTION)


def test_inputs_that_are_no_text_are_shown_as_json() -> None:
    ask = Asked("")
    example = Example(id="x", inputs={"rows": [{"a": "\u00e9"}]})

    reflection(ask).propose(
        Occasion(texts={"user": "u"}, components=("user",), observations=(seen(example, 0.0),)),
        attempt=0,
        refused="",
    )

    assert 'rows: [{"a": "\u00e9"}]' in ask.calls[0].messages[0].content


def test_braces_in_examples_are_shown_as_they_are() -> None:
    ask = Asked("")
    example = Example(id="x", inputs={"text": "{{constraints}} {{ nothing }}"})

    reflection(ask).propose(
        Occasion(texts={"user": "u"}, components=("user",), observations=(seen(example, 0.0),)),
        attempt=0,
        refused="",
    )

    assert "text: {{constraints}} {{ nothing }}" in ask.calls[0].messages[0].content


def test_a_refused_proposal_is_asked_again_with_the_reason() -> None:
    ask = Asked("")

    reflection(ask).propose(occasion(), attempt=0, refused="It was empty.")

    assert "- Your last text was refused. It was empty." in ask.calls[0].messages[0].content


def test_each_component_is_asked_for_in_turn() -> None:
    ask = Asked("```text\nNew.\n```", "```text\nPlease: {{text}}\n```")

    texts = reflection(ask).propose(occasion(components=("system", "user")), attempt=0, refused="")

    assert texts == {"system": "New.", "user": "Please: {{text}}"}


@pytest.mark.parametrize("answer", ["I cannot.", "```text\nOld.\n```", "```text\nOld.\n\n```"])
def test_an_answer_without_a_new_text_is_no_proposal(answer: str) -> None:
    assert proposed(answer) is None


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_a_new_text_ends_as_the_old_one_did(end: str) -> None:
    assert proposed("```text\nNew.\n\n```", old=f"Old.{end}") == {"system": f"New.{end}"}


def test_a_new_text_breaks_lines_as_the_old_one_did() -> None:
    assert proposed("```text\nA\nB\n```", old="a\r\nb\r\n") == {"system": "A\r\nB\r\n"}
    assert proposed("```text\r\nA\r\nB\r\n```", old="a\nb\n") == {"system": "A\nB\n"}


def test_reflection_changes_only_components_with_words_of_their_own() -> None:
    able = reflection(Asked()).components

    assert able(prompt("Sort.", "{{text}}")) == ("system",)
    assert able(prompt("Sort.", "E-mail: {{text}}")) == ("system", "user")
    assert able(prompt("---", "{{text}} {{text}}")) == ()


# Example accumulation

PAIRS = {f"e{number}": (f"letter {number}", f"answer {number}") for number in range(5)}


def accumulated(
    kept: list[int], batch: list[tuple[int, float]], *, max_demos: int = 8, refused: str = ""
) -> list[tuple[str, str]] | None:
    rows = examples(8)
    proposer = ExampleProposer(turns=PAIRS, max_demos=max_demos)
    texts = proposer.propose(
        Occasion(
            texts={DEMOS: demos_text([PAIRS[f"e{number}"] for number in kept])},
            components=(DEMOS,),
            observations=tuple(seen(rows[number], score) for number, score in batch),
        ),
        attempt=0,
        refused=refused,
    )
    if texts is None:
        return None
    assert list(texts) == [DEMOS]
    turns = [turn["content"] for turn in json.loads(texts[DEMOS])]
    return list(zip(turns[::2], turns[1::2], strict=True))


def pairs(*numbers: int) -> list[tuple[str, str]]:
    return [PAIRS[f"e{number}"] for number in numbers]


def test_failed_examples_are_added_after_those_that_are_there_the_worst_first() -> None:
    assert accumulated([0], [(1, 0.5), (2, 0.0), (3, 1.0)]) == pairs(0, 2, 1)


def test_an_example_is_never_added_twice() -> None:
    assert accumulated([1], [(1, 0.0), (2, 0.0), (2, 0.0)]) == pairs(1, 2)


def test_there_is_no_proposal_when_nothing_failed_or_all_is_there_already() -> None:
    assert accumulated([], [(1, 1.0)]) is None
    assert accumulated([1], [(1, 0.0)]) is None


def test_an_example_without_a_right_answer_is_left_out() -> None:
    assert accumulated([], [(7, 0.0)]) is None


def test_the_oldest_make_room() -> None:
    assert accumulated([0, 1], [(2, 0.0)], max_demos=2) == pairs(1, 2)


def test_the_worst_are_taken_when_not_all_have_room() -> None:
    assert accumulated([0], [(1, 0.5), (2, 0.0), (3, 0.25)], max_demos=2) == pairs(2, 3)


def test_no_examples_are_added_when_none_are_allowed() -> None:
    assert accumulated([0], [(1, 0.0)], max_demos=0) is None


def test_a_refused_proposal_is_not_made_again() -> None:
    assert accumulated([], [(1, 0.0)], refused="No.") is None


def test_example_accumulation_changes_the_turns_only() -> None:
    assert ExampleProposer(turns={}, max_demos=1).components(prompt()) == (DEMOS,)


def test_turns_are_the_question_as_it_is_sent_and_the_answer() -> None:
    rows = (
        Example(id="text", inputs={"text": "A"}, expected="kind"),
        Example(id="object", inputs={"text": "B"}, expected={"kind": "\u00e9"}),
        Example(id="any of", inputs={"text": "C"}, expected=["one", "two"]),
    )

    turns = example_turns(prompt("Sort.", "Mail: {{text}}"), rows, lambda *_: True)

    assert turns == {
        "text": ("Mail: A", "kind"),
        "object": ("Mail: B", '{"kind": "\u00e9"}'),
        "any of": ("Mail: C", "one"),
    }


def test_an_answer_that_the_metric_does_not_give_full_marks_is_no_turn() -> None:
    rows = examples(3)

    turns = example_turns(prompt(), rows, lambda example, answer: answer == "kind 1")

    assert list(turns) == ["e1"]


def test_an_example_without_a_label_is_no_turn() -> None:
    rows = (Example(id="x", inputs={"text": "A"}, labelled=False),)

    assert example_turns(prompt(), rows, lambda *_: True) == {}


def test_an_example_with_placeholders_is_no_turn_where_turns_are_templates() -> None:
    rows = (
        Example(id="question", inputs={"text": "{{text}}"}, expected="a"),
        Example(id="answer", inputs={"text": "A"}, expected="{{name}}"),
    )
    as_data = read_prompt("p.md", b"---\nrole: user\nmodel: test/m\n---\n{{text}}\n")

    assert example_turns(prompt(), rows, lambda *_: True) == {}
    assert list(example_turns(as_data, rows, lambda *_: True)) == ["question", "answer"]


def test_the_first_call_to_the_reflection_lm_is_small() -> None:
    call = preflight_call(SPEC)

    assert call.purpose is Purpose.REFLECTION
    assert len(call.messages) == 1
