"""The errors that gepa-ci raises, and the exit code of each.

GepaCiError(message, *, problems, hint)      exit code
├── UsageError      option, environment      2
├── ConfigError     config file              2
├── PromptError     prompt file              2
├── SuiteError      examples                 2
├── MetricError     the user's metric        2
├── ProgramError    the user's program       2
├── CapError        caps that cannot work    2
├── LMError         a model call failed      3
│   ├── InfraError      rate limit, time-out, connection, after all retries
│   ├── AccountError    key, quota, unknown model
│   └── CacheMissError  `cache: replay` has no answer
├── SpendError      a cap was reached        3
├── GitError        a git command failed     3
├── GitHubError     GitHub refused           3
└── Interrupted     Ctrl-C                   130
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ExitCode(IntEnum):
    """What the process tells its caller."""

    OK = 0
    BLOCKED = 1
    INPUT = 2
    OUTSIDE = 3
    BUG = 70
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: where, what, and what to do."""

    message: str
    """What is wrong: lower case, no full stop, the offending value in single quotes."""
    path: str | None = None
    """File, relative to the repository's root where possible."""
    line: int | None = None
    """1-based line in that file."""
    hint: str | None = None
    """What to do about it."""

    def __str__(self) -> str:
        """Return `path:line: message`."""
        where = "" if self.path is None else f"{self.path}:"
        if self.path is not None and self.line is not None:
            where += f"{self.line}:"
        return f"{where} {self.message}".strip()


class GepaCiError(Exception):
    """An error that a user can act on; the command line prints it without a traceback."""

    exit_code = ExitCode.OUTSIDE

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        self.problems: tuple[Problem, ...] = (
            Problem(message=message, path=path, line=line, hint=hint),
        )
        super().__init__(str(self.problems[0]))

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> GepaCiError:
        """Build one error from all problems of a file."""
        found = tuple(problems)
        first = found[0]
        error = cls(first.message, path=first.path, line=first.line, hint=first.hint)
        error.problems = found
        error.args = ("\n".join(str(problem) for problem in found),)
        return error


class UsageError(GepaCiError):
    """A command-line option or the environment is wrong."""

    exit_code = ExitCode.INPUT


class ConfigError(GepaCiError):
    """The config file is wrong."""

    exit_code = ExitCode.INPUT


class PromptError(GepaCiError):
    """A prompt file cannot be read, rendered or written."""

    exit_code = ExitCode.INPUT


class SuiteError(GepaCiError):
    """A suite's examples are wrong."""

    exit_code = ExitCode.INPUT


class MetricError(GepaCiError):
    """A user's metric raised, or returned something that is not a score."""

    exit_code = ExitCode.INPUT


class ProgramError(GepaCiError):
    """A user's program raised before a model had answered, hung, or ended its process."""

    exit_code = ExitCode.INPUT


class CapError(GepaCiError):
    """The caps of a run cannot pay for what was asked, or need a price that is not stated."""

    exit_code = ExitCode.INPUT


class LMError(GepaCiError):
    """A model call failed; there is no score and no verdict."""


class InfraError(LMError):
    """The provider failed after all retries: rate limit, server error, time-out, connection."""


class AccountError(LMError):
    """The provider refuses us: key, permission, quota or an unknown model."""


class CacheMissError(LMError):
    """`cache: replay` was asked for an answer that it does not have."""


class SpendError(GepaCiError):
    """A spend cap was reached, so the run ends without a verdict."""


class GitError(GepaCiError):
    """A git command failed, or a ref or file is not in the repository."""


class GitHubError(GepaCiError):
    """GitHub's API refused a request, or could not be reached."""


class Interrupted(GepaCiError):  # noqa: N818 - not an error of anybody's
    """The user stopped the run."""

    exit_code = ExitCode.INTERRUPTED
