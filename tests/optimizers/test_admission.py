"""Tests of gepa_ci.optimizers.admission."""

from __future__ import annotations

import json

import pytest
from fakes import prompt
from hypothesis import given, settings
from hypothesis import strategies as st

from gepa_ci.core.prompt import DEMOS, Prompt
from gepa_ci.core.suite import Example, TuningSet
from gepa_ci.formats import read_prompt
from gepa_ci.optimizers.admission import Admission, Refusal, admission
from gepa_ci.optimizers.proposers import demos_text

LONG_URL = f"https://e.example/{'x' * 200}"
LETTER = "please send back the blue kettle that I bought on Monday in town"
EXAMPLES = TuningSet(
    train=(
        Example(id="t", inputs={"text": LETTER, "more": [1, {"a": LETTER}]}, expected="return"),
    ),
    val=(Example(id="v", inputs={"text": "kurz"}, expected={"why": "one two three " * 3}),),
)


def checks(baseline: Prompt | None = None, **options: int) -> Admission:
    return admission(
        baseline or prompt("Sort the {{text}}."),
        EXAMPLES,
        turns=[("letter 1", "return"), ("letter 2", "order")],
        max_chars=options.get("max_chars"),
    )


def refusal(text: str, *, old: str = "Sort the {{text}}.", **options: int) -> str:
    found = checks(prompt(old), **options).check({"system": text})
    assert isinstance(found, Refusal), found
    assert (found.component, found.text) == ("system", text)
    return found.reason


def admitted(text: str, *, old: str = "Sort the {{text}}.") -> Prompt:
    found = checks(prompt(old)).check({"system": text})
    assert isinstance(found, Prompt), found
    return found


def demos_refusal(text: str) -> str:
    found = checks().check({DEMOS: text})
    assert isinstance(found, Refusal)
    return found.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Sort it.", "The placeholders changed: lost {{text}}."),
        ("Sort {{text}} {{text}}.", "The placeholders changed: added {{text}}."),
        ("Sort {{texts}}.", "The placeholders changed: lost {{text}} and added {{texts}}."),
        ("", "The text is empty."),
        (" \n\t", "The text is empty."),
        ("Sort the {{text}}.\u200b", "The text has invisible or control characters: U+200B."),
        ("Sort\x07 the {{text}}.", "The text has invisible or control characters: U+0007."),
        ("Sort the {{text}}.\u3164", "The text has invisible or control characters: U+3164."),
        ("{{text}}\U000e0101", "The text has invisible or control characters: U+E0101."),
        ("{{text}}\ud800", "The text has invisible or control characters: U+D800."),
        (
            "Sort the {{text}}. See http://evil.example/x.",
            "The text has a web address that the prompt did not have: 'http://evil.example/x'.",
        ),
        (
            "{{text}} file:///etc/passwd",
            "The text has a web address that the prompt did not have: 'file:///etc/passwd'.",
        ),
        (
            "{{text}} www.evil.example",
            "The text has a web address that the prompt did not have: 'www.evil.example'.",
        ),
        (
            f"{{{{text}}}} {LONG_URL}",
            f"The text has a web address that the prompt did not have: '{LONG_URL[:77]}...'.",
        ),
        (
            "{{text}} AKIAABCDEFGHIJKLMNOP",
            "The text has something that looks like a secret.",
        ),
        (
            "{{text}} PLEASE send back, the blue kettle! That I",
            "The text quotes an example: 'please send back the blue kettle that i'.",
        ),
        (
            "{{text}} two three one two three one two three",
            "The text quotes an example: 'two three one two three one two three'.",
        ),
    ],
)
def test_a_text_that_breaks_a_rule_is_refused_with_the_reason(text: str, reason: str) -> None:
    assert refusal(text) == reason


def test_a_text_over_the_cap_is_refused() -> None:
    assert refusal("{{text}}" + "x" * 13, max_chars=20) == (
        "The text has 21 characters; the cap is 20."
    )


def test_the_cap_is_4000_characters_or_4_times_the_baseline() -> None:
    assert "the cap is 4000" in refusal("{{text}}" + "x" * 4000)
    assert "the cap is 8000" in refusal("x" * 8001, old="x" * 2000)
    admitted("y" * 8000, old="x" * 2000)


def test_seven_words_in_a_row_from_an_example_are_no_quote() -> None:
    admitted("{{text}} please send back the blue kettle that")


def test_a_run_that_the_baseline_has_itself_is_no_quote() -> None:
    admitted(f"Better. {LETTER}", old=LETTER)


def test_what_the_baseline_has_already_may_stay() -> None:
    old = "A\u200bB https://a.example/x. AKIAABCDEFGHIJKLMNOP"

    admitted("New: https://a.example/x, A\u200bB AKIAABCDEFGHIJKLMNOP", old=old)


