"""What workflows hear from others: messages, and what they have subscribed to.

A part of the seam, under the rules of `backend`.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import TypeAlias

import attrs

from .model import Message, Status


@attrs.frozen
class Sent:
    """The message is there: written now or by an earlier try."""


@attrs.frozen
class Refused:
    """Nothing was written. `status` is that of the workflow, which has ended; None: there is none."""

    status: Status | None


SENT = Sent()
SendAnswer: TypeAlias = Sent | Refused


@attrs.frozen(kw_only=True)
class Watch:
    """What a running workflow waits for: messages of these topics."""

    workflow_id: str
    topics: Collection[str] = ()


@attrs.frozen(kw_only=True)
class Sight:
    """What has come for a workflow, from one moment."""

    workflow_id: str
    wake: int
    """How far its wake-ups had been counted: what came before is seen by any later read."""
    cancel_reason: str | None
    """None: nobody has asked to cancel it."""
    messages: Sequence[Message]
    """Those not consumed, in the order in which they came; one sender's by position."""


@attrs.frozen
class Subscription:
    """A workflow that is to be woken by the end and the events of another."""

    workflow_id: str
    target_id: str


@attrs.frozen
class EventKey:
    """An event of a workflow."""

    workflow_id: str
    name: str


@attrs.frozen(kw_only=True)
class Published:
    """The latest value of an event."""

    key: EventKey
    value_json: str | None


class Mail(ABC):
    """A database's way of carrying messages and news to workflows."""

    @abstractmethod
    def look(self, watches: Sequence[Watch], *, limit: int) -> Sequence[Sight]:
        """What has come for workflows, one sight for each; unknown ids are left out.

        A sight is from one moment. It holds up to `limit` messages of each topic
        watched, the earliest.
        """

    @abstractmethod
    def send(self, messages: Sequence[Message]) -> Sequence[SendAnswer]:
        """Write messages that are not there yet; an answer for each, in order.

        All that can be sent is, in one transaction, each with a wake-up for its workflow.
        A message whose id the workflow has already is left as it is: `Sent`, whatever
        became of the workflow. Else it is refused if there is no such workflow, or it has
        ended (a parked one has not). Ids within one call are distinct for each workflow.
        """

    @abstractmethod
    def subscribe(self, subscriptions: Sequence[Subscription]) -> Collection[str]:
        """Have workflows woken by the end and the events of others; the targets that exist.

        May be a transaction for each. What a target does after the answer leaves a
        wake-up; what it did before can be read after it. A repeat changes nothing.
        Subscriptions to targets that do not exist are not written.
        """

    @abstractmethod
    def events(self, keys: Collection[EventKey]) -> Sequence[Published]:
        """The latest values of events, in any order; those never published are left out.

        The steps of kind `event` and of the event's name hold them as output. The latest
        is the one with the greatest (completed_at, branch, seq).
        """
