"""Owns the config of a repository as plain values; reading the file is `gepa_ci.config`'s work."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from gepa_ci.core.ledger import LedgerPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gepa_ci.core.spend import Price
    from gepa_ci.core.values import JSON

AUTO = "auto"


class CacheMode(StrEnum):
    """What the response cache may do."""

    ON = "on"
    OFF = "off"
    REPLAY = "replay"
    """Answer from the cache only; a miss is an error."""


class OnInconclusive(StrEnum):
    """What an inconclusive gate does to the exit code."""

    WARN = "warn"
    FAIL = "fail"


class HeldOutShown(StrEnum):
    """How much of the held-out examples files show that are not posted."""

    TEXTS = "texts"
    IDS = "ids"
    """Ids and scores only."""


class Proposer(StrEnum):
    """How an optimizer comes by a new candidate."""

    REFLECTION = "reflection"
    """The reflection LM rewrites a component from failures and feedback."""
    EXAMPLES = "examples"
    """Example accumulation: failed train examples are added with their answers, as turns."""
    CODE = "code"
    """A function of the user's."""


class Measure(StrEnum):
    """What a run itself tells, and a change can be held to: less is better."""

    COST = "cost"
    LATENCY = "latency"
    OUTPUT_LENGTH = "output_length"
    PROMPT_LENGTH = "prompt_length"


class ProgramKind(StrEnum):
    """What turns prompts and an example's inputs into an output."""

    CHAT = "chat"
    """The prompt file's messages and one call."""
    PYTHON = "python"
    """A function or DSPy module of the repository."""
    COMMAND = "command"
    """A process that speaks JSON lines, in any language."""


class Prune(StrEnum):
    """Which sentences of the best candidate are left out again when val does without them."""

    OFF = "off"
    ADDED = "added"
    """Those that the search has added."""
    ALL = "all"
    """The baseline's own as well."""


