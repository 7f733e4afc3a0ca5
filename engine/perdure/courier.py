"""Carrying what workflows send: everything that waits, in one call of each kind.

What a courier carries has an id that its sender made before the first try, so that
carrying it twice is carrying it once.
"""

import logging
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

import attrs

from . import threads
from .backend import Backend, Existing, Submission
from .client import cancel_children
from .errors import BackendRefused
from .mail import SendAnswer, Subscription
from .model import Message, Status
from .outage import GivenUp, Outage
from .room import Room, Sized

T = TypeVar("T")
A = TypeVar("A")

log = logging.getLogger("perdure")

BATCH = 500
"""How many wake-ups one call applies."""
PATIENCE = 2.0
"""Seconds that a call under way gets to come back when the worker leaves."""


def _size(carried: Sized) -> int:
    return carried.size


@attrs.define(eq=False)
class Errands(Generic[T, A]):
    """Things of one kind that wait for the courier, and what is done with them."""

    deliver: Callable[[Sequence[T]], Sequence[A]]
    """An answer for each, in order."""
    key: Callable[[T], Hashable]
    """No two of a delivery have the same."""
    size: Callable[[T], int] = lambda _: 0
    """How many characters of text it carries."""
    tells: bool = False
    """Whether a delivery leaves wake-ups, which are to be applied."""
    waiting: list[tuple[T, "Future[A]"]] = attrs.field(
        factory=list[tuple[T, "Future[A]"]], init=False
    )

    def next(self, room: Room) -> list[tuple[T, "Future[A]"]]:
        """Take out what goes together now: no one goes before somebody who had no room."""
        now: dict[Hashable, tuple[T, Future[A]]] = {}
        later: list[tuple[T, Future[A]]] = []
        full = False
        for each in self.waiting:
            key = self.key(each[0])
            full = full or not (key in now or room.take(1, self.size(each[0])))
            if full or key in now:
                later.append(each)
            else:
                now[key] = each
        self.waiting = later
        return list(now.values())

    def run(self, batch: Sequence[tuple[T, "Future[A]"]]) -> None:
        """Deliver, and tell those who wait; a thing that is refused fails alone.

        Raises:
            BackendUnavailable: nobody was told; deliver again.
        """
        try:
            answers = self.deliver([item for item, _ in batch])
        except BackendRefused as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            for each in batch:
                self.run([each])
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)


