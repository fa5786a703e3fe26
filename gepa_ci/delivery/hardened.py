"""Owns running git so that no setting of a repository or of the environment bends what it does."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gepa_ci.delivery.commit_files import open_repository
from gepa_ci.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

# All that git, curl and the loader need; keys of providers stay out of every child of ours.
_KEPT = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TMP", "TEMP", "TZ", "LD_LIBRARY_PATH"),
        *("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "SYSTEMDRIVE", "USERPROFILE", "APPDATA"),
        *("LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_EXEC_PATH"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    )
)
_CONFIG = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.alternateRefsCommand": "true",
    "core.askPass": "",
    "core.autocrlf": "false",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    # A private index must be one file with all entries.
    "core.sparseCheckout": "false",
    "core.splitIndex": "false",
    "index.sparse": "false",
    "credential.helper": "",
    "protocol.ext.allow": "never",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "push.recurseSubmodules": "no",
    "push.followTags": "false",
    "push.gpgSign": "false",
    "push.pushOption": "",
    "transfer.bundleURI": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "i18n.commitEncoding": "UTF-8",
    "i18n.logOutputEncoding": "UTF-8",
    # A connection that has died ends after a minute, not with the job.
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
}
_FIXED = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ALLOW_PROTOCOL": "https:http:file",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_TRACE_REDACT": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
}
_LONGEST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a git command ended."""

    status: int
    out: bytes
    said: str
    """Its standard error, with every secret of the call replaced."""


class HardenedGit:
    """Runs git's commands on one repository, with settings that only we give."""

    def __init__(self, folder: Path, *, environ: Mapping[str, str]) -> None:
        self._repo = open_repository(folder).repo
        common = os.path.realpath(self._repo.common_dir)
        self.top = str(self._repo.working_tree_dir)
        self.shallow_file = os.path.join(common, "shallow")  # noqa: PTH118 - beside realpath
        # GitPython starts children with the whole environment, and can only set, not unset.
        blank = {name: "" for name in environ if name.upper() not in _KEPT}
        # Containers run as another user than the one who checked out. A directory that is stated is
        # not checked for its owner: this one is trusted so, with no setting that trusts others.
        self._environment = blank | {
            **_FIXED,
            "GIT_DIR": os.path.realpath(self._repo.git_dir),
            "GIT_COMMON_DIR": common,
            "GIT_OBJECT_DIRECTORY": os.path.join(common, "objects"),  # noqa: PTH118
            "GIT_WORK_TREE": os.path.realpath(self.top),
            "GIT_INDEX_FILE": os.devnull,
        }

    def close(self) -> None:
        """Let go of what GitPython holds."""
        self._repo.close()

    def run(
        self,
        verb: str,
        *arguments: str,
        stdin: bytes = b"",
        extra: Mapping[str, str] | None = None,
        config: tuple[tuple[str, str], ...] = (),
        secrets: Collection[str] = (),
    ) -> Done:
        """Run `git verb`, and return how it ended, whatever its exit status.

        Arguments are constants, hexadecimal object names and checked refs, nothing else.

        Raises:
            GitError: there is no git.
        """
        from git import GitCommandNotFound

        with tempfile.TemporaryFile() as file:
            file.write(stdin)
            file.seek(0)
            try:
                status, out, said = getattr(self._repo.git, verb)(
                    *arguments,
                    istream=file,
                    env={**self._environment, **(extra or {}), **_settings(config)},
                    with_extended_output=True,
                    with_exceptions=False,
                    stdout_as_string=False,
                    strip_newline_in_stdout=False,
                )
            except GitCommandNotFound as error:
                raise GitError(
                    "there is no git", hint="install git and put it on the PATH"
                ) from error
        return Done(status=status, out=out, said=without(secrets, str(said)))

    def must(
        self,
        verb: str,
        *arguments: str,
        stdin: bytes = b"",
        extra: Mapping[str, str] | None = None,
    ) -> bytes:
        """Run `git verb` and return what it printed.

        Raises:
            GitError: it failed.
        """
        done = self.run(verb, *arguments, stdin=stdin, extra=extra)
        if done.status:
            raise failure(verb, done)
        return done.out


def failure(verb: str, done: Done, *, hint: str | None = None) -> GitError:
    """Return the error for a command that failed, with the line in which git says why."""
    return GitError(f"git {verb.replace('_', '-')} failed: {why(done)}", hint=hint)


def why(done: Done) -> str:
    """Return the line of git's standard error that says most."""
    lines = [line.strip() for line in done.said.splitlines() if line.strip()]
    for mark in ("remote: error:", "fatal:", "error:", "remote:"):
        for line in lines:
            if line.startswith(mark):
                return _plain(line.removeprefix(mark).strip())
    return _plain(lines[0]) if lines else f"exit status {done.status}"


def without(secrets: Collection[str], text: str) -> str:
    """Replace secrets in a text."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _settings(more: tuple[tuple[str, str], ...]) -> dict[str, str]:
    pairs = [*_CONFIG.items(), *more]
    settings = {"GIT_CONFIG_COUNT": str(len(pairs)), "GIT_CONFIG_PARAMETERS": ""}
    for number, (key, value) in enumerate(pairs):
        settings[f"GIT_CONFIG_KEY_{number}"] = key
        settings[f"GIT_CONFIG_VALUE_{number}"] = value
    return settings


def _plain(line: str) -> str:
    """Cut a line of a remote, which may say anything, down to one printable line."""
    return "".join(c if c.isprintable() else "?" for c in line)[:_LONGEST].rstrip(".")
