"""The tables, as dictionaries of this process."""

from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from typing import TypeAlias
from weakref import WeakValueDictionary

import attrs

from perdure.clock import now as real_time
from perdure.errors import SchemaError
from perdure.mail import Subscription
from perdure.model import Message, StepRecord, Wait, WorkflowRecord
from perdure.streams import Item

from .workers import Worker

Place: TypeAlias = tuple[str, int]
"""Where in its workflow a step or a wait stands: branch and number."""


@attrs.frozen
class Wakeup:
    """A row of the outbox: one for a workflow, or one for each that has subscribed to it."""

    workflow_id: str
    for_subscribers: bool = False


def _steps() -> defaultdict[str, dict[Place, StepRecord]]:
    return defaultdict(dict)


def _messages() -> defaultdict[str, dict[str, Message]]:
    return defaultdict(dict)


def _waits() -> defaultdict[str, dict[Place, Wait]]:
    return defaultdict(dict)


@attrs.define(eq=False)
class Store:
    """One database. Records are immutable: what changes is which one stands in the table."""

    clock: Callable[[], datetime] = real_time
    """The database's clock; a test may set another one."""
    migrated: bool = False
    workers: dict[str, Worker] = attrs.field(factory=dict[str, Worker], init=False)
    definitions: set[str] = attrs.field(factory=set[str], init=False)
    workflows: dict[str, WorkflowRecord] = attrs.field(
        factory=dict[str, WorkflowRecord], init=False
    )
    steps: defaultdict[str, dict[Place, StepRecord]] = attrs.field(factory=_steps, init=False)
    waits: defaultdict[str, dict[Place, Wait]] = attrs.field(factory=_waits, init=False)
    thresholds: dict[str, int] = attrs.field(factory=dict[str, int], init=False)
    """The counts of wake-ups that suspended workflows wait for."""
    messages: defaultdict[str, dict[str, Message]] = attrs.field(factory=_messages, init=False)
    """Of each workflow by id, in the order in which they came; consumed ones stay."""
    consumed: dict[tuple[str, str], Place] = attrs.field(
        factory=dict[tuple[str, str], Place], init=False
    )
    """The step that took a message, by workflow and id."""
    items: dict[tuple[str, str, int], Item] = attrs.field(
        factory=dict[tuple[str, str, int], Item], init=False
    )
    """Of streams, by workflow, stream and offset."""
    subscriptions: set[Subscription] = attrs.field(factory=set[Subscription], init=False)
    outbox: list[Wakeup] = attrs.field(factory=list[Wakeup], init=False)
    """What nobody has applied yet, in the order in which it was written."""
    _lock: Lock = attrs.field(factory=Lock, init=False)

    @contextmanager
    def transaction(self) -> Generator[datetime, None, None]:
        """Be alone with the tables, at one moment of the database's clock.

        There is no rollback: whoever writes has decided everything before.

        Raises:
            SchemaError: `migrate` was never called.
        """
        with self._lock:
            if not self.migrated:
                raise SchemaError("there are no tables in this memory: call migrate()")
            yield self.clock()

    def copy(self) -> "Store":
        """A database of its own that holds the same."""
        with self._lock:
            other = Store(clock=self.clock, migrated=self.migrated)
            other.workers |= self.workers
            other.definitions |= self.definitions
            other.workflows |= self.workflows
            other.steps |= {key: dict(there) for key, there in self.steps.items()}
            other.waits |= {key: dict(there) for key, there in self.waits.items()}
            other.thresholds |= self.thresholds
            other.messages |= {key: dict(there) for key, there in self.messages.items()}
            other.consumed |= self.consumed
            other.items |= self.items
            other.subscriptions |= self.subscriptions
            other.outbox += self.outbox
            return other


_SHARED: WeakValueDictionary[tuple[str, str], Store] = WeakValueDictionary()
_SHARING = Lock()


def store_at(name: str, namespace: str) -> Store:
    """The store of this name and namespace, which lasts as long as somebody holds it.

    Without a name it is the caller's own.
    """
    if not name:
        return Store()
    with _SHARING:
        return _SHARED.setdefault((name, namespace), Store())
