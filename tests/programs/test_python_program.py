"""Python programs: real workers, real calls of our client over a scripted model."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from fakes import SPEC, ScriptedEngines, client
from program_world import EXAMPLE, TWO, echo, needs_landlock, python

from gepa_ci.core.call import Reply
from gepa_ci.core.config import ModelSpec, SpendCaps
from gepa_ci.core.score import ModelFailure, Score, Step
from gepa_ci.core.spend import Price, Usage
from gepa_ci.core.suite import Example
from gepa_ci.errors import (
    ConfigError,
    InfraError,
    Interrupted,
    MetricError,
    ProgramError,
    SpendError,
)
from gepa_ci.formats import read_prompt
from gepa_ci.lm.failures import Rejected, Transient

if TYPE_CHECKING:
    from pathlib import Path

    from gepa_ci.core.call import Call

DEFINE = "def answer(prompts, inputs, lm):\n"
PIPELINE = f"""{DEFINE}
    query = lm(prompts.rewrite, inputs)
    return lm(prompts["answer"], {{"query": query}})
"""


def test_a_function_gets_its_prompts_the_inputs_and_a_model() -> None:
    engines = ScriptedEngines(echo)
    with python(PIPELINE, model=engines) as program:
        output = program.run(TWO, EXAMPLE, 3)

    assert engines.texts == ["Rewrite: where is Rome?", "Answer: <Rewrite: where is Rome?>"]
    assert output.text == "<Answer: <Rewrite: where is Rome?>>"
    assert [call.trial for call in engines.calls] == [3, 3]
    assert output.usage == Usage(calls=2, usd=None)
    assert (output.model, output.prompt_length) == ("test/task", 23 + 33)
    assert output.steps == (
        Step(prompt="rewrite", inputs=EXAMPLE.inputs, output="<Rewrite: where is Rome?>"),
        Step(
            prompt="answer",
            inputs={"query": "<Rewrite: where is Rome?>"},
            output=output.text,
        ),
    )


def test_the_ways_to_send_something_are_recorded_as_steps() -> None:
    source = """
def answer(prompts, inputs, lm):
    file = prompts["rewrite"]
    assert file.text == file["user"] == file.texts["user"] == "Rewrite: {{question}}"
    assert list(prompts) == ["rewrite", "answer"] and len(prompts) == 2
    assert repr(file) == "PromptView('rewrite.txt')"
    sent = file(question="a")
    assert sent == file.render({"question": "a"}) == [{"role": "user", "content": "Rewrite: a"}]
    lm(sent)
    lm([{"role": "system", "content": "s"}, {"role": "user", "content": "u"}])
    return lm("plain", temperature=0.5, max_tokens=None)
"""
    engines = ScriptedEngines(echo)
    with python(source, model=engines) as program:
        output = program.run(TWO, EXAMPLE, 0)

    assert [(step.prompt, step.inputs) for step in output.steps] == [
        ("rewrite", {"question": "a"}),
        ("", {}),
        ("", {}),
    ]
    assert engines.texts == ["Rewrite: a", "s\nu", "plain"]
    assert engines.calls[2].spec.parameters == {"temperature": 0.5}


def test_the_prompt_files_parameters_hold_and_other_models_can_be_named() -> None:
    file = read_prompt(
        "kind.prompt.yml",
        b"modelParameters: {temperature: 0.25}\n"
        b"messages: [{role: user, content: '{{question}}'}]\n",
    )
    source = f"{DEFINE}    lm(prompts.kind, inputs)\n    lm(prompts.kind, inputs, model='cheap')\n"
    source += "    lm('x', model='real/cheap')\n    return lm('y')\n"
    engines = ScriptedEngines(echo)
    cheap = ModelSpec(model="real/cheap", parameters={"top_p": 0.5}, price=Price(input=1, output=1))
    with python(source, model=engines, models={"cheap": cheap}) as program:
        output = program.run(file, EXAMPLE, 0)

    assert [(call.spec.model, dict(call.spec.parameters)) for call in engines.calls] == [
        ("test/task", {"temperature": 0.25}),
        ("real/cheap", {"temperature": 0.25, "top_p": 0.5}),
        ("real/cheap", {"top_p": 0.5}),
        ("test/task", {}),
    ]
    assert output.model == "test/task, real/cheap"


def test_an_async_function_asks_for_several_at_once() -> None:
    source = """
