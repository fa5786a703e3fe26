from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from judge_models import (
    answering,
    coin,
    contrary,
    files,
    fond_of_length,
    good,
    harsher,
    labels,
    outputs_in,
    quality_of,
)
from provider import FakeProvider, Request, every, rate_limited

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench import Outcome, Workbench

CALIBRATE = ("judge", "calibrate", "answer", "--labels", "labels.jsonl")
ANCHORED = ", anchors: anchors.jsonl"


class Changing:
    """A judge LM that is another one whenever its provider likes."""

    def __init__(self) -> None:
        self.now: Callable[[str, int], float] = good

    def __call__(self, output: str, time: int) -> float:
        return self.now(output, time)


def calibrated(bench: Workbench, judge: Callable[[str, int], float], *arguments: str) -> Outcome:
    with FakeProvider(answering(judge)) as provider:
        bench.write(files(provider.url))
        return bench.run(*CALIBRATE, *arguments)


def faults(outcome: Outcome) -> list[str]:
    return [fault["name"] for fault in outcome.document["faults"]]


def test_a_good_judge_is_passed(bench: Workbench) -> None:
    outcome = calibrated(bench, good)

    assert outcome.code == 0, outcome.err
    assert "The judge agrees with humans." in outcome.out
    assert "humans (down) by judge (across)" in outcome.out


def test_a_judge_that_prefers_long_answers_is_named(bench: Workbench) -> None:
    outcome = calibrated(bench, fond_of_length)

    assert outcome.code == 1
    assert "- The judge prefers long answers: one of 274 characters gets 3" in outcome.out
    assert "- The judge is no better than chance: " in outcome.out


def test_a_judge_that_flips_a_coin_is_named(bench: Workbench) -> None:
    outcome = calibrated(bench, coin, "--format", "json", "--write-anchors", "anchors.jsonl")

    assert outcome.code == 1
    assert {"contradiction"} < set(faults(outcome)) <= {"contradiction", "chance", "agreement"}
    assert not (bench.root / "anchors.jsonl").exists()


def test_a_judge_that_agrees_less_than_is_asked_for_fails(bench: Workbench) -> None:
    outcome = calibrated(bench, good, "--min-kappa", "0.99", "--format", "json")

    assert outcome.code == 1
    assert faults(outcome) == ["agreement"]
    assert outcome.document["min_kappa"] == 0.99


def test_a_refused_judge_leaves_no_anchors_and_says_so(bench: Workbench) -> None:
    outcome = calibrated(bench, coin, "--write-anchors", "anchors.jsonl")

    assert "anchors.jsonl was not written: a judge with faults is no ruler." in outcome.out


def test_a_calibration_is_paid_for_once_a_day_and_never_passes_a_cap(bench: Workbench) -> None:
    with FakeProvider(answering(good), faults=[(every(7), rate_limited(0))]) as provider:
        config = files(provider.url)
        config["gepa-ci.yml"] = config["gepa-ci.yml"].replace("retries: 0", "retries: 9")
        bench.write(config)
        first = bench.run(*CALIBRATE, "--format", "json")
        once = provider.answered
        second = bench.run(*CALIBRATE, "--format", "json")
        capped = {**config, "labels.jsonl": labels(61)}
        capped["gepa-ci.yml"] += "spend: {calls: 2}\n"
        bench.write(capped)
        third = bench.run(*CALIBRATE)

    # Three answers on each of 60 outputs, and 30 pairs in both orders.
    assert once == provider.answered == 3 * 60 + 2 * 30
    assert second.document["kappa"] == first.document["kappa"]
    assert second.document["cached_calls"] == once
    assert third.code == 2
    assert "cannot pay for the calibration: it needs 3 calls" in third.err


def anchored(bench: Workbench, provider: FakeProvider, *, more: str = "", task: str = "") -> None:
    bench.write(files(provider.url, more=more, task=task))
    outcome = bench.run(*CALIBRATE, "--write-anchors", "anchors.jsonl", "--anchors", "24")
    assert outcome.code == 0, outcome.err
    bench.write(files(provider.url, more=more + ANCHORED, task=task))


