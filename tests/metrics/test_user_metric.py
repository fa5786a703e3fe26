from __future__ import annotations

import asyncio
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from metric_examples import example, reader, user_metric

from gepa_ci.core.config import MetricSpec
from gepa_ci.core.score import Seen, Step
from gepa_ci.errors import ConfigError, MetricError, UsageError
from gepa_ci.metrics import build_metric, check_labels

if TYPE_CHECKING:
    from pathlib import Path

DEFINE = "def quality(example, output):\n"


def build(files: dict[str, str], name: str = "metrics.py:quality") -> Any:
    return build_metric(
        (MetricSpec(name=name),), read_code=reader(files), where="gepa-ci.yml", line=3
    )


@pytest.mark.parametrize(
    ("returned", "value", "feedback"),
    [
        ("0.25", 0.25, ""),
        ("1", 1.0, ""),
        ("True", 1.0, ""),
        ("False", 0.0, ""),
        ("(0.5, 'half')", 0.5, "half"),
        ("(0.5, None)", 0.5, ""),
        ("{'score': 0.5, 'feedback': 'half'}", 0.5, "half"),
        ("{'score': True}", 1.0, ""),
        ("numpy.float32(0.5)", 0.5, ""),
        ("numpy.bool_(True)", 1.0, ""),
        ("numpy.int64(1)", 1.0, ""),
        ("numpy.array(0.5)", 0.5, ""),
        ("decimal.Decimal('0.5')", 0.5, ""),
        ("fractions.Fraction(1, 2)", 0.5, ""),
        ("types.SimpleNamespace(score=0.5, feedback='half')", 0.5, "half"),
        ("types.SimpleNamespace(score=0.5)", 0.5, ""),
        ("Score(value=0.5, feedback='half')", 0.5, "half"),
        ("0.1 + 0.2 + 0.7000000000000001", 1.0, ""),
    ],
)
def test_scores_of_many_shapes_are_accepted(returned: str, value: float, feedback: str) -> None:
    source = (
        "import decimal, fractions, types, numpy\nfrom gepa_ci.core.score import Score\n"
        f"{DEFINE}    return {returned}\n"
    )

    result = user_metric(source)(example("x"), "y")

    assert result.value == value
    assert result.feedback == feedback


@pytest.mark.parametrize("key", ["parts", "objective_scores"])
def test_named_scores_become_parts(key: str) -> None:
    source = f"{DEFINE}    return {{'score': 1, '{key}': {{'tone': 0.5}}}}\n"

    assert user_metric(source)(example(), "").parts == {"tone": 0.5}


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("None", "None (is a 'return' missing?)"),
        ("float('nan')", "'nan', which is not a number"),
        ("float('inf')", "'inf', which is outside 0 to 1"),
        ("1.5", "'1.5', which is outside 0 to 1"),
        ("-0.1", "'-0.1', which is outside 0 to 1"),
        ("10 ** 400", "which is outside 0 to 1"),
        ("'0.5'", "'0.5', which is not a number"),
        ("'x' * 500", "xxx...', which is not a number"),
        ("[1] * 500", "...', which is not a number"),
        ("[0.5]", "'[0.5]', which is not a number"),
        ("{}", "'{}', a dict without 'score'"),
        ("{'score': None}", "None (is a 'return' missing?), which is not a number"),
        ("(1, 2, 3)", "a tuple that is not (score, feedback)"),
        ("(1, 2)", "the feedback '2', which is not text"),
        ("{'score': 1, 'parts': 3}", "the parts '3', which are not a dict"),
        ("{'score': 1, 'parts': {'a': 3}}", "'3', which is outside 0 to 1"),
        ("1j", "'1j', which is not a number"),
    ],
)
def test_anything_else_is_an_error_that_names_function_place_example_and_value(
    returned: str, said: str
) -> None:
    built = user_metric(f"\n{DEFINE}    return {returned}\n")

    with pytest.raises(MetricError) as caught:
        built(example(), "y")

    (problem,) = caught.value.problems
    assert str(problem).startswith("metrics.py:2: metric 'quality' returned ")
    assert said in problem.message
    assert problem.message.endswith("for example 'e1'")
    assert "return a number from 0 to 1" in (problem.hint or "")