import asyncio
async def answer(prompts, inputs, lm):
    return await asyncio.gather(*(lm.acall(f"q{n}") for n in range(3)))
"""
    meeting = threading.Barrier(4, timeout=20)

    def meet(call: Call) -> str:
        if call.messages[0].content != "first":
            meeting.wait()
        return echo(call)

    lm = client(meet)
    with python(source, model=lm) as program:
        # The very first call to a model goes alone.
        with python(f"{DEFINE}    return lm('first')\n", model=lm) as first:
            first.run(TWO, EXAMPLE, 0)
        waiting = threading.Thread(target=meeting.wait)
        waiting.start()
        output = program.run(TWO, EXAMPLE, 0)
        waiting.join()

    assert output.text == '["<q0>","<q1>","<q2>"]'
    assert [step.output for step in output.steps] == ["<q0>", "<q1>", "<q2>"]


def test_many_runs_share_one_process() -> None:
    source = f"import os\n{DEFINE}    return {{'pid': os.getpid(), 'said': lm(inputs['q'])}}\n"
    meeting = threading.Barrier(8, timeout=20)

    def meet(call: Call) -> str:
        if call.trial:
            meeting.wait()
        return call.messages[0].content

    with python(source, model=meet, concurrency=8) as program:
        program.run(TWO, Example(id="x", inputs={"q": "first"}), 0)

        def run(number: int) -> tuple[object, object]:
            fields = program.run(TWO, Example(id="x", inputs={"q": str(number)}), 1).fields
            return fields["pid"], fields["said"]

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(run, range(8)))

    assert [said for _, said in found] == [str(number) for number in range(8)]
    assert len({pid for pid, _ in found}) == 1


def test_a_program_may_have_several_processes() -> None:
    source = f"import os\n{DEFINE}    lm('x' + inputs['q'])\n    return str(os.getpid())\n"
    meeting = threading.Barrier(4, timeout=20)

    def meet(call: Call) -> str:
        if call.messages[0].content != "xfirst":
            meeting.wait()
        return ""

    with python(source, model=meet, processes=2, threads=2) as program:
        program.run(TWO, Example(id="x", inputs={"q": "first"}), 0)
        with ThreadPoolExecutor(4) as pool:
            runs = [
                pool.submit(program.run, TWO, Example(id="x", inputs={"q": str(n)}), 0)
                for n in range(4)
            ]
            found = {run.result().text for run in runs}

    assert len(found) == 2


@pytest.mark.parametrize(
    ("returned", "text", "fields"),
    [
        ("'x'", "x", {}),
        ("{'b': 1, 'a': [True, None]}", '{"a":[true,null],"b":1}', {"a": [True, None], "b": 1}),
        ("[1, 2]", "[1,2]", {}),
        ("0.5", "0.5", {}),
        ("False", "false", {}),
        ("__import__('datetime').date(2024, 5, 6)", "2024-05-06", {}),
        ("__import__('fractions').Fraction(1, 2).limit_denominator", None, {}),
    ],
)
def test_what_is_returned_becomes_text_and_fields(
    returned: str, text: str | None, fields: dict[str, object]
) -> None:
    with python(f"{DEFINE}    return {returned}\n") as program:
        if text is None:
            with pytest.raises(ProgramError, match="which has no JSON"):
                program.run(TWO, EXAMPLE, 0)
            return
        output = program.run(TWO, EXAMPLE, 0)

    assert (output.text, output.fields, output.usage, output.seconds) == (
        text,
        fields,
        Usage(),
        None,
    )


def test_a_function_may_give_score_feedback_trace_and_usage() -> None:
    extra = "{'score': 0.5, 'feedback': 'half', 'trace': ['a'], 'usage': {'calls': 2, 'usd': 0.1}}"
    with python(f"{DEFINE}    return 'x', {extra}\n") as program:
        output = program.run(TWO, EXAMPLE, 0)

    assert output.score == Score(value=0.5, feedback="half")
    assert (output.text, output.trace) == ("x", '["a"]')
    assert output.usage == Usage(calls=2, usd=0.1)


def test_a_function_that_raises_before_a_model_has_answered_is_broken() -> None:
    source = f"{DEFINE}    return helper(inputs)\n\ndef helper(inputs):\n    return inputs['no']\n"
    with python(source) as program, pytest.raises(ProgramError) as caught:
        program.run(TWO, EXAMPLE, 0)

    (problem,) = caught.value.problems
    assert str(problem).startswith(
        "p.py:5: program 'answer' raised KeyError on example 'e1' before any model had answered"
    )
    assert problem.message.count('File "p.py"') == 2
    assert caught.value.exit_code == 2


def test_a_function_that_raises_at_an_answer_is_a_failed_trial() -> None:
    with python(f"{DEFINE}    return int(lm('how many?'))\n") as program:
        output = program.run(TWO, EXAMPLE, 0)

    assert output.failure is ModelFailure.PROGRAM
    assert output.detail == (
        "ValueError: invalid literal for int() with base 10: '<how many?>' (p.py:2)"
    )
    assert output.text == "<how many?>"
    assert "return int(lm('how many?'))" in output.trace
    assert output.usage.calls == 1


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("return lm(prompts.rewrite, {})", "asks for 'question'"),
        ("return prompts.rewrite()", "asks for 'question'"),
        ("return lm('x', {})", "inputs go together with a prompt"),
        ("return lm('x', volume=3)", "a call has no parameter 'volume'"),
        ("return lm('x', model='huge')", "the config names no model 'huge'; models: task"),
        ("return lm([])", "'messages' is a list"),
        ("return lm([{'role': 'tool', 'content': 'x'}])", "a message has a role"),
        ("return lm('\\ud800')", "half of a surrogate pair"),
        (
            "return prompts.nothing.text",
            "the task has no prompt 'nothing'; it has: rewrite, answer",
        ),
        ("return prompts['nothing'].text", "the task has no prompt 'nothing'"),
        ("return prompts.rewrite['system']", "prompt 'rewrite' has no text 'system'"),
        ("return None", "None (is a 'return' missing?)"),
        ("return open('x')", "which has no JSON"),
        ("raise SystemExit(3)", "raised SystemExit"),
    ],
)
def test_a_wrong_use_is_an_error_of_the_program(body: str, what: str) -> None:
    engines = ScriptedEngines(echo)
    with python(f"{DEFINE}    {body}\n", model=engines) as program:
        with pytest.raises(ProgramError) as caught:
            program.run(TWO, EXAMPLE, 0)

    if "open" not in body:
        assert what in str(caught.value)
    assert engines.calls == []


def test_a_score_that_is_none_is_an_error_even_after_an_answer() -> None:
    with python(f"{DEFINE}    return lm('x'), {{'score': 7}}\n") as program:
        with pytest.raises(ProgramError, match="gave the score '7', which is outside 0 to 1"):
            program.run(TWO, EXAMPLE, 0)


def test_an_error_of_the_provider_wins_over_what_the_program_makes_of_it() -> None:
    def limited(call: Call) -> str:
        if call.messages[0].content == "second":
            raise Transient("429: slow down", rate_limited=True)
        return "fine"

    source = f"""{DEFINE}
    lm("first")
    for _ in range(3):
        try:
            lm("second")
        except Exception:
            pass
    return "all is well"
