from __future__ import annotations

import subprocess
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gepa_ci.reports.diff import unified_diff

LINES = st.lists(st.sampled_from(["a", "b", "", " c", "d\r", "e\u2028f", "-x"]), max_size=8)


def test_equal_texts_have_no_diff() -> None:
    assert unified_diff("p", "a\n", "a\n") == ""


def test_missing_final_newline_is_said() -> None:
    assert unified_diff("p", "a\n", "a").split("\n")[2:] == [
        "@@ -1 +1 @@",
        "-a",
        "+a",
        "\\ No newline at end of file",
    ]


def test_line_feed_in_a_path_cannot_forge_a_line() -> None:
    assert unified_diff("p\n+x", "a\n", "b\n").startswith("--- a/p\\n+x\n+++ b/p\\n+x\n@@")


@settings(max_examples=25, deadline=None)
@given(LINES, LINES, st.sampled_from(["", "\n"]))
def test_diff_applies_with_git(before: list[str], after: list[str], end: str) -> None:
    import tempfile

    old, new = "\n".join(before) + end, "\n".join(after)
    diff = unified_diff("p", old, new)
    if not diff or not old or not new:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p"
        path.write_bytes(old.encode())
        subprocess.run(
            ["git", "apply", "--whitespace=nowarn", "-"],
            cwd=folder,
            input=f"{diff}\n".encode(),
            check=True,
            capture_output=True,
        )

        assert path.read_bytes() == new.encode()
