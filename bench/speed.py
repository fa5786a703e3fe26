"""How long 1,000 examples take: gepa-ci beside dspy.Evaluate and promptfoo, against the limit.

All tools run as whole processes on the same mock server in one interleaved run, cache off (for
gepa-ci: a new, empty cache every time). The limit is calls x latency / concurrency.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peers import promptfoo
from processes import Measure, median, python_environment, run
from server.build import MockServer, running
from tickets import INSTRUCTION, write_project, write_tickets

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
OURS, DSPY, WIDE, PROMPTFOO = "gepa-ci", "dspy.Evaluate", "dspy.Evaluate, wide pool", "promptfoo"
HELD_OUT_SEED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One measurement's surroundings."""

    folder: Path
    server: MockServer
    examples: int
    concurrency: int
    python: str
    environment: dict[str, str]
    promptfoo: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A figure to reach, and what was measured."""

    name: str
    measured: float
    at_most: float

    def __str__(self) -> str:
        word = "pass" if self.measured <= self.at_most else "MISS"
        return f"{word}  {self.name}: {self.measured:.2f} (at most {self.at_most:.2f})"


def evaluation_seconds(result: dict[str, Any]) -> float:
    """Read the evaluation phase's wall seconds out of our result.json."""
    return float(result["tasks"][0]["phases"]["evaluate"])


def score_of(result: dict[str, Any]) -> float:
    """Read the mean score out of our result.json."""
    return float(result["tasks"][0]["candidate"]["mean"])


def ours(setting: Setting) -> Measure:
    """Evaluate with gepa-ci, in a state folder that is kept for a second run."""
    project = setting.folder / "project"
    config = write_project(
        project, setting.server.url, examples=setting.examples, concurrency=setting.concurrency
    )
    result_path = setting.folder / "result.json"
    arguments = ["evaluate", "--config", str(config), "--format", "json"]
    outlet = ["--output", str(result_path), "--state", str(setting.folder / "state")]
    command = [setting.python, "-m", "gepa_ci", *arguments, *outlet]
    measure, _ = run(
        command, folder=setting.folder, environment=setting.environment, label="gepa-ci"
    )
    result = json.loads(result_path.read_text(encoding="utf-8"))
    must_be_perfect(OURS, score_of(result))
    return replace(measure, evaluation=evaluation_seconds(result))


def dspy_evaluate(setting: Setting, *, wide: bool) -> Measure:
    """Evaluate with dspy.Evaluate."""
    config = write_project(
        setting.folder / "project", setting.server.url, examples=setting.examples, concurrency=1
    )
    script = Path(__file__).parent / "peers" / "dspy_evaluate.py"
    suite = config.parent / "held_out.jsonl"
    arguments = [str(suite), setting.server.url, str(setting.concurrency), INSTRUCTION]
    command = [setting.python, str(script), *arguments, *(["--wide"] if wide else [])]
    measure, out = run(
        command, folder=setting.folder, environment=setting.environment, label="dspy"
    )
    said = json.loads(out.splitlines()[-1])
    must_be_perfect(DSPY, said["score"])
    return replace(measure, evaluation=said["seconds"])


def promptfoo_eval(setting: Setting) -> Measure:
    """Evaluate with promptfoo."""
    assert setting.promptfoo is not None
    tickets = write_tickets(setting.examples, HELD_OUT_SEED)
    config, output = setting.folder / "promptfooconfig.json", setting.folder / "promptfoo.json"
    promptfoo.write_config(config, tickets, INSTRUCTION, setting.server.url)
    measure, _ = run(
        promptfoo.command(setting.promptfoo, config, output, setting.concurrency),
        folder=setting.folder,
        environment=promptfoo.environment(setting.promptfoo, setting.folder / "promptfoo-state"),
        label="promptfoo",
    )
    said = json.loads(output.read_text(encoding="utf-8"))
    must_be_perfect(PROMPTFOO, promptfoo.passed(said) / setting.examples)
    return measure


