"""Tests of gepa_ci.delivery.ledger_file, with real files, locks and processes."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ledger_books import AT, HELD, POLICY, PROMOTED, question

from gepa_ci.core.ledger import Entry, EntryKind, LedgerPolicy
from gepa_ci.delivery import ledger_file
from gepa_ci.delivery.data_values import slug
from gepa_ci.delivery.ledger_file import LedgerFile
from gepa_ci.delivery.ledger_lines import line_of
from gepa_ci.errors import UsageError
from gepa_ci.gate import Exhausted, Granted, Known, close_question, open_question

if TYPE_CHECKING:
    from collections.abc import Sequence

LINE = Entry(
    kind=EntryKind.OPENED,
    at=AT,
    task="triage",
    suite="v1",
    exam="exam",
    baseline="base",
    candidate="new",
    n=100,
    alpha=0.05,
)


@pytest.fixture
def book(tmp_path: Path) -> LedgerFile:
    return LedgerFile(tmp_path / "state" / "ledger", "triage")


def add(book: LedgerFile, *names: str) -> None:
    """Append a line for each name."""
    for name in names:
        entry = replace(LINE, candidate=name)
        book.transact(lambda _, entry=entry: (None, entry))  # type: ignore[misc]


def names(entries: Sequence[Entry]) -> list[str]:
    return [entry.candidate for entry in entries]


def put(book: LedgerFile, content: bytes) -> None:
    book.folder.mkdir(parents=True, exist_ok=True)
    book.path.write_bytes(content)


def test_there_is_nothing_before_the_first_line(book: LedgerFile) -> None:
    assert book.read() == ()
    assert not book.folder.exists()


def test_what_is_written_is_read(book: LedgerFile) -> None:
    grant = open_question(book, question(), POLICY, at=AT)
    close_question(book, question(), POLICY, PROMOTED, at=AT)

    assert isinstance(grant, Granted)
    opened, closed = book.read()
    assert opened.examples
    assert closed == replace(
        opened,
        kind=EntryKind.CLOSED,
        examples=(),
        stage="confirm",
        p=0.001,
        e=1.1,
        decision="promote",
        difference=0.1,
        se=0.04,
        reasons=("It may be luck.",),
    )
    known = open_question(LedgerFile(book.folder, "triage"), question(), POLICY, at=AT)
    assert isinstance(known, Known)
    assert known.answer == PROMOTED
    assert book.notes == []


def test_lines_are_json_and_are_only_ever_added(book: LedgerFile) -> None:
    add(book, "one")
    before = book.path.read_bytes()
    add(book, "two")

    after = book.path.read_bytes()
    assert after.startswith(before)
    assert [json.loads(line)["candidate"] for line in after.splitlines()] == ["one", "two"]


def test_a_look_adds_nothing(book: LedgerFile) -> None:
    add(book, "one")

    assert book.transact(lambda entries: (len(entries), None)) == 1
    assert names(book.read()) == ["one"]


def test_each_task_has_a_file_of_its_own(tmp_path: Path) -> None:
    for task in ("triage", "TRIAGE", "../../x"):
        open_question(LedgerFile(tmp_path, task), replace(question(), task=task), POLICY, at=AT)

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{slug(task)}.jsonl" for task in ("triage", "TRIAGE", "../../x")
    )


def test_a_line_of_another_task_is_not_written(book: LedgerFile) -> None:
    with pytest.raises(ValueError, match="of the task 'other'"):
        book.transact(lambda _: (None, replace(LINE, task="other")))

    assert book.read() == ()


def test_a_line_that_could_not_be_read_again_is_not_written(book: LedgerFile) -> None:
    with pytest.raises(ValueError, match="'run' has to be a line"):
        book.transact(lambda _: (None, replace(LINE, run="a\nb")))

    assert book.read() == ()


def test_a_decision_that_fails_leaves_the_file_as_it_was(book: LedgerFile) -> None:
    add(book, "one")

    def decide(_: Sequence[Entry]) -> tuple[None, None]:
        raise KeyError("x")

    with pytest.raises(KeyError):
        book.transact(decide)
    add(book, "two")

    assert names(book.read()) == ["one", "two"]


# Torn lines


@pytest.mark.parametrize("cut", [1, 40, -2])
def test_a_torn_last_line_loses_nothing_before_it(book: LedgerFile, cut: int) -> None:
    add(book, "one", "two")
    whole, torn = book.path.read_bytes(), line_of(replace(LINE, candidate="torn"))[:cut]
    put(book, whole + torn)

    looked = LedgerFile(book.folder, "triage")
    assert names(looked.read()) == ["one", "two"]
    assert looked.notes == [f"The last line of {book.path} is half written and was left out."]
    assert book.path.read_bytes() == whole + torn

    add(book, "three", "four")

    assert names(book.read()) == ["one", "two", "three", "four"]
    (note,) = book.notes
    assert note == (
        f"The last line of {book.path} was half written and has been moved to "
        f"{slug('triage')}.torn; nothing before it is lost."
    )
    assert book.path.with_suffix(".torn").read_bytes() == torn + b"\n"
    assert book.path.read_bytes().startswith(whole)


def test_a_file_that_is_nothing_but_a_torn_line_is_an_empty_record(book: LedgerFile) -> None:
    put(book, b'{"schema')

    add(book, "one")

    assert names(book.read()) == ["one"]


def test_every_torn_line_is_kept_aside(book: LedgerFile) -> None:
    for number in range(3):
        add(book, f"{number}")
        put(book, book.path.read_bytes() + b"torn")
        book.transact(lambda _: (None, None))

    assert book.path.with_suffix(".torn").read_bytes() == b"torn\n" * 3
    assert names(book.read()) == ["0", "1", "2"]


def test_a_last_line_without_an_end_counts_when_it_is_whole(book: LedgerFile) -> None:
    add(book, "one", "two")
    put(book, book.path.read_bytes()[:-1])

    assert names(book.read()) == ["one", "two"]
    add(book, "three")

    assert names(book.read()) == ["one", "two", "three"]
    assert book.notes == []
    assert not book.path.with_suffix(".torn").exists()


_KILLED = """
import os, sys
from pathlib import Path
from dataclasses import replace
sys.path[:0] = sys.argv[2:]
from test_ledger_file import LINE
from gepa_ci.delivery.ledger_file import LedgerFile
def decide(entries):
    print("in", flush=True)
    sys.stdin.read()
    return None, None
