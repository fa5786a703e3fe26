"""Tests of gepa_ci.delivery.data_branch and its files, on a real remote."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from clones import Clone, clone_of

from gepa_ci.core.comparison import Comparison, Interval, More
from gepa_ci.core.ledger import Answer, Entry, EntryKind, LedgerPolicy, Question
from gepa_ci.delivery.commits import Entry as TreeEntry
from gepa_ci.delivery.data_branch import (
    DATA_BRANCH,
    Baseline,
    Data,
    DataBranch,
    HistoryEntry,
    slug,
)
from gepa_ci.delivery.data_files import LARGEST, check_entries
from gepa_ci.errors import GitError
from gepa_ci.gate import Exhausted, Granted, Known, close_question, open_question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gepa_ci.core.values import JSON

AT = "2026-01-31T04:00:00+00:00"
BASELINE = Baseline(
    task="triage",
    digest="d" * 64,
    prompt_digest="p" * 64,
    suite_digest="s" * 64,
    model="local",
    trials=2,
    scores={"one": (1.0, None), "tw\u00f6\n": (0.5, 0)},
    repeats=False,
    made_at=AT,
    commit="c" * 40,
    run="1.1",
)
ENTRY = HistoryEntry(
    task="triage",
    at=AT,
    commit="c" * 40,
    digest="d" * 64,
    prompt_digest="p" * 64,
    model="local",
    mean=0.68,
    se=0.04,
    low=0.6,
    high=0.76,
    n=100,
    units=90,
    fresh=True,
    verdict=None,
    usd=None,
    calls=700,
    run="1.1",
)
USE = Entry(
    kind=EntryKind.OPENED,
    at=AT,
    task="triage",
    suite="s" * 64,
    exam="e" * 64,
    baseline="b" * 64,
    candidate="c" * 64,
    n=2,
    alpha=0.05,
    examples=("0" * 16, "1" * 16),
    run="1.1",
)
COMPARISON = Comparison(
    n=2,
    units=2,
    missing=0,
    baseline_mean=0.5,
    candidate_mean=0.75,
    difference=0.25,
    interval=Interval(low=-0.1, high=0.6, level=0.9),
    p_value=0.25,
    p_better=0.25,
    p_worse=0.9,
    wins=1,
    losses=0,
    ties=1,
    mde=0.7,
    n_needed=40,
    more=More.TRIALS,
)
ENDED = replace(
    USE,
    kind=EntryKind.CLOSED,
    examples=(),
    stage="confirm",
    p=0.25,
    e=1.2,
    decision="hold",
    difference=0.25,
    se=0.2,
    reasons=("Held: the gain may be luck.",),
    comparison=COMPARISON,
)
QUESTION = Question(
    task="triage",
    suite="s" * 64,
    exam="e" * 64,
    baseline="b" * 64,
    candidate="c" * 64,
    examples=("0" * 64, "1" * 64),
    n=2,
    alpha=0.05,
    run="1.1",
)
ANSWER = Answer(
    decision="hold",
    stage="confirm",
    p_value=0.25,
    e_value=1.2,
    difference=0.25,
    se=0.2,
    reasons=("Held: the gain may be luck.",),
    comparison=COMPARISON,
)
BADGE: dict[str, JSON] = {"schemaVersion": 1, "label": "triage", "message": "68%", "color": "green"}
FILE = {
    "baselines": f"baselines/{slug('triage')}.json",
    "history": f"history/{slug('triage')}.jsonl",
    "uses": f"held-out/{slug('triage')}.jsonl",
    "badge": f"badges/{slug('triage')}.json",
}


@pytest.fixture
def clone(repository: Path) -> Clone:
    return clone_of(repository)


@pytest.fixture
def branch(clone: Clone) -> Iterator[DataBranch]:
    with clone.open() as git:
        yield DataBranch(git, clone.remote, clock=lambda: 1_700_000_000, pause=lambda _: None)


def full(data: Data) -> Data:
    """Add one of everything."""
    return (
        data.with_baseline(BASELINE)
        .with_history(ENTRY)
        .with_use(USE)
        .with_use(ENDED)
        .with_search("triage", "x" * 64)
        .with_badge("triage", BADGE)
    )


def put(
    clone: Clone, files: dict[str, bytes], *, mode: str = "100644", message: str = "by hand"
) -> None:
    """Write files onto the data branch as somebody else could."""
    folder = clone.path.parent / "elsewhere"
    clone.git("init", "-q", str(folder))
    if old := clone.head(DATA_BRANCH):
        clone.git("fetch", "-q", str(clone.bare), DATA_BRANCH, folder=folder)
        clone.git("read-tree", old, folder=folder)
    blobs = {data: piped(folder, data, "hash-object", "-w", "--stdin") for data in files.values()}
    lines = "".join(f"{mode} {blobs[data]}\t{path}\0" for path, data in files.items())
    piped(folder, lines.encode(), "update-index", "-z", "--index-info")
    made = clone.git(
        "commit-tree", clone.git("write-tree", folder=folder), "-m", message, folder=folder
    )
    clone.git("push", "-qf", str(clone.bare), f"{made}:refs/heads/{DATA_BRANCH}", folder=folder)


def piped(folder: Path, data: bytes, *command: str) -> str:
    done = subprocess.run(
        ["git", *command], cwd=folder, input=data, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def on_branch(clone: Clone) -> dict[str, str]:
    """Return the files of the data branch."""
    names = clone.git("ls-tree", "-r", "--name-only", DATA_BRANCH, folder=clone.bare)
    return {
        name: clone.git("show", f"{DATA_BRANCH}:{name}", folder=clone.bare)
        for name in names.splitlines()
    }


def test_there_is_nothing_before_the_first_write(branch: DataBranch) -> None:
    assert branch.read() == Data()


def test_what_is_written_is_read(branch: DataBranch, clone: Clone) -> None:
    written = branch.update(full, message="Record")

    assert branch.read() == written == full(Data())
    assert sorted(on_branch(clone)) == sorted([*FILE.values(), "README.md", "searches.json"])
    assert clone.git("merge-base", "main", "HEAD") == clone.git("rev-parse", "main")
    assert clone.git("log", "--format=%an|%s", DATA_BRANCH, folder=clone.bare) == (
        "github-actions[bot]|Record"
    )


def test_a_change_of_nothing_makes_no_commit(branch: DataBranch, clone: Clone) -> None:
    branch.update(full, message="Record")
    before = clone.head(DATA_BRANCH)

    assert branch.update(full, message="Record") == full(Data())
    assert branch.update(lambda data: data, message="Record") == full(Data())
    assert clone.head(DATA_BRANCH) == before


def test_a_badge_is_what_shields_io_reads(branch: DataBranch, clone: Clone) -> None:
    branch.update(full, message="Record")

    assert json.loads(on_branch(clone)[FILE["badge"]]) == BADGE


# Values


def test_a_use_is_opened_once_and_ended_once() -> None:
    other = replace(USE, candidate="d" * 64)

    data = Data().with_use(USE).with_use(USE).with_use(other).with_use(ENDED)

    assert data.uses == {"triage": (USE, other, ENDED)}
    assert data.with_use(replace(ENDED, decision="promote")) == data
    assert data.with_use(USE) == data


def test_a_line_that_a_restarted_run_says_again_stands_once() -> None:
    later = replace(ENTRY, at="2026-01-31T04:09:00+00:00")

    assert Data().with_history(ENTRY).with_history(later).history == {"triage": (later,)}
    assert len(Data(history={"triage": (ENTRY, later, later)}).tidied().history["triage"]) == 1


def test_a_long_history_is_thinned_to_one_line_a_day() -> None:
    def entry(day: int, hour: int) -> HistoryEntry:
        at = f"20{20 + day // 336:02}-{day // 28 % 12 + 1:02}-{day % 28 + 1:02}T{hour:02}:00:00Z"
        return replace(ENTRY, at=at, run=f"{day}.{hour}")

    few = Data(history={"triage": tuple(entry(day, 1) for day in range(2_000))})
    many = Data(history={"triage": tuple(entry(d, h) for d in range(1_500) for h in (1, 9))})
    years = Data(history={"triage": tuple(entry(day, 1) for day in range(2_100))})

    assert few.tidied() == few
    assert many.tidied().history["triage"] == tuple(entry(day, 9) for day in range(1_500))
    assert years.tidied().history["triage"] == tuple(entry(day, 1) for day in range(100, 2_100))


NAMES = [
    "triage",
    "Triage",
    "TRIAGE!",
    "a/b",
    "a-b",
    "../../x",
    "CON",
    "",
    "\u00fc",
    "x" * 300,
    ".",
]


def test_each_task_has_a_file_of_its_own_whatever_its_name() -> None:
    slugs = {slug(name) for name in NAMES}

    assert len(slugs) == len(NAMES)
    assert len({one.lower() for one in slugs}) == len(NAMES)
    for one in slugs:
        assert one.replace("-", "").isalnum()
        assert one.isascii()
        assert len(one) < 60


def test_tasks_with_hostile_names_stay_on_their_own_files(branch: DataBranch, clone: Clone) -> None:
    hostile = replace(ENTRY, task="../../.git/config")

    branch.update(lambda data: data.with_history(hostile), message="Record")

    assert branch.read().history == {"../../.git/config": (hostile,)}
    assert all(name.count("/") <= 1 for name in on_branch(clone))


# Writers at the same time

_UPDATER = """
import os, sys
from dataclasses import replace
from pathlib import Path
sys.path[:0] = sys.argv[4:]
from clones import Clone
from test_data_branch import ANSWER, AT, ENTRY, QUESTION
from gepa_ci.core.ledger import LedgerPolicy
from gepa_ci.delivery.data_branch import DataBranch
from gepa_ci.gate import close_question, open_question
clone = Clone(Path(sys.argv[1]), Path(sys.argv[2]))
number = sys.argv[3]
with clone.open() as git:
    branch = DataBranch(git, clone.remote)
    question = replace(QUESTION, candidate=number)
    open_question(branch.ledger("triage"), question, LedgerPolicy(), at=AT)
    close_question(branch.ledger("triage"), question, LedgerPolicy(), ANSWER, at=AT)
    branch.update(lambda data: data.with_history(replace(ENTRY, run=number)), message="End")
