"""Tests of gepa_ci.gate.ledger: what may be asked, what it costs, and what is answered."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_books import (
    AT,
    HELD,
    POLICY,
    PROMOTED,
    MemoryBook,
    day,
    examples,
    policy,
    question,
)

from gepa_ci.core.ledger import Answer, Entry, EntryKind, LedgerMode, LedgerPolicy, Question
from gepa_ci.gate import (
    Exhausted,
    Granted,
    Known,
    close_question,
    ledger_state,
    open_question,
    worn_reasons,
)


def asked(
    book: MemoryBook,
    name: str,
    answer: Answer | None = HELD,
    *,
    by: LedgerPolicy = POLICY,
    suite: str = "v1",
    members: tuple[str, ...] = examples(0, 100),
    at: str = AT,
) -> Granted:
    """Ask a question that is granted, and answer it unless its run is killed."""
    one = question(name, suite=suite, members=members)
    grant = open_question(book, one, by, at=at)
    assert isinstance(grant, Granted)
    if answer is not None:
        close_question(book, one, by, answer, at=at)
    return grant


def used_up(book: MemoryBook, count: int = 10) -> None:
    for number in range(count):
        asked(book, f"candidate {number}")


# Opening and closing


def test_a_question_is_on_record_before_it_is_asked() -> None:
    book = MemoryBook()

    grant = open_question(book, question(), POLICY, at=AT)

    (entry,) = book.entries
    assert entry == Entry(
        kind=EntryKind.OPENED,
        at=AT,
        task="triage",
        suite="v1",
        exam="exam",
        baseline="base",
        candidate="new",
        n=100,
        alpha=0.05,
        examples=tuple(one[:16] for one in examples(0, 100)),
        run="1.1",
    )
    assert isinstance(grant, Granted)
    assert (grant.alpha, grant.needs_e, grant.resumed) == (0.05, None, False)


def test_an_answer_is_a_line_of_its_own() -> None:
    book = MemoryBook()
    asked(book, "new")

    opened, closed = book.entries
    assert closed == replace(
        opened,
        kind=EntryKind.CLOSED,
        examples=(),
        stage="confirm",
        p=0.3,
        e=1.1,
        decision="hold",
        difference=0.01,
        se=0.04,
        reasons=("It may be luck.",),
    )


def test_the_examples_are_listed_once_a_version() -> None:
    book = MemoryBook()
    asked(book, "one")
    asked(book, "two")
    asked(book, "three", suite="v2", members=examples(50, 150))

    assert [bool(entry.examples) for entry in book.entries] == [True, *[False] * 3, True, False]


@pytest.mark.parametrize("answer", [HELD, PROMOTED], ids=["held", "promoted"])
def test_the_same_question_gets_the_answer_that_it_got(answer: Answer) -> None:
    book = MemoryBook()
    asked(book, "new", answer)
    lines = len(book.entries)

    again = open_question(book, replace(question(), run="2.1"), POLICY, at=day(3))

    assert isinstance(again, Known)
    assert again.answer == answer
    assert again.at == AT
    assert again.state.uses == 1
    assert len(book.entries) == lines


@pytest.mark.parametrize("field", ["suite", "exam", "baseline", "candidate"])
def test_whatever_decides_a_score_makes_another_question(field: str) -> None:
    book = MemoryBook()
    asked(book, "new")

    other = replace(question(), **{field: "other"})  # type: ignore[arg-type]

    assert isinstance(open_question(book, other, POLICY, at=AT), Granted)


def test_a_known_answer_is_given_by_a_set_that_is_worn_out() -> None:
    book = MemoryBook()
    used_up(book)

    assert isinstance(open_question(book, question("candidate 3"), POLICY, at=AT), Known)


def test_a_killed_run_has_used_the_examples() -> None:
    book = MemoryBook()
    asked(book, "killed", None)

    state = ledger_state(book.entries, question(), POLICY, at=AT)

    assert (state.uses, state.spent, state.tests_left) == (1, 0.05, 9)


def test_a_killed_run_goes_on_at_its_level_and_is_not_charged_again() -> None:
    book = MemoryBook()
    asked(book, "killed", None)
    used_up(book, 9)

    again = open_question(book, question("killed", alpha=0.01), POLICY, at=day(200))
    state = close_question(book, question("killed", alpha=0.01), POLICY, PROMOTED, at=day(200))

    assert isinstance(again, Granted)
    assert again.resumed
    assert again.alpha == 0.05
    assert again.state.uses == 10
    assert (state.uses, state.promotions) == (10, 1)
    assert state.spent == pytest.approx(0.45)
    assert [entry.alpha for entry in book.entries] == [0.05] * 20


def test_the_first_answer_stands() -> None:
    book = MemoryBook()
    asked(book, "new", HELD)

    state = close_question(book, question(), POLICY, PROMOTED, at=day(1))

    assert state.promotions == 0
    assert len(book.entries) == 2


def test_an_answer_whose_question_was_lost_counts_as_a_use() -> None:
    book = MemoryBook()

    state = close_question(book, question(), POLICY, HELD, at=AT)

    assert (state.uses, state.spent) == (1, 0.05)
    assert book.entries[0].examples
    assert isinstance(open_question(book, question(), POLICY, at=AT), Known)


def test_a_line_that_stands_twice_counts_once() -> None:
    book = MemoryBook()
    asked(book, "new")
    book.entries *= 2

    assert ledger_state(book.entries, question(), POLICY, at=AT).uses == 1


def test_lines_of_other_tasks_do_not_count() -> None:
    book = MemoryBook()
    asked(book, "new")
    book.entries = [replace(entry, task="other") for entry in book.entries]

    assert ledger_state(book.entries, question(), POLICY, at=AT).uses == 0
    assert isinstance(open_question(book, question(), POLICY, at=AT), Granted)


def test_who_loses_a_race_sees_what_the_other_one_spent() -> None:
    book = MemoryBook()
    used_up(book, 9)
    book.race = lambda: asked(book, "faster")

    slower = open_question(book, question("slower"), POLICY, at=AT)

    assert isinstance(slower, Exhausted)
    assert len(book.entries) == 20


def test_what_cannot_be_kept_is_not_kept() -> None:
    book = MemoryBook()
    answer = replace(HELD, e_value=math.inf, reasons=("Two\nlines.", "x" * 5_000))

    asked(book, "new", answer)

    closed = book.entries[-1]
    assert closed.e == 1e9
    assert closed.reasons == ("Two lines.", "x" * 2_000)


@pytest.mark.parametrize("field", ["p_value", "e_value", "difference", "se"])
def test_an_answer_that_is_not_a_number_is_refused(field: str) -> None:
    wrong = replace(HELD, **{field: math.nan})  # type: ignore[arg-type]

    with pytest.raises(ValueError, match="not finite"):
        close_question(MemoryBook(), question(), POLICY, wrong, at=AT)


@pytest.mark.parametrize(
    ("at", "said"), [("2026-01-01T04:00:00", "no zone"), ("yesterday", "isoformat")]
)
def test_a_time_without_a_zone_is_refused(at: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        open_question(MemoryBook(), question(), POLICY, at=at)
    with pytest.raises(ValueError, match=said):
        close_question(MemoryBook(), question(), POLICY, HELD, at=at)


# Mode none


def test_mode_none_keeps_nothing_and_grants_everything() -> None:
    book = MemoryBook()
    used_up(book)
    before = list(book.entries)
    off = LedgerPolicy(mode=LedgerMode.NONE, refresh_days=1, refresh_promotions=1)

    grants = [open_question(book, question("candidate 1"), off, at=day(900)) for _ in range(2)]
    state = close_question(book, question("candidate 1"), off, PROMOTED, at=day(900))

    assert all(isinstance(grant, Granted) and grant.alpha == 0.05 for grant in grants)
    assert book.entries == before
    assert state.summary == "No record is kept of how often the held-out examples are asked."
    assert (state.uses, state.tests_left, state.worn, state.next_alpha) == (0, None, None, 0.05)


# Mode budget


def test_the_budget_buys_ten_questions_at_the_default_level() -> None:
    book = MemoryBook()
    left = [asked(book, f"candidate {number}").state.tests_left for number in range(10)]

    refused = open_question(book, question("eleventh"), POLICY, at=AT)

    assert left == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert isinstance(refused, Exhausted)
    assert refused.reasons == (
        (
            "The held-out examples are used up: the candidates that they judged may by now have "
            "brought 0.50 false promotions on average, and 0.50 are allowed."
        ),
        (
            "Renew them with `gepa-ci suite refresh triage`: those in use become examples to "
            "optimize on, and new ones take their place."
        ),
        "Or add held-out examples: 12 more examples would allow another question.",
    )
    assert len(book.entries) == 20
    assert worn_reasons(book.entries, question("any"), POLICY, at=AT) == refused.reasons


def test_as_many_new_examples_as_are_asked_for_allow_another_question() -> None:
    book = MemoryBook()
    used_up(book)

    fewer = question("x", suite="v2", members=examples(0, 111))
    enough = question("x", suite="v2", members=examples(0, 112))

    # 11 more leave a bit less than a whole level, which is granted as it is.
    assert ledger_state(book.entries, fewer, POLICY, at=AT).next_alpha == pytest.approx(
        0.0495, 0.01
    )
    assert ledger_state(book.entries, enough, POLICY, at=AT).next_alpha == 0.05


def test_one_example_is_written_in_the_singular() -> None:
    book = MemoryBook()
    used_up(book)
    few = question("x", members=examples(0, 5))

    reasons = worn_reasons(book.entries, few, POLICY, at=AT)

    assert reasons is not None
    assert reasons[-1].startswith("Or add held-out examples: 1 more example would")


def test_a_budget_of_one_question_is_not_helped_by_more_examples() -> None:
    tiny = LedgerPolicy(budget=0.05)
    book = MemoryBook()
    asked(book, "one", by=tiny)

    assert len(worn_reasons(book.entries, question("two"), tiny, at=AT) or ()) == 2


def test_a_task_with_a_space_is_quoted_in_the_command() -> None:
    book = MemoryBook()
    used_up(book)
    book.entries = [replace(entry, task="my task") for entry in book.entries]

    reasons = worn_reasons(book.entries, replace(question("x"), task="my task"), POLICY, at=AT)

    assert reasons is not None
    assert "`gepa-ci suite refresh 'my task'`" in reasons[1]


def test_a_fresh_set_is_not_worn() -> None:
    assert worn_reasons((), question(), POLICY, at=AT) is None


def test_a_promotion_refunds_its_level() -> None:
    book = MemoryBook()
    asked(book, "held")

    state = asked(book, "promoted", None).state
    after = close_question(book, question("promoted"), POLICY, PROMOTED, at=AT)

    assert state.spent == pytest.approx(0.10)
    assert after.spent == pytest.approx(0.05)
    assert after.left == pytest.approx(0.45)
    assert (after.uses, after.promotions, after.tests_left) == (2, 1, 9)
    assert after.summary == (
        "The held-out examples have judged 2 candidates, 1 of them promoted; 0.05 of 0.50 expected "
        "false promotions are spent, which leaves 9 questions."
    )


def test_the_rest_of_a_budget_is_granted_unless_it_is_a_crumb() -> None:
    book = MemoryBook()
    by = LedgerPolicy(budget=0.12)
    levels = [asked(book, f"{number}", by=by).alpha for number in range(3)]

    assert levels == pytest.approx([0.05, 0.05, 0.02])
    assert isinstance(open_question(book, question("4"), by, at=AT), Exhausted)
    crumb = LedgerPolicy(budget=0.1249)
    assert isinstance(open_question(book, question("4"), crumb, at=AT), Exhausted)
    assert ledger_state(book.entries, question("4"), crumb, at=AT).tests_left == 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "promote", "killed"]),
        st.sampled_from([0.01, 0.05, 0.1, 0.3]),
        st.integers(0, 3),
    ),
    max_size=60,
)


@given(STEPS, st.sampled_from([0.05, 0.2, 0.5, 1.0]))
def test_what_is_granted_never_exceeds_the_budget_and_the_refunds(
    steps: list[tuple[str, float, int]], budget: float
) -> None:
    book, by = MemoryBook(), LedgerPolicy(budget=budget, refresh_promotions=1000)
    granted: dict[int, float] = {}
    refunded: dict[int, float] = {}
    for number, (outcome, alpha, version) in enumerate(steps):
        # Versions that have nothing in common are accounts of their own.
        members = examples(100 * version, 100 * version + 100)
        one = question(f"{number}", suite=f"v{version}", members=members, alpha=alpha)
        grant = open_question(book, one, by, at=AT)
        if isinstance(grant, Exhausted):
            continue
        assert isinstance(grant, Granted)
        assert 0 < grant.alpha <= alpha
        granted[version] = granted.get(version, 0.0) + grant.alpha
        if outcome == "promote":
            refunded[version] = refunded.get(version, 0.0) + grant.alpha
        if outcome != "killed":
            close_question(book, one, by, replace(HELD, decision=outcome), at=AT)

    for version, spent in granted.items():
        assert spent <= budget + refunded.get(version, 0.0) + 1e-9


@given(st.lists(st.integers(0, 60), min_size=1, max_size=40))
def test_adding_examples_never_makes_more_than_the_budget_per_example(starts: list[int]) -> None:
    # An example's account is the levels of all questions that it took part in.
    book, accounts = MemoryBook(), dict.fromkeys(examples(0, 100), 0.0)
    for number, start in enumerate(sorted(starts)):
        members = examples(start, start + 40)
        one = question(f"{number}", suite=f"from {start}", members=members)
        grant = open_question(book, one, POLICY, at=AT)
        if isinstance(grant, Granted):
            for member in members:
                accounts[member] += grant.alpha
            assert sum(accounts[member] for member in members) / len(members) <= 0.5 + 1e-9


# Inheritance


def shared(book: MemoryBook, first: int, *, last: int = 100, suite: str = "v2") -> Question:
    return question("other", suite=suite, members=examples(first, last))


def test_a_new_version_inherits_the_uses_by_the_share_of_examples_that_it_keeps() -> None:
    book = MemoryBook()
    used_up(book, 8)

    state = ledger_state(book.entries, shared(book, 75, last=175), POLICY, at=AT)

    assert state.uses == 0
    assert state.inherited == pytest.approx(2.0)
    assert state.spent == pytest.approx(0.1)
    assert state.summary == (
        "The held-out examples have judged 0 candidates, and those that other versions of the set "
        "had before count as 2 more; 0.10 of 0.50 expected false promotions are spent, which "
        "leaves 8 questions."
    )


def test_one_example_more_does_not_reset_the_budget() -> None:
    book = MemoryBook()
    used_up(book)

    refused = open_question(book, shared(book, 0, last=101), POLICY, at=AT)

    assert isinstance(refused, Exhausted)


def test_examples_that_were_taken_out_take_nothing_with_them() -> None:
    book = MemoryBook()
    used_up(book)

    assert isinstance(open_question(book, shared(book, 50), POLICY, at=AT), Exhausted)


def test_a_version_without_common_examples_begins_anew() -> None:
    book = MemoryBook()
    used_up(book)

    grant = open_question(book, shared(book, 100, last=200), POLICY, at=AT)

    assert isinstance(grant, Granted)
    assert (grant.state.inherited, grant.state.first_use) == (0.0, AT)


def test_each_version_hands_on_its_own_uses_only() -> None:
    book = MemoryBook()
    used_up(book, 4)
    asked(book, "x", suite="v2", members=examples(50, 150))
    asked(book, "y", suite="v2", members=examples(50, 150))

    # Half of v3 was in v1, three quarters in v2.
    third = shared(book, 50, last=150, suite="v3")
    half = ledger_state(book.entries, third, POLICY, at=AT)
    # Back to v1: its own uses whole, v2's by half.
    back = ledger_state(book.entries, question("z"), POLICY, at=AT)

    assert half.inherited == pytest.approx(0.5 * 4 + 1.0 * 2)
    assert back.uses == 4
    assert back.inherited == pytest.approx(1.0)


def test_a_version_of_unknown_examples_hands_on_nothing() -> None:
    book = MemoryBook()
    used_up(book)
    entries = [replace(entry, examples=()) for entry in book.entries]

    assert ledger_state(entries, shared(book, 0), POLICY, at=AT).spent == 0.0
    nobody = question("x", suite="empty", members=())
    assert ledger_state(book.entries, nobody, POLICY, at=AT).spent == 0.0


# Worn out


def test_a_set_is_worn_out_by_age() -> None:
    book = MemoryBook()
    asked(book, "first")

    just = open_question(book, question("in time"), POLICY, at=day(90.9))
    late = open_question(book, question("late"), POLICY, at=day(91))

    assert isinstance(just, Granted)
    assert isinstance(late, Exhausted)
    assert late.reasons[0] == (
        "The held-out examples are worn out: candidates have been judged by them for 91 days, and "
        "91 are allowed."
    )
    assert len(late.reasons) == 2
    assert (late.state.tests_left, late.state.next_alpha) == (0, 0.0)
    assert late.state.summary.endswith("which leaves 0 questions.")


def test_a_clock_that_goes_wrong_wears_nothing_out() -> None:
    book = MemoryBook()
    asked(book, "first")

    assert isinstance(open_question(book, question("x"), POLICY, at=day(-400)), Granted)


@pytest.mark.parametrize(("keeps", "worn"), [(50, True), (49, False)])
def test_a_version_that_keeps_most_examples_keeps_their_age(keeps: int, *, worn: bool) -> None:
    book = MemoryBook()
    asked(book, "first")

    state = ledger_state(
        book.entries, shared(book, 100 - keeps, last=200 - keeps), POLICY, at=day(100)
    )

    assert (state.worn is not None) is worn
    assert state.first_use == (AT if worn else None)


@pytest.mark.parametrize("mode", ["budget", "lord", "elond", "strict"])
def test_a_set_is_worn_out_by_promotions_in_every_mode(mode: str) -> None:
    book, by = MemoryBook(), replace(policy(mode), refresh_promotions=5)
    for number in range(5):
        asked(book, f"{number}", PROMOTED, by=by)

    refused = open_question(book, question("sixth"), by, at=AT)

    assert isinstance(refused, Exhausted)
    assert refused.reasons[0] == (
        "The held-out examples are worn out: 5 promotions came of them, and after 5 the prompt is "
        "fitted to them."
    )
    assert "suite refresh" in refused.reasons[-1]


@pytest.mark.parametrize(("last", "worn"), [(101, True), (112, False)])
def test_promotions_are_inherited_by_share_and_rounded(last: int, *, worn: bool) -> None:
    book = MemoryBook()
    for number in range(5):
        asked(book, f"{number}", PROMOTED)

    state = ledger_state(book.entries, shared(book, 0, last=last), POLICY, at=AT)

    assert (state.worn is not None) is worn
