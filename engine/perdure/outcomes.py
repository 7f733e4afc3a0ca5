"""Waiting for workflows to end: all waiters of a process are answered by one batched poll.

It is made when news come in that workflows have ended, and now and then without.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import Any

import attrs

from . import clock, threads
from .backend import Backend
from .bell import Bell
from .errors import UsageError, WorkflowNotFound
from .mail import EventKey, Published
from .model import ENDED, WorkflowRecord
from .outage import GivenUp, Outage
from .wakeups import News

log = logging.getLogger("perdure")

SHORTEST_POLL = 0.02
LONGEST_POLL = 1.0
HELPLESS_AFTER = 5.0
"""Seconds after which a waiter asks whether any live worker serves its workflow."""


@attrs.define(eq=False)
class Waiter:
    """Somebody waits for a workflow."""

    id: str
    future: "Future[Any]"
    since: float
    event: EventKey | None = None
    """The event that it waits for instead of the end."""
    record: WorkflowRecord | None = None
    told: bool = False


@attrs.define(eq=False)
class Outcomes:
    """The waiters of one engine, and the thread that polls for them while there are any."""

    backend: Backend
    advice: Callable[[str], str]
    """The command that would serve a workflow of that name."""
    bell: Bell
    _waiters: list[Waiter] = attrs.field(factory=list[Waiter], init=False)
    _changed: threading.Condition = attrs.field(factory=threading.Condition, init=False, repr=False)
    _nudged: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)
    """Somebody has come, or there are news."""
    _news: bool = attrs.field(default=False, init=False)
    _stop: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)
    _polling: bool = attrs.field(default=False, init=False)
    _hearing: bool = attrs.field(default=False, init=False)

    def of(self, id: str) -> "Future[WorkflowRecord]":
        """The record of a workflow once it has ended or is parked.

        The future fails with `WorkflowNotFound` if there is no such workflow.
        """
        return self._wait(Waiter(id, Future(), clock.monotonic()))

    def event(self, key: EventKey) -> "Future[Published | WorkflowRecord]":
        """The latest value of an event, once there is one; the record if it ends without.

        The future fails with `WorkflowNotFound` if there is no such workflow.
        """
        return self._wait(Waiter(key.workflow_id, Future(), clock.monotonic(), key))

    def _wait(self, waiter: Waiter) -> "Future[Any]":
        with self._changed:
            self._waiters.append(waiter)
            if not self._hearing:
                self._hearing = True
                self.bell.on(News.ENDED, News.SENT, call=self.nudge)
            self._nudged.set()
            if not self._polling:
                self._polling = True
                threads.start(self._run, name="outcomes")
        return waiter.future

    def nudge(self) -> None:
        """A workflow has just ended."""
        with self._changed:
            self._news = True
        self._nudged.set()

    def close(self) -> None:
        """Answer nobody any more."""
        self._stop.set()
        self._nudged.set()

    def _run(self) -> None:
        outage = Outage("ask for results")
        pause, again_at = SHORTEST_POLL, 0.0
        while (waiters := self._waiting()) and not self._stop.is_set():
            again = self._heard() or clock.monotonic() >= again_at
            try:
                answered = outage.ride_out(partial(self._poll, waiters, again=again), self._stop)
            except GivenUp:
                break
            except Exception as error:  # noqa: BLE001 (it reaches those who wait)
                for waiter in waiters:
                    _settle(waiter.future, error)
                continue
            if again:
                pause = SHORTEST_POLL if answered else min(pause * 1.5, LONGEST_POLL)
                again_at = clock.monotonic() + pause
            if self._nudged.wait(again_at - clock.monotonic()):
                pause = SHORTEST_POLL
                again_at = min(again_at, clock.monotonic() + pause)
        for waiter in waiters:
            _settle(waiter.future, UsageError(f"the engine was closed; {waiter.id} goes on"))

    def _waiting(self) -> list[Waiter]:
        """Those who still wait; the thread ends when there are none."""
        with self._changed:
            self._nudged.clear()
            self._waiters = [waiter for waiter in self._waiters if not waiter.future.done()]
            self._polling = bool(self._waiters)
            return list(self._waiters)

    def _heard(self) -> bool:
        """Whether there have been news."""
        with self._changed:
            news, self._news = self._news, False
            return news

    def _poll(self, waiters: list[Waiter], *, again: bool) -> bool:
        """Ask once for whom nobody has asked yet, and for the others `again`; whether any had ended."""
        new = [waiter for waiter in waiters if waiter.record is None]
        known = [waiter for waiter in waiters if again and waiter.record is not None]
        answered = self._answer(new, first=True) | self._answer(known, first=False)
        for waiter in waiters:
            if not waiter.told and clock.monotonic() - waiter.since > HELPLESS_AFTER:
                waiter.told = True
                self._tell(waiter)
        return answered

    def _answer(self, waiters: list[Waiter], *, first: bool) -> bool:
        if not waiters:
            return False
        ids = {waiter.id for waiter in waiters}
        records = {r.id: r for r in self.backend.load(ids, only_ended=not first)}
        published = self._published(waiters)
        answered = False
        for waiter in waiters:
            if waiter.event in published:
                answered = True
                _settle(waiter.future, published[waiter.event])
                continue
            record = records.get(waiter.id)
            if record is None:
                if first:
                    _settle(waiter.future, WorkflowNotFound(waiter.id))
            elif record.status in ENDED:
                answered = True
                _settle(waiter.future, record)
            else:
                waiter.record = record
        return answered

    def _published(self, waiters: list[Waiter]) -> dict[EventKey | None, Published]:
        # After the records: who has ended has published all there will ever be.
        keys = {waiter.event for waiter in waiters if waiter.event is not None}
        return {one.key: one for one in self.backend.events(keys)} if keys else {}

    def _tell(self, waiter: Waiter) -> None:
        """Say what to do if the workflow waits for a worker that does not exist."""
        record = waiter.record
        if waiter.future.done() or record is None:
            return
        if not self.backend.service(record.name, record.queue).live:
            log.warning(
                "%s has waited %.0f s and no live worker serves queue %r / workflow %r: run  %s",
                waiter.id,
                clock.monotonic() - waiter.since,
                record.queue,
                record.name,
                self.advice(record.name),
            )


def _settle(future: "Future[Any]", outcome: WorkflowRecord | Published | Exception) -> None:
    try:
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
    except InvalidStateError:
        pass  # whoever waited has given up meanwhile
