from __future__ import annotations

import hashlib
import time

import pytest
import yaml
from bad_configs import BAD_CONFIGS, EXAMPLE, BadConfig
from hypothesis import given, settings
from hypothesis import strategies as st

from gepa_ci.config import config_for_prompt, read_config
from gepa_ci.config.problems import MOST
from gepa_ci.core.config import (
    Budget,
    CacheMode,
    Config,
    GatePolicy,
    GuardSpec,
    Measure,
    MetricSpec,
    ModelSpec,
    OnInconclusive,
    OptimizePolicy,
    Proposer,
    Split,
    SuiteSpec,
)
from gepa_ci.core.spend import Price
from gepa_ci.errors import ConfigError, ExitCode, Problem


def read(text: str) -> Config:
    return read_config("gepa-ci.yml", text.encode())


def task(keys: str) -> str:
    return "version: 1\ntasks:\n  t: {" + keys + "}\n"


@pytest.mark.parametrize("bad", BAD_CONFIGS.values(), ids=BAD_CONFIGS)
def test_a_bad_config_is_refused_with_line_reason_and_hint(bad: BadConfig) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config("gepa-ci.yml", bad.source)

    problem = caught.value.problems[0]
    assert caught.value.exit_code is ExitCode.INPUT
    assert (problem.path, problem.line) == ("gepa-ci.yml", bad.line)
    assert bad.message in problem.message
    assert bad.hint in (problem.hint or "")
    assert len(caught.value.problems) == 1
    assert not problem.message.endswith(".")


def test_a_whole_config_is_read() -> None:
    config = read_config("gepa-ci.yml", EXAMPLE)

    assert config.path == "gepa-ci.yml"
    assert config.concurrency == 32
    assert config.spend.usd == 5.0
    assert config.spend.calls == 3000
    assert config.spend.tokens is None
    assert config.digest == hashlib.sha256(EXAMPLE).hexdigest()
    assert config.models["cheap"].price == Price(input=0.0, output=0.0)
    assert config.models["reflection"].parameters == {"temperature": 1.0, "max_tokens": 32000}
    (triage,) = config.tasks
    assert triage.name == "triage"
    assert triage.line == 9
    assert triage.prompts == ("prompts/triage.prompt.yml",)
    assert triage.suite == SuiteSpec(file="prompts/triage.jsonl")
    assert triage.metrics == (MetricSpec(name="exact_match"),)
    assert triage.metrics[0].line == 12
    assert triage.model == ModelSpec(model="openai/gpt-5-mini")
    assert triage.gate == GatePolicy(
        margin=0.05, confidence=0.9, trials=2, on_inconclusive=OnInconclusive.FAIL
    )
    assert triage.optimize == OptimizePolicy(auto=Budget.HEAVY, proposer=Proposer.EXAMPLES)


def test_all_problems_of_a_file_come_at_once_in_the_order_of_lines() -> None:
    with pytest.raises(ConfigError) as caught:
        read("version: 2\ncache: x\ntasks:\n  T:\n    prompt: /a\n    model: 1\nspend: {usd: 0}\n")

    assert [problem.line for problem in caught.value.problems] == [1, 2, 4, 5, 6, 7]


def test_problems_across_keys_are_told_beside_those_of_values() -> None:
    with pytest.raises(ConfigError) as caught:
        read("version: 2\nmodels: {cheap: a/b}\n" + task("prompt: a.md, model: cheep")[11:])

    assert [problem.line for problem in caught.value.problems] == [1, 4, 4, 4]


def test_a_file_that_is_wrong_throughout_is_cut_short() -> None:
    keys = "".join(f"x{number}: 1\n" for number in range(200))

    with pytest.raises(ConfigError) as caught:
        read(f"version: 1\n{keys}tasks: {{t: {{prompt: a.prompt.yml}}}}\n")

    assert len(caught.value.problems) == MOST + 1
    assert caught.value.problems[-1].message == "and 150 more problems"


def test_a_key_in_place_of_its_variable_is_never_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        read("version: 1\nmodels: {m: {model: a/b, api_key_env: sk-verysecret}}\ntasks: {}\n")

    assert "verysecret" not in repr([(p.message, p.hint) for p in caught.value.problems])


