"""Owns git's smart HTTP protocol for the GitHub emulator, spoken by git's own backend.

Pushes to protected branches are refused by an `update` hook, as GitHub's are; `refs/pull/` is
read-only; a token pushes only with `contents: write`, and changes workflow files only with
`workflows: write`.
"""

from __future__ import annotations

import base64
import binascii
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from github_model import Reply
from github_repository import clean_env

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from github_model import Token, World

_SERVICES = re.compile(r"/(info/refs|git-upload-pack|git-receive-pack)")
# $1 ref, $2 old, $3 new.
_UPDATE_HOOK = """#!/bin/sh
for name in $PROTECTED_BRANCHES; do
  if [ "$1" = "refs/heads/$name" ]; then
    echo "error: GH006: Protected branch update failed for $1." >&2
    exit 1
  fi
done
if [ -z "$MAY_CHANGE_WORKFLOWS" ] && [ "$3" != 0000000000000000000000000000000000000000 ]; then
  since="$2"
  if [ "$since" = 0000000000000000000000000000000000000000 ]; then since=HEAD; fi
  changed=$(git diff --name-only "$since" "$3" -- .github/workflows)
  if [ -n "$changed" ]; then
    echo "refusing to allow a GitHub App to create or update workflow \\`$changed\\`" \
      "without \\`workflows\\` permission" >&2
    exit 1
  fi
fi
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitCall:
    """One request of a git client."""

    method: str
    path: str
    """Below the repository, such as `/info/refs`."""
    query: str
    headers: Mapping[str, str]
    """The names in lower case."""
    body: bytes

    @property
    def is_push(self) -> bool:
        """Whether it is a part of a push."""
        return "git-receive-pack" in (self.path + self.query)


def path_below(name: str, path: str) -> str | None:
    """Return what a request's path says below the repository, if git's protocol is spoken."""
    for prefix in (f"/{name}.git", f"/{name}"):
        rest = path.removeprefix(prefix)
        if rest != path and _SERVICES.fullmatch(rest):
            return rest
    return None


def write_hooks(folder: Path) -> None:
    """Write the hook that guards protected branches."""
    hook = folder / "update"
    hook.write_text(_UPDATE_HOOK, encoding="utf-8")
    hook.chmod(0o755)


def token_of(authorization: str) -> str | None:
    """Return the token of an `Authorization: Basic` header."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return secret if user == "x-access-token" and secret else None


def answer(world: World, hooks: Path, call: GitCall) -> Reply:
    """Let git answer a client, if its token may."""
    secret = token_of(call.headers.get("authorization", ""))
    token = None if secret is None else world.tokens.get(secret)
    is_open = not world.is_private and not call.is_push and "authorization" not in call.headers
    if token is None and not is_open:
        challenge = {"WWW-Authenticate": 'Basic realm="GitHub"'}
        return Reply(status=401, data=b"Invalid username or token.", headers=challenge)
    if token is not None and not token.may(f"contents:{'write' if call.is_push else 'read'}"):
        said = f"Permission to {world.name}.git denied to {token.login}."
        return Reply(status=403, data=said.encode())
    return _run(world, hooks, call, token)


def _run(world: World, hooks: Path, call: GitCall, token: Token | None) -> Reply:
    settings = {
        "core.hooksPath": str(hooks),
        "http.receivepack": "true",
        "receive.hideRefs": "refs/pull",
        "uploadpack.allowAnySHA1InWant": "true",
        "uploadpack.allowFilter": "true",
        "receive.autogc": "false",
    }
    env = clean_env(
        GIT_PROJECT_ROOT=str(world.git.path.parent),
        GIT_HTTP_EXPORT_ALL="1",
        PATH_INFO=f"/{world.git.path.name}{call.path}",
        QUERY_STRING=call.query,
        REQUEST_METHOD=call.method,
        CONTENT_TYPE=call.headers.get("content-type", ""),
        CONTENT_LENGTH=str(len(call.body)),
        HTTP_CONTENT_ENCODING=call.headers.get("content-encoding", ""),
        GIT_PROTOCOL=call.headers.get("git-protocol", ""),
        REMOTE_USER="" if token is None else token.login,
        REMOTE_ADDR="127.0.0.1",
        GIT_COMMITTER_NAME="emulator",
        GIT_COMMITTER_EMAIL="emulator@example.invalid",
        PROTECTED_BRANCHES=" ".join(sorted(world.protected)),
        MAY_CHANGE_WORKFLOWS="1" if token is not None and token.may("workflows:write") else "",
        GIT_CONFIG_COUNT=str(len(settings)),
    )
    for index, (name, value) in enumerate(settings.items()):
        env |= {f"GIT_CONFIG_KEY_{index}": name, f"GIT_CONFIG_VALUE_{index}": value}
    done = subprocess.run(
        ["git", "http-backend"], input=call.body, capture_output=True, check=False, env=env
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")]
    headers = {name: value for name, _, value in lines if name}
    status = int(headers.pop("Status", "200").split(" ")[0])
    return Reply(status=status, data=body, headers=headers)
