"""`perdure send`: a message to a workflow."""

from typing import Annotated

import typer

from perdure import ids
from perdure.client import Letter

from .opening import opened
from .options import DatabaseUrl, Json, WorkflowId, json_text
from .output import say, say_json


def send(
    id: WorkflowId,
    topic: Annotated[str, typer.Argument(help="The topic's name.")],
    message: Annotated[str, typer.Argument(metavar="JSON", help="What to send, as JSON.")],
    *,
    key: Annotated[
        str | None,
        typer.Option("--key", help="The idempotency key: a second one with it changes nothing."),
    ] = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Send a workflow a message, which it receives once.

    The JSON is stored as it is given: which type it must have, the topic says, and
    a workflow that receives another one gets an error.
    """
    body = json_text(message)
    ids.checked(topic, what="the topic's name")
    if key is not None:
        ids.checked(key, what="the key")
    with opened(database_url) as engine:
        letter = Letter(id, topic, body, key)
        engine.ask("perdure send", lambda client: client.send(letter))
    if as_json:
        say_json({"id": id, "topic": topic, "key": key})
    else:
        say(f"sent to {id}")