def test_a_second_secret_is_refused_when_the_baseline_has_one() -> None:
    reason = refusal("AKIAABCDEFGHIJKLMNOQ", old="AKIAABCDEFGHIJKLMNOP")

    assert reason == "The text has something that looks like a secret."


def test_an_emoji_with_its_variation_selector_is_admitted() -> None:
    admitted("Beware \u26a0\ufe0f of {{text}}")


FROZEN = "<!-- gepa-ci:freeze -->Never\nlie.<!-- gepa-ci:/freeze -->"


def test_a_frozen_part_may_not_change() -> None:
    reason = refusal("A " + FROZEN.replace("lie", "fib"), old=f"A {FROZEN} B")

    assert reason == f"A frozen part is changed: '{FROZEN}'."


@pytest.mark.parametrize("text", [f"{FROZEN} {FROZEN}", f"{FROZEN} {FROZEN[:-24]}x{FROZEN[-24:]}"])
def test_a_frozen_part_may_not_be_repeated_or_added(text: str) -> None:
    assert refusal(text, old=f"A {FROZEN}") == "A frozen part is moved, repeated or new."


def test_text_around_a_frozen_part_may_change() -> None:
    admitted(f"C {FROZEN} D", old=f"A {FROZEN} B")


def test_a_jinja_text_that_is_no_template_is_refused_and_not_an_error() -> None:
    baseline = read_prompt("p.j2", b"Sort {{ text }}.")
    name = baseline.components[-1].name

    found = checks(baseline).check({name: "Sort {% if text %}."})

    assert isinstance(found, Refusal)
    assert found.reason.startswith("The file cannot hold it: ")


def test_a_text_that_the_format_cannot_hold_is_refused() -> None:
    reason = refusal("{{text}}" + "x" * 1_048_576, max_chars=2_000_000)

    assert reason.startswith("The file cannot hold it: the file cannot hold the new text")


def test_turns_that_are_no_train_example_are_refused() -> None:
    reason = demos_refusal(demos_text([("letter 1", "order")]))

    assert reason == "An example among the turns is not a train example with its answer."


def test_an_example_twice_among_the_turns_is_refused() -> None:
    reason = demos_refusal(demos_text([("letter 1", "return"), ("letter 1", "return")]))

    assert reason == "An example stands twice among the turns."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "1",
        "[1]",
        "[" * 100_000,
        '{"role": "user"}',
        '[{"role":"user"}]',
        json.dumps([{"content": "letter 1", "role": "user"}], separators=(",", ":")),
        demos_text([("letter 1", "return")]).replace("assistant", "system"),
        demos_text([("letter 1", "return")]).replace('"return"', '["return"]'),
        demos_text([("letter 1", "return")]).replace('"return"', "NaN"),
    ],
)
def test_broken_turns_are_refused_and_not_an_error(text: str) -> None:
    assert demos_refusal(text) == (
        "The examples are not pairs of a user's and an assistant's turn."
    )


def test_turns_of_train_examples_and_of_the_baseline_are_admitted() -> None:
    baseline = prompt("Sort.", turns=(("old letter", "complaint"),))
    text = demos_text([("old letter", "complaint"), ("letter 2", "order")])

    found = checks(baseline).check({DEMOS: text})

    assert isinstance(found, Prompt)
    assert found.component(DEMOS).text == text


def test_an_unchanged_candidate_is_the_baseline_itself() -> None:
    baseline = prompt()

    assert checks(baseline).check(baseline.texts) == baseline


@settings(deadline=None)
@given(st.text(max_size=60))
def test_what_is_admitted_is_byte_for_byte_what_the_file_says(text: str) -> None:
    for baseline in (
        prompt("Sort."),
        read_prompt("p.md", b"---\nrole: system\nmodel: test/m\n---\nSort.\r\n"),
        read_prompt("p.txt", b"Sort."),
    ):
        name = baseline.components[0].name
        found = checks(baseline).check({name: text})
        if isinstance(found, Refusal):
            assert found.reason
            continue

        (file,) = found.files
        assert read_prompt(file.path, file.source) == found
        assert found.component(name).text == text
        assert {**found.texts, name: ""} == {**baseline.texts, name: ""}


def test_the_rules_name_what_the_checks_hold_a_text_against() -> None:
    rules = checks(prompt(f"Sort {{{{text}}}}. {FROZEN}")).rules("system")

    assert rules == [
        "Keep each of these placeholders exactly as often: {{text}}",
        "At most 4000 characters.",
        "Do not quote 8 or more words in a row from an example.",
        "No web address, key or invisible character that the current text does not have.",
        "Keep everything between gepa-ci:freeze comments, and the comments.",
    ]


def test_the_rules_of_a_text_without_placeholders_forbid_new_ones() -> None:
    rules = checks(prompt("Sort.")).rules("system")

    assert rules[0] == "Add no placeholders in double braces."
    assert len(rules) == 4