"""
    engines = ScriptedEngines(limited)
    with python(source, model=engines) as program, pytest.raises(InfraError, match="slow down"):
        program.run(TWO, EXAMPLE, 0)

    # Once one has failed, the run is over: further calls are not made.
    assert len(engines.calls) == 2


def test_a_run_that_retries_for_ever_is_ended_when_its_call_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gepa_ci.programs.conversation._GRACE", 0.2)

    def limited(_: Call) -> str:
        raise Transient("500")

    source = f"""{DEFINE}
    while True:
        try:
            return lm("x")
        except Exception:
            pass
"""
    with python(source, model=limited) as program:
        with pytest.raises(InfraError, match="500"):
            program.run(TWO, EXAMPLE, 0)


@pytest.mark.parametrize(("caps", "error"), [(SpendCaps(calls=1), SpendError), (None, Interrupted)])
def test_a_cap_and_an_interruption_reach_the_caller(
    caps: SpendCaps | None, error: type[Exception]
) -> None:
    lm = client(echo, caps=caps)
    if caps is None:
        lm.stop()
    with python(PIPELINE, model=lm) as program, pytest.raises(error):
        program.run(TWO, EXAMPLE, 0)


def test_time_that_a_model_takes_is_not_the_programs() -> None:
    released = threading.Event()

    def slow(call: Call) -> str:
        released.wait(1.0)
        return echo(call)

    with python(f"{DEFINE}    return lm('x')\n", model=slow, timeout=0.5) as program:
        assert program.run(TWO, EXAMPLE, 0).text == "<x>"


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Reply(text="I won't", failure=ModelFailure.REFUSAL, detail="it refused"), "refusal"),
        (Reply(text="ha", failure=ModelFailure.TRUNCATED, detail="it was cut off"), "truncated"),
    ],
)
def test_a_model_that_fails_is_told_to_the_program_and_counts_as_it(
    failure: Reply, kind: str
) -> None:
    caught = f"""{DEFINE}
    try:
        return lm("x")
    except Exception as error:
        return [error.failure, error.text]
