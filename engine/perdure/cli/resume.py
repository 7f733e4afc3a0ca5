"""`perdure resume`: put a parked workflow back into the queue."""

from .opening import opened
from .options import DatabaseUrl, Json, WorkflowId
from .output import say, say_json


def resume(id: WorkflowId, *, database_url: DatabaseUrl = None, as_json: Json = False) -> None:
    """Put a parked workflow back into the queue.

    It goes on from its last record.
    """
    with opened(database_url) as engine:
        handle = engine.handle(id)
        handle.resume()
        status = handle.status()
    if as_json:
        say_json({"id": id, "status": status.value})
    else:
        say(f"{id} is {status.value}")