def evaluated(bench: Workbench) -> Any:
    # A machine that has no answers yet, as in a month's time.
    shutil.rmtree(bench.root / ".gepa-ci", ignore_errors=True)
    outcome = bench.run("evaluate", "--format", "json")
    assert outcome.code == 0, outcome.err
    return outcome.document["tasks"][0]


def test_a_judge_that_changes_in_mid_year_is_named_and_no_regression(bench: Workbench) -> None:
    judge = Changing()
    with FakeProvider(answering(judge)) as provider:
        anchored(bench, provider)
        same = evaluated(bench)
        judge.now = harsher
        lower = evaluated(bench)
        judge.now = contrary
        mirrored = evaluated(bench)

    assert same["verdict"] is None
    assert "The judge scores its 24 anchors as it did on 2" in same["notes"][0]
    assert lower["verdict"] == mirrored["verdict"] == "ruler_changed"
    assert lower["candidate"] is None
    reason, advice = lower["reasons"]
    assert reason.startswith("The ruler changed: the judge 'openai/mock-judge' does not score its")
    assert "they now get 0." in reason
    assert "points less (p = " in reason
    assert "some now get more and some less" in mirrored["reasons"][0]
    assert "gepa-ci judge calibrate answer" in advice


def test_anchors_are_scored_once_a_day_and_before_anything_else(bench: Workbench) -> None:
    with FakeProvider(answering(good)) as provider:
        anchored(bench, provider)
        shutil.rmtree(bench.root / ".gepa-ci")
        before = provider.calls
        bench.run("evaluate")
        asked = provider.requests[before:]
        bench.run("evaluate")
        after = provider.calls

    judged = [request.model for request in asked]
    assert judged[:24] == ["mock-judge"] * 24
    assert judged.count("mock-task") == judged.count("mock-judge") - 24
    assert after == before + len(asked)


def test_a_rubric_that_was_not_calibrated_is_another_ruler(bench: Workbench) -> None:
    with FakeProvider(answering(good)) as provider:
        anchored(bench, provider)
        bench.write({"rubric.md": "A good answer is short.\n"})
        calls = provider.calls
        outcome = bench.run("evaluate")
        assert provider.calls == calls
        replaced = files(provider.url, more=ANCHORED)["gepa-ci.yml"]
        bench.write({"gepa-ci.yml": replaced.replace("openai/mock-judge", "openai/other")})
        other = bench.run("evaluate")

    assert outcome.code == 0
    assert "its rubric, scale or parameters have changed" in " ".join(outcome.out.split())
    assert "its model is 'openai/other', not 'openai/mock-judge'" in " ".join(other.out.split())


@pytest.mark.parametrize(("policy", "code"), [("warn", 0), ("fail", 1)])
def test_a_changed_ruler_ends_a_gate_as_an_inconclusive_one(
    repo: Workbench, policy: str, code: int
) -> None:
    judge = Changing()
    task = f"    gate: {{on_inconclusive: {policy}}}\n"
    with FakeProvider(answering(judge)) as provider:
        anchored(repo, provider, task=task)
        repo.commit("Begin")
        repo.write({"p.md": "Do answer: {{question}}\n"})
        shutil.rmtree(repo.root / ".gepa-ci")
        judge.now = harsher
        tasks = len([r for r in provider.requests if r.model == "mock-task"])
        outcome = repo.run("gate", "--base", "main", "--format", "json")
        assert len([r for r in provider.requests if r.model == "mock-task"]) == tasks

    assert outcome.code == code
    assert outcome.document["tasks"][0]["verdict"] == "ruler_changed"


def test_no_search_is_started_with_a_ruler_that_changed(bench: Workbench) -> None:
    judge = Changing()
    with FakeProvider(answering(judge)) as provider:
        anchored(bench, provider)
        shutil.rmtree(bench.root / ".gepa-ci")
        judge.now = harsher
        outcome = bench.run("optimize", "--format", "json")

    (found,) = outcome.document["tasks"]
    assert (outcome.code, found["verdict"]) == (0, "hold")
    assert found["reasons"][0].startswith("The ruler changed: ")
    assert {request.model for request in provider.requests} == {"mock-judge"}