"""


@pytest.mark.parametrize(("count", "kind"), [(8, "shallow"), (3, "one folder")])
def test_writers_at_once_lose_nothing(
    clone: Clone, branch: DataBranch, tmp_path: Path, count: int, kind: str
) -> None:
    here = Path(__file__).parent
    folders = [
        clone if kind == "one folder" else clone.shallow(tmp_path / f"clone-{number}")
        for number in range(count)
    ]
    writers = [
        subprocess.Popen(
            [
                *(sys.executable, "-c", _UPDATER, str(folder.path), str(clone.bare), str(number)),
                *(str(here), str(here.parent)),
            ],
            stderr=subprocess.PIPE,
            env=dict(os.environ),
        )
        for number, folder in enumerate(folders)
    ]
    said = [writer.communicate()[1].decode() for writer in writers]

    assert [writer.returncode for writer in writers] == [0] * count, said
    data = branch.read()
    expected = {str(number) for number in range(count)}
    for step in EntryKind:
        lines = [use for use in data.uses["triage"] if use.kind is step]
        assert sorted(use.candidate for use in lines) == sorted(expected)
    assert sum(bool(use.examples) for use in data.uses["triage"]) == 1
    assert sorted(entry.run for entry in data.history["triage"]) == sorted(expected)


def test_a_change_is_made_again_on_top_of_a_faster_one(branch: DataBranch, clone: Clone) -> None:
    calls: list[Data] = []

    def change(data: Data) -> Data:
        if not calls:
            with clone.open() as git:
                DataBranch(git, clone.remote).update(
                    lambda other: other.with_search("other", "y"), message="Faster"
                )
        calls.append(data)
        return data.with_search("mine", "x")

    assert branch.update(change, message="Slower").searches == {"mine": "x", "other": "y"}
    assert len(calls) == 2


def test_a_branch_that_always_moves_is_an_error(clone: Clone) -> None:
    waits: list[float] = []

    def change(data: Data) -> Data:
        put(clone, {"README.md": b"%d" % len(waits)})
        return data.with_search("mine", "x")

    with clone.open() as git:
        branch = DataBranch(git, clone.remote, pause=waits.append, jitter=lambda: 1.0, attempts=8)
        with pytest.raises(GitError, match="others changed it each of the 8 times") as caught:
            branch.update(change, message="Never")

    assert "concurrency" in str(caught.value.problems[0].hint)
    assert waits[:3] == [0.1, 0.2, 0.4]
    assert max(waits) == 5.0


def test_a_long_line_of_commits_is_squashed_into_one(branch: DataBranch, clone: Clone) -> None:
    branch.update(full, message="Record")
    put(clone, {}, message="Older\n\nGepa-CI-Commits: 198")
    counts = []
    for number in range(5):
        branch.update(partial(Data.with_search, task="t", digest=str(number)), message="Search")
        counts.append(clone.git("rev-list", "--count", DATA_BRANCH, folder=clone.bare))

    assert counts == ["2", "3", "1", "2", "3"]
    assert branch.read() == full(Data()).with_search("t", "4")


def test_a_refused_push_says_which_setting(branch: DataBranch, clone: Clone) -> None:
    clone.hook("pre-receive", "echo 'error: GH006: Protected branch update failed' >&2; exit 1")

    with pytest.raises(GitError, match="branch 'gepa-ci-data': git push failed") as caught:
        branch.update(full, message="Record")

    assert "Rulesets" in str(caught.value.problems[0].hint)


# The ledger on the branch


def test_a_question_and_its_answer_are_two_lines_of_a_file(
    branch: DataBranch, clone: Clone
) -> None:
    book = branch.ledger("triage")

    grant = open_question(book, QUESTION, LedgerPolicy(), at=AT)
    close_question(book, QUESTION, LedgerPolicy(), ANSWER, at=AT)

    assert isinstance(grant, Granted)
    assert branch.read().uses == {"triage": (USE, ENDED)}
    assert len(on_branch(clone)[FILE["uses"]].splitlines()) == 2
    known = open_question(book, QUESTION, LedgerPolicy(), at=AT)
    assert isinstance(known, Known)
    assert known.answer == ANSWER


def test_a_look_at_the_ledger_writes_nothing(branch: DataBranch, clone: Clone) -> None:
    assert branch.ledger("triage").transact(lambda entries: (len(entries), None)) == 0
    assert clone.head(DATA_BRANCH) is None


def test_who_was_slower_decides_again_with_what_the_other_one_wrote(
    branch: DataBranch, clone: Clone
) -> None:
    seen: list[int] = []
    once = LedgerPolicy(budget=0.05)

    def race() -> None:
        with clone.open() as git:
            other = DataBranch(git, clone.remote).ledger("triage")
            open_question(other, replace(QUESTION, candidate="faster"), once, at=AT)

    class Watched:
        notes: tuple[str, ...] = ()

        def transact(self, decide: Any) -> Any:
            def watched(entries: Any) -> Any:
                if not seen:
                    race()
                seen.append(len(entries))
                return decide(entries)

            return branch.ledger("triage").transact(watched)

    refused = open_question(Watched(), QUESTION, once, at=AT)

    assert isinstance(refused, Exhausted)
    assert seen == [0, 1]
    (only,) = branch.read().uses["triage"]
    assert only.candidate == "faster"


def test_a_line_of_another_task_is_refused(branch: DataBranch, clone: Clone) -> None:
    with pytest.raises(ValueError, match="of the task 'other'"):
        branch.ledger("triage").transact(lambda _: (None, replace(USE, task="other")))

    assert clone.head(DATA_BRANCH) is None


# A branch that somebody else wrote


def line(values: dict[str, Any]) -> bytes:
    return json.dumps(values).encode() + b"\n"


def good(kind: str, clone: Clone) -> dict[str, Any]:
    """Return a file's last line as it was written."""
    found: dict[str, Any] = json.loads(on_branch(clone)[FILE[kind]].splitlines()[-1])
    return found


