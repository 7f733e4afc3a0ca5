"""A group of records that is written at once, and those who wait for it."""

import asyncio
import threading
from collections import deque
from typing import Generic, TypeVar

E = TypeVar("E")

TURN = 0.02
"""Seconds that a flush waits, at most, until all threads that the last one woke have run, and
then until all tasks have."""


class Flush(Generic[E]):
    """A group of records on its way; it is done when they are durable or lost.

    Threads that wait wake one another: many that were woken at once would only
    take the interpreter from each other.
    """

    __slots__ = (
        "_arrivals",
        "_gates",
        "_lock",
        "_loop",
        "_ran",
        "done",
        "endings",
        "records",
    )

    def __init__(self, lock: threading.Lock) -> None:
        self.records: list[E] = []
        self.endings: list[E] = []
        self.done = False
        self._lock = lock
        self._gates: deque[threading.Lock] = deque()
        self._arrivals: list[asyncio.Future[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ran: threading.Semaphore | None = None
        """Released when all threads that waited have run, and when all tasks have, if that matters."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.records or self.endings)

    def wait(self) -> None:
        """Block until it is done."""
        gate = threading.Lock()
        gate.acquire()
        with self._lock:
            if self.done:
                return
            self._gates.append(gate)
        gate.acquire()
        self._open_gate()

    def arrival(self, loop: asyncio.AbstractEventLoop) -> "asyncio.Future[None]":
        """To await until it is done, on the worker's event loop."""
        arrival: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self.done:
                arrival.set_result(None)
            else:
                self._loop = loop
                self._arrivals.append(arrival)
        return arrival

    def finish(self, *, followed: bool) -> None:
        """Wake whoever waits, and let go of what is written: its attempts point back here.

        `followed`: somebody else is in the next flush already. Who goes on from here shall
        not miss it, or the two would take turns for good, each with a flush of its own.
        """
        self.records, self.endings = [], []
        with self._lock:
            self.done = True
        if len(self._gates) + len(self._arrivals) + followed > 1:
            self._ran = threading.Semaphore(0)
        self._open_gate()
        if self._loop is None or self._loop.is_closed():
            self._all_ran()
        else:
            self._loop.call_soon_threadsafe(self._arrive, self._loop)

    def give_turn(self) -> None:
        """Return when all who were woken have run, or have had the time to."""
        if self._ran is not None and self._ran.acquire(timeout=TURN):
            self._ran.acquire(timeout=TURN)

    def _open_gate(self) -> None:
        try:
            self._gates.popleft().release()
        except IndexError:
            self._all_ran()

    def _all_ran(self) -> None:
        if self._ran is not None:
            self._ran.release()

    def _arrive(self, loop: asyncio.AbstractEventLoop) -> None:
        for arrival in self._arrivals:
            if not arrival.done():
                arrival.set_result(None)
        loop.call_soon(self._all_ran)  # behind the tasks that these wake
