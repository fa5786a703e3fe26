from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from provider import FakeProvider
from workbench import answer, child, task_files

if TYPE_CHECKING:
    from workbench import Outcome, Workbench

CONFIG = """\
version: 1
models:
  task: {{model: openai/mock, api_base: "{url}", price: {{input: 1, output: 2}}}}
tasks:
  echo:
    prompts: [p.md]
    suite: {{file: s.jsonl, near_duplicates: 1, split: {{train: 0.2, held_out: 0.8}}}}
    metric: exact_match
    gate: {{{gate}}}
"""
URL = "http://127.0.0.1:9/v1"


def prepare(
    bench: Workbench, count: int, *, gate: str = "", url: str = URL, **more: object
) -> None:
    found = [
        {"id": f"e{i}", "inputs": {"text": f"w{i}"}, "expected": f"w{i}", "part": "held_out"}
        | {key: value(i) if callable(value) else value for key, value in more.items()}
        for i in range(count)
    ]
    bench.write(
        {
            "gepa-ci.yml": CONFIG.format(url=url, gate=gate),
            "p.md": "Say the word: {{ text }}\n",
            "s.jsonl": "".join(json.dumps(row) + "\n" for row in found)
            + '{"inputs": {"text": "t"}, "expected": "t", "part": "train"}\n',
        }
    )


def task(outcome: Outcome) -> Any:
    assert (outcome.code, outcome.err) == (0, "")
    (found,) = outcome.document["tasks"]
    return found


def run(bench: Workbench, *arguments: str) -> Any:
    return task(bench.run("power", "--format", "json", *arguments))


def test_the_text_form_says_what_can_be_seen_and_what_it_costs(bench: Workbench) -> None:
    prepare(bench, 100)

    outcome = bench.run("power", "--effect", "0.05")

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(
        "echo  (model openai/mock)\n"
        "  held-out    100 examples\n"
        "  gate        3 trials each of base and head, margin 0.10 (auto)\n"
        "  confidence  0.95\n"
        "\n"
        "  The smallest drop of the mean score that is likely to be seen is 0.08. If a\n"
        "  change spoils 8 of 100 answers, the gate shows it in 4 of 5 runs; if it spoils\n"
    )
    lines = outcome.out.splitlines()
    assert [line for line in lines if line.startswith(">")] == [
        ">      100      3    18    56    93   >99   >99    0.10     97      600    $0.31"
    ]
    assert "  To see a drop of 0.05 in 4 of 5 runs:" in lines
    assert "    347 held-out examples with 1 trial: 694 calls at most, $0.36" in lines
    assert "looks at the scores on the way" in " ".join(outcome.out.split())


def test_every_line_fits_a_terminal_and_is_plain_text(bench: Workbench) -> None:
    prepare(bench, 900, gate="trials: 4", group=lambda i: f"g{i // 3}", weight=lambda i: 1 + i % 2)

    out = bench.run("power", "--effect", "0.013").out

    assert out.isascii()
    assert out.isprintable() is False  # only for its line ends
    assert max(map(len, out.splitlines())) <= 80
    assert [line for line in out.splitlines() if line != line.rstrip()] == []


def test_the_plot_rises_with_the_drop_and_with_trials(bench: Workbench) -> None:
    prepare(bench, 100)

    out = bench.run("power").out
    rows = [line[9:] for line in out.splitlines() if line[7:9] == " |"]

    assert len(rows) == 11
    first = {mark: [row.find(mark) for row in rows if mark in row] for mark in "13"}
    for places in first.values():
        assert places == sorted(places, reverse=True)
    assert rows[2].index("3") < rows[2].index("1")


def test_the_most_calls_are_those_of_plan(bench: Workbench) -> None:
    prepare(bench, 30)

    (now,) = [row for row in run(bench)["table"] if row["is_now"]]
    plan = task(bench.run("plan", "--format", "json"))["steps"]["gate"]

    assert (now["calls"], now["trials"]) == (plan["calls"], 3)
    assert now["usd"] == pytest.approx(plan["usd"])