def wrong(branch: DataBranch, clone: Clone, path: str, content: bytes) -> GitError:
    """Return the error for a file, and see that nothing can be written over it."""
    put(clone, {path: content})
    before = clone.head(DATA_BRANCH)
    with pytest.raises(GitError) as caught:
        branch.read()
    with pytest.raises(GitError):
        branch.update(full, message="Record")

    assert clone.head(DATA_BRANCH) == before
    problem = caught.value.problems[0]
    assert problem.path == path
    assert "branch 'gepa-ci-data'" in problem.message
    assert "delete the branch" in str(problem.hint)
    return caught.value


@pytest.mark.parametrize("kind", ["baselines", "history", "badge"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(pickle.dumps({"a": print}) + b"\n", "not UTF-8", id="pickle"),
        pytest.param(b"\xff\xfe{}\n", "not UTF-8", id="bad UTF-8"),
        pytest.param(b"{\n", "not JSON", id="cut"),
        pytest.param(b"[]\n", "not a JSON object", id="list"),
        pytest.param(
            b'{"schema_version": 2, "schemaVersion": true}\n', "this gepa-ci reads 1", id="newer"
        ),
        pytest.param(b"{}\n", "is None, and this gepa-ci reads 1", id="no version"),
        pytest.param(b'{"a": 1, "a": 2}\n', "a name stands twice", id="twins"),
        pytest.param(b'{"a": NaN}\n', "NaN is not a number", id="NaN"),
        pytest.param(b'{"a": 1e999}\n', "1e999 is not a number", id="huge float"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}\n", "", id="huge integer"),
        pytest.param(b"[" * 100_000 + b"\n", "nested too deeply", id="deep"),
    ],
)
def test_a_file_that_is_not_our_json_is_an_error(
    branch: DataBranch, clone: Clone, kind: str, content: bytes, said: str
) -> None:
    assert said in str(wrong(branch, clone, FILE[kind], content))


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("baselines", {"trials": -1}, "'trials' has to be a whole number from 0 on"),
        ("baselines", {"trials": True}, "'trials' has to be a whole number"),
        ("baselines", {"repeats": 1}, "'repeats' has to be true or false"),
        ("baselines", {"scores": []}, "'scores' has to be an object"),
        ("baselines", {"scores": {"a": 1}}, "'scores' has to be a list"),
        ("baselines", {"scores": {"a": ["1"]}}, "'scores' has to be a number"),
        ("baselines", {"scores": {"a": [True]}}, "'scores' has to be a number"),
        ("baselines", {"scores": {"a" * 5000: []}}, "'scores' has to be an object"),
        ("baselines", {"made_at": "yesterday"}, "'made_at' has to be a time"),
        ("baselines", {"made_at": "2026-01-31T04:00:00"}, "'made_at' has to be a time"),
        ("baselines", {"digest": ""}, "'digest' has to be a line that is not empty"),
        ("baselines", {"model": "a\nb"}, "'model' has to be a line"),
        ("baselines", {"model": "a" * 501}, "'model' has to be a line"),
        ("baselines", {"task": "other"}, "a record of the task 'other'"),
        ("baselines", {"more": 1}, "unknown field 'more'"),
        ("history", {"mean": 1e300}, "'mean' has to be a number"),
        ("history", {"se": -0.1}, "'se' has to be a number from 0 to 1"),
        ("history", {"fresh": 1}, "'fresh' has to be true or false"),
        ("history", {"digest": ""}, "'digest' has to be a line that is not empty"),
        ("history", {"task": "../../etc/passwd"}, "a record of the task"),
        ("uses", {"decision": "perhaps"}, "'decision' has to be one of promote, hold"),
        ("uses", {"kind": 1}, "'kind' has to be one of opened, closed"),
        ("uses", {"alpha": 1.5}, "'alpha' has to be a number from 0 to 1"),
        ("uses", {"alpha": "0.05"}, "'alpha' has to be a number"),
        ("uses", {"p": -1}, "'p' has to be a number from 0 to 1"),
        ("uses", {"p": None}, "it is an answer, but the field 'p' is null"),
        ("uses", {"kind": "opened"}, "it is an opened question, but it has the field 'stage'"),
        ("uses", {"at": "2026-01-31T04:00:00"}, "'at' has to be a time"),
        ("uses", {"examples": "all"}, "'examples' has to be a list"),
        ("uses", {"examples": [""]}, "'examples' has to be a line that is not empty"),
        ("uses", {"examples": ["a"] * 100_001}, "'examples' has to be a list of at most 100000"),
        ("uses", {"reasons": ["a\nb"]}, "'reasons' has to be a line of at most 4000"),
        ("uses", {"reasons": ["a" * 4001]}, "'reasons' has to be a line of at most 4000"),
        ("uses", {"comparison": []}, "'comparison' has to be an object"),
        ("uses", {"comparison": {"n": 1}}, "'comparison' has to be one of ours: the field "),
        ("uses", {"comparison": {"x": 1}}, "one of ours: unknown field 'x'"),
        ("uses", {"n": -1}, "'n' has to be a whole number"),
        ("uses", {"more": 1}, "unknown field 'more'"),
    ],
)
def test_a_field_that_is_wrong_is_named(
    branch: DataBranch, clone: Clone, kind: str, change: dict[str, Any], said: str
) -> None:
    branch.update(full, message="Record")

    error = wrong(branch, clone, FILE[kind], line(good(kind, clone) | change))

    assert said in str(error)


