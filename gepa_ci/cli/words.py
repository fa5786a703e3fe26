"""Owns how the command line is parsed: click's commands and choices, with errors in our words."""

from __future__ import annotations

import sys
from typing import Any

import click

from gepa_ci.errors import ExitCode, Interrupted, UsageError

_PROGRAM = "gepa-ci"


class Commands(click.Group):
    """A group that shows its help when it is called without a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Show the help on stderr when there is nothing to run."""
        if not args:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(ExitCode.INPUT)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which ones there are."""
        from gepa_ci.config.problems import known_names, shown

        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            known = self.list_commands(ctx)
            raise UsageError(
                f"there is no command {shown(name)}", hint=known_names(name, known, "commands")
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Ctrl-C is an error of ours, as click would print an empty line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            if sys.stderr.isatty():
                click.echo(err=True)  # the terminal has shown ^C on this line
            raise Interrupted("interrupted") from error


class OneOf(click.Choice[str]):
    """A choice that takes hyphens for underscores and names the nearest value."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the value, or say which ones there are."""
        from gepa_ci.config.problems import known_names, shown

        name = str(value).replace("-", "_")
        if name not in self.choices:
            option = param.opts[0] if param is not None else "the option"
            raise UsageError(
                f"{shown(value)} is not a value of '{option}'",
                hint=known_names(name, self.choices, "values"),
            )
        return str(super().convert(name, param, ctx))


def usage_error(error: click.UsageError) -> UsageError:
    """Return an error of click's parser in our words."""
    from gepa_ci.config.problems import known_names

    path = error.ctx.command_path if error.ctx is not None else _PROGRAM
    hint = f"see '{path} --help'"
    if isinstance(error, click.NoSuchOption):
        known = _options(error.ctx)
        return UsageError(
            f"'{path}' has no option '{error.option_name}'",
            hint=known_names(error.option_name, known, "options") if known else hint,
        )
    message = error.format_message().rstrip(".")
    return UsageError(message[:1].lower() + message[1:], hint=hint)


def _options(ctx: click.Context | None) -> list[str]:
    if ctx is None:
        return []
    found = (p for p in ctx.command.get_params(ctx) if isinstance(p, click.Option))
    return [name for option in found for name in option.opts if name.startswith("--")]