def test_power_calls_no_model(bench: Workbench) -> None:
    with FakeProvider(answer=answer) as provider:
        prepare(bench, 30, url=provider.url)
        bench.run("power")

    assert provider.calls == 0


def test_an_unknown_price_is_said_to_be_unknown(bench: Workbench) -> None:
    bench.write(task_files())

    assert {row["usd"] for row in run(bench)["table"]} == {None}
    assert "unknown" in bench.run("power").out


def test_groups_count_once_and_rows_keep_their_size(bench: Workbench) -> None:
    prepare(bench, 100, group=lambda i: f"g{i // 5}")
    grouped = run(bench, "--effect", "0.1")
    prepare(bench, 100)
    single = run(bench, "--effect", "0.1")

    assert grouped["held_out"] == {"examples": 100, "groups": 20, "independent": 20}
    assert single["held_out"] == {"examples": 100, "groups": None, "independent": 100}
    assert grouped["smallest_drop_seen"] > 2 * single["smallest_drop_seen"]
    assert grouped["needed"][0]["examples"] == 5 * single["needed"][0]["examples"]
    assert "100 examples in 20 groups" in said(bench, 100, group=lambda i: f"g{i // 5}")


def said(bench: Workbench, count: int, **more: object) -> str:
    prepare(bench, count, **more)  # type: ignore[arg-type]
    return " ".join(bench.run("power").out.split())


def test_unequal_weights_leave_fewer_independent_examples(bench: Workbench) -> None:
    text = said(bench, 100, weight=lambda i: 9 if i < 10 else 1)

    assert run(bench)["held_out"]["independent"] == 180**2 // 900
    assert "100 examples, which count as 36 of equal weight" in text


def test_the_gate_s_own_settings_are_used(bench: Workbench) -> None:
    prepare(bench, 100, gate="trials: 2, margin: 0.2, confidence: 0.9, sequential: off")

    found = run(bench)

    assert (found["trials"], found["margin"], found["confidence"]) == (2, 0.2, 0.9)
    assert found["sequential"] is False
    assert {row["trials"] for row in found["table"]} == {1, 2, 3}
    assert {row["margin"] for row in found["table"]} == {0.2}
    out = " ".join(bench.run("power").out.split())
    assert "looks at the scores" not in out
    assert "within the margin of 0.20 passes" in out


def test_a_model_that_repeats_itself_is_not_planned_twice(bench: Workbench) -> None:
    prepare(bench, 30)
    config = (bench.root / "gepa-ci.yml").read_text()
    local = "  task: {model: local, temperature: 0}\n"
    lines = [local if "openai/mock" in line else line for line in config.splitlines(keepends=True)]
    bench.write({"gepa-ci.yml": "".join(lines)})

    assert {row["trials"] for row in run(bench)["table"]} == {1}
    assert "1 = 1 trial" in bench.run("power").out


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (0, "There are no held-out examples, so there can be no verdict."),
        (2, "No drop, however large, is likely to be seen with so few examples. With fewer than"),
        (15, "With fewer than 20 independent examples no change can pass."),
    ],
)
def test_too_few_examples_are_said_to_be_too_few(
    count: int, sentence: str, bench: Workbench
) -> None:
    assert sentence in said(bench, count)
    assert len(run(bench)["table"]) == (10 if count == 0 else 12)


def test_a_given_share_replaces_the_guess(bench: Workbench) -> None:
    prepare(bench, 100)

    usual, calm, loud = (run(bench, *flip) for flip in ([], ["--flip", "0"], ["--flip", "0.5"]))

    assert [each["variation"]["source"] for each in (usual, calm)] == ["assumed", "given"]
    assert calm["smallest_drop_seen"] < usual["smallest_drop_seen"] < loud["smallest_drop_seen"]
    assert "As given: two runs of the same prompt differ on 5% of" in " ".join(
        bench.run("power", "--flip", "0.05").out.split()
    )