def test_a_field_that_is_missing_is_named(branch: DataBranch, clone: Clone) -> None:
    branch.update(full, message="Record")
    values = good("uses", clone)
    del values["decision"]

    assert "the field 'decision' is missing" in str(
        wrong(branch, clone, FILE["uses"], line(values))
    )


def test_a_line_in_the_middle_that_is_wrong_is_named(branch: DataBranch, clone: Clone) -> None:
    branch.update(full, message="Record")
    one = line(good("history", clone))

    assert "line 2:" in str(wrong(branch, clone, FILE["history"], one + b'{"cut\n' + one))


def test_a_use_that_is_wrong_is_named_by_its_line(branch: DataBranch, clone: Clone) -> None:
    branch.update(full, message="Record")
    one = good("uses", clone)

    error = wrong(branch, clone, FILE["uses"], line(one) + line(one | {"kind": "opened"}))

    assert "line 2: it is an opened question" in str(error)


def test_too_many_lines_are_an_error(branch: DataBranch, clone: Clone) -> None:
    assert "100001 lines" in str(wrong(branch, clone, FILE["history"], b"\n" * 100_001))


def test_a_half_written_last_line_loses_nothing_before_it(branch: DataBranch, clone: Clone) -> None:
    branch.update(full, message="Record")
    before = on_branch(clone)[FILE["uses"]].encode() + b"\n"
    put(clone, {FILE["uses"]: before + before[:200]})

    data = branch.read()

    assert data == full(Data())
    (note,) = data.notes
    assert note.startswith(f"The last line of {FILE['uses']} on the branch gepa-ci-data is half")
    branch.update(lambda old: old.with_search("new", "x"), message="Mend")
    assert on_branch(clone)[FILE["uses"]].encode() + b"\n" == before
    assert branch.read().uses == {"triage": (USE, ENDED)}


