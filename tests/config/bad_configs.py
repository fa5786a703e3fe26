"""Configs that must be refused: name -> (file, line, part of the message, part of the hint)."""

from __future__ import annotations

from typing import NamedTuple

EXAMPLE = b"""\
version: 1
models:
  task: openai/gpt-5-mini
  reflection: {model: openai/gpt-5, temperature: 1.0, max_tokens: 32000}
  cheap: {model: openai/qwen3-8b, api_base: http://localhost:8000/v1, price: {input: 0, output: 0}}
concurrency: 32
spend: {usd: 5.00, calls: 3000, minutes: 60}
tasks:
  triage:
    prompts: [prompts/triage.prompt.yml]
    suite: prompts/triage.jsonl
    metric: exact_match
    gate: {margin: 0.05, confidence: 0.9, trials: 2, on_inconclusive: fail}
    optimize: {optimizer: gepa, auto: heavy, proposer: examples}
"""


class BadConfig(NamedTuple):
    """One config that must be refused, and what has to be said about it."""

    source: bytes
    line: int | None
    message: str
    hint: str


_TASK = "    prompts: [p.md]\n    suite: s.jsonl\n    metric: exact_match\n"
"""Four lines of a right task follow in every config of `_task` and `_top`."""


def _task(extra: str, line: int, message: str, hint: str) -> BadConfig:
    """Put lines into a right task, from line 7 on."""
    text = f"version: 1\ntasks:\n  t:\n{_TASK}{extra}"
    return BadConfig(text.encode(), line, message, hint)


def _top(extra: str, line: int, message: str, hint: str) -> BadConfig:
    """Put lines at the top level of a right config, from line 2 on."""
    return BadConfig(f"version: 1\n{extra}tasks:\n  t:\n{_TASK}".encode(), line, message, hint)


def _only(text: str | bytes, line: int | None, message: str, hint: str) -> BadConfig:
    return BadConfig(text if isinstance(text, bytes) else text.encode(), line, message, hint)


_DEEP = "a: " + "[" * 100_000
_BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [" + ",".join([f"*{chr(97 + i)}"] * 10) + "]\n"
    for i in range(8)
)