def test_an_unlabelled_suite_is_gated_with_a_judge(repo: Workbench) -> None:
    with FakeProvider(answering(good)) as provider:
        repo.write(files(provider.url, more=", samples: 2", count=60))
        repo.write({"p.md": "Answer with care: {{question}}\n"})
        repo.commit("Begin")
        repo.write({"p.md": "Answer: {{question}}\n"})
        outcome = repo.run("gate", "--base", "main", "--format", "json")

    (found,) = outcome.document["tasks"]
    assert (outcome.code, found["verdict"]) == (1, "regression")
    assert found["spend"]["calls"] == provider.calls
    spent = {part["purpose"]: part["calls"] for part in found["spend_by_model"]}
    # This task LM repeats itself over three trials, and the same output is not judged again.
    assert spent["judge"] == 2 * spent["task"] / 3


def test_an_unlabelled_suite_is_optimized_with_a_judge(bench: Workbench) -> None:
    task = "    optimize: {max_metric_calls: 60, proposals: 1}\n"
    with FakeProvider(answering(good)) as provider:
        bench.write(files(provider.url, task=task, count=60))
        outcome = bench.run("optimize", "--format", "json")

    (found,) = outcome.document["tasks"]
    assert (outcome.code, found["verdict"]) == (0, "promote"), found["reasons"]
    assert "with care" in (bench.root / "p.md").read_text(encoding="utf-8")
    reflection = next(
        r.text
        for r in provider.requests
        if r.model == "mock-reflection" and "It deserves" in r.text
    )
    assert "The judge gave 2 on a scale of 1 to 5." in reflection


WHOLE = """\
Grade the answer.

{{inputs}}

{{output}}

Answer with {"reason": "...", "score": 1 to 5}.
"""