@pytest.mark.parametrize(
    ("word", "mode"),
    [
        ("on", CacheMode.ON),
        ("off", CacheMode.OFF),
        ("'off'", CacheMode.OFF),
        ("replay", CacheMode.REPLAY),
    ],
)
def test_cache_takes_the_words_that_yaml_reads_as_booleans(word: str, mode: CacheMode) -> None:
    assert read(task("prompt: a.prompt.yml") + f"cache: {word}\n").cache is mode


def test_a_prompt_that_brings_its_examples_needs_no_suite_and_no_metric() -> None:
    (found,) = read(task("prompt: p/a.prompt.yml")).tasks

    assert found.suite == SuiteSpec(file="p/a.prompt.yml")
    assert found.metrics == (MetricSpec(name="evaluators"),)


def test_two_prompts_need_a_suite_and_a_metric() -> None:
    with pytest.raises(ConfigError) as caught:
        read(task("prompts: [a.prompt.yml, b.prompt.yml]"))

    assert [p.message for p in caught.value.problems] == [
        "tasks.t has no 'suite'",
        "tasks.t has no 'metric'",
    ]


def test_a_path_is_brought_to_its_shortest_form() -> None:
    assert read(task("prompt: ./p//a.prompt.yml")).tasks[0].prompts == ("p/a.prompt.yml",)


def test_a_part_that_a_split_leaves_out_is_empty() -> None:
    (found,) = read(task("prompt: a.prompt.yml, split: {val: 0.25, held_out: 0.75}")).tasks

    assert found.suite.split == Split(train=0.0, val=0.25, held_out=0.75)


def test_a_suite_may_have_a_file_for_each_part() -> None:
    keys = "train: a.csv, val: b.csv, held_out: c.csv, near_duplicates: 1"
    (found,) = read(task(f"prompt: a.prompt.yml, suite: {{{keys}}}")).tasks

    assert found.suite.files == ("a.csv", "b.csv", "c.csv")
    assert found.suite.near_duplicates == 1


def test_options_of_a_metric_are_passed_on() -> None:
    metric = "[{name: numeric, weight: 2, tolerance: 0.1, more: {a: [1, null, x]}}, m/x.py:score]"
    (found,) = read(task(f"prompt: a.prompt.yml, metric: {metric}")).tasks

    assert found.metrics == (
        MetricSpec(
            name="numeric", weight=2, options={"tolerance": 0.1, "more": {"a": [1, None, "x"]}}
        ),
        MetricSpec(name="m/x.py:score"),
    )


def test_guards_are_metrics_and_measures_each_with_its_margin() -> None:
    (found,) = read(
        "version: 1\ntasks:\n  t:\n    prompt: a.prompt.yml\n    gate:\n      guards:\n"
        "        - latency\n        - {name: cost, margin: 1.5}\n        - m/tone.py:polite\n"
        "        - {name: contains, text: Regards, margin: 0.02}\n"
    ).tasks

    assert found.gate.guards == (
        GuardSpec(name="latency", measure=Measure.LATENCY, margin=0.1),
        GuardSpec(name="cost", measure=Measure.COST, margin=1.5),
        GuardSpec(name="m/tone.py:polite", metric=MetricSpec(name="m/tone.py:polite"), margin=0.05),
        GuardSpec(
            name="contains",
            metric=MetricSpec(name="contains", options={"text": "Regards"}),
            margin=0.02,
        ),
    )
    assert [guard.line for guard in found.gate.guards] == [7, 8, 9, 10]
    assert [g.metric.line for g in found.gate.guards if g.metric is not None] == [9, 10]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("cheap", ModelSpec(model="a/b", parameters={"seed": 1})),
        ("local", ModelSpec(model="local")),
        ("x/cheap", ModelSpec(model="x/cheap")),
        ("{model: c/d, timeout: 9}", ModelSpec(model="c/d", timeout=9.0)),
    ],
)
def test_a_task_names_a_model_of_the_config_or_its_own(given: str, expected: ModelSpec) -> None:
    models = "models: {task: t/m, cheap: {model: a/b, seed: 1}}\n"

    assert read(models + task(f"prompt: a.prompt.yml, model: {given}")).tasks[0].model == expected


def test_without_models_the_prompt_file_decides() -> None:
    assert read(task("prompt: a.prompt.yml")).tasks[0].model is None