"""
    with python(f"{DEFINE}    return lm('x')\n", model=lambda _: failure) as program:
        output = program.run(TWO, EXAMPLE, 0)
    with python(caught, model=lambda _: failure) as program:
        handled = program.run(TWO, EXAMPLE, 0)

    assert output.failure is ModelFailure(kind)
    assert (output.detail, output.text) == (failure.detail, failure.text)
    assert (handled.failure, handled.text) == (None, f'["{kind}","{failure.text}"]')


def test_a_request_that_is_too_long_is_a_failure_of_the_model() -> None:
    def rejects(_: Call) -> str:
        raise Rejected(ModelFailure.CONTEXT_LENGTH, "too long")

    with python(f"{DEFINE}    return lm('x')\n", model=rejects) as program:
        assert program.run(TWO, EXAMPLE, 0).failure is ModelFailure.CONTEXT_LENGTH


def test_a_crash_costs_no_other_run_its_outcome() -> None:
    source = f"""import os
{DEFINE}
    lm("ready " + inputs["q"])
    if inputs["q"] == "crash":
        os.write(2, b"out of luck\\n")
        os._exit(3)
    lm("again")
    return inputs["q"]
"""
    meeting = threading.Barrier(3, timeout=20)
    crashed = threading.Event()

    def meet(call: Call) -> str:
        is_ready = call.trial == 1 and call.messages[0].content.startswith("ready")
        if is_ready and not crashed.is_set():
            meeting.wait()
            crashed.set()
        return ""

    engines = ScriptedEngines(meet)
    with python(source, model=engines, concurrency=3) as program:
        program.run(TWO, Example(id="warm", inputs={"q": "warm"}), 0)
        with ThreadPoolExecutor(3) as pool:
            runs = {
                name: pool.submit(program.run, TWO, Example(id=name, inputs={"q": name}), 1)
                for name in ("a", "crash", "b")
            }
            error = runs["crash"].exception()
            assert [runs[name].result().text for name in "ab"] == ["a", "b"]
        again = program.run(TWO, Example(id="later", inputs={"q": "later"}), 2)

    assert isinstance(error, ProgramError)
    assert str(error) == (
        "p.py: program 'answer' ended its process (exit code 3), twice, on example 'crash'\n"
        "out of luck"
    )
    assert again.text == "later"


def test_a_hang_after_an_answer_is_a_failed_trial_that_names_its_line() -> None:
    source = f"import time\n{DEFINE}    lm('x')\n    time.sleep(60)\n"
    with python(source, timeout=0.3) as program:
        output = program.run(TWO, EXAMPLE, 0)

    assert output.failure is ModelFailure.PROGRAM
    assert output.detail == "no output within 0.3 s; it was in p.py:4"
    assert "time.sleep(60)" in output.trace


def test_a_hang_without_an_answer_is_tried_again_and_then_an_error() -> None:
    source = "import asyncio\nasync def answer(prompts, inputs, lm):\n    await asyncio.sleep(60)\n"
    with python(source, timeout=0.3) as program, pytest.raises(ProgramError) as caught:
        program.run(TWO, EXAMPLE, 0)

    assert str(caught.value).startswith(
        "p.py:3: program 'answer' gave no output within 0.3 s, twice, and asked no model "
        "on example 'e1'"
    )


def test_a_run_that_hangs_does_not_end_its_neighbours() -> None:
    source = f"""import time, os
{DEFINE}
    lm(inputs["q"])
    if inputs["q"] == "hang":
        time.sleep(60)
    lm("late")
    return str(os.getpid())
