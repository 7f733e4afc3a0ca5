"""Waiting for workflows to end, or for what they publish: who waits, and the answers."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from typing import Any

import attrs

from . import clock
from .backend import Backend
from .bell import Bell
from .errors import UsageError, WorkflowNotFound
from .mail import EventKey, Published
from .model import ENDED, WorkflowRecord
from .poll import Poll

log = logging.getLogger("perdure")

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
    """The waiters of one engine."""

    backend: Backend
    advice: Callable[[str], str]
    """The command that would serve a workflow of that name."""
    bell: Bell
    _poll: Poll[Waiter] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._poll = Poll(
            name="outcomes",
            doing="ask for results",
            bell=self.bell,
            look=self._look,
            over=lambda waiter: waiter.future.done(),
            failed=_fail,
            dismiss=_dismiss,
        )

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
        self._poll.ask(waiter)
        return waiter.future

    def close(self) -> None:
        """Answer nobody any more."""
        self._poll.close()

    def _look(self, waiters: Sequence[Waiter]) -> bool:
        """Ask once for all of them; whether any had ended."""
        new = [waiter for waiter in waiters if waiter.record is None]
        known = [waiter for waiter in waiters if waiter.record is not None]
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


def _fail(waiters: Sequence[Waiter], error: Exception) -> None:
    for waiter in waiters:
        _settle(waiter.future, error)


def _dismiss(waiter: Waiter) -> None:
    _settle(waiter.future, UsageError(f"the engine was closed; {waiter.id} goes on"))


def _settle(future: "Future[Any]", outcome: WorkflowRecord | Published | Exception) -> None:
    try:
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
    except InvalidStateError:
        pass  # whoever waited has given up meanwhile
