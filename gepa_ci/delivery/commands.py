"""Owns finding the command to gepa-ci in a comment."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gepa_ci.delivery.errands import NothingErrand, Verb
from gepa_ci.delivery.payloads import shown

_COMMAND = re.compile(r"/gepa-ci(?:[ \t]+(?P<verb>\S+)(?:[ \t]+(?P<rest>.*))?)?[ \t]*")
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_OURS = "<!-- gepa-ci:"
_LONGEST_COMMENT = 65_536
_LONGEST_ID = 200
_VERBS = "`/gepa-ci` takes gate, optimize, rerun or why ID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a comment asks for."""

    verb: Verb
    argument: str
    """Id of an example for `why`; else empty."""


def command_in(body: str) -> Asked | NothingErrand:
    """Return the first command of a comment, or why it has none.

    A command stands at the start of a line of its own, outside of fenced code.
    """
    if _OURS in body:
        return NothingErrand(reason="The comment is one of gepa-ci itself.")
    is_code = False
    for line in re.split(r"\r\n|\r|\n", body[:_LONGEST_COMMENT]):
        if _FENCE.match(line):
            is_code = not is_code
        found = None if is_code else _COMMAND.fullmatch(line)
        if found is not None:
            return _asked(found["verb"] or "", (found["rest"] or "").strip())
    return NothingErrand(reason="The comment has no line that starts with `/gepa-ci`.")


def _asked(word: str, rest: str) -> Asked | NothingErrand:
    if word not in tuple(Verb):
        return NothingErrand(reason=f"'{shown(word)}' is not a command: {_VERBS}.")
    verb = Verb(word)
    if verb is not Verb.WHY and rest:
        return NothingErrand(reason=f"`/gepa-ci {verb}` takes nothing behind it: {_VERBS}.")
    if verb is Verb.WHY and not 0 < len(rest) <= _LONGEST_ID:
        return NothingErrand(reason=f"`/gepa-ci why` needs the id of one example: {_VERBS}.")
    return Asked(verb=verb, argument=rest)