LedgerFile(Path(sys.argv[1]), "triage").transact(decide)
"""


def test_a_writer_that_is_killed_gives_its_lock_back(book: LedgerFile) -> None:
    here = Path(__file__).parent
    paths = [str(here), str(here.parent), str(here.parent / "gate")]
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(book.folder), *paths],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        process.send_signal(signal.SIGKILL)

    add(book, "after")

    assert names(book.read()) == ["after"]


# A file that somebody else wrote


def wrong(book: LedgerFile, content: bytes) -> UsageError:
    """Return the error for a file, and see that nothing is written to it."""
    put(book, content)
    with pytest.raises(UsageError) as caught:
        book.read()
    with pytest.raises(UsageError):
        add(book, "more")

    assert book.path.read_bytes() == content
    problem = caught.value.problems[0]
    assert problem.path == str(book.path)
    assert "delete it" in str(problem.hint)
    return caught.value


def line(**change: Any) -> bytes:
    values: dict[str, Any] = json.loads(line_of(LINE))
    return json.dumps(values | change).encode() + b"\n"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        pytest.param(pickle.dumps({"a": print}).replace(b"\n", b"") + b"\n", "UTF-8", id="pickle"),
        pytest.param(b"\n", "not JSON", id="empty line"),
        pytest.param(b"[]\n", "not a JSON object", id="list"),
        pytest.param(b'{"a": 1, "a": 2}\n', "a name stands twice", id="twins"),
        pytest.param(b'{"cut\n', "not JSON", id="cut"),
        pytest.param(b"[" * 100_000 + b"\n", "nested too deeply", id="deep"),
        pytest.param(line(schema_version=2), "this gepa-ci reads 1", id="newer"),
        pytest.param(line(task="other"), "a record of the task 'other'", id="task"),
        pytest.param(line(alpha=float("nan")), "NaN is not a number", id="NaN"),
        pytest.param(line(alpha=-1), "'alpha' has to be a number from 0 to 1", id="alpha"),
        pytest.param(line(at="2026-01-01"), "'at' has to be a time", id="zone"),
        pytest.param(line(extra=1), "unknown field 'extra'", id="unknown"),
        pytest.param(line(kind="closed"), "the field 'stage' is null", id="half an answer"),
        pytest.param(line(decision="promote"), "it has the field 'decision'", id="both"),
    ],
)
def test_a_line_that_is_not_ours_is_named(book: LedgerFile, bad: bytes, said: str) -> None:
    error = wrong(book, line() + bad + line(candidate="later"))

    assert said in str(error)
    assert error.problems[0].line == 2


def test_a_whole_last_line_of_another_task_is_no_torn_line(book: LedgerFile) -> None:
    error = wrong(book, line() + line(task="other").strip())

    assert "line" not in str(error.problems[0].message)
    assert error.problems[0].line == 2


def test_a_file_that_is_too_large_is_an_error(
    book: LedgerFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_file, "LARGEST", 1_000)

    assert "more than 1000 bytes" in str(wrong(book, line() * 10))


def test_a_folder_in_its_place_is_an_error(book: LedgerFile) -> None:
    book.path.mkdir(parents=True)

    with pytest.raises(UsageError, match="cannot be read or written: Is a directory") as caught:
        add(book, "one")
    assert "writable" in str(caught.value.problems[0].hint)
    with pytest.raises(UsageError, match="Is a directory"):
        book.read()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    book = LedgerFile(tmp_path / "file", "triage")

    with pytest.raises(UsageError, match="cannot be read or written"):
        add(book, "one")
    with pytest.raises(UsageError, match="cannot be read or written"):
        book.read()


def test_a_full_disk_leaves_what_was_there(book: LedgerFile) -> None:
    import resource

    add(book, "one")
    room = book.path.stat().st_size + 100
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        with pytest.raises(UsageError, match="File too large"):
            add(book, "two")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)

    assert book.path.stat().st_size == room
    add(book, "three")
    assert names(book.read()) == ["one", "three"]
    assert len(book.notes) == 1


# Many processes at once

_CROWD = """
import os, sys
from dataclasses import replace
from pathlib import Path
sys.path[:0] = sys.argv[4:]
from gepa_ci.core.ledger import Entry, EntryKind
from gepa_ci.delivery.ledger_file import LedgerFile
folder, count, kind = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