def test_an_exception_shows_the_frames_of_the_user_only() -> None:
    source = f"{DEFINE}    return helper(output)\n\ndef helper(text):\n    return 1 / len(text)\n"

    with pytest.raises(MetricError) as caught:
        user_metric(source)(example(), "")

    (problem,) = caught.value.problems
    assert str(problem).startswith(
        "metrics.py:5: metric 'quality' raised ZeroDivisionError on example 'e1': division by zero"
    )
    frames = re.findall(r'File "(.+?)", line (\d+)', problem.message)
    assert frames == [("metrics.py", "2"), ("metrics.py", "5")]
    assert "return 1 / len(text)" in problem.message


def test_exit_in_a_metric_is_an_error() -> None:
    with pytest.raises(MetricError, match="raised SystemExit on example 'e1': 0"):
        user_metric(f"{DEFINE}    raise SystemExit(0)\n")(example(), "")


def test_an_exception_outside_their_code_has_no_frames() -> None:
    with pytest.raises(MetricError) as caught:
        user_metric("import math\nquality = math.dist\n")(example(), "")

    assert "\n" not in caught.value.problems[0].message


def test_the_example_is_read_by_attribute_and_by_item() -> None:
    source = f"""{DEFINE}
    assert example.inputs == example.inputs() == {{"question": "2+2?"}}
    assert example["question"] == example.question == example.inputs["question"]
    assert (example.expected, example.id, example.tags) == ("4", "e1", ("easy",))
    assert example.group is None and example.answer == "4"
    assert "question" in example and example.get("nothing", 7) == 7
    assert set(example) == {{*example.keys()}} and len(example) == 3
    assert dict(example.items()) == example.toDict() and "4" in example.values()
    assert repr(example) == "ExampleView(id='e1')"
    return isinstance(output, str)
"""

    assert user_metric(source)(example("4", question="2+2?"), "4").value == 1.0


@pytest.mark.parametrize(
    ("access", "error"), [("example.colour", "AttributeError"), ("example['colour']", "KeyError")]
)
def test_an_unknown_field_names_the_known_ones(access: str, error: str) -> None:
    with pytest.raises(MetricError, match=rf"{error}.*it has: expected, answer, question"):
        user_metric(f"{DEFINE}    return {access}\n")(example("4", question="?"), "")


def test_a_view_can_be_copied() -> None:
    source = f"import copy\n{DEFINE}    return copy.deepcopy(example).answer == 'a'\n"

    assert user_metric(source)(example("a"), "").value == 1.0


def test_the_five_arguments_of_dspy_work() -> None:
    source = """
def quality(gold, pred, trace=None, pred_name=None, pred_trace=None):
    assert (trace, pred_name, pred_trace) == (None, None, None)
    assert gold.city == "Rome" and gold.inputs["mail"] == "hi"
    assert pred.output == pred.text == str(pred)
    return float(pred.city == gold.city and pred["n"] == 2)
"""
    built = user_metric(source)

    assert built(example({"city": "Rome"}, mail="hi"), 'So: {"city": "Rome", "n": 2}').value == 1.0


@pytest.mark.parametrize(
    "signature",
    [
        "gold, pred",
        "example, pred, trace=None",
        "example, prediction, threshold=0.5",
        "a, b, c",
        "a, b, c, d, e",
        "a, b, trace=None, *, strict=False",
    ],
)
def test_a_signature_like_dspys_gets_a_prediction(signature: str) -> None:
    first, second = re.split(r",\s*", signature)[:2]
    source = (
        f"def quality({signature}):\n"
        f"    assert 'threshold' not in locals() or threshold == 0.5\n"
        f"    return {first}.answer == {second}.answer == 'x'\n"
    )

    assert user_metric(source)(example("x"), "x").value == 1.0


@pytest.mark.parametrize(
    "signature", ["example, output", "a, b", "*rest", "example, output, threshold=0.5", "a, *b"]
)
def test_other_signatures_get_the_output_as_text(signature: str) -> None:
    source = f"def quality({signature}):\n    values = list(locals().values())\n"
    source += "    return 'text' in str(values) and 0.5 in [*values, 0.5]\n"

    assert user_metric(source)(example("x"), "text").value == 1.0


