"""Tests of gepa_ci.optimizers.lessons, and of what gepa_ci.optimizers.rounds makes of them."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from test_gepa_search import World, adds_a_rule, follows_rules

from gepa_ci.core.call import Purpose
from gepa_ci.core.optimization import Origin

if TYPE_CHECKING:
    from gepa_ci.core.call import Call

KINDS = 6


def shown(world: World) -> list[list[str]]:
    """Return the scores of each minibatch that the reflection LM was shown."""
    return [
        re.findall(r"### Score\n(\S+)", call.messages[-1].content)
        for call in world.asked(Purpose.REFLECTION)
    ]


def jealous(call: Call) -> str:
    """Follow the rules; but Rule 3 bears no other beside it."""
    before, question = call.messages[0].content, call.messages[-1].content
    return "no idea" if "Rule 3." in before and question[-1] != "3" else follows_rules(call)


def loners(call: Call) -> str:
    """Follow the rule of a text that has one only."""
    return follows_rules(call) if call.messages[0].content.count("Rule") == 1 else "no idea"


def test_every_minibatch_has_a_failure() -> None:
    world = World(train=36, val=12, kinds=KINDS)

    result = world.run(proposals=4)

    assert result.candidates[result.best].val_mean == 1.0
    assert all("0" in scores for scores in shown(world))


def test_a_minibatch_holds_one_that_must_not_be_lost() -> None:
    world = World(train=36, val=12, kinds=KINDS)

    world.run(proposals=4)

    later = [scores for scores in shown(world) if "1" in scores]
    assert later
    assert all(scores.count("1") == 1 for scores in later if scores.count("0") > 1)


def test_a_failure_that_teaches_nothing_is_shown_no_more_than_others() -> None:
    world = World(train=12, kinds=KINDS, reflection=lambda call: "```text\nNo better.\n```")

    world.run(proposals=4, max_metric_calls=120, stop_after_proposals=16)

    seen = Counter(
        line
        for call in world.asked(Purpose.REFLECTION)
        for line in re.findall(r"### Inputs\n(.*)", call.messages[-1].content)
    )
    assert len(seen) == 12
    assert max(seen.values()) - min(seen.values()) <= 1


def test_a_combination_goes_to_val_without_its_members() -> None:
    result = World(train=36, val=12, kinds=KINDS).run(proposals=4)

    first = [c for c in result.candidates if c.parents == (0,)]
    assert [c.origin for c in first] == [Origin.COMBINATION]


def test_a_member_that_spoils_the_others_is_left_out() -> None:
    result = World(train=36, val=12, kinds=KINDS, task=jealous).run(proposals=6)

    best = result.candidates[result.best]
    assert best.val_mean == (KINDS - 1) / KINDS
    assert "Rule 3." not in best.texts["system"]
    assert Origin.COMBINATION in {c.origin for c in result.candidates[1:3]}


def test_members_that_do_not_bear_each_other_leave_the_best_of_them() -> None:
    result = World(train=36, val=12, kinds=KINDS, task=loners).run(
        proposals=6, max_metric_calls=200
    )

    best = result.candidates[result.best]
    assert best.origin is Origin.REFLECTION
    assert best.val_mean == 1 / KINDS
    assert result.metric_calls <= 200


def test_a_parent_is_not_run_on_all_of_a_large_train_part() -> None:
    world = World(train=300, val=6)

    world.run(proposals=2, max_metric_calls=6 + 12 + 6 + 12)

    assert len(world.asked(Purpose.TASK)) <= 36


def test_a_round_that_does_not_fit_is_not_begun() -> None:
    world = World(train=12, val=6, reflection=adds_a_rule)

    for budget in range(12, 60, 5):
        assert world.run(proposals=4, max_metric_calls=budget).metric_calls <= budget
