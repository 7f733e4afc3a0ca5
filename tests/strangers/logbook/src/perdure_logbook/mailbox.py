"""The tables of mail: messages and who took them, subscriptions, the outbox, streams."""

from collections.abc import Iterator
from typing import TypeAlias

import attrs

from perdure.backend import Consumption, Item, Reading, Subscription
from perdure.model import Message


@attrs.frozen
class Threshold:
    """The count of its wake-ups that wakes a suspended workflow; None: none does."""

    workflow_id: str
    wake_at: int | None


@attrs.frozen
class Wakeup:
    """News for a workflow that nobody has counted yet. Its number is free again afterwards."""

    number: int
    workflow_id: str


@attrs.frozen
class Applied:
    """A wake-up that was counted, or that was for nobody."""

    number: int


MailRecord: TypeAlias = Message | Consumption | Subscription | Threshold | Wakeup | Applied | Item


@attrs.define(eq=False)
class Mailbox:
    """What the lines of a log add up to, as far as workflows tell each other something."""

    messages: dict[str, dict[str, Message]] = attrs.field(factory=dict[str, dict[str, Message]])
    """Of each workflow by their ids, in the order in which they came; those taken stay."""
    taken: dict[tuple[str, str], Consumption] = attrs.field(
        factory=dict[tuple[str, str], Consumption]
    )
    """Which step has a message, by workflow and message."""
    subscriptions: dict[str, dict[str, Subscription]] = attrs.field(
        factory=dict[str, dict[str, Subscription]]
    )
    """Of each target by who wants to hear of it."""
    thresholds: dict[str, Threshold] = attrs.field(factory=dict[str, Threshold])
    outbox: dict[int, Wakeup] = attrs.field(factory=dict[int, Wakeup])

    items: dict[tuple[str, str], dict[int, Item]] = attrs.field(
        factory=dict[tuple[str, str], dict[int, Item]]
    )
    """Of each workflow's streams by their offsets."""

    @property
    def next_number(self) -> int:
        """Of the next wake-up."""
        return next(reversed(self.outbox), 0) + 1

    def put(self, record: MailRecord) -> None:
        """Let the record stand in its table, in place of the one that had its key."""
        match record:
            case Message():
                self.messages.setdefault(record.workflow_id, {})[record.id] = record
            case Consumption():
                self.taken[record.workflow_id, record.message_id] = record
            case Subscription():
                self.subscriptions.setdefault(record.target_id, {})[record.workflow_id] = record
            case Threshold():
                self.thresholds[record.workflow_id] = record
            case Wakeup():
                self.outbox[record.number] = record
            case Applied():
                self.outbox.pop(record.number, None)
            case Item():
                stream = self.items.setdefault((record.workflow_id, record.stream), {})
                stream.setdefault(record.offset, record)

    def wake_at(self, workflow_id: str) -> int | None:
        """The count that wakes this workflow, as long as it is suspended."""
        threshold = self.thresholds.get(workflow_id)
        return threshold.wake_at if threshold else None

    def holds(self, consumption: Consumption) -> bool:
        """Whether its message is there, and nobody has it."""
        workflow_id, message_id = consumption.workflow_id, consumption.message_id
        there = message_id in self.messages.get(workflow_id, {})
        return there and (workflow_id, message_id) not in self.taken

    def pending(self, workflow_id: str) -> list[Message]:
        """The messages of a workflow that no step has taken, in the order in which they came."""
        there = self.messages.get(workflow_id, {}).values()
        return [one for one in there if (workflow_id, one.id) not in self.taken]

    def read(self, reading: Reading, limit: int) -> list[Item]:
        """The first items of a stream after an offset."""
        stream = self.items.get((reading.workflow_id, reading.stream), {})
        offsets = sorted(offset for offset in stream if offset > reading.after)
        return [stream[offset] for offset in offsets[:limit]]

    def records(self) -> Iterator[MailRecord]:
        """The fewest records that add up to these tables."""
        for messages in self.messages.values():
            yield from messages.values()
        yield from self.taken.values()
        for subscriptions in self.subscriptions.values():
            yield from subscriptions.values()
        yield from self.thresholds.values()
        yield from self.outbox.values()
        for items in self.items.values():
            yield from items.values()
