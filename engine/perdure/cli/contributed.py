"""Commands of other packages: entry points in the group `perdure.commands`.

The name of the entry point is the command, its value a function as typer takes it.
Nothing is loaded before somebody calls a command that is not ours, or asks for help.
"""

from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperGroup

from perdure.errors import ConfigurationError

GROUP = "perdure.commands"


class WithContributed(TyperGroup):
    """Our commands, then theirs."""

    # Any: typer brings a click of its own or takes the installed one, by its version.
    def list_commands(self, ctx: Any) -> list[str]:
        """The names, for help."""
        ours = list(super().list_commands(ctx))
        return [*ours, *sorted(entry_points(group=GROUP).names - set(ours))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name; ours cannot be taken over."""
        return super().get_command(ctx, cmd_name) or _theirs(cmd_name)


def _theirs(name: str) -> Any:
    found: Sequence[EntryPoint] = [*entry_points(group=GROUP, name=name)]
    if not found:
        return None
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name)(_loaded(found[0]))
    return typer.main.get_command(alone)


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:
        raise ConfigurationError(
            f"the command {point.name} ({point.value}) cannot be loaded: "
            f"{type(error).__name__}: {error}"
        ) from error