def test_stop_and_response_format_take_short_and_long_forms() -> None:
    models = "{a: {model: x/y, stop: [a, b], response_format: {type: t}}, \
b: {model: x/y, stop: '\\n', response_format: json_object}}"
    found = read(f"models: {models}\n" + task("prompt: a.prompt.yml")).models

    assert found["a"].parameters == {"stop": ["a", "b"], "response_format": {"type": "t"}}
    assert found["b"].parameters == {
        "stop": "\\n",
        "response_format": {"type": "json_object"},
    }


def test_another_budget_takes_the_place_of_auto() -> None:
    (found,) = read(task("prompt: a.prompt.yml, optimize: {max_metric_calls: 90}")).tasks

    assert found.optimize.auto is None
    assert found.optimize.max_metric_calls == 90


def test_optimize_without_a_budget_keeps_the_default() -> None:
    (found,) = read(task("prompt: a.prompt.yml, optimize: {components: [user], seed: 3}")).tasks

    assert found.optimize == OptimizePolicy(components=("user",), seed=3)


def test_anchors_and_merges_work() -> None:
    config = read(
        "version: 1\nmodels:\n  a: &a {model: x/y, seed: 1}\n  b: {<<: *a, seed: 2}\n"
        "  c: {<<: [*a, {top_p: 1}]}\n" + task("prompt: a.prompt.yml")[11:]
    )

    assert config.models["b"] == ModelSpec(model="x/y", parameters={"seed": 2})
    assert config.models["c"] == ModelSpec(model="x/y", parameters={"seed": 1, "top_p": 1.0})


def test_a_byte_order_mark_is_allowed() -> None:
    assert read_config("gepa-ci.yml", b"\xef\xbb\xbf" + EXAMPLE).tasks == (
        read_config("gepa-ci.yml", EXAMPLE).tasks
    )


def test_reading_is_fast() -> None:
    start = time.process_time()
    read_config("gepa-ci.yml", EXAMPLE)

    assert time.process_time() - start < 0.1


def test_a_prompt_alone_is_a_config() -> None:
    config = config_for_prompt("prompts/My Triage.v2.prompt.yml")

    assert config.path == "prompts/My Triage.v2.prompt.yml"
    assert config.tasks[0].name == "my-triage-v2"
    assert config.tasks[0].prompts == (config.path,)
    assert config.tasks[0].metrics == (MetricSpec(name="evaluators"),)


def test_all_rows_of_a_prompt_alone_are_held_out() -> None:
    config = config_for_prompt("a.prompt.yml")

    assert config.tasks[0].suite == SuiteSpec(
        file="a.prompt.yml", split=Split(train=0.0, val=0.0, held_out=1.0)
    )


@pytest.mark.parametrize("path", ["../a.prompt.yml", "a.md"])
def test_only_a_prompt_with_its_own_examples_needs_no_config(path: str) -> None:
    with pytest.raises(ConfigError, match=r"a\.(prompt\.yml|md)") as caught:
        config_for_prompt(path)

    assert caught.value.problems[0].hint


@settings(deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_bytes_cause_anything_but_a_config_error(source: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config("gepa-ci.yml", source)

    assert all(problem.hint for problem in caught.value.problems)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["models", "tasks", "t", "gate", "prompts", "suite", "split", "spend"])
            | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(_JSON, st.sampled_from(["models", "spend", "tasks", "cache"]))
def test_no_value_causes_anything_but_a_config_error(value: object, key: str) -> None:
    document = {"version": 1, "tasks": {"t": {"prompt": "a.prompt.yml"}}, key: value}
    source = yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "replace")

    problems: tuple[Problem, ...] = ()
    try:
        read_config("gepa-ci.yml", source)
    except ConfigError as error:
        problems = error.problems

    assert all(problem.line and problem.hint for problem in problems)


def test_an_on_inconclusive_alone_keeps_the_other_defaults() -> None:
    (found,) = read(task("prompt: a.prompt.yml, gate: {on_inconclusive: warn}")).tasks
    (other,) = read(task("prompt: a.prompt.yml, gate: {min_gain: 0.02}")).tasks

    assert found.gate == GatePolicy()
    assert other.gate == GatePolicy(min_gain=0.02)
