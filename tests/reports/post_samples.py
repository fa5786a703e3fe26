"""What the posts of the samples have in common: links, marker, golden files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from report_samples import SAMPLES

from gepa_ci.reports import result_document
from gepa_ci.reports.links import Links

if TYPE_CHECKING:
    from gepa_ci.core.values import JSON

GOLDEN = Path(__file__).parent / "golden_posts"
SERVER = "https://github.example/acme/mail"
LINKS = Links(run=f"{SERVER}/actions/runs/77", artifact=f"{SERVER}/actions/runs/77/artifacts/3")
MARKER = "<!-- gepa-ci:comment:v1 state=4f1c -->"
HEAD = "81bb0aa" + "0" * 33


def document(name: str, **changes: Any) -> dict[str, JSON]:
    """Return the document of a sample, as it is posted."""
    return {**result_document(SAMPLES[name](), texts=False), **changes}


def assert_golden(name: str, text: str, *, update: bool) -> None:
    """Compare a text with its golden file, or rewrite that."""
    path = GOLDEN / name
    if update:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())

    assert text.encode() == path.read_bytes()
