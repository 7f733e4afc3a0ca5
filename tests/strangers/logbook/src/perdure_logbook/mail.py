"""The verbs of mail: what is sent, seen, subscribed to and published."""

from collections import deque
from collections.abc import Sequence

from perdure.backend import (
    SENT,
    EventKey,
    Published,
    Refused,
    SendAnswer,
    Sight,
    Subscription,
    Watch,
)
from perdure.model import Message

from . import outbox
from .log import Turn


def sent(turn: Turn, message: Message) -> SendAnswer:
    """Put one that is not there yet, if there is somebody to read it."""
    if message.id in turn.tables.mailbox.messages.get(message.workflow_id, {}):
        return SENT
    one = turn.tables.workflows.get(message.workflow_id)
    if one is None or one.status.final:
        return Refused(one.status if one else None)
    turn.put(message)
    outbox.tell(turn, [one.id])
    return SENT


def seen(turn: Turn, watch: Watch, *, limit: int) -> Sight | None:
    """What has come for a workflow, if there is such a one."""
    one = turn.tables.workflows.get(watch.workflow_id)
    if one is None:
        return None
    there = turn.tables.mailbox.pending(one.id)
    topics = [[each for each in there if each.topic == topic] for topic in watch.topics]
    first = {each.id for messages in topics for each in _in_order(messages)[:limit]}
    return Sight(
        workflow_id=one.id,
        wake=one.wake,
        cancel_reason=one.cancel_reason,
        messages=_in_order([each for each in there if each.id in first]),
    )


def _in_order(came: Sequence[Message]) -> list[Message]:
    """Where one sender's came in another order than they were sent, they change places."""
    lines = {one.sender: deque[Message]() for one in came}
    for one in sorted(came, key=lambda one: one.position):
        lines[one.sender].append(one)
    return [lines[one.sender].popleft() for one in came]


def subscribed(turn: Turn, subscription: Subscription) -> bool:
    """Whether there is such a target; who subscribes to it is woken from now on."""
    target_id = subscription.target_id
    if target_id not in turn.tables.workflows:
        return False
    if subscription.workflow_id not in turn.tables.mailbox.subscriptions.get(target_id, {}):
        turn.put(subscription)
    return True


def published(turn: Turn, key: EventKey) -> Published | None:
    """The latest value of an event, if it has one."""
    steps = turn.tables.steps.get(key.workflow_id, {}).values()
    events = [one for one in steps if (one.kind, one.name) == ("event", key.name)]
    if not events:
        return None
    latest = max(events, key=lambda one: (one.completed_at, one.branch, one.seq))
    return Published(key=key, value_json=latest.output_json)