def saved(bench: Workbench, *arguments: str) -> None:
    def wobbling(request: Any) -> str:
        word = answer(request)
        wobbling.calls += 1  # type: ignore[attr-defined]
        return word if int(word[1:]) % 4 or wobbling.calls % 2 else "wrong"  # type: ignore[attr-defined]

    wobbling.calls = 0  # type: ignore[attr-defined]
    with FakeProvider(answer=wobbling) as provider:
        prepare(bench, 40, url=provider.url)
        bench.write({"gepa-ci.yml": CONFIG.format(url=provider.url, gate="") + "concurrency: 1\n"})
        assert bench.run("evaluate", "--output", "r.json", *arguments).code == 0


def test_the_share_is_measured_in_a_saved_result(bench: Workbench) -> None:
    saved(bench, "--trials", "4")

    variation = run(bench, "--from", "r.json")["variation"]
    text = " ".join(bench.run("power", "--from", "r.json").out.split())

    assert variation["source"] == "measured"
    assert 0.05 < variation["flip"] < 0.2
    assert "Measured on 40 examples of r.json: two runs of the same prompt give scores" in text


def test_a_gate_s_result_of_single_trials_is_measured_too(bench: Workbench) -> None:
    saved(bench, "--trials", "1")
    document = json.loads((bench.root / "r.json").read_text())
    for number, example in enumerate(document["tasks"][0]["examples"]):
        example["baseline"] = [float(number % 2)]
        example["candidate"] = [] if number == 0 else [1.0]
    bench.write({"g.json": json.dumps(document)})

    text = " ".join(bench.run("power", "--from", "g.json").out.split())

    assert "the two prompts gave scores that vary like 0/1 scores that differ on 2" in text


def refusal(bench: Workbench, *arguments: str) -> str:
    outcome = bench.run("power", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    return outcome.err


def test_a_result_of_single_trials_of_one_prompt_is_refused(bench: Workbench) -> None:
    saved(bench, "--trials", "1")

    assert refusal(bench, "--from", "r.json") == (
        "error: r.json: the result has too few trials of task 'echo' to tell how its scores vary\n"
        "hint: give a gate's result, or one of `gepa-ci evaluate --trials 3 --output FILE`\n"
    )


def test_a_result_of_another_task_is_refused(bench: Workbench) -> None:
    saved(bench, "--trials", "2")
    text = (bench.root / "r.json").read_text().replace('"echo"', '"other"')
    bench.write({"r.json": text})

    assert refusal(bench, "--from", "r.json") == (
        "error: r.json: the result has no task 'echo'\nhint: it has 'other'\n"
    )


def test_a_task_that_the_result_does_not_have_is_guessed(bench: Workbench) -> None:
    saved(bench, "--trials", "2")
    config = (bench.root / "gepa-ci.yml").read_text()
    second = config[config.index("  echo:") : config.index("concurrency")]
    bench.write({"gepa-ci.yml": config.replace(second, second + second.replace("echo", "twin"))})

    outcome = bench.run("power", "--from", "r.json", "--format", "json")

    assert [t["variation"]["source"] for t in outcome.document["tasks"]] == ["measured", "assumed"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--flip", "0.1", "--from", "r.json"], "'--flip' does not go together with '--from'"),
        (["--flip", "0.7"], "'--flip'"),
        (["--effect", "0"], "'--effect'"),
        (["--from", "none.json"], "none.json: cannot read the result: no such file"),
        (["--from", "p.md"], "p.md: this is not JSON"),
        (["nobody"], "there is no task 'nobody'"),
    ],
)
def test_wrong_options_are_refused(arguments: list[str], message: str, bench: Workbench) -> None:
    prepare(bench, 30)

    assert message in refusal(bench, *arguments)


def test_power_starts_without_heavy_libraries_for_its_help(bench: Workbench) -> None:
    done = child("power", "--help", cwd=bench.root)

    assert done.returncode == 0
    assert "--from" in done.stdout