class Budget(StrEnum):
    """GEPA's named budgets."""

    LIGHT = "light"
    MEDIUM = "medium"
    HEAVY = "heavy"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model and how it is called."""

    model: str
    """Model string of DSPy or LiteLLM, or `local`."""
    api_base: str | None = None
    """Base URL of an OpenAI-compatible endpoint."""
    api_key_env: str | None = None
    """Environment variable that holds the key; None for the provider's usual one."""
    parameters: Mapping[str, JSON] = field(default_factory=dict)
    """temperature, top_p, max_tokens, stop, seed, response_format; None values are left out."""
    timeout: float = 120.0
    """Seconds without a byte of answer until a call counts as hung."""
    retries: int = 8
    """Further attempts after an infra error."""
    price: Price | None = None
    """Dollars per million tokens, where the built-in table does not know the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendCaps:
    """Hard caps of one run; None for no cap."""

    usd: float | None = None
    """Dollars."""
    calls: int | None = None
    """Requests sent to providers, retries included."""
    tokens: int | None = None
    """Input and output tokens together."""
    minutes: float | None = None
    """Wall time of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Shares of a one-file suite; they sum to 1."""

    train: float = 0.4
    val: float = 0.2
    held_out: float = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSpec:
    """Where a task's examples are."""

    file: str | None = None
    """One file, split by hash; the prompt file itself for `testData`."""
    train: str | None = None
    """File of the train part, when the parts have a file each."""
    val: str | None = None
    held_out: str | None = None
    split: Split = field(default_factory=Split)
    """Shares for the one-file form."""
    near_duplicates: float = 0.95
    """Similarity in [0, 1] from which inputs in two parts are near-duplicates; 1: never."""

    @property
    def files(self) -> tuple[str, ...]:
        """Return the files in the order in which they are read."""
        return tuple(f for f in (self.file, self.train, self.val, self.held_out) if f is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec:
    """One metric of a task with its options."""

    name: str
    """A built-in's name, or `path.py:function`."""
    options: Mapping[str, JSON] = field(default_factory=dict)
    """As given in the config; checked by the metric."""
    weight: float = 1.0
    """Relative weight in the task's score; above 0."""
    model: ModelSpec | None = None
    """The LM of a judge."""
    line: int = field(default=0, compare=False)
    """1-based line of the metric in the config; 0 when it is not from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSpec:
    """What turns prompts and inputs into an output."""

    kind: ProgramKind = ProgramKind.CHAT
    target: str = ""
    """`path.py:object` of a python program: a function, or a factory of a dspy.Module."""
    command: tuple[str, ...] = ()
    """Program and arguments of a command."""
    environment: tuple[str, ...] = ()
    """Names of the environment variables that it is given, besides a few harmless ones."""
    timeout: float = 120.0
    """Seconds for one run of one example."""
    processes: int | None = None
    """Most processes; None for as many as fit the machine and `concurrency`."""
    threads: int | None = None
    """Runs at once in one process; None for as many as `concurrency` needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSpec:
    """Something besides the task's score that a change must not make worse."""

    name: str
    """What it is called in reports; unique among a task's guards."""
    metric: MetricSpec | None = None
    """A metric of the output; None for a measure."""
    measure: Measure | None = None
    """A measure of the run; None for a metric."""
    margin: float = 0.05
    """Tolerated loss of mean score; for a measure, the tolerated relative increase."""
    line: int = field(default=0, compare=False)
    """1-based line of the guard in the config; 0 when it is not from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """What the gate tolerates and how sure it must be."""

    margin: float | str = AUTO
    """Loss of mean score that the team tolerates, in (0, 1), or `auto`."""
    confidence: float = 0.95
    """1 - alpha of each one-sided test."""
    trials: int | str = AUTO
    """Trials per example, or `auto`: 3 below 200 examples, else 1."""
    on_inconclusive: OnInconclusive = OnInconclusive.WARN
    """Whether an inconclusive gate blocks."""
    min_gain: float = 0.0
    """Smallest gain in mean score that is worth a promotion."""
    sequential: bool = True
    """Whether to look at the scores on the way and stop once the verdict is decided."""
    guards: tuple[GuardSpec, ...] = ()
    """What else must not get worse, besides the task's score."""
    ledger: LedgerPolicy = field(default_factory=LedgerPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mlflow:
    """Where MLflow keeps the runs of a task's searches."""

    uri: str | None = None
    """Tracking server or store; None for MLflow's own default."""
    experiment: str = "gepa-ci"
    """Name of the experiment, which is made if needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wandb:
    """Where Weights & Biases keeps the runs of a task's searches."""

    project: str = "gepa-ci"
    entity: str | None = None
    """User or team; None for the account's own."""
    mode: str = "online"
    """`online`, `offline` or `disabled`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """Where a search is written down besides the result; at least one of them is given."""

    mlflow: Mlflow | None = None
    wandb: Wandb | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizePolicy:
    """How a task is optimized."""

    optimizer: str = "gepa"
    """Name of the optimizer, or `auto`."""
    options: Mapping[str, JSON] = field(default_factory=dict)
    """Parameters of an optimizer other than `gepa`, in its own words; checked by it."""
    proposer: Proposer = Proposer.REFLECTION
    """Where new candidates come from."""
    proposer_code: str = ""
    """`path.py:function` of the user's own proposer."""
    auto: Budget | None = Budget.LIGHT
    """Named budget; exactly one of auto, max_metric_calls and max_full_evals is set."""
    max_metric_calls: int | None = None
    max_full_evals: int | None = None
    """Budget in evaluations of all of train and val."""
    reflection_minibatch_size: int = 3
    """Train examples per proposal."""
    candidate_selection_strategy: str = "pareto"
    """`pareto`, `current_best`, `epsilon_greedy` or `top_k_pareto`."""
    frontier_type: str = "instance"
    """`instance`, `objective`, `hybrid` or `cartesian`."""
    objectives: tuple[str, ...] = ()
    """What the frontier is told of a candidate; nothing for the score and all of its parts."""
    component_selector: str = "round_robin"
    """`round_robin` or `all`."""
    acceptance: str = "strict_improvement"
    """`strict_improvement` or `improvement_or_equal`."""
    selection_strategy: str = "combined"
    """`combined`, `all_improvements` or `best_improvement`: what of a round goes on to val."""
    proposals: int = 12
    """Proposals made side by side in a round (GEPA's independent sampling)."""
    skip_perfect_score: bool = True
    use_merge: bool = False
    max_merge_invocations: int = 5
    stop_at_score: float | None = None
    """Stop when the best val mean reaches this."""
    stop_without_improvement: int | None = None
    """Stop after so many rounds without a better candidate."""
    stop_after_minutes: float | None = None
    stop_after_proposals: int | None = None
    stop_after_candidates: int | None = None
    """Stop when so many candidates besides the baseline have reached val."""
    stop_at_usd: float | None = None
    """Stop when the search has spent so many dollars."""
    components: tuple[str, ...] | None = None
    """Names of the components that may change; None lets the proposer's own kind change."""
    max_chars: int | None = None
    """Longest text of one component; None for the larger of 4,000 and 4 times the baseline's."""
    max_demos: int = 8
    """Most examples as turns that example accumulation adds."""
    prune: Prune = Prune.ADDED
    """Which sentences of the best candidate are left out when val does without them."""
    track_best_outputs: bool = False
    """Whether the result has the outputs of the best candidates on val."""
    tracking: Tracking | None = None
    """Where the search is written down besides the result."""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One unit of the config: prompts, suite, metric, gate."""

    name: str
    prompts: tuple[str, ...]
    """Paths of the prompt files, relative to the root."""
    suite: SuiteSpec
    metrics: tuple[MetricSpec, ...]
    """At least one; their weighted mean is the score."""
    program: ProgramSpec = field(default_factory=ProgramSpec)
    """What turns prompts and inputs into an output."""
    model: ModelSpec | None = None
    """The task's own model, or the config's models.task; None: the prompt file decides."""
    gate: GatePolicy = field(default_factory=GatePolicy)
    optimize: OptimizePolicy = field(default_factory=OptimizePolicy)
    line: int = 0
    """1-based line of the task in the config."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPolicy:
    """What reports show, and by whose templates."""

    templates: str | None = None
    """Folder with templates of the team's own; None for the built-in ones."""
    view: int = 1
    """Version of the view model that those templates are written for."""
    held_out: HeldOutShown = HeldOutShown.TEXTS
    """Whether result files and the page have the texts of examples."""
    line: int = field(default=0, compare=False)
    """1-based line of `templates` in the config; 0 when it is not given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole config file."""

    path: str
    """The file; the prompt file itself when there is no config."""
    tasks: tuple[Task, ...]
    models: Mapping[str, ModelSpec] = field(default_factory=dict)
    """By name: task, reflection, judge, and names that tasks refer to."""
    concurrency: int = 16
    """Calls in flight, all models together."""
    spend: SpendCaps = field(default_factory=SpendCaps)
    cache: CacheMode = CacheMode.ON
    report: ReportPolicy = field(default_factory=ReportPolicy)
    digest: str = ""
    """Digest of the file's content."""
