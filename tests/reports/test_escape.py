from __future__ import annotations

import html
import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gepa_ci.reports import escape

SPECIAL = st.text(alphabet=st.sampled_from("`*_[]()<>!|\\~&#@$:/.-+=1a \n\t\rhtpw"), max_size=60)
TEXTS = st.one_of(st.text(max_size=60), SPECIAL)
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def tokens(markdown: str) -> list[tuple[str, str]]:
    found = MARKDOWN.parse(markdown)
    return [(t.type, t.content) for b in found for t in (b, *(b.children or ()))]


def shown(markdown: str) -> str:
    return "".join(
        c for kind, c in tokens(markdown) if kind in ("text", "code_inline", "text_special")
    )


@given(TEXTS)
def test_inline_text_is_shown_as_it_is_and_means_nothing(text: str) -> None:
    line = escape.one_line(text, 600)
    markdown = f"- {escape.inline(text)}"

    kinds = {kind for kind, _ in tokens(markdown)}

    assert kinds <= {
        "bullet_list_open", "list_item_open", "paragraph_open", "inline", "text", "text_special",
        "paragraph_close", "list_item_close", "bullet_list_close",
    }  # fmt: skip
    assert shown(markdown).replace(escape.BREAK, "").rstrip() == line


@given(TEXTS)
def test_inline_text_notifies_and_links_nobody(text: str) -> None:
    seen = shown(f"x {escape.inline(text)}")

    assert re.search(r"@\w|#\d|gh-\d|://|www\.|mailto:|xmpp:", seen, re.IGNORECASE) is None


@given(TEXTS, TEXTS)
def test_cells_of_a_table_stay_in_their_column(left: str, right: str) -> None:
    row = f"| {escape.inline(left)} | {escape.code(right)} |"
    kinds = [kind for kind, _ in tokens(f"| a | b |\n| --- | --- |\n{row}")]

    assert kinds.count("td_open") == 2
    # GitHub lets a backslash escape any punctuation before it looks for the pipe.
    assert len(re.split(r"(?<!\\)\|", re.sub(r"\\[!-/:-@\[-`{-~]", "", row))) == 4


@given(TEXTS)
def test_code_shows_the_text_and_nothing_else(text: str) -> None:
    line = escape.one_line(text, 120)
    seen = shown(f"x {escape.code(text)} y")

    assert seen.replace(escape.BREAK, "").split() == f"x {line} y".split()


@given(TEXTS)
def test_nothing_inside_a_fence_closes_it(text: str) -> None:
    found = MARKDOWN.parse(f"{escape.fence(text, 'diff')}\n\nafter")

    assert [token.type for token in found][:2] == ["fence", "paragraph_open"]


@given(st.text())
def test_visible_text_has_no_control_bidirectional_or_hidden_character(text: str) -> None:
    seen = escape.visible(text)

    assert all(unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn"} for c in seen)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\u202eb", "a\\u202eb"),
        ("a\x1b[31m", "a\\u001b[31m"),
        ("a\r\nb\t", "a\\r\\nb\\t"),
        ("a\U000e0041", "a\\U000e0041"),
        ("a\u200b\ufe01\u3164", "a\\u200b\\ufe01\\u3164"),
        ("äß漢🙂❤\ufe0f", "äß漢🙂❤\ufe0f"),
    ],
)
def test_hidden_characters_are_shown_by_number(text: str, seen: str) -> None:
    assert escape.visible(text) == seen


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("p < 0.001 & more", "p < 0.001 & more"),
        ("<b>&amp;", "&lt;b>&amp;amp;"),
        ("snake_case _x_", "snake_case \\_x\\_"),
        ("1. one", "1\\. one"),
        ("-0.05", "\\-0.05"),
        ("> quote", "\\> quote"),
        ("a|b\\", "a&#124;b&#92;"),
        ("costs $1", "costs &#36;1"),
    ],
)
def test_inline_escapes_only_what_means_something(text: str, markdown: str) -> None:
    assert escape.inline(text) == markdown


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert escape.one_line("word " * 10, 12) == "word word w…"


@pytest.mark.parametrize("line", ["::add-mask::x", "  \t::error::x", "a ##[group]b"])
def test_no_line_is_a_command_to_a_runner(line: str) -> None:
    text = escape.without_commands(f"first\n{line}\ntests/a.py::test")

    assert re.search(r"(?m)^\s*::|##\[", text) is None
    assert text.replace(escape.BREAK, "") == f"first\n{line}\ntests/a.py::test"
    assert text.endswith("a.py::test")


@given(st.recursive(st.text() | st.just("##[x]\ud800"), st.lists, max_leaves=5))
def test_json_text_keeps_its_meaning_and_can_be_written(value: object) -> None:
    text = escape.json_text(json.dumps(value, ensure_ascii=False))

    assert json.loads(text.encode()) == value
    assert "##[" not in text


@given(TEXTS)
def test_html_text_is_shown_as_it_is_and_means_nothing(text: str) -> None:
    written = escape.html_text(text)

    assert "<" not in written
    assert html.unescape(written).replace(escape.BREAK, "") == escape.one_line(text, 600)
    assert re.search(r"@\w|#\d|://|www\.", html.unescape(written), re.IGNORECASE) is None


@pytest.mark.parametrize("text", ["<!-- gepa-ci:x -->", "<!--gepa-ci:x", "<!--\n GEPA-CI"])
def test_no_marker_of_ours_is_left(text: str) -> None:
    broken = escape.without_markers(f"`{text}` <!-- other -->")

    assert re.search(r"<!--\s*gepa-ci", broken, re.IGNORECASE) is None
    assert broken.replace(escape.BREAK, "") == f"`{text}` <!-- other -->"


@pytest.mark.parametrize(
    "text",
    [
        "fixes #1",
        "Closed: o/r#2",
        "resolve GH-3",
        "fix https://x/o/r/issues/4",
        "Co-authored-by: E <e>",
        "Acked-By: E",
        "skip-checks: true",
        "[skip ci]",
        "[NO CI]",
        "[actions skip]",
        "@octocat",
        "(@acme/team)",
    ],
)
def test_nothing_is_obeyed_as_a_commit_message(text: str) -> None:
    broken = escape.without_references(f"+{text}")

    assert escape.BREAK in broken
    assert broken.replace(escape.BREAK, "") == f"+{text}"


@pytest.mark.parametrize("text", ["fix the order", "a #1 choice", "by: me", "me@x.example", "[ci]"])
def test_prose_is_left_alone(text: str) -> None:
    assert escape.without_references(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Run `gepa-ci suite refresh orders`: now.", "Run `gepa-ci suite refresh orders`: now."),
        ("`gepa-ci a --b=c/d.e`", "`gepa-ci a --b=c/d.e`"),
        ("``gepa-ci a`", "\\`\\`gepa-ci a\\`"),
        ("`gepa-ci a``", "\\`gepa-ci a\\`\\`"),
        ("`gepa-ci <b>`", "\\`gepa-ci &lt;b>\\`"),
        ("`rm -rf x`", "\\`rm -rf x\\`"),
        ("`gepa-ci a` *b*", "`gepa-ci a` \\*b\\*"),
    ],
)
def test_only_a_plain_command_of_ours_is_code(text: str, shown: str) -> None:
    assert escape.inline(text) == shown
