"""Owns which errand a run is on, by its event or as it was told, and handing it to who does it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gepa_ci.cli.action.commanding import obey
from gepa_ci.cli.action.gating import gate_group, gate_pull
from gepa_ci.cli.action.improving import improve
from gepa_ci.cli.action.outcome import Outcome
from gepa_ci.cli.action.posting import post
from gepa_ci.cli.action.recording import record
from gepa_ci.cli.action.settings import Command
from gepa_ci.cli.action.showing import Place
from gepa_ci.delivery.errands import (
    CommandErrand,
    GateErrand,
    MergeGroupErrand,
    NothingErrand,
    OptimizeErrand,
    PostErrand,
    RecordErrand,
)
from gepa_ci.delivery.events import decide, optimization_of
from gepa_ci.errors import UsageError

if TYPE_CHECKING:
    from gepa_ci.cli.action.desk import Desk
    from gepa_ci.delivery.errands import Errand

_KINDS: dict[Command, tuple[type, ...]] = {
    Command.GATE: (GateErrand, MergeGroupErrand, CommandErrand, NothingErrand),
    Command.OPTIMIZE: (OptimizeErrand, CommandErrand, NothingErrand),
    Command.RECORD: (RecordErrand, NothingErrand),
    Command.POST: (PostErrand, NothingErrand),
}


def told(desk: Desk) -> Errand:
    """Return what the event asks for, if that is what this step is there for.

    Raises:
        UsageError: the input `command` names something that the event does not bring.
    """
    settings = desk.settings
    event = replace(settings.event, checked_out=desk.git.resolve("HEAD"))
    errand = decide(event, label=settings.label, drafts=settings.drafts)
    command = settings.command
    if command is Command.AUTO or isinstance(errand, _KINDS[command]):
        return errand
    if command is Command.OPTIMIZE and isinstance(errand, GateErrand) and errand.pull is not None:
        return optimization_of(errand.pull)
    raise UsageError(
        f"the input `command` is '{command}', which the event '{settings.event.name}' does not "
        "bring",
        hint="leave `command` out: the event decides; or start the workflow by another event",
    )


def carry_out(desk: Desk, errand: Errand) -> Outcome:
    """Do an errand and return how it ended."""
    match errand:
        case GateErrand():
            return gate_pull(desk, errand)
        case MergeGroupErrand():
            return gate_group(desk, errand)
        case OptimizeErrand():
            return improve(desk, errand)
        case RecordErrand():
            return record(desk, errand)
        case PostErrand():
            return post(desk, errand)
        case CommandErrand():
            return obey(desk, errand)
        case NothingErrand():
            return Outcome(reason=errand.reason)


def place_of(desk: Desk, errand: Errand) -> Place:
    """Return where a failure of an errand is shown."""
    match errand:
        case GateErrand():
            return Place(sha=errand.head, pull=errand.pull)
        case MergeGroupErrand():
            return Place(sha=errand.head)
        case OptimizeErrand():
            return Place(pull=errand.pull)
        case CommandErrand():
            return Place(pull=desk.github.pull(errand.number))
    return Place()