def test_a_last_line_without_an_end_counts_when_it_is_whole(
    branch: DataBranch, clone: Clone
) -> None:
    branch.update(full, message="Record")
    put(clone, {FILE["uses"]: on_branch(clone)[FILE["uses"]].encode()})

    assert (branch.read(), branch.read().notes) == (full(Data()), ())


def test_an_empty_file_is_no_history(branch: DataBranch, clone: Clone) -> None:
    put(clone, {FILE["history"]: b""})

    assert branch.read() == Data()


@pytest.mark.parametrize("path", ["link.md", FILE["uses"]])
def test_a_link_on_the_branch_is_an_error(branch: DataBranch, clone: Clone, path: str) -> None:
    put(clone, {path: b"/etc/passwd"}, mode="120000")

    with pytest.raises(GitError, match="it is not a plain file") as caught:
        branch.read()
    assert caught.value.problems[0].path == path


@pytest.mark.parametrize(
    "path",
    [
        *("cache.pkl", "baselines/x.pkl", "baselines/a/b.json", "history/x.json", "run.sh"),
        *("held-out/.jsonl", "held-out/a b.jsonl", "other/x.json", "history/\u00fc.jsonl"),
    ],
)
def test_a_file_that_is_not_ours_is_an_error(branch: DataBranch, clone: Clone, path: str) -> None:
    assert "it is no file of gepa-ci" in str(wrong(branch, clone, path, b""))


