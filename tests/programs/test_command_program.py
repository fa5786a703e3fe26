"""Command programs: real processes that speak lines of JSON."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from fakes import ScriptedEngines, client, prompt
from program_world import EXAMPLE, TWO, command, echo, needs_landlock

from gepa_ci.core.call import Purpose, Reply
from gepa_ci.core.config import SpendCaps
from gepa_ci.core.score import ModelFailure, Score, Step
from gepa_ci.core.spend import Usage
from gepa_ci.core.suite import Example
from gepa_ci.errors import ConfigError, InfraError, ProgramError, SpendError
from gepa_ci.formats import read_prompt
from gepa_ci.lm.failures import Transient

if TYPE_CHECKING:
    from pathlib import Path

    from gepa_ci.core.call import Call

TOP = """\
import json, os, sys
def say(**message):
    print(json.dumps(message), flush=True)
def ask(id, **call):
    say(id=id, call=call)
    return json.loads(sys.stdin.readline())["reply"]
for line in sys.stdin:
    given = json.loads(line)
    id, inputs = given["id"], given["inputs"]
"""
PIPELINE = f"""{TOP}
    query = ask(id, prompt="rewrite", inputs=inputs)["text"]
    say(id=id, output=ask(id, prompt="answer", inputs={{"query": query}})["text"])
"""


def test_a_command_gets_its_prompts_and_has_its_calls_made(tmp_path: Path) -> None:
    engines = ScriptedEngines(echo)
    with command(tmp_path, PIPELINE, model=engines) as program:
        output = program.run(TWO, EXAMPLE, 2)

    assert output.text == "<Answer: <Rewrite: where is Rome?>>"
    assert [call.trial for call in engines.calls] == [2, 2]
    assert output.usage == Usage(calls=2, usd=None)
    assert output.steps[0] == Step(
        prompt="rewrite", inputs=EXAMPLE.inputs, output="<Rewrite: where is Rome?>"
    )


def test_a_command_is_told_all_that_it_needs_to_call_a_model_itself(tmp_path: Path) -> None:
    source = (
        f"{TOP}    say(id=id, output=[given[key] for key in ('prompts', 'rendered', 'trial')])\n"
    )
    with command(tmp_path, source) as program:
        output = program.run(TWO, EXAMPLE, 4)

    assert output.text == (
        '[{"answer":{"demos":"[]","user":"Answer: {{query}}"},'
        '"rewrite":{"demos":"[]","user":"Rewrite: {{question}}"}},'
        '{"rewrite":[{"content":"Rewrite: where is Rome?","role":"user"}]},4]'
    )


def test_the_instructions_of_an_agent_are_its_prompts(tmp_path: Path) -> None:
    agents = read_prompt("AGENTS.md", b"# Rules\n\nBe brief.\n")
    source = f"{TOP}    say(id=id, output=given['prompts']['AGENTS']['system'].splitlines()[-1])\n"
    with command(tmp_path, source) as program:
        assert program.run(agents, EXAMPLE, 0).text == "Be brief."


def test_an_answer_may_have_fields_trace_score_and_usage(tmp_path: Path) -> None:
    usage = "{'calls': 3, 'input_tokens': 10, 'output_tokens': 5, 'usd': 0.25}"
    source = f"{TOP}    say(id=id, output={{'a': 1}}, trace='way', score=0.5, feedback='half', "
    source += f"usage={usage})\n"
    with command(tmp_path, source) as program:
        output = program.run(TWO, EXAMPLE, 0)

    assert (output.text, output.fields, output.trace) == ('{"a":1}', {"a": 1}, "way")
    assert output.score == Score(value=0.5, feedback="half")
    assert output.usage == Usage(calls=3, input_tokens=10, output_tokens=5, usd=0.25)


def test_what_it_writes_to_stderr_during_a_run_is_its_trace(tmp_path: Path) -> None:
    source = f"""{TOP}
    sys.stderr.write("thinking about " + inputs["q"] + "\\n")
    sys.stderr.flush()
    ask(id, messages=[{{"role": "user", "content": "x"}}])
    say(id=id, output="x", feedback="well")