def rubric_world(request: Request) -> str:
    """Judge by length, unless the rubric says what counts; the reflection LM finds what does."""
    if request.model == "mock-reflection":
        return f"```text\nOnly quality counts. {WHOLE}```"
    knows = "Only quality counts" in request.text
    grades = [
        quality_of(output) if knows else min(5, max(1, len(output) // 60))
        for output in outputs_in(request)
    ]
    if len(grades) > 1:
        return json.dumps({"score_1": grades[0], "score_2": grades[1]})
    return json.dumps({"reason": "so it is", "score": grades[0]})


def test_a_rubric_is_optimized_like_any_prompt(bench: Workbench) -> None:
    more = """\
  rubric:
    prompts: [rubric.md]
    model: judge
    suite: {file: rubric.jsonl, near_duplicates: 1}
    metric: {name: json_fields, fields: [score], compare: numeric, tolerance: 0.5}
    optimize: {max_metric_calls: 100, proposals: 1}
"""
    with FakeProvider(rubric_world) as provider:
        bench.write({**files(provider.url), "rubric.md": WHOLE, "labels.jsonl": labels(100)})
        written = bench.run(*CALIBRATE, "--write-suite", "rubric.jsonl")
        assert provider.calls == 0
        bench.write({"gepa-ci.yml": files(provider.url, task=more)["gepa-ci.yml"]})
        before = bench.run(*CALIBRATE, "--format", "json")
        judged = {request.raw for request in provider.requests}
        asked = provider.calls
        outcome = bench.run("optimize", "rubric", "--format", "json")
        ran = {request.raw for request in provider.requests[asked:]}
        after = bench.run(*CALIBRATE, "--format", "json")

    assert written.code == 0, written.err
    assert before.code == 1
    (found,) = outcome.document["tasks"]
    assert found["verdict"] == "promote", found["reasons"]
    assert (bench.root / "rubric.md").read_text(encoding="utf-8").startswith("Only quality counts.")
    # Byte for byte the requests that the judge makes, of the train and val rows at least.
    assert len(judged & ran) >= 40
    assert (after.code, after.document["kappa"]) == (0, 1.0)


def test_criteria_alone_are_no_prompt_to_optimize(bench: Workbench) -> None:
    outcome = calibrated(bench, good, "--write-suite", "rubric.jsonl")

    assert outcome.code == 2
    assert "is no prompt that can be optimized" in outcome.err


def test_the_judge_must_be_one(bench: Workbench) -> None:
    two = "    gate: {guards: [{name: judge, rubric: other.md}]}\n"
    with FakeProvider(answering(good)) as provider:
        bench.write({**files(provider.url, task=two), "other.md": "Be kind.\n"})
        several = bench.run(*CALIBRATE)
        chosen = bench.run(*CALIBRATE, "--judge", "judge_2")
        none = bench.run(*CALIBRATE, "--judge", "umpire")

    assert several.code == none.code == 2
    assert "there are 2 judges" in several.err
    assert "`answer --judge judge_2`" in several.err
    assert "no task has a judge 'umpire'" in none.err
    assert chosen.code == 0


def test_a_judge_that_is_the_task_lm_is_warned_of(bench: Workbench) -> None:
    config = files("http://127.0.0.1:9/v1")
    config["gepa-ci.yml"] = config["gepa-ci.yml"].replace("mock-judge", "mock-task")
    bench.write(config)

    outcome = bench.run("check")

    assert outcome.code == 0
    assert "The judge is the model that it judges, 'openai/mock-task'" in outcome.err


def test_plan_counts_the_calls_of_judge_and_anchors(bench: Workbench) -> None:
    with FakeProvider(answering(good)) as provider:
        anchored(bench, provider, more=", samples: 2")
        shutil.rmtree(bench.root / ".gepa-ci")
        planned = bench.run("plan", "--format", "json").document["tasks"][0]["steps"]["evaluate"]
        before = provider.calls
        bench.run("evaluate")
        spent = provider.calls - before
        again = bench.run("plan", "--format", "json").document["tasks"][0]["steps"]["evaluate"]

    # 24 anchors and 9 held-out outputs, two answers each, besides the outputs themselves.
    assert planned["calls"] == spent == 2 * 24 + 9 + 2 * 9
    assert again["cached_calls"] == again["calls"] == spent


def test_a_cap_that_cannot_pay_for_the_judge_refuses_before_the_first_call(
    bench: Workbench,
) -> None:
    with FakeProvider(answering(good)) as provider:
        bench.write(files(provider.url, extra="spend: {calls: 17}\n"))
        outcome = bench.run("evaluate")

    assert outcome.code == 2
    assert "it needs 18 calls" in outcome.err
    assert provider.calls == 0


BAD_CONFIG = {
    "path": (", anchors: ../a.jsonl", "'../a.jsonl' is not a value for"),
    "model": (", model: jugde", "no model 'jugde' in models"),
    "shape": (", model: [a]", "is not a value for 'model' of metric 'judge'"),
}


@pytest.mark.parametrize(("more", "message"), BAD_CONFIG.values(), ids=BAD_CONFIG)
def test_a_wrong_judge_is_a_config_error(bench: Workbench, more: str, message: str) -> None:
    bench.write(files("http://127.0.0.1:9/v1", more=more))

    outcome = bench.run("check")

    assert outcome.code == 2
    assert message in outcome.err
    assert "gepa-ci.yml:" in outcome.err


def test_a_rubric_that_asks_for_an_input_that_is_not_there_is_found_by_check(
    bench: Workbench,
) -> None:
    bench.write(files("http://127.0.0.1:9/v1", more=", model: openai/other"))
    bench.write({"rubric.md": "{{output}} for {{topic}}?"})

    outcome = bench.run("check")

    assert outcome.code == 2
    assert "s.jsonl:1: rubric rubric.md: the prompt asks for 'topic'" in outcome.err


def test_replay_makes_no_calls_for_anchors(bench: Workbench) -> None:
    with FakeProvider(answering(good)) as provider:
        anchored(bench, provider)
        bench.run("evaluate")
        bench.write(files(provider.url, more=ANCHORED, extra="cache: replay\n"))
        calls = provider.calls
        outcome = bench.run("evaluate", "--format", "json")

    assert provider.calls == calls
    assert "were not scored, as `cache: replay`" in outcome.document["tasks"][0]["notes"][0]
