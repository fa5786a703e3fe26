"""Tests of gepa_ci.config.optimizer_keys."""

from __future__ import annotations

import pytest
import yaml
from bad_configs import EXAMPLE
from jsonschema import Draft202012Validator

from gepa_ci.config import config_schema, read_config
from gepa_ci.config.optimizer_keys import OPTIMIZERS, options_record
from gepa_ci.errors import ConfigError


def config(optimize: str) -> str:
    found = yaml.safe_load(EXAMPLE)
    found["tasks"]["triage"]["optimize"] = yaml.safe_load(optimize)
    return yaml.safe_dump(found, sort_keys=False, default_flow_style=None)


def problems(optimize: str) -> list[tuple[str, str | None]]:
    with pytest.raises(ConfigError) as raised:
        read_config("gepa-ci.yml", config(optimize).encode())
    assert all(problem.line for problem in raised.value.problems)
    return [(problem.message, problem.hint) for problem in raised.value.problems]


ACCEPTED = {
    "copro": "{breadth: 3, depth: 1}",
    "miprov2": "{num_candidates: 4, num_trials: 8, minibatch: false, metric_threshold: 0.5}",
    "simba": "{bsize: 8, temperature_for_sampling: 0.5}",
    "infer_rules": "{num_rules: 3}",
    "dspy_gepa": "{instruction_proposer: 'pack.age:Name', gepa_kwargs: {frontier_type: hybrid}}",
    "labeled_few_shot": "{k: 2, sample: false}",
    "bootstrap_few_shot": "{max_rounds: 2}",
    "bootstrap_random_search": "{num_candidate_programs: 2}",
    "optimize_anything": '{mode: single_task, objective: "Sort\\nletters."}',
    "better_together": "{strategy: copro -> gepa, copro: {depth: 1}}",
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_options_are_read_as_they_stand(name: str) -> None:
    text = config(f"{{optimizer: {name}, options: {ACCEPTED[name]}}}")

    (task,) = read_config("gepa-ci.yml", text.encode()).tasks[:1]

    assert task.optimize.optimizer == name
    assert task.optimize.options == yaml.safe_load(ACCEPTED[name])
    Draft202012Validator(config_schema()).validate(yaml.safe_load(text))


def test_dspys_own_proposer_is_given_its_options_as_a_mapping() -> None:
    options = "{instruction_proposer: {skills: [skills/a], max_chars: 500, adapter: xml}}"
    text = config(f"{{optimizer: dspy_gepa, options: {options}}}")

    found = read_config("gepa-ci.yml", text.encode()).tasks[0].optimize.options

    assert found["instruction_proposer"] == {
        "skills": ("skills/a",),
        "max_chars": 500,
        "adapter": "xml",
    }


REFUSED = {
    "{optimizer: coprro}": ("'coprro' is not a value for", "did you mean 'copro'?"),
    "{optimizer: copro, options: {bredth: 2}}": ("unknown key 'bredth'", "did you mean 'breadth'"),
    "{optimizer: copro, options: {breadth: 1}}": ("'1' is not a value", "from 2 to 1,000"),
    "{optimizer: copro, options: {init_temperature: 1}}": ("unknown key", "of `models: {refl"),
    "{optimizer: dspy_gepa, options: {log_dir: x}}": ("'log_dir'", "is a pickle"),
    "{optimizer: dspy_gepa, options: {wandb_api_key: x}}": ("'wandb_api_key'", "WANDB_API_KEY"),
    "{optimizer: dspy_gepa, options: {code_proposer: x}}": ("'x' is not", "package.module:name"),
    "{optimizer: dspy_gepa, options: {gepa_kwargs: {cache_evaluation: true}}}": (
        "'cache_evaluation'",
        "mixes up train and val",
    ),
    "{optimizer: auto, options: {a: 1}}": ("'auto' takes no options", "name the optimizer"),
    "{options: {a: 1}}": ("'gepa' has no options of its own", "one level up"),
    "{optimizer: better_together}": ("has no strategy", "add `options: {strategy: a -> b}`"),
    "{optimizer: better_together, options: {copro: {depth: 1}}}": ("has no 'strategy'", "steps"),
    "{optimizer: better_together, options: {strategy: copro}}": ("'copro' is not", "arrows"),
    "{optimizer: copro, options: 3}": ("tasks.triage.optimize.options is no mapping", "by name"),
}


@pytest.mark.parametrize("optimize", REFUSED)
def test_a_wrong_option_is_a_problem_with_a_hint(optimize: str) -> None:
    message, hint = REFUSED[optimize]

    ((found, told),) = problems(optimize)

    assert message in found
    assert told is not None
    assert hint in told


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_option_says_what_it_means(name: str) -> None:
    schema = options_record(name).schema()

    assert all(option["description"].endswith(".") for option in schema["properties"].values())
    Draft202012Validator.check_schema(schema)
