from __future__ import annotations

from pathlib import Path

import pytest
from report_samples import SAMPLES

from gepa_ci.reports import render, result_document

GOLDEN = Path(__file__).parent / "golden"
ENDINGS = {"markdown": "md", "terminal": "txt", "junit": "xml", "json": "json"}
CASES = [
    (name, output)
    for name in SAMPLES
    for output in ENDINGS
    if output in ("markdown", "terminal") or name in ("gate_regression", "nothing")
]


@pytest.mark.parametrize(("name", "output"), CASES)
def test_report_reads_as_its_golden_file(name: str, output: str, update_golden: bool) -> None:
    document = result_document(SAMPLES[name](), texts=False)
    path = GOLDEN / f"{name}.{ENDINGS[output]}"

    text = render(document, output)  # type: ignore[arg-type]
    if update_golden:
        path.write_bytes(text.encode())

    assert text.encode() == path.read_bytes()


def test_every_golden_file_belongs_to_a_sample() -> None:
    expected = {f"{name}.{ENDINGS[output]}" for name, output in CASES}

    assert {path.name for path in GOLDEN.iterdir()} == expected