@pytest.mark.parametrize(
    "signature", ["", "example", "a, b, c, d, e, f", "a, b, *, strict", "*, a, b"]
)
def test_a_signature_that_cannot_be_called_is_a_config_error(signature: str) -> None:
    with pytest.raises(ConfigError) as caught:
        user_metric(f"def quality({signature}): ...\n")

    assert str(caught.value) == (
        "metrics.py:1: metric 'quality' cannot be called with (example, output): "
        f"it is quality({signature})"
    )


def test_an_object_that_can_be_called_is_a_metric() -> None:
    source = "class Judge:\n    def __call__(self, example, output): return 1\nquality = Judge()\n"

    assert user_metric(source)(example(), "").value == 1.0


def test_a_callable_without_a_signature_is_called_in_our_way() -> None:
    with pytest.raises(MetricError, match="metric 'quality' raised TypeError"):
        user_metric("quality = max\n".replace("max", "type"))(example(), "")


def test_an_async_function_is_run() -> None:
    built = user_metric(
        "import asyncio\nasync def quality(example, output):\n"
        "    await asyncio.sleep(0)\n    return 0.5\n"
    )

    async def within_a_loop() -> float:
        return built(example(), "").value

    assert built(example(), "").value == 0.5
    assert asyncio.run(within_a_loop()) == 0.5


def test_what_a_metric_prints_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    built = user_metric(f"print('import')\n{DEFINE}    print('call')\n    return 1\n")
    built(example(), "")
    print("ours")  # noqa: T201

    captured = capsys.readouterr()
    assert captured.out == "ours\n"
    assert captured.err == "import\ncall\n"


def test_a_user_metric_needs_no_labels() -> None:
    built = user_metric(f"{DEFINE}    return 1\n")

    assert not built.needs_expected
    assert built.label_problem(example()) is None
    assert check_labels(built, [example(labelled=False)]) == ()


def test_dataclasses_and_neighbours_can_be_used() -> None:
    built = build(
        {
            "eval/metrics.py": "from __future__ import annotations\n"
            "from dataclasses import dataclass\nimport words\nfrom tools.deep import half\n"
            "@dataclass\nclass Box:\n    value: float\n"
            f"{DEFINE}    return Box(half(words.ONE)).value\n",
            "eval/words.py": "ONE = 1\n",
            "eval/tools/__init__.py": "",
            "eval/tools/deep.py": "def half(x):\n    return x / 2\n",
        },
        "eval/metrics.py:quality",
    )

    assert built(example(), "").value == 0.5
    assert not {"words", "tools", "tools.deep"} & sys.modules.keys()


def test_neighbours_of_one_name_do_not_meet() -> None:
    code = f"import words\n{DEFINE}    return words.VALUE\n"
    files = {
        "a/metrics.py": code,
        "a/words.py": "VALUE = 0.25\n",
        "b/metrics.py": code,
        "b/words.py": "VALUE = 0.75\n",
    }
    built = [build(files, f"{folder}/metrics.py:quality") for folder in "ab"]

    assert [metric(example(), "").value for metric in built] == [0.25, 0.75]


def test_a_digest_covers_the_file_and_its_neighbours() -> None:
    code = f"import words\n{DEFINE}    return 1\n"
    digests = {
        build({"metrics.py": source, "words.py": words}).digest
        for source in (code, f"{code}\n")
        for words in ("", "x = 1")
    }

    assert len(digests) == 4


def test_without_a_reader_the_file_of_the_working_directory_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metrics.py").write_text(
        f"from pathlib import Path\n{DEFINE}    return Path(__file__).exists()\n"
    )

    built = build_metric((MetricSpec(name="metrics.py:quality"),), where="g.yml", line=None)

    assert built(example(), "").value == 1.0


def test_a_missing_file_lists_the_python_files_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metrics.py").touch()

    with pytest.raises(ConfigError) as caught:
        build_metric((MetricSpec(name="metric.py:quality"),), where="g.yml", line=None)

    (problem,) = caught.value.problems
    assert str(problem) == "metric.py: cannot read the metric's file: No such file or directory"
    assert problem.hint == "Python files there: metrics.py"


