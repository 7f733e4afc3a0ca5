"""Messages to workflows: declared once, typed at both ends."""

from collections.abc import Coroutine
from datetime import timedelta
from functools import cached_property
from typing import Any, Generic, TypeVar, overload

import attrs
from typing_extensions import TypeForm

from . import clock, ids
from .branch import Slot
from .codec import Codec, codec_of
from .context import waiting_branch
from .errors import WaitTimeout
from .execution import note
from .failure import Failure
from .model import Message
from .script import AWAITING, BLOCKING, Waits, drive, watch
from .vigil import Vigil

T = TypeVar("T")
D = TypeVar("D")

KIND = "receive"
NO_DEFAULT: Any = object()
"""Nothing was given; None may be a default."""


@attrs.define(slots=False, init=False)
class Topic(Generic[T]):
    """A named mailbox of a workflow and the type of its messages."""

    name: str
    type: TypeForm[T]

    def __init__(self, name: str, type: TypeForm[T], /) -> None:
        self.name = ids.checked(name, what="the topic's name")
        self.type = type

    @cached_property
    def codec(self) -> Codec[T]:
        """Between its messages and JSON."""
        return codec_of(self.type)


@overload
def receive(topic: Topic[T], /, *, timeout: timedelta | None = None) -> T: ...
@overload
def receive(topic: Topic[T], /, *, timeout: timedelta | None = None, default: D) -> T | D: ...
def receive(
    topic: Topic[Any], /, *, timeout: timedelta | None = None, default: Any = NO_DEFAULT
) -> Any:
    """The next message of a topic, in a sync workflow; each is received once.

    Args:
        topic: messages of one sender come in the order in which they were sent.
        timeout: counts from the first time that the workflow came here.
        default: what a timeout gives; else it raises.

    Raises:
        WaitTimeout: nothing has come in time.
        SerializationError: the message is not of the topic's type.
        NotInWorkflow: there is no workflow here.
        BlockingCall: the workflow is async: `await perdure.areceive(…)`.
    """
    slot = waiting_branch("perdure.receive", is_async=False).draw()
    return drive(_receive(slot, topic, timeout, default, BLOCKING))


@overload
def areceive(topic: Topic[T], /, *, timeout: timedelta | None = None) -> Coroutine[Any, Any, T]: ...
@overload
def areceive(
    topic: Topic[T], /, *, timeout: timedelta | None = None, default: D
) -> Coroutine[Any, Any, T | D]: ...
def areceive(
    topic: Topic[Any], /, *, timeout: timedelta | None = None, default: Any = NO_DEFAULT
) -> Coroutine[Any, Any, Any]:
    """As `receive`, in an async workflow."""
    slot = waiting_branch("perdure.areceive", is_async=True).draw()
    return _receive(slot, topic, timeout, default, AWAITING)


async def _receive(
    slot: Slot, topic: Topic[Any], timeout: timedelta | None, default: Any, waits: Waits
) -> Any:
    record = slot.recorded(name=topic.name, kind=KIND)
    if record is not None:
        late, text = record.status == "error", record.output_json
    else:
        message = await _message(slot, topic, timeout, waits)
        late, text = message is None, message.body_json if message else None
    if not late:
        return topic.codec.load(text)
    if default is NO_DEFAULT:
        raise too_late(topic, timeout)
    return default


async def _message(
    slot: Slot, topic: Topic[Any], timeout: timedelta | None, waits: Waits
) -> Message | None:
    """Take the next message, and record it; None, and its record, if there is none in time."""
    attempt = slot.attempt
    started = attempt.host.now()
    due = None if timeout is None else slot.due(KIND, started + clock.bounded(timeout))
    message: Message | None = None
    if attempt.may_begin():
        message = attempt.inbox.take(topic.name)
    if message is None:
        message = await watch(slot, Vigil(due=due, topic=topic.name), waits)
    if message is None:
        note(
            slot,
            KIND,
            None,
            started,
            name=topic.name,
            failure=Failure.of(too_late(topic, timeout)),
        )
    else:
        note(slot, KIND, message.body_json, started, name=topic.name, message_id=message.id)
        attempt.inbox.recorded(message, attempt.newest)
    return message


def too_late(topic: Topic[Any], timeout: timedelta | None) -> WaitTimeout:
    """What a timeout raises."""
    return WaitTimeout(f"a message on topic {topic.name!r}", timeout or timedelta(0))
