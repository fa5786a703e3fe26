"""The command that action.yml runs: reads the event, does what it asks for, and delivers."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from gepa_ci.cli.action.desk import open_desk
from gepa_ci.cli.action.settings import read_settings
from gepa_ci.cli.failure import report_error
from gepa_ci.cli.printing import inert, say
from gepa_ci.errors import ExitCode, GepaCiError, Interrupted
from gepa_ci.reports.outcome import Mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gepa_ci.cli.action.desk import Desk
    from gepa_ci.cli.action.settings import Settings
    from gepa_ci.delivery.errands import Errand

__all__ = ["action"]


@click.command()
def action() -> int:
    """Do what the event of a GitHub workflow asks for, and deliver it.

    action.yml runs this; its inputs and the event come from the environment of the job.
    """
    settings = read_settings(os.environ)
    with open_desk(settings) as desk:
        try:
            with _known_token(settings):
                return _run(desk)
        except GepaCiError as error:
            if settings.mode is Mode.ENFORCE or error.exit_code == ExitCode.INTERRUPTED:
                raise
            report_error(error, as_json=False)
            say("gepa-ci only observes here, so this does not fail the job.", err=True)
            return ExitCode.OK


@contextmanager
def _known_token(settings: Settings) -> Iterator[None]:
    """Give the token back to the environment at the end, by which errors are redacted."""
    try:
        yield
    finally:
        if settings.token is not None:
            os.environ["GEPA_CI_TOKEN"] = settings.token


def _run(desk: Desk) -> int:
    from gepa_ci.cli.action.errands import carry_out, told
    from gepa_ci.cli.action.showing import show

    errand = told(desk)
    with _Witness(desk, errand):
        outcome = carry_out(desk, errand)
    headline = show(desk, outcome)
    say(inert(desk.redactor(outcome.reason or f"{headline}. The job summary has the report.")))
    return outcome.exit_code


class _Witness:
    """Shows on the pull request that a run ended without a verdict, whatever ended it."""

    def __init__(self, desk: Desk, errand: Errand) -> None:
        self._desk = desk
        self._errand = errand

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        from gepa_ci.cli.action.errands import place_of
        from gepa_ci.cli.action.showing import show_bug, show_failure
        from gepa_ci.cli.action.team_templates import templates_for

        # A run that was cancelled has nothing to say: another one took its place.
        if error is None or isinstance(error, Interrupted) or not isinstance(error, Exception):
            return
        try:
            place = place_of(self._desk, self._errand)
            if isinstance(error, GepaCiError):
                own = templates_for(self._desk, self._errand)
                show_failure(self._desk, error, place, own)
            else:
                show_bug(self._desk, place)
        except GepaCiError as second:
            # The first error is what the user has to know.
            report_error(second, as_json=False)
