"""Which options a user wrote on the command line, as opposed to defaults and the environment."""

from __future__ import annotations

import typer


def given_options(context: typer.Context) -> dict[str, str]:
    """The option as it is written, such as `--k-min`, by the name of its parameter."""
    given: dict[str, str] = {}
    for parameter in context.command.params:
        source = None if parameter.name is None else context.get_parameter_source(parameter.name)
        if parameter.name is not None and source is not None and source.name == "COMMANDLINE":
            given[parameter.name] = parameter.opts[0]
    return given
