"""Short ways to make what is sent to workflows, taken by them, and written by them."""

from typing import Any

from perdure.backend import Consumption
from perdure.model import Message
from perdure.streams import Item, Reading


def message(workflow_id: str, id: str, **changes: Any) -> Message:
    """A message about the news."""
    usual: dict[str, Any] = {
        "topic": "news",
        "body_json": f'"{id}"',
        "sender": "somebody",
        "position": 1,
    }
    return Message(workflow_id=workflow_id, id=id, **(usual | changes))


def taking(id: str, workflow_id: str, seq: int = 1, *, epoch: int = 1) -> Consumption:
    """A step of the root branch takes a message."""
    return Consumption(workflow_id=workflow_id, branch="", seq=seq, epoch=epoch, message_id=id)


def item(workflow_id: str, offset: int = 1, **changes: Any) -> Item:
    """An item of the log that the workflow's code writes."""
    usual: dict[str, Any] = {
        "stream": "log",
        "place": "",
        "attempt": 1,
        "value_json": str(offset),
        "closes": False,
        "epoch": 1,
    }
    return Item(workflow_id=workflow_id, offset=offset, **(usual | changes))


def reading(workflow_id: str, *, stream: str = "log", after: int = -1) -> Reading:
    """Of its log, from behind that offset."""
    return Reading(workflow_id=workflow_id, stream=stream, after=after)