def write(number):
    book = LedgerFile(folder, "triage")
    def decide(entries):
        if kind == "numbered":
            assert not any(entry.candidate == str(number) for entry in entries)
        entry = Entry(
            kind=EntryKind.OPENED, at="2026-01-01T04:00:00+00:00", task="triage", suite="v1",
            exam="e", baseline="b", candidate=str(number), n=len(entries), alpha=0.05,
            examples=("x" * 16,) * (300 if number % 20 == 0 else 0),
        )
        return None, entry
    book.transact(decide)

ready, go = os.pipe(), os.pipe()
children = []
for number in range(count):
    child = os.fork()
    if child == 0:
        try:
            os.close(go[1])
            os.write(ready[1], b"x")
            os.read(go[0], 1)
            write(number)
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    children.append(child)
seen = 0
while seen < count:
    seen += len(os.read(ready[0], count))
os.close(go[0])
os.close(go[1])
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


def test_of_two_hundred_processes_at_once_none_loses_or_tears_a_line(book: LedgerFile) -> None:
    root = Path(ledger_file.__file__).parents[2]

    done = subprocess.run(
        [sys.executable, "-c", _CROWD, str(book.folder), "200", "numbered", str(root)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    entries = book.read()
    assert sorted(map(int, names(entries))) == list(range(200))
    # Each saw exactly the lines of those before it.
    assert [entry.n for entry in entries] == list(range(200))
    assert book.notes == []
    assert len(book.path.read_bytes().splitlines()) == 200


_SPENDER = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from ledger_books import AT, POLICY, question
from gepa_ci.delivery.ledger_file import LedgerFile
from gepa_ci.gate import open_question
book = LedgerFile(Path(sys.argv[1]), "triage")
for number in range(4):
    grant = open_question(book, question(sys.argv[2] + str(number)), POLICY, at=AT)
    print(type(grant).__name__)
"""


def test_processes_at_once_do_not_spend_more_than_the_budget(book: LedgerFile) -> None:
    here = Path(__file__).parent.parent / "gate"
    spenders = [
        subprocess.Popen(
            [sys.executable, "-c", _SPENDER, str(book.folder), name, str(here)],
            stdout=subprocess.PIPE,
            env=dict(os.environ),
        )
        for name in "abcd"
    ]
    said = [word for one in spenders for word in one.communicate()[0].decode().split()]

    assert sorted(said) == ["Exhausted"] * 6 + ["Granted"] * 10
    assert len(book.read()) == 10


def test_a_budget_is_spent_across_runs(book: LedgerFile) -> None:
    once = LedgerPolicy(budget=0.05)
    open_question(book, question("one"), once, at=AT)
    close_question(book, question("one"), once, HELD, at=AT)

    refused = open_question(LedgerFile(book.folder, "triage"), question("two"), once, at=AT)

    assert isinstance(refused, Exhausted)
