"""`perdure cancel`: ask for the end of a workflow."""

from typing import Annotated

import typer

from perdure.model import Status

from .opening import opened, option_for
from .options import DatabaseUrl, Json, WorkflowId
from .output import note, say, say_json


def cancel(
    id: WorkflowId,
    *,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; its code may read it.")] = "",
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Cancel a workflow, or ask it to end.

    One that has not begun, or is parked, is cancelled at once. Another one is asked:
    its code hears of it at its next step or wait, and may clean up first.
    """
    with opened(database_url) as engine:
        handle = engine.handle(id)
        handle.cancel(reason)
        status = handle.status()
        way = option_for(engine.url)
    done = status is Status.CANCELLED
    if as_json:
        say_json({"id": id, "cancelled": done, "status": status.value})
    elif done:
        say(f"{id} is cancelled")
    else:
        say(f"{id} is asked to cancel")
        note(f"it is {status.value}; perdure result{way} {id}  waits for its end")
