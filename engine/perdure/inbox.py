"""The messages that have come for a running workflow."""

import threading
from collections import deque
from collections.abc import Iterable
from typing import Any

import attrs

from .flush import Flush
from .model import Message


@attrs.define(eq=False)
class Inbox:
    """Those that no step has taken, by topic, in the order in which they came."""

    _boxes: dict[str, deque[Message]] = attrs.field(factory=dict[str, "deque[Message]"])
    _taken: dict[str, Flush[Any] | None] = attrs.field(factory=dict[str, "Flush[Any] | None"])
    """Those whose step may not be durable yet, so that the database still tells of them."""
    _lock: threading.Lock = attrs.field(factory=threading.Lock, repr=False)

    def take(self, topic: str) -> Message | None:
        """The next message of a topic, if one has come."""
        with self._lock:
            box = self._boxes.get(topic)
            if not box:
                return None
            message = box.popleft()
            self._taken[message.id] = None
            return message

    def put_back(self, message: Message) -> None:
        """Nobody has taken it after all."""
        with self._lock:
            self._taken.pop(message.id, None)
            self._boxes.setdefault(message.topic, deque()).appendleft(message)

    def deliver(self, messages: Iterable[Message]) -> None:
        """Take in what the database tells of; what is known already changes nothing."""
        with self._lock:
            known = {message.id for box in self._boxes.values() for message in box}
            for message in messages:
                if message.id not in known and message.id not in self._taken:
                    self._boxes.setdefault(message.topic, deque()).append(message)

    def recorded(self, message: Message, flush: Flush[Any] | None) -> None:
        """A step has taken it, and is on its way."""
        with self._lock:
            self._taken[message.id] = flush

    def settle(self) -> None:
        """Forget what no later look can bring: whose step is durable."""
        with self._lock:
            taken = {key: flush for key, flush in self._taken.items() if not (flush and flush.done)}
            self._taken = taken
