"""Writes the generated part of docs/report-templates.md: `python tests/view_reference.py`."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from gepa_ci.reports.posts.filters import filters
from gepa_ci.reports.posts.markdown import REPORT
from gepa_ci.reports.templating.checks import blocks_of
from gepa_ci.reports.templating.sources import ENTRIES
from gepa_ci.reports.view.model import VIEW_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PATH = ROOT / "docs" / "report-templates.md"
MODEL = ("model.py", "model_examples.py", "model_optimization.py")
START = "<!-- generated: do not edit below -->\n"
ABOUT = {
    "comment.md.j2": "the comment on a pull request",
    "failure.md.j2": "the comment when a run ended without a verdict",
    "nothing.md.j2": "the comment when there was nothing to do",
    "page.html.j2": "the HTML page",
    "pull_body.md.j2": "the body of the pull request that proposes a better prompt",
    "report.md.j2": "job summary, check run and `--format markdown`",
}
FILTERS = {
    "changed": "how a guard changed: `guard.change|changed(guard)`",
    "changed_files": "files with their numbers of sentences: `task.changes|changed_files`",
    "code": "a text as a code span",
    "codes": "texts as code spans, as many as `limits.rows`",
    "count": 'a number of things: `3|count("call")` is `3 calls`',
    "diff": "a unified diff in a fence",
    "drawn": "why an expected effect is not the measured one: `task.expected|drawn`",
    "duration": "seconds for people: `3 min 5 s`",
    "html": "a text as HTML, for a `<summary>`",
    "in_use": "an expected effect: `task.expected|in_use`",
    "left_out": "how many examples were left out, and why",
    "lineage": "a diagram of a search's candidates, or nothing: `task.optimization|lineage`",
    "link": "a link, or its label where the address is none",
    "measured": "what a guard measured: `guard.before|measured(guard)`",
    "money": "dollars; `unknown` for None",
    "numbers": "numbers with commas between",
    "out_of": "examples of those planned: `effect.n|out_of(task.planned)`",
    "p_value": "a p value: `p = 0.012`",
    "percent": "a share: `90%`",
    "progress": "a diagram of the best val score so far, or nothing: `task.optimization|progress`",
    "score": "a score with two or three decimals",
    "sentence": "a text with a full stop",
    "shell": "a command in a fence",
    "signed": "an effect with its sign",
    "span": "an interval: `effect|span`",
    "thousands": "a number with separators",
    "times": "names and seconds: `task.phases|times`",
    "tolerated": "the worst change of a guard that is tolerated: `guard|tolerated`",
    "versions": "names and versions: `report.versions|versions`",
    "word_diff": "a unified diff, word by word, in a fence",
}


def reference() -> str:
    """Return the lists of entries, blocks, filters and of every field of the view model."""
    lines = [START, "## Entries and their blocks", ""]
    lines += ["| file | what it is | blocks, in their order |", "| --- | --- | --- |"]
    for name in ENTRIES:
        blocks = ", ".join(f"`{block}`" for block in dict.fromkeys(blocks_of(name)))
        lines.append(f"| `{name}` | {ABOUT[name]} | {blocks} |")
    lines += ["", "## Filters of Markdown templates", ""]
    lines += ["| filter | what it writes |", "| --- | --- |"]
    lines += [f"| `{name}` | {FILTERS[name]} |" for name in sorted(filters(REPORT.levels[0]))]
    lines += ["", f"## The view model, version {VIEW_VERSION}", ""]
    for file in MODEL:
        tree = ast.parse((ROOT / "gepa_ci/reports/view" / file).read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                lines += [*_class(node), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _class(node: ast.ClassDef) -> Iterator[str]:
    yield f"### {node.name}"
    yield ""
    yield ast.get_docstring(node) or ""
    yield ""
    if any(isinstance(base, ast.Name) and base.id == "StrEnum" for base in node.bases):
        values = [
            ast.literal_eval(item.value) for item in node.body if isinstance(item, ast.Assign)
        ]
        yield f"One of {', '.join(f'`{value}`' for value in values)}."
        return
    yield "| field | type | meaning |"
    yield "| --- | --- | --- |"
    for name, kind, about in _fields(node):
        yield f"| `{name}` | `{kind}` | {about} |".replace(" | None`", r" \| None`")


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, str, str]]:
    for item, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            assert isinstance(after, ast.Expr), f"{node.name}.{item.target.id} is not described"
            said = str(ast.literal_eval(after.value))
            yield item.target.id, ast.unparse(item.annotation), " ".join(said.split())
        elif isinstance(item, ast.FunctionDef):
            said = (ast.get_docstring(item) or "").removeprefix("Return ")
            kind = "" if item.returns is None else ast.unparse(item.returns)
            yield item.name, kind, f"{said[:1].upper()}{said[1:]}"


if __name__ == "__main__":
    written = PATH.read_text(encoding="utf-8").partition(START)[0]
    PATH.write_text(f"{written}{reference()}", encoding="utf-8")