"""
    with command(tmp_path, source) as program:
        first, second = (
            program.run(TWO, Example(id=name, inputs={"q": name}), 0) for name in ("one", "two")
        )

    assert first.trace == "thinking about one\n\nwell"
    assert second.trace == "thinking about two\n\nwell"


def test_runs_are_spread_over_processes_that_live_long(tmp_path: Path) -> None:
    source = f"""{TOP}
    ask(id, messages=[{{"role": "user", "content": inputs["q"]}}])
    say(id=id, output=str(os.getpid()))
"""
    meeting = threading.Barrier(2, timeout=20)

    def meet(call: Call) -> str:
        if call.messages[0].content.startswith("meet"):
            meeting.wait()
        return ""

    with command(tmp_path, source, model=meet, processes=2) as program:

        def run(text: str) -> str:
            return program.run(TWO, Example(id="x", inputs={"q": text}), 0).text

        run("first")
        with ThreadPoolExecutor(2) as pool:
            both = set(pool.map(run, ["meet a", "meet b"]))
        later = {run("again") for _ in range(3)}

    assert len(both) == 2
    assert later <= both


def test_a_process_that_can_may_serve_several_runs_at_once(tmp_path: Path) -> None:
    source = """\
import json, os, sys
waiting = []
for line in sys.stdin:
    waiting.append(json.loads(line)["id"])
    if len(waiting) == 2:
        for id in reversed(waiting):
            print(json.dumps({"id": id, "output": str(os.getpid())}), flush=True)