def test_a_file_that_is_too_large_is_an_error(branch: DataBranch, clone: Clone) -> None:
    assert "is the most" in str(wrong(branch, clone, FILE["history"], b"\n" * (LARGEST + 1)))


def test_too_many_files_are_an_error() -> None:
    many = [
        TreeEntry(path=f"badges/a{number}.json", mode="100644", sha="a" * 40, size=2)
        for number in range(4_001)
    ]

    with pytest.raises(GitError, match="it has 4001 files; 4000 is the most"):
        check_entries(many)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.with_baseline(replace(BASELINE, scores={"a": (float("nan"),)})),
        lambda data: data.with_history(replace(ENTRY, at="now")),
        lambda data: data.with_use(replace(USE, run="a\nb")),
        lambda data: data.with_use(replace(ENDED, se=float("nan"))),
        lambda data: data.with_use(replace(ENDED, p=None)),
        lambda data: replace(data, searches={"x" * 4001: "y"}),
        lambda data: data.with_badge("triage", {**BADGE, "logo": "x"}),
        lambda data: data.with_baseline(
            replace(BASELINE, scores={f"{n:04000}": (1.0,) for n in range(4_300)})
        ),
    ],
    ids=["NaN", "time", "line", "NaN in a use", "no answer", "name", "badge", "size"],
)
def test_what_could_not_be_read_again_is_never_written(
    branch: DataBranch, clone: Clone, change: Callable[[Data], Data]
) -> None:
    with pytest.raises(GitError, match="branch 'gepa-ci-data'"):
        branch.update(change, message="Record")

    assert clone.head(DATA_BRANCH) is None
