"""The application: which commands there are, and how their errors reach people."""

import sys
import traceback as tracebacks
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Annotated

import attrs
import typer

from .bench import bench
from .cancel import cancel
from .contributed import WithContributed
from .demo import demo
from .exits import MEANINGS
from .failing import report
from .list import list_
from .migrate import migrate
from .options import DatabaseUrl, Json
from .output import say
from .result import result
from .resume import resume
from .send import send
from .show import show
from .start import start
from .worker import worker

_COMMANDS: dict[str, Callable[..., None]] = {
    "demo": demo,
    "bench": bench,
    "migrate": migrate,
    "worker": worker,
    "start": start,
    "result": result,
    "list": list_,
    "show": show,
    "send": send,
    "cancel": cancel,
    "resume": resume,
}
# The control character keeps the lines as they are.
_EPILOG = "\b\nExit codes:\n" + "\n".join(
    f"{code.value:>5}  {meaning}" for code, meaning in MEANINGS.items()
)

# Without markup: help and errors keep their brackets, and their lines in a pipe.
app = typer.Typer(
    cls=WithContributed,
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)


@attrs.define
class Call:
    """One call of the application."""

    command: str | None = None

    def answers_in_json(self, arguments: Sequence[str]) -> bool:
        """Whether errors too are JSON; what `--json` is to others is theirs to say."""
        return "--json" in arguments and self.command in {None, *_COMMANDS}


def _print_version(wanted: bool) -> None:  # noqa: FBT001 (typer passes it by position)
    if wanted:
        say(f"perdure {version('perdure')}")
        raise typer.Exit


@app.callback(epilog=_EPILOG)
def perdure(
    context: typer.Context,
    *,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where an error comes from.")
    ] = False,
    about: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """Durable Python functions on the database you already run."""
    del traceback, about  # main reads the one, its own callback the other
    common = {"database_url": database_url, "as_json": as_json or None}
    given = {name: value for name, value in common.items() if value is not None}
    context.ensure_object(Call).command = context.invoked_subcommand
    context.default_map = dict.fromkeys(_COMMANDS, given)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name, and exit."""
    arguments = sys.argv[1:] if arguments is None else arguments
    call = Call()
    try:
        app(args=[a for a in arguments if a != "--traceback"], prog_name="perdure", obj=call)
    except Exception as error:  # noqa: BLE001 (the last stop of every error)
        if "--traceback" in arguments:
            tracebacks.print_exception(error)
        sys.exit(report(error, as_json=call.answers_in_json(arguments)))