@attrs.define(eq=False)
class Courier:
    """The thread that carries for one worker; it begins with the first errand.

    `on_told` hears that something has come for workflows, `on_work` that some of them are
    back in the queue, `on_asked` that some are asked to cancel.
    """

    backend: Backend
    on_told: Callable[[], None]
    on_work: Callable[[], None]
    on_asked: Callable[[], None]
    _messages: Errands[Message, SendAnswer] = attrs.field(init=False)
    _submissions: Errands[Submission, Existing | None] = attrs.field(init=False)
    _subscriptions: Errands[Subscription, bool] = attrs.field(init=False)
    _cancellations: Errands[tuple[str, str], Status | None] = attrs.field(init=False)
    _families: Errands[tuple[str, str], None] = attrs.field(init=False)
    _to_apply: bool = attrs.field(default=False, init=False)
    _changed: threading.Condition = attrs.field(factory=threading.Condition, init=False, repr=False)
    _begun: bool = attrs.field(default=False, init=False)
    _thread: threading.Thread | None = attrs.field(default=None, init=False, repr=False)
    _stop: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._messages = Errands(
            self.backend.send, lambda m: (m.workflow_id, m.id), _size, tells=True
        )
        self._submissions = Errands(self._submit, lambda s: s.id, _size)
        self._subscriptions = Errands(self._subscribe, lambda s: s)
        self._cancellations = Errands(self._cancel, lambda asked: asked[0], tells=True)
        self._families = Errands(self._cancel_children, lambda asked: asked[0], tells=True)

    def send(self, message: Message) -> "Future[SendAnswer]":
        """Carry a message."""
        return self._take(self._messages, [message])[0]

    def submit(self, submissions: Sequence[Submission]) -> "list[Future[Existing | None]]":
        """Start workflows; what was there already under an id, None if nothing."""
        return self._take(self._submissions, submissions)

    def subscribe(self, subscriptions: Sequence[Subscription]) -> "list[Future[bool]]":
        """Have a workflow woken by others; whether these exist."""
        return self._take(self._subscriptions, subscriptions)

    def cancel(self, id: str, reason: str) -> "Future[Status | None]":
        """Ask for the end of a workflow; its status then, None if there is none."""
        return self._take(self._cancellations, [(id, reason)])[0]

    def cancel_children(self, parent_id: str, reason: str) -> "Future[None]":
        """Ask for the end of what a workflow has started, except what is detached."""
        return self._take(self._families, [(parent_id, reason)])[0]

    def apply(self) -> None:
        """Wake-ups have been written."""
        with self._changed:
            self._to_apply = True
            self._notify()

    def end(self) -> None:
        """Carry no more; what waits is cancelled."""
        self._stop.set()
        with self._changed:
            left = [future for kind in self._kinds for _, future in kind.waiting]
            self._changed.notify()
        for future in left:
            future.cancel()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(PATIENCE)

    # ------------------------------------------------------------ the thread

    @property
    def _kinds(self) -> "Sequence[Errands[Any, Any]]":
        return (
            self._submissions,
            self._subscriptions,
            self._messages,
            self._cancellations,
            self._families,
        )

    def _take(self, kind: "Errands[T, A]", items: Sequence[T]) -> "list[Future[A]]":
        futures: list[Future[A]] = [Future() for _ in items]
        with self._changed:
            kind.waiting += zip(items, futures, strict=True)
            self._notify()
        if self._stop.is_set():
            for future in futures:
                future.cancel()
        return futures

    def _notify(self) -> None:
        if not self._begun:
            self._begun = True
            self._thread = threads.start(self._run, name="courier")
        self._changed.notify()

    def _run(self) -> None:
        outage = Outage("carry what workflows send")
        while not self._stop.is_set():
            with self._changed:
                while not self._waiting() and not self._stop.is_set():
                    self._changed.wait()
                if self._stop.is_set():
                    return
                batches = [
                    (kind, kind.next(Room(self.backend.capabilities))) for kind in self._kinds
                ]
                told, self._to_apply = self._to_apply, False
            try:
                for kind, batch in batches:
                    self._carry(outage, kind, batch)
                if told or any(kind.tells for kind, batch in batches if batch):
                    outage.ride_out(self._apply, self._stop)
            except GivenUp:
                return

    def _waiting(self) -> bool:
        return self._to_apply or any(kind.waiting for kind in self._kinds)

    def _carry(
        self,
        outage: Outage,
        kind: "Errands[Any, Any]",
        batch: "Sequence[tuple[Any, Future[Any]]]",
    ) -> None:
        if not batch:
            return
        try:
            outage.ride_out(lambda: kind.run(batch), self._stop)
        except GivenUp:
            for _, future in batch:
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 (it reaches those who wait)
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)

    def _apply(self) -> None:
        """Apply wake-ups, ours and whoever's."""
        woken = self.backend.wake(limit=BATCH)
        if woken >= BATCH:
            self.apply()
        self.on_told()
        if woken:
            self.on_work()

    # -------------------------------------------------------------- the kinds

    def _submit(self, submissions: Sequence[Submission]) -> list[Existing | None]:
        there = {existing.id: existing for existing in self.backend.submit(submissions)}
        if len(there) < len(submissions):
            self.on_work()
        return [there.get(submission.id) for submission in submissions]

    def _subscribe(self, subscriptions: Sequence[Subscription]) -> list[bool]:
        there = set(self.backend.subscribe(subscriptions))
        return [subscription.target_id in there for subscription in subscriptions]

    def _cancel(self, asked: Sequence[tuple[str, str]]) -> list[Status | None]:
        answers: dict[str, Status] = {}
        for reason in dict.fromkeys(reason for _, reason in asked):
            ids = [one for one, its in asked if its == reason]
            answers |= self.backend.cancel(ids, reason=reason)
            for one in ids:
                if answers.get(one) is Status.CANCELLED:
                    cancel_children(self.backend, one, reason)
        self.on_asked()
        self.on_work()
        return [answers.get(one) for one, _ in asked]

    def _cancel_children(self, asked: Sequence[tuple[str, str]]) -> list[None]:
        for parent_id, reason in asked:
            cancel_children(self.backend, parent_id, reason)
        self.on_asked()
        self.on_work()
        return [None for _ in asked]
