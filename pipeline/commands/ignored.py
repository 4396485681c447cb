"""Options that a command would not look at are mistakes, and told as such."""

from collections.abc import Iterable

import click
from click.core import ParameterSource


def refuse(context: click.Context, names: Iterable[str], because: str) -> None:
    """UsageError where one of the parameters `names` was given, because the command would not look at it."""
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in names and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(f"{', '.join(given)} would be ignored: {because}")