TOOLS: dict[str, Callable[[Setting], Measure]] = {
    OURS: ours,
    DSPY: lambda setting: dspy_evaluate(setting, wide=False),
    WIDE: lambda setting: dspy_evaluate(setting, wide=True),
    PROMPTFOO: promptfoo_eval,
}


def must_be_perfect(tool: str, score: float) -> None:
    """End the benchmark when a tool did not do the work: the mock server answers perfectly."""
    if score != 1.0:
        raise SystemExit(f"error: {tool} scored {score:.3f} on a server that is always right")


def measure_tool(tool: str, options: argparse.Namespace, work: Path, concurrency: int) -> Measure:
    """Measure one tool once, on a new server."""
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=work))
    with running(options.latency, kind=options.server) as server:
        measure = TOOLS[tool](setting_of(options, work, folder, server, concurrency))
        counted = server.stats()
    shutil.rmtree(folder)
    return replace(measure, requests=counted["requests"], max_in_flight=counted["max_in_flight"])


def setting_of(
    options: argparse.Namespace, work: Path, folder: Path, server: MockServer, concurrency: int
) -> Setting:
    """Put together what a tool needs to run."""
    environment = python_environment(work / "bytecode") | {"PYTHONPATH": str(ROOT)}
    return Setting(
        folder=folder,
        server=server,
        examples=options.examples,
        concurrency=concurrency,
        python=options.python,
        environment=environment,
        promptfoo=options.promptfoo,
    )


def measure_small(options: argparse.Namespace, work: Path) -> dict[str, Measure]:
    """Measure --help, check and a re-run whose every answer is in the cache."""
    folder = Path(tempfile.mkdtemp(prefix="small-", dir=work))
    with running(options.latency, kind=options.server) as server:
        setting = setting_of(options, work, folder, server, max(options.concurrency))
        ours(setting)
        sent = server.stats()["requests"]
        found: dict[str, list[Measure]] = {
            "--help": [],
            "check": [],
            "check 1,000": [],
            "cached": [],
        }
        commands = {
            "--help": ["--help"],
            "check": ["check", "--config", str(options.example)],
            "check 1,000": ["check", "--config", str(folder / "project" / "gepa-ci.yml")],
        }
        for _ in range(options.runs):
            for name, arguments in commands.items():
                command = [options.python, "-m", "gepa_ci", *arguments]
                measured, _ = run(
                    command, folder=folder, environment=setting.environment, label=name[-5:]
                )
                found[name].append(measured)
            found["cached"].append(ours(setting))
        if server.stats()["requests"] != sent:
            raise SystemExit("error: a fully cached re-run sent requests")
    return {name: median(measures) for name, measures in found.items()}


def targets(
    found: dict[tuple[str, int], Measure], small: dict[str, Measure], options: argparse.Namespace
) -> list[Target]:
    """Compare what was measured with what was promised."""
    promised = {64: (1.10, 1.35), 256: (1.30, None)}
    peers = {(DSPY, 64): 1.0, (PROMPTFOO, 64): 2.0, (DSPY, 256): 1.5, (PROMPTFOO, 256): 3.0}
    made = []
    for concurrency in options.concurrency:
        mine, limit = found[OURS, concurrency], limit_of(options, concurrency)
        evaluation, whole = promised.get(concurrency, (None, None))
        if evaluation and mine.evaluation is not None:
            name = f"evaluation / limit, {concurrency} in flight"
            made.append(Target(name=name, measured=mine.evaluation / limit, at_most=evaluation))
        if whole:
            name = f"whole process / limit, {concurrency} in flight"
            made.append(Target(name=name, measured=mine.whole / limit, at_most=whole))
    for (peer, concurrency), times in peers.items():
        if (peer, concurrency) in found:
            ratio = found[OURS, concurrency].whole / found[peer, concurrency].whole
            name = f"whole process / {peer}'s, {concurrency} in flight"
            made.append(Target(name=name, measured=ratio, at_most=1 / times))
    for name, at_most in (("--help", 0.3), ("check", 0.6), ("cached", 1.5)):
        made.append(Target(name=f"{name}, seconds", measured=small[name].whole, at_most=at_most))
    return made