BAD_CONFIGS: dict[str, BadConfig] = {
    # the file
    "empty": _only("", 1, "the file is empty", "version: 1"),
    "only a comment": _only("# nothing\n", 1, "the file is empty", "version: 1"),
    "not UTF-8": _only(b"version: 1\n# caf\xe9\n", 2, "'0xe9' is not UTF-8", "save the file"),
    "too large": _only(b"#" * (2**20 + 1), None, "1,048,577 bytes", "within 1 MiB"),
    "control character": _only("version: 1\n# \x01\n", 2, "U+0001", "remove it"),
    "a list": _only("- a\n", 1, "a list is not a value for the config", "version"),
    "a text": _only("hello\n", 1, "'hello' is not a value for the config", "version"),
    "tab indentation": _only("version: 1\ntasks:\n\tt: {}\n", 3, "not valid YAML", "no tabs"),
    "colon in a value": _only("version: 1\nspend: a: b\n", 2, "column 9", "quotes around"),
    "special start": _only("version: 1\ncache: @x\n", 2, "not valid YAML", "special character"),
    "open bracket": _only("version: [1\n", 2, "not valid YAML", "check brackets"),
    "two documents": _only("version: 1\n---\nversion: 1\n", 2, "another document", "second '---'"),
    "nesting": _only(_DEEP, 1, "more than 50 levels", "flatten"),
    "alias bomb": _only(_BOMB, 5, "aliases make the file too large", "write the values out"),
    "alias of itself": _only("a: &a [*a]\n", 1, "'*a' stands for nothing", "&a"),
    "unknown alias": _only("version: *v\n", 1, "'*v' stands for nothing", "&v"),
    "python tag": _top("spend: !!python/object:os.system x\n", 2, "'x' is not a value", "usd"),
    "python tag on a value": _top(
        "concurrency: !!python/name:os.system x\n", 2, "'!!python/name:os.system'", "remove the tag"
    ),
    "merge of a text": _top("spend: {<<: 3}\n", 2, "cannot merge '3'", "<<: *name"),
    # keys
    "key twice": _top("cache: on\ncache: off\n", 3, "twice, here and on line 2", "keep one"),
    "unknown key": _top("modles: {}\n", 2, "unknown key 'modles'", "did you mean 'models'?"),
    "unknown task key": _task("    metrik: x\n", 7, "'metrik'", "did you mean 'metric'?"),
    "key of another tool": _task("    dataset: x\n", 7, "'dataset'", "did you mean 'suite'?"),
    "list as a key": _top("? [a]\n: 1\n", 2, "a key must be a plain word", "name"),
    "null key": _top("~: 1\n", 2, "a key must be a plain word", "name"),
    "program": _task("    program: node a.js\n", 7, "'node a.js'", "a command as a list"),
    "program outside": _task("    program: ../p.py:f\n", 7, "'../p.py:f'", "of this repository"),
    "no program": _task("    program: {}\n", 7, "no 'python' or 'command'", "add 'python'"),
    "no command": _task("    program: []\n", 7, "t.program is empty", "name the command"),
    "a command of numbers": _task("    program: [1]\n", 7, "'1'", "put it in quotes"),
    "a command as text": _task("    program: {command: node a.js}\n", 7, "'node a.js'", "a list"),
    "two programs": _task(
        "    program: {python: p.py:f, command: [a]}\n", 7, "does not go together", "keep one"
    ),
    "a program's key": _task(
        "    program: {command: [a], env: [X]}\n", 7, "unknown key 'env'", "'environment'"
    ),
    "a secret for a program": _task(
        "    program: {command: [a], environment: [sk-1]}\n", 7, "this is not", "never a value"
    ),
    "reports": _top("reports: {}\n", 2, "'reports'", "did you mean 'report'?"),
    "templates at the top": _top("templates: t\n", 2, "'templates'", "below 'report'"),
    "report as text": _top("report: t\n", 2, "'t' is not a value for report", "templates"),
    "unknown key of report": _top("report: {tempaltes: t}\n", 2, "'tempaltes'", "'templates'"),
    "templates outside": _top("report: {templates: ../t}\n", 2, "'../t'", "no '..'"),
    "view of the future": _top("report: {view: 2}\n", 2, "'2' is not a value", "view 1"),
    "held_out": _top("report: {held_out: id}\n", 2, "'id'", "did you mean 'ids'?"),
    # version, cache, concurrency, spend
    "no version": _only("tasks:\n  t:\n" + _TASK, 1, "no 'version'", "add 'version'"),
    "version as text": _only(
        'version: "1"\ntasks:\n  t:\n' + _TASK,
        1,
        "'1' is not a value for version",
        "without quotes",
    ),
    "version of the future": _only(
        "version: 2\ntasks:\n  t:\n" + _TASK, 1, "'2' is not a value for version", "version 1"
    ),
    "cache": _top("cache: replya\n", 2, "'replya'", "did you mean 'replay'?"),
    "cache as a number": _top("cache: 1\n", 2, "'1' is not a value for cache", "replay"),
    "concurrency 0": _top("concurrency: 0\n", 2, "'0'", "from 1 to 1,024"),
    "concurrency 2000": _top("concurrency: 2000\n", 2, "'2000'", "from 1 to 1,024"),
    "concurrency true": _top("concurrency: yes\n", 2, "'yes'", "a whole number"),
    "concurrency 1.5": _top("concurrency: 1.5\n", 2, "'1.5'", "a whole number"),
    "no value": _top("concurrency:\n", 2, "concurrency has no value", "remove the key"),
    "endless number": _top("spend: {usd: .inf}\n", 2, "'.inf' is not a finite", "number"),
    "negative money": _top("spend: {usd: -1}\n", 2, "'-1' is not a value for spend.usd", "above 0"),
    "exponent": _top("spend: {usd: 1e2}\n", 2, "'1e2'", "write 100.0 without quotes"),
    "too many digits": _top(f"spend: {{calls: {'9' * 5000}}}\n", 2, "cannot be read", "quotes"),
    "spend as a number": _top("spend: 5\n", 2, "'5' is not a value for spend", "usd, calls"),
    "date": _top("models: {task: 2024-01-01}\n", 2, "'2024-01-01' as a date", "quotes"),
    # models
    "model without model": _top("models: {m: {seed: 1}}\n", 2, "no 'model'", "add 'model'"),
    "models as a list": _top("models: [a]\n", 2, "a list is not a value for models", "mapping"),
    "model as a list": _top("models: {m: [a]}\n", 2, "a list is not a value for models.m", "give"),
    "model name": _top("models: {a b: x/y}\n", 2, "'a b' is not a name", "letters"),
    "model with blanks": _top("models: {m: a b}\n", 2, "'a b' is not a value", "openai/"),
    "a key in the file": _top(
        "models: {m: {model: a/b, api_key: k}}\n", 2, "unknown key 'api_key'", "api_key_env"
    ),
    "a key as the variable": _top(
        "models: {m: {model: a/b, api_key_env: sk-123}}\n",
        2,
        "this is not a value",
        "never the key",
    ),
    "api_base": _top("models: {m: {model: a/b, api_base: localhost}}\n", 2, "'localhost'", "http"),
    "half a price": _top("models: {m: {model: a/b, price: {input: 1}}}\n", 2, "'output'", "add"),
    "stop": _top("models: {m: {model: a/b, stop: {}}}\n", 2, "a mapping", "list of texts"),
    # tasks
    "no tasks": _only("version: 1\n", 1, "the config has no 'tasks'", "add 'tasks'"),
    "empty tasks": _only("version: 1\ntasks: {}\n", 2, "tasks is empty", "at least one"),
    "task name": _only("version: 1\ntasks:\n  My Task:\n" + _TASK, 3, "'My Task'", "lower-case"),
    "task as a list": _only("version: 1\ntasks: {t: [a]}\n", 2, "a list", "prompts"),
    "no prompts": _only("version: 1\ntasks: {t: {}}\n", 2, "no 'prompts' or 'prompt'", "add"),
    "empty prompts": _only("version: 1\ntasks: {t: {prompts: []}}\n", 2, "is empty", "at least"),
    "prompts as text": _only("version: 1\ntasks: {t: {prompts: p.md}}\n", 2, "'p.md'", "[a, b]"),
    "prompt twice": _only(
        "version: 1\ntasks: {t: {prompts: [a.md, ./a.md], suite: s.csv, metric: regex}}\n",
        2,
        "'./a.md' is twice in tasks.t.prompts",
        "name it once",
    ),
    "prompt and prompts": _task("    prompt: a.md\n", 7, "'prompts' on line 4", "keep one"),
    "no suite": _only(
        "version: 1\ntasks:\n  t:\n    prompt: p.md\n    metric: exact_match\n",
        4,
        "tasks.t has no 'suite'",
        "only a single .prompt.yml",
    ),
    "no metric": _only(
        "version: 1\ntasks:\n  t:\n    prompt: p.md\n    suite: s.csv\n",
        4,
        "tasks.t has no 'metric'",
        "only a single .prompt.yml",
    ),
    "unknown model": _only(
        "version: 1\nmodels: {cheap: a/b}\ntasks:\n  t:\n" + _TASK + "    model: cheep\n",
        8,
        "no model 'cheep' in models",
        "did you mean 'cheap'?",
    ),
    # paths
    **{
        f"path {path}": _only(
            f"version: 1\ntasks: {{t: {{prompt: '{path}'}}}}\n", 2, "is not a value", "repository"
        )
        for path in (
            "../p.md",
            "a/../../p.md",
            "/etc/passwd",
            "a\\b.md",
            "C:/p.md",
            ".git/config",
            "a/.GIT/hooks/x",
            "a/",
            " p.md",
            "",
            ".",
            "a\u202eb.md",
        )
    },
    # suites and metrics
    "no file": _task("    model: {}\n", 7, "no 'model'", "add 'model'"),
    "suite without file": _only(
        "version: 1\ntasks: {t: {prompt: a.prompt.yml, suite: {near_duplicates: 0.9}}}\n",
        2,
        "tasks.t.suite has no 'file' or 'train'",
        "add 'file'",
    ),
    "file and train": _only(
        "version: 1\ntasks: {t: {prompt: a.prompt.yml, suite: {file: a.csv, train: b.csv}}}\n",
        2,
        "'train' does not go together with 'file'",
        "keep one",
    ),
    "one file for two parts": _only(
        "version: 1\ntasks: {t: {prompt: a.prompt.yml, suite: {val: a.csv, held_out: a.csv}}}\n",
        2,
        "'a.csv' is both val and held_out",
        "a file of its own",
    ),
    "split of files": _only(
        "version: 1\ntasks: {t: {prompt: a.prompt.yml, suite: {val: a.csv, split: {val: 1}}}}\n",
        2,
        "'split' is for a suite of one file",
        "remove 'split'",
    ),
    "task split of files": _only(
        "version: 1\ntasks: {t: {prompt: a.prompt.yml, suite: {val: a.csv}, split: {val: 1}}}\n",
        2,
        "'split' is for a suite of one file",
        "remove 'split'",
    ),
    "split twice": _only(
        "version: 1\ntasks: {t: {prompt: a.prompt.yml, split: {val: 1}, "
        "suite: {file: a.csv, split: {val: 1}}}}\n",
        2,
        "'split' is given twice",
        "keep one",
    ),
    "split sum": _task("    split: {train: 0.5, held_out: 0.4}\n", 7, "'0.9'", "add up to 1"),
    "negative share": _task("    split: {train: -1, val: 1}\n", 7, "'-1'", "from 0 to 1"),
    "split key": _task("    split: {test: 1}\n", 7, "unknown key 'test'", "'held_out'"),
    "metric name": _only(
        "version: 1\ntasks: {t: {prompt: a.prompt.yml, metric: exactmatch}}\n",
        2,
        "'exactmatch' is not a value for tasks.t.metric",
        "did you mean 'exact_match'?",
    ),
    "metric path": _only(
        "version: 1\ntasks: {t: {prompt: a.prompt.yml, metric: '../m.py:score'}}\n",
        2,
        "'../m.py:score'",
        "path.py:function",
    ),
    "metric weight": _only(
        "version: 1\ntasks: {t: {prompt: a.prompt.yml, metric: [{name: regex, weight: 0}]}}\n",
        2,
        "'0' is not a value for tasks.t.metric.weight",
        "above 0",
    ),
    "metric option": _only(
        "version: 1\ntasks: {t: {prompt: a.prompt.yml, metric: {name: regex, x: .nan}}}\n",
        2,
        "'.nan' is not a finite number",
        "give a number",
    ),
    # gate and optimize
    "margin": _task("    gate: {margin: 1.5}\n", 7, "'1.5'", "below 1 or 'auto'"),
    "margin word": _task("    gate: {margin: aut}\n", 7, "'aut'", "did you mean 'auto'?"),
    "margin as a list": _task("    gate: {margin: [1]}\n", 7, "a list is not", "above 0"),
    "confidence": _task("    gate: {confidence: 0.5}\n", 7, "'0.5'", "above 0.5 and below 1"),
    "trials": _task("    gate: {trials: 33}\n", 7, "'33'", "from 1 to 32 or 'auto'"),
    "quoted number": _task('    gate: {trials: "3"}\n', 7, "'3'", "without quotes"),
    "alpha": _task("    gate: {alpha: 0.05}\n", 7, "'alpha'", "confidence"),
    "on_inconclusive": _task("    gate: {on_inconclusive: wran}\n", 7, "'wran'", "'warn'"),
    "guards as a name": _task("    gate: {guards: latency}\n", 7, "'latency'", "[a, b]"),
    "no guards": _task("    gate: {guards: []}\n", 7, "is empty", "remove the key"),
    "guard name": _task(
        "    gate:\n      guards:\n        - latancy\n",
        9,
        "'latancy' is not a value for tasks.t.gate.guards",
        "did you mean 'latency'?",
    ),
    "guard as a number": _task("    gate: {guards: [3]}\n", 7, "'3'", "path.py:function"),
    "guard as a list": _task("    gate: {guards: [[cost]]}\n", 7, "a list", "a mapping"),
    "guard outside": _task("    gate: {guards: ['../m.py:f']}\n", 7, "'../m.py:f'", "one of"),
    "guard without a name": _task(
        "    gate: {guards: [{margin: 0.1}]}\n", 7, "no 'name'", "add 'name'"
    ),
    "guard twice": _task("    gate: {guards: [cost, cost]}\n", 7, "'cost' is twice", "once"),
    "two guards of a name": _task(
        "    gate:\n      guards:\n        - contains\n        - {name: contains, margin: 0.2}\n",
        10,
        "two guards are named 'contains', here and on line 9",
        "path.py:function",
    ),
    "guard margin": _task(
        "    gate: {guards: [{name: cost, margin: 0}]}\n",
        7,
        "'0' is not a value for tasks.t.gate.guards.margin",
        "above 0",
    ),
    "guard margin of a metric": _task(
        "    gate: {guards: [{name: regex, margin: 1.5}]}\n",
        7,
        "'1.5' is not a value for tasks.t.gate.guards.margin of a metric",
        "below 1",
    ),
    "guard weight": _task(
        "    gate: {guards: [{name: regex, weight: 2}]}\n",
        7,
        "unknown key 'weight' of a guard",
        "must hold by itself",
    ),
    "measure option": _task(
        "    gate: {guards: [{name: latency, margni: 0.2}]}\n",
        7,
        "unknown key 'margni' of measure 'latency'",
        "did you mean 'margin'?",
    ),
    "measure as a metric": _only(
        "version: 1\ntasks: {t: {prompt: a.prompt.yml, metric: latency}}\n",
        2,
        "'latency' is not a value for tasks.t.metric",
        "write `gate: {guards: [latency]}`",
    ),
    "measure in a list of metrics": _only(
        "version: 1\ntasks: {t: {prompt: a.prompt.yml, metric: [regex, {name: cost}]}}\n",
        2,
        "'cost' is not a value for tasks.t.metric.name",
        "for the guards of a gate",
    ),
    "metrics of a gate": _task("    gate: {metrics: [cost]}\n", 7, "'metrics'", "'guards'?"),
    "optimizer": _task(
        "    optimize: {optimizer: coppro}\n", 7, "'coppro'", "did you mean 'copro'"
    ),
    "two budgets": _task(
        "    optimize:\n      auto: light\n      max_full_evals: 3\n",
        9,
        "'max_full_evals' does not go together with 'auto' on line 8",
        "keep one",
    ),
    "boolean": _task("    optimize: {use_merge: 1}\n", 7, "'1'", "true or false"),
    "boolean for a text": _task("    model: on\n", 7, "'on'", "as true or false: put it in quotes"),
    "components": _task("    optimize: {components: [a, a]}\n", 7, "'a' is twice", "once"),
}