"""
    with command(tmp_path, source, threads=2, processes=1) as program:
        with ThreadPoolExecutor(2) as pool:
            found = set(pool.map(lambda n: program.run(TWO, EXAMPLE, n).text, range(2)))

    assert len(found) == 1


def test_an_error_of_the_provider_wins_over_its_answer(tmp_path: Path) -> None:
    def limited(_: Call) -> str:
        raise Transient("429: slow down", rate_limited=True)

    source = f"{TOP}    say(id=id, output=ask(id, prompt='rewrite', inputs=inputs)['error'])\n"
    with command(tmp_path, source, model=limited) as program:
        with pytest.raises(InfraError, match="slow down"):
            program.run(TWO, EXAMPLE, 0)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("prompt='rewrite'", "a call needs 'messages', or 'prompt' and 'inputs'"),
        ("prompt='rewrite', inputs={}", "the prompt asks for 'question'"),
        ("prompt='nothing', inputs={}", "a call needs 'messages', or 'prompt' and 'inputs'"),
    ],
)
def test_a_call_that_cannot_be_made_is_told_to_the_program(
    tmp_path: Path, call: str, said: str
) -> None:
    with command(tmp_path, f"{TOP}    say(id=id, output=ask(id, {call})['error'])\n") as program:
        assert said in program.run(TWO, EXAMPLE, 0).text


def test_an_error_before_any_answer_is_one_of_the_program(tmp_path: Path) -> None:
    with command(tmp_path, f"{TOP}    say(id=id, error='no index')\n") as program:
        with pytest.raises(ProgramError, match=r"program 'p.py' failed: no index on example 'e1'"):
            program.run(TWO, EXAMPLE, 0)


def test_an_error_after_an_answer_is_a_failed_trial(tmp_path: Path) -> None:
    source = f"{TOP}    ask(id, prompt='rewrite', inputs=inputs)\n    say(id=id, error='no verb')\n"
    with command(tmp_path, source) as program:
        output = program.run(TWO, EXAMPLE, 0)

    assert (output.failure, output.detail) == (ModelFailure.PROGRAM, "no verb")
    assert output.text == "<Rewrite: where is Rome?>"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("say(id=id)", "failed: answered without an 'output'"),
        ("say(id=id, output=None)", "failed: answered null"),
        ("say(id=id, output='x', score=2)", "gave the score '2', which is outside 0 to 1"),
        ("say(id=id, output='x', score=1, feedback=3)", "the feedback '3', which is not text"),
        ("say(id=id, output='x', usage={'calls': 'two'})", "where 'calls' is no number that one"),
        ("say(id=id, output='x', usage={'calls': -1})", "where 'calls' is no number that one run"),
        ("say(id=id, output='x', usage={'usd': float('nan')})", "where 'usd' is no number"),
        ("say(id=id, output='x', usage={'usd': 1e9})", "where 'usd' is no number that one run"),
        ("say(id=id, output='x', usage={'calls': True})", "where 'calls' is no number"),
        ("say(id=id, output='x', usage={'cost': 1})", "it has no 'cost', only calls, input_tokens"),
        ("say(id=id, output='x', usage=3)", "gave the usage 3, which is not an object on example"),
        ("print('Loading the index ...', flush=True)", "no answer: 'Loading the index ...'"),
        ("print('[]', flush=True)", "no answer: '[]'"),
        ("say(id='other', output='x')", "wrote a line that is no answer"),
        ("print('x' * (17 << 20), flush=True)", "wrote a line that is no answer: 'xxx"),
        ("sys.stderr.write('no disk\\n'); sys.exit(4)", "ended its process (exit code 4), twice,"),
    ],
)
def test_what_is_no_answer_is_an_error_of_the_program(
    tmp_path: Path, answer: str, said: str
) -> None:
    with command(tmp_path, f"{TOP}    {answer}\n") as program:
        with pytest.raises(ProgramError) as caught:
            program.run(TWO, EXAMPLE, 0)

    assert said in str(caught.value)
    assert "on example 'e1'" in str(caught.value)
    if "no disk" in answer:
        assert str(caught.value).endswith("no disk")


def test_a_process_that_the_system_kills_may_have_had_too_little_memory(tmp_path: Path) -> None:
    with command(tmp_path, f"{TOP}    os.kill(os.getpid(), 9)\n") as program:
        with pytest.raises(ProgramError, match="SIGKILL") as caught:
            program.run(TWO, EXAMPLE, 0)

    assert caught.value.problems[0].hint == "the system may have had too little memory for it"


def test_without_an_interpreter_the_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with command(tmp_path, PIPELINE, words=("python3", "p.py")) as program:
        with pytest.raises(ProgramError, match=r"could not be started \(No such file"):
            program.run(TWO, EXAMPLE, 0)


def test_a_flood_of_lines_is_an_error(tmp_path: Path) -> None:
    source = f"{TOP}    while True: say(id=id, call=None)\n"
    with command(tmp_path, source, timeout=20) as program:
        with pytest.raises(ProgramError):
            program.run(TWO, EXAMPLE, 0)


def test_a_process_that_dies_between_runs_is_replaced(tmp_path: Path) -> None:
    source = f"{TOP}    say(id=id, output=str(os.getpid()))\n    sys.exit(0)\n"
    with command(tmp_path, source) as program:
        first, second = (program.run(TWO, EXAMPLE, 0).text for _ in range(2))

    assert first != second


def test_an_attempt_that_is_lost_with_its_process_is_made_again(tmp_path: Path) -> None:
    source = f"""{TOP}
    if not os.path.exists({str(tmp_path / "seen")!r}):
        open({str(tmp_path / "seen")!r}, "w").close()
        os.abort()
    say(id=id, output="second time")
"""
    with command(tmp_path, source) as program:
        assert program.run(TWO, EXAMPLE, 0).text == "second time"


def test_a_hang_is_a_failed_trial_once_a_model_has_answered(tmp_path: Path) -> None:
    source = f"import time\n{TOP}    ask(id, prompt='rewrite', inputs=inputs)\n    time.sleep(60)\n"
    with command(tmp_path, source, timeout=0.5) as program:
        output = program.run(TWO, EXAMPLE, 0)

    assert (output.failure, output.detail) == (ModelFailure.PROGRAM, "no output within 0.5 s")


def test_a_process_that_reads_nothing_holds_nobody_up(tmp_path: Path) -> None:
    big = Example(id="big", inputs={"text": "x" * 500_000})
    with command(tmp_path, "import time\ntime.sleep(60)\n", timeout=0.3) as program:
        with pytest.raises(ProgramError, match=r"gave no output within 0.3 s, twice"):
            program.run(prompt(), big, 0)


def test_a_command_holds_no_keys_but_those_that_the_config_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    source = f"{TOP}    say(id=id, output=dict(os.environ))\n"
    with command(
        tmp_path, source, environ={"MINE": "1", "OTHER": "2"}, environment=("MINE",)
    ) as program:
        fields = program.run(TWO, EXAMPLE, 0).fields

    assert fields["MINE"] == "1"
    assert not {"OPENAI_API_KEY", "OTHER"} & fields.keys()
    assert fields["HOME"] != os.environ["HOME"]


@needs_landlock
def test_a_command_works_in_the_root_and_writes_only_where_it_may(tmp_path: Path) -> None:
    source = f"""{TOP}
    try:
        open("/var/tmp/gepa-ci-test", "w").close()
        could = True
    except OSError:
        could = False
    open(os.path.join(os.environ["HOME"], "own"), "w").close()
    say(id=id, output=[os.getcwd(), could])