def limit_of(options: argparse.Namespace, concurrency: int) -> float:
    """Return calls x latency / concurrency in seconds."""
    return float(options.examples * options.latency / 1000 / concurrency)


def print_table(found: dict[tuple[str, int], Measure], options: argparse.Namespace) -> None:
    """Print the tools' figures as Markdown."""
    print(
        "| tool | in flight | whole s | / limit | eval s | / limit | CPU s | MB | requests | peak |"
    )
    print("| --- " * 10 + "|")
    for (tool, concurrency), m in found.items():
        limit = limit_of(options, concurrency)
        alone = ("-", "-")
        if m.evaluation is not None:
            alone = (f"{m.evaluation:.2f}", f"{m.evaluation / limit:.2f}")
        cells = [tool, concurrency, f"{m.whole:.2f}", f"{m.whole / limit:.2f}", *alone]
        cells += [f"{m.cpu:.2f}", f"{m.megabytes:.0f}", m.requests, m.max_in_flight]
        print("| " + " | ".join(map(str, cells)) + " |")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=200, help="milliseconds")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tools", nargs="+", choices=list(TOOLS), help="default: all there are")
    parser.add_argument("--server", choices=["auto", "c", "python"], default="auto")
    parser.add_argument("--python", default=sys.executable, help="interpreter of all Python tools")
    parser.add_argument("--example", type=Path, default=ROOT / "prompts" / "gepa-ci.yml")
    parser.add_argument("--with-promptfoo", action="store_true", help="install it by npm (2 GB)")
    parser.add_argument("--promptfoo", type=Path, help="folder of an earlier installation")
    parser.add_argument("--output", type=Path, help="also write the figures as JSON")
    return parser.parse_args(arguments)


def main(options: argparse.Namespace) -> int:
    """Run everything and print it; exit 1 when a promise is missed."""
    with tempfile.TemporaryDirectory(prefix="gepa-ci-bench-") as name:
        work = Path(name)
        if options.with_promptfoo and options.promptfoo is None:
            options.promptfoo = work / "promptfoo"
            promptfoo.install(options.promptfoo)
        usable = [t for t in TOOLS if t != PROMPTFOO or options.promptfoo is not None]
        tools = [t for t in usable if t in (options.tools or usable)]
        # The first run of each fills the bytecode caches and is thrown away.
        for tool in tools:
            measure_tool(tool, options, work, max(options.concurrency))
        runs: dict[tuple[str, int], list[Measure]] = {}
        for _ in range(options.runs):
            for concurrency in options.concurrency:
                for tool in tools:
                    measure = measure_tool(tool, options, work, concurrency)
                    runs.setdefault((tool, concurrency), []).append(measure)
        small = measure_small(options, work) if OURS in tools else {}
    found = {key: median(measures) for key, measures in sorted(runs.items(), key=lambda i: i[0][1])}
    return report(found, small, options)


def report(
    found: dict[tuple[str, int], Measure], small: dict[str, Measure], options: argparse.Namespace
) -> int:
    """Print the table and the promises, and write the figures where they were asked for."""
    print(
        f"{options.examples} examples at {options.latency:g} ms, medians of {options.runs},",
        end=" ",
    )
    print(f"Python {platform.python_version()}, {platform.machine()}\n")
    print_table(found, options)
    print()
    for name, measure in small.items():
        print(f"gepa-ci {name}: {measure.whole:.2f} s, CPU {measure.cpu:.2f} s")
    made = targets(found, small, options) if small else []
    print()
    for target in made:
        print(target)
    if options.output is not None:
        figures = [{"tool": t, "concurrency": c, **asdict(m)} for (t, c), m in found.items()]
        document = {"tools": figures, "small": {name: asdict(m) for name, m in small.items()}}
        options.output.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return int(any(target.measured > target.at_most for target in made))


if __name__ == "__main__":
    sys.exit(main(parse(sys.argv[1:])))
