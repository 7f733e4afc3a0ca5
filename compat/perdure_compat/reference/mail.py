"""The verbs of mail: messages, subscriptions and events."""

from collections.abc import Collection, Sequence

from perdure.mail import (
    SENT,
    EventKey,
    Mail,
    Published,
    Refused,
    SendAnswer,
    Sight,
    Subscription,
    Watch,
)
from perdure.model import Message, StepRecord

from .store import Store, Wakeup


class MemoryMail(Mail):
    """What workflows hear from others, in the tables of a store."""

    store: Store

    def look(self, watches: Sequence[Watch], *, limit: int) -> Sequence[Sight]:
        with self.store.transaction():
            return [
                Sight(
                    workflow_id=found.id,
                    wake=found.wake,
                    cancel_reason=found.cancel_reason,
                    messages=_seen(self.store, watch, limit),
                )
                for watch in watches
                if (found := self.store.workflows.get(watch.workflow_id))
            ]

    def send(self, messages: Sequence[Message]) -> Sequence[SendAnswer]:
        with self.store.transaction():
            return [_sent(self.store, message) for message in messages]

    def subscribe(self, subscriptions: Sequence[Subscription]) -> Collection[str]:
        with self.store.transaction():
            known = [one for one in subscriptions if one.target_id in self.store.workflows]
            self.store.subscriptions.update(known)
            return {one.target_id for one in known}

    def events(self, keys: Collection[EventKey]) -> Sequence[Published]:
        with self.store.transaction():
            latest = {key: max(_events(self.store, key), key=_age, default=None) for key in keys}
            return [
                Published(key=key, value_json=event.output_json)
                for key, event in latest.items()
                if event
            ]


def _sent(store: Store, message: Message) -> SendAnswer:
    there = store.messages[message.workflow_id]
    if message.id in there:
        return SENT
    found = store.workflows.get(message.workflow_id)
    if found is None or found.status.final:
        return Refused(None if found is None else found.status)
    there[message.id] = message
    store.outbox.append(Wakeup(message.workflow_id))
    return SENT


def _seen(store: Store, watch: Watch, limit: int) -> list[Message]:
    """The first of each topic, in the order of all."""
    there = _pending(store, watch.workflow_id)
    topics = [[one for one in there if one.topic == topic] for topic in watch.topics]
    first = {one.id for each in topics for one in _in_order(each)[:limit]}
    return _in_order([one for one in there if one.id in first])


def _pending(store: Store, workflow_id: str) -> list[Message]:
    there = store.messages.get(workflow_id, {}).values()
    return [one for one in there if (workflow_id, one.id) not in store.consumed]


def _in_order(messages: Sequence[Message]) -> list[Message]:
    """As they came, but for those of one sender: among their places, theirs go by position."""
    senders = {one.sender for one in messages}
    lines = {sender: iter(_line(messages, sender)) for sender in senders}
    return [next(lines[one.sender]) for one in messages]


def _line(messages: Sequence[Message], sender: str) -> list[Message]:
    mine = [one for one in messages if one.sender == sender]
    return sorted(mine, key=lambda one: one.position)


def _events(store: Store, key: EventKey) -> list[StepRecord]:
    steps = store.steps.get(key.workflow_id, {}).values()
    return [one for one in steps if (one.kind, one.name) == ("event", key.name)]


def _age(step: StepRecord) -> tuple[object, ...]:
    return (step.completed_at, step.branch, step.seq)