"""
    with command(tmp_path, source) as program:
        output = program.run(TWO, EXAMPLE, 0)

    assert output.text == f'["{tmp_path}",false]'


def test_a_command_that_is_not_there_is_a_config_error(tmp_path: Path) -> None:
    for words in (("no-such-command",), ("./no-such-file",)):
        with command(tmp_path, "", words=words) as program:
            with pytest.raises(ConfigError, match=f"gepa-ci.yml:3: .*'{words[0]}' is not there"):
                program.check(TWO, [])


def test_a_command_that_cannot_be_run_is_an_error_of_the_program(tmp_path: Path) -> None:
    with command(tmp_path, "", words=("./p.py",)) as program:
        assert program.check(TWO, []) == []
        with pytest.raises(ProgramError, match=r"exit code 127\), twice.*\n./p.py: Permission"):
            program.run(TWO, EXAMPLE, 0)


def test_the_digest_is_of_the_command_its_files_and_those_beside_them(tmp_path: Path) -> None:
    digests = []
    for source, words, beside in (
        ("1", (sys.executable, "p.py"), ""),
        ("2", (sys.executable, "p.py"), ""),
        ("2", (sys.executable, "./p.py", "-x"), ""),
        ("2", (sys.executable, "./p.py", "-x"), "changed"),
        ("2", (sys.executable, "./p.py", "-x"), "changed"),
        ("2", (sys.executable,), ""),
    ):
        (tmp_path / "loaded.py").write_text(beside)
        with command(tmp_path, source, words=words) as program:
            assert program.digest == program.digest
            digests.append(program.digest)

    assert len(set(digests)) == 5
    assert digests[3] == digests[4]


# Spend of its own calls


def spending(usage: str) -> str:
    return f"{TOP}    say(id=id, output='x', usage={usage})\n"


def test_calls_of_its_own_are_counted_and_end_the_run_at_a_cap(tmp_path: Path) -> None:
    lm = client(echo, caps=SpendCaps(calls=10))
    with command(tmp_path, spending("{'calls': 4, 'usd': 0.5}"), model=lm) as program:
        for number in range(2):
            assert program.run(TWO, EXAMPLE, number).usage == Usage(calls=4, usd=0.5)
        with pytest.raises(SpendError, match="'calls: 10' is reached after 8 calls"):
            program.run(TWO, EXAMPLE, 2)

    assert lm.meter.by_model == {(Purpose.TASK, ""): Usage(calls=8, usd=1.0)}


def test_a_dollar_cap_needs_to_know_what_its_own_calls_cost(tmp_path: Path) -> None:
    lm = client(echo, caps=SpendCaps(usd=1.0))
    with command(tmp_path, spending("{'calls': 1}"), model=lm) as program:
        with pytest.raises(ProgramError, match="without 'usd', and a dollar cap is set"):
            program.run(TWO, EXAMPLE, 0)


@pytest.mark.parametrize("usage", ["None", "{}", "{'calls': 0, 'usd': None}"])
def test_no_calls_of_its_own_cost_nothing(tmp_path: Path, usage: str) -> None:
    lm = client(echo, caps=SpendCaps(usd=1.0))
    with command(tmp_path, spending(usage), model=lm) as program:
        assert program.run(TWO, EXAMPLE, 0).usage == Usage()

    assert lm.meter.total == Usage()


def test_what_an_unbound_program_has_cost_is_nobodys(tmp_path: Path) -> None:
    with command(tmp_path, spending("{'calls': 1, 'input_tokens': 7, 'usd': 1}")) as program:
        program.caller = replace(program.caller, client=None)
        output = program.run(TWO, EXAMPLE, 0)

    assert (output.usage.calls, output.input_tokens) == (1, 7)


# What guards measure


def test_tokens_lengths_and_seconds_are_those_of_all_calls(tmp_path: Path) -> None:
    def reply(call: Call) -> Reply:
        return Reply(text="an answer", input_tokens=10, output_tokens=2)

    lm = client(reply, cache=tmp_path / "cache.sqlite")
    source = f"""{TOP}
    message = {{"role": "user", "content": "four"}}
    for _ in range(2):
        ask(id, messages=[message])
    ask(id, prompt="rewrite", inputs=inputs)
    say(id=id, output="x")
