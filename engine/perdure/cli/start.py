"""`perdure start`: write a workflow down by its name."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, cast

import typer

from perdure.handle import Handle

from .durations import duration
from .opening import opened, option_for
from .options import Attribute, DatabaseUrl, Delay, Json, attributes, json_argument
from .output import note, say, say_json
from .times import time


def start(
    name: Annotated[str, typer.Argument(help="The workflow's name.")],
    args: Annotated[
        list[str] | None,
        typer.Argument(help="Its arguments, each as JSON: 42 '\"text\"' '[1, 2]' null."),
    ] = None,
    *,
    id: Annotated[
        str | None,
        typer.Option("--id", help="The idempotency key: the same id starts nothing twice."),
    ] = None,
    queue: Annotated[str | None, typer.Option(help="Where it stands in line.")] = None,
    priority: Annotated[int | None, typer.Option(help="The lowest comes first.")] = None,
    delay: Delay = None,
    timeout: Annotated[
        timedelta | None,
        typer.Option(
            parser=duration,
            metavar="DURATION",
            help="Cancel it so long after a worker first takes it: 30s, 5m, 2h.",
        ),
    ] = None,
    deadline: Annotated[
        datetime | None,
        typer.Option(
            parser=time, metavar="TIME", help="Cancel it at this time: 2026-12-24T18:00Z."
        ),
    ] = None,
    attribute: Attribute = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Start a workflow by name and print its id.

    Some worker must have served that name before, so that a typo is an error.
    """
    arguments = [json_argument(text) for text in args or ()]
    chosen = attributes(attribute)
    with opened(database_url) as engine:
        # By name an engine takes all options, though its types tell of two.
        begin = cast("Callable[..., Handle[Any]]", engine.start)
        handle = begin(
            name,
            *arguments,
            id=id,
            queue=queue,
            priority=priority,
            delay=delay,
            timeout=timeout,
            deadline=deadline,
            attributes=chosen,
        )
    _tell(handle, name, engine.url, as_json=as_json)


def _tell(handle: Handle[Any], name: str, url: str, *, as_json: bool) -> None:
    if as_json:
        say_json({"id": handle.id, "name": name, "created": handle.created})
        return
    say(handle.id)
    state = "started" if handle.created else "was started before: nothing was added"
    note(f"{state}; perdure result{option_for(url)} {handle.id}  waits for its end")