"""
    hung = threading.Event()

    def wait(call: Call) -> str:
        if call.messages[0].content == "late":
            hung.wait(20)
        return ""

    with python(source, model=wait, timeout=0.5) as program:
        with ThreadPoolExecutor(2) as pool:
            fine = pool.submit(program.run, TWO, Example(id="f", inputs={"q": "f"}), 0)
            bad = pool.submit(program.run, TWO, Example(id="h", inputs={"q": "hang"}), 0)
            assert bad.result().failure is ModelFailure.PROGRAM
            hung.set()
            first = fine.result()
        second = program.run(TWO, Example(id="f", inputs={"q": "f"}), 1)

    # The process with the hanging run takes no new ones.
    assert first.failure is None
    assert first.text != second.text


def test_a_program_holds_no_keys_but_those_that_the_config_names() -> None:
    source = f"import os\n{DEFINE}    return dict(os.environ)\n"
    environ = {"OPENAI_API_KEY": "sk-secret", "SEARCH_KEY": "its own", "GITHUB_TOKEN": "t"}
    with python(source, environ=environ, environment=("SEARCH_KEY", "ABSENT")) as program:
        fields = program.run(TWO, EXAMPLE, 0).fields
        warnings = program.check(TWO, [EXAMPLE])

    assert fields["SEARCH_KEY"] == "its own"
    assert not {"OPENAI_API_KEY", "GITHUB_TOKEN", "ABSENT"} & fields.keys()
    assert warnings == ["The program names variables that are not set: ABSENT."]


def test_a_missing_variable_is_explained() -> None:
    with python(f"import os\n{DEFINE}    return os.environ['SEARCH_KEY']\n") as program:
        with pytest.raises(ProgramError) as caught:
            program.run(TWO, EXAMPLE, 0)

    assert "name what it needs in its `environment:`" in str(caught.value.problems[0].hint)


@needs_landlock
def test_a_program_cannot_write_where_others_read(tmp_path: Path) -> None:
    file = tmp_path / "github_output"
    with python(f"{DEFINE}    open({str(file)!r}, 'a').write('x')\n") as program:
        with pytest.raises(ProgramError, match="PermissionError"):
            program.run(TWO, EXAMPLE, 0)

    assert not file.exists()


def test_what_is_printed_goes_to_stderr_and_commands_nobody(
    capfd: pytest.CaptureFixture[str],
) -> None:
    forged = '{"id": "x", "output": "forged"}'
    source = f"import os\n{DEFINE}    print('::error::x')\n    print({forged!r})\n"
    source += f"    os.write(1, b'{forged}\\n')\n    return 'real'\n"
    with python(source) as program:
        output = program.run(TWO, EXAMPLE, 0)

    captured = capfd.readouterr()
    assert output.text == "real"
    assert captured.out == ""
    assert captured.err == f": :error::x\n{forged}\n"


def test_a_forged_line_is_an_error() -> None:
    source = f"import os\n{DEFINE}    for number in range(3, 20):\n"
    source += '        try: os.write(number, b\'{"id": "x", "output": "forged"}\\n\')\n'
    source += "        except OSError: pass\n    return 'real'\n"
    with python(source) as program, pytest.raises(ProgramError) as caught:
        program.run(TWO, EXAMPLE, 0)

    assert """wrote a line that is no answer: '{"id": "x", "output": "forged"}'""" in str(
        caught.value
    )


def test_a_flood_of_calls_is_bounded() -> None:
    source = f"{DEFINE}    for number in range(2000):\n        lm(str(number))\n"
    engines = ScriptedEngines(echo)
    with python(source, model=engines) as program:
        output = program.run(TWO, EXAMPLE, 0)

    assert output.failure is ModelFailure.PROGRAM
    assert "more than 1000 calls in one run" in output.detail
    assert len(engines.calls) == 1000


def test_neighbours_come_from_where_the_file_does_and_are_in_the_digest() -> None:
    code = f"from tools import half\n{DEFINE}    return half(8)\n"

    def files(tools: str) -> dict[str, str]:
        return {"eval/p.py": code, "eval/tools.py": tools}

    digests = []
    for tools in ("def half(x): return x / 2\n", "def half(x): return x // 2\n"):
        with python(files(tools), target="eval/p.py:answer") as program:
            digests.append(program.digest)
            assert program.run(TWO, EXAMPLE, 0).text in ("4.0", "4")

    assert digests[0] != digests[1]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n", "gepa-ci.yml:3: 'p.py' has no function 'answer'"),
        ("answer = 1\n", "gepa-ci.yml:3: 'p.py' has no function 'answer'"),
        ("def answer(inputs): ...\n", "cannot be called with (prompts, inputs, lm)"),
        ("def answer(a, b, c, d): ...\n", "cannot be called with (prompts, inputs, lm)"),
        ("def answer(a, b, c, *, d): ...\n", "cannot be called with (prompts, inputs, lm)"),
        ("def answer(): return 7\n", "which is not a dspy.Module"),
        ("def answer(: ...\n", "p.py:1: the program's file is not valid Python"),
        ("import nowhere_at_all\n", "the program's file cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_config_error(source: str, message: str) -> None:
    with python(source) as program, pytest.raises(ConfigError) as caught:
        program.check(TWO, [EXAMPLE])

    if "answer = 1" in source:
        assert "'answer' in 'p.py' is not a function" in str(caught.value)
    else:
        assert message in str(caught.value)


def test_a_missing_file_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="cannot read the program's file"):
        with python({}):
            raise AssertionError


@pytest.mark.parametrize("signature", ["a, b, c, d=1", "*rest", "a, b, *rest"])
def test_other_signatures_that_take_three_will_do(signature: str) -> None:
    with python(f"def answer({signature}): return 'x'\n") as program:
        assert program.check(TWO, []) == []
        assert program.predictors(TWO) == ()


def test_a_callable_object_is_a_program() -> None:
    source = (
        "class A:\n    async def __call__(self, prompts, inputs, lm): return 'x'\nanswer = A()\n"
    )
    with python(source) as program:
        assert program.run(TWO, EXAMPLE, 0).text == "x"


def test_only_running_it_tells_its_calls_and_its_model_is_the_prompts() -> None:
    own = read_prompt("p.prompt.yml", b"model: a/b\nmessages: [{role: user, content: x}]\n")
    with python(PIPELINE, spec=None) as program:
        assert program.calls(TWO, EXAMPLE, 0) is None
        assert program.model(TWO) is None
        assert program.price(TWO) is None
        assert program.model(own) == ModelSpec(model="a/b")
        with pytest.raises(ProgramError, match="no model is named for this prompt"):
            program.run(TWO, EXAMPLE, 0)


def test_a_program_without_a_client_can_be_checked_and_bound_later() -> None:
    priced = ModelSpec(model="x/y", price=Price(input=1, output=2))
    with python(PIPELINE, spec=priced) as program:
        unbound = program.bound(client(echo))
        assert unbound.price(TWO) == Price(input=1, output=2)
        assert unbound.run(TWO, EXAMPLE, 0).usage.usd == 0.0
        assert unbound.speakers is program.speakers


def test_a_closed_program_runs_nothing() -> None:
    with python(PIPELINE) as program:
        program.run(TWO, EXAMPLE, 0)
        process = program.speakers._all.copy().pop().child._process.pid
        program.close()
        with pytest.raises(ProgramError, match="closed"):
            program.run(TWO, EXAMPLE, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_errors_of_a_metric_are_not_errors_of_a_program() -> None:
    assert not issubclass(ProgramError, MetricError)
    assert SPEC.model == "test/task"