"""
    with command(tmp_path, source, model=lm) as program:
        first, again = (program.run(TWO, EXAMPLE, 0) for _ in range(2))
    lm.close()

    # The second of two equal calls would have taken as long as the first.
    assert first.seconds is not None
    assert first.usage.calls == 2
    assert (first.input_tokens, first.output_tokens) == (30, 6)
    assert first.prompt_length == 2 * len("four") + len("Rewrite: where is Rome?")
    # From the cache, the cost is known, and the time is not.
    assert (again.input_tokens, again.output_tokens, again.seconds) == (30, 6, None)
    assert again.prompt_length == first.prompt_length


# What is kept from telling


def test_what_it_tells_besides_its_output_is_cleaned(tmp_path: Path) -> None:
    source = f"""{TOP}
    key = os.environ["MINE"]
    say(id=id, output=key, trace=["way of " + key, {{key: 1}}], score=1, feedback="by " + key)
"""
    given: dict[str, Any] = {"environ": {"MINE": "top-secret"}, "environment": ("MINE",)}
    with command(
        tmp_path, source, clean=lambda text: text.replace("top-secret", "***"), **given
    ) as program:
        output = program.run(TWO, EXAMPLE, 0)

    assert output.text == "top-secret"
    assert output.trace == '["way of ***",{"***":1}]'
    assert output.score == Score(value=1, feedback="by ***")


# In a copy of a commit


@dataclass(slots=True)
class Shelf:
    """A commit with one file, as far as a program sees of it."""

    files: dict[str, str]
    below: Path
    copies: list[Path] = field(default_factory=list)
    digest: str = "of the commit"

    def has(self, path: str) -> bool:
        return path.removeprefix("./") in self.files

    def copy(self) -> tuple[Path, Path]:
        made = self.below / f"copy-{len(self.copies)}"
        self.copies.append(made)
        root = made / "root"
        root.mkdir(parents=True)
        for name, text in self.files.items():
            (root / name).write_text(text)
        return made, root


def test_with_a_commit_the_command_works_in_one_copy_of_it(tmp_path: Path) -> None:
    shelf = Shelf({"p.py": f"{TOP}    say(id=id, output=os.getcwd())\n"}, tmp_path / "shelf")
    with command(tmp_path, "raise SystemExit(9)", tree=shelf, processes=2) as program:
        assert program.check(TWO, []) == []
        assert not shelf.copies
        found = {program.run(TWO, EXAMPLE, number).text for number in range(3)}
        (copy,) = shelf.copies
        assert found == {str(copy / "root")}

    assert not copy.exists()


def test_with_a_commit_its_digest_is_the_programs(tmp_path: Path) -> None:
    shelf = Shelf({"p.py": ""}, tmp_path)
    with command(tmp_path, "1", tree=shelf) as one, command(tmp_path, "2", tree=shelf) as two:
        assert one.digest == two.digest
        with command(tmp_path, "2") as other:
            assert other.digest != one.digest


def test_with_a_commit_the_command_has_to_be_in_it(tmp_path: Path) -> None:
    shelf = Shelf({"run.sh": ""}, tmp_path)
    with command(tmp_path, "", words=("./run.sh",), tree=shelf) as program:
        assert program.check(TWO, []) == []
    with command(tmp_path, "", words=("./p.py",), tree=shelf) as program:
        with pytest.raises(ConfigError, match=r"'./p.py' is not there"):
            program.check(TWO, [])
    with command(tmp_path, "", words=(sys.executable,), tree=shelf) as program:
        assert program.check(TWO, []) == []
