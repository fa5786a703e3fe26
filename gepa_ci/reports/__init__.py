"""Renders a run's result, fresh or saved, for people and for machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, TypeAlias

import orjson

from gepa_ci.reports.document import result_document
from gepa_ci.reports.escape import json_text
from gepa_ci.reports.redact import without_texts
from gepa_ci.reports.templating.sources import BUILT_IN
from gepa_ci.reports.view import view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.values import JSON
    from gepa_ci.reports.templating.sources import OwnTemplates

Format: TypeAlias = Literal["markdown", "html", "json", "junit", "sarif", "jsonl", "terminal"]

__all__ = ["Format", "render", "result_document", "view", "without_texts"]


def render(
    document: Mapping[str, JSON],
    format: Format,  # noqa: A002 - the CLI's word
    own: OwnTemplates = BUILT_IN,
) -> str:
    """Render a result document; the text ends with a line feed.

    Args:
        document: The result.
        format: What to make of it.
        own: The team's templates, for Markdown and HTML.

    Raises:
        UsageError: the document is not a result.
    """
    match format:
        case "json":
            return json_text(f"{_json(document)}\n")
        case "markdown":
            from gepa_ci.reports.posts.markdown import render_markdown

            return render_markdown(document, own)
        case "html":
            from gepa_ci.reports.page import render_page

            return render_page(document, own)
        case "junit":
            from gepa_ci.reports.exports.junit import render_junit

            return render_junit(document)
        case "sarif":
            from gepa_ci.reports.exports.sarif import render_sarif

            return render_sarif(document)
        case "jsonl":
            from gepa_ci.reports.exports.example_lines import render_example_lines

            return render_example_lines(document)
        case "terminal":
            from gepa_ci.reports.console.summary import render_terminal

            return render_terminal(document)


def _json(document: Mapping[str, JSON]) -> str:
    try:
        return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
    except TypeError:
        # Half a surrogate pair or a very large number, which this fast writer refuses.
        return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