def test_a_missing_folder_is_said_to_be_relative_to_the_root() -> None:
    with pytest.raises(ConfigError) as caught:
        build({}, "nowhere/metrics.py:quality")

    assert caught.value.problems[0].hint == "the path is relative to the root"


def test_an_error_of_the_reader_becomes_a_config_error() -> None:
    def refuse(path: str) -> bytes:
        raise UsageError("the path leads out of the repository", path=path)

    with pytest.raises(
        ConfigError,
        match=r"\.\./m\.py: cannot read the metric's file: the path leads out of the repository",
    ):
        build_metric(
            (MetricSpec(name="../m.py:quality"),), read_code=refuse, where="g.yml", line=None
        )


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("def qualty(a, b): ...", "'metrics.py' has no function 'quality'", "mean 'qualty'? "),
        ("x = 1", "'metrics.py' has no function 'quality'", "functions there: none"),
        ("quality = 1", "'quality' in 'metrics.py' is not a function", "functions there: none"),
        ("def (", "metrics.py:1: the metric's file is not valid Python", ""),
        ("\0", "the metric's file is not valid Python", ""),
        ("\n1 / 0", "metrics.py:2: the metric's file cannot be imported: ZeroDivisionError", ""),
        ("exit(0)", "metrics.py:1: the metric's file cannot be imported: SystemExit", ""),
        ("import nowhere_at_all", "ModuleNotFoundError", "install 'nowhere_at_all'"),
        ("import json.nothing", "ModuleNotFoundError", "install 'json.nothing'"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_config_error(source: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        user_metric(source)

    assert message in str(caught.value)
    assert hint in (caught.value.problems[0].hint or "")
    assert not [name for name in sys.modules if name == "metrics"]


def test_options_of_a_user_metric_are_an_error() -> None:
    with pytest.raises(ConfigError, match="takes no options, got 'strict'"):
        build_metric(
            (MetricSpec(name="metrics.py:quality", options={"strict": True}),),
            where="gepa-ci.yml",
            line=3,
        )


def test_our_own_frames_are_left_out_of_a_traceback() -> None:
    with pytest.raises(MetricError) as caught:
        user_metric(f"{DEFINE}    return example['colour']\n")(example(), "")

    assert caught.value.problems[0].message.count('File "') == 1


STEPS = (
    Step(prompt="find", inputs={"q": "a"}, output="raw", fields={"query": "b"}),
    Step(prompt="say", inputs={"query": "b"}, output='{"text": "c"}'),
)


def test_a_prediction_has_the_fields_that_the_program_gave() -> None:
    source = "def quality(gold, pred):\n    return pred.score == 0.5 and pred.text == 'shown'\n"
    seen = Seen(fields={"score": 0.5})

    assert user_metric(source)(example(), "shown", seen).value == 1.0


def test_the_trace_of_dspys_metrics_is_there_when_one_predictor_is_asked_about() -> None:
    source = """
def quality(gold, pred, trace=None, pred_name=None, pred_trace=None):
    if pred_name is None:
        assert trace is pred_trace is None
        return 0.25
    assert pred_name == "find" and repr(trace[0][0]) == "PredictorView('find')"
    assert [step[0].name for step in trace] == ["find", "say"]
    assert trace[1][1] == {"query": "b"} and trace[1][2].text == "c"
    ((predictor, inputs, found),) = pred_trace
    return {"score": 0.25, "feedback": f"{predictor.name} {inputs['q']} {found.query}"}
"""
    built = user_metric(source)

    assert built(example(), "", Seen(steps=STEPS)).feedback == ""
    assert built(example(), "", Seen(steps=STEPS, predictor="find")).feedback == "find a b"
    assert built(example(), "").value == 0.25


def test_a_metric_of_three_arguments_gets_the_trace_alone() -> None:
    source = "def quality(gold, pred, trace=None):\n    return trace is not None\n"
    built = user_metric(source)

    assert built(example(), "", Seen(steps=STEPS)).value == 0.0
    assert built(example(), "", Seen(steps=STEPS, predictor="say")).value == 1.0
