"""A durable wait while it is kept in memory: what it waits for, and who is told of its end."""

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import attrs

from . import clock
from .mail import EventKey


@attrs.define(eq=False)
class Vigil:
    """One branch's wait for the first of: a time, a message, ends of workflows, an event.

    It ends once, with what came; None: its time. Waiting for nothing but a time is
    waiting for a timer.
    """

    due: datetime | None = None
    topic: str | None = None
    targets: Sequence[str] = ()
    """Workflows whose ends it waits for."""
    wanted: int = 1
    """How many of the targets must have ended."""
    event: EventKey | None = None
    missing: int = attrs.field(init=False)
    """How many wake-ups it takes at least until it can be over, as of the last look."""
    looked: bool = attrs.field(default=False, init=False)
    """Somebody has looked for what it waits for: from then on a wake-up tells of it."""
    found: Any = attrs.field(default=None, init=False)
    over: bool = attrs.field(default=False, init=False)
    since: float = attrs.field(factory=clock.monotonic, init=False)
    _done: threading.Event | None = attrs.field(default=None, init=False, repr=False)
    _arrival: "asyncio.Future[None] | None" = attrs.field(default=None, init=False, repr=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.missing = self.wanted

    @property
    def timer(self) -> bool:
        """Whether only time can end it."""
        return self.topic is None and self.event is None and not self.targets

    def leaves_at(self, now: datetime, linger: float, *, crowded: bool) -> float:
        """From when, on the monotonic clock, it need not be in memory any more.

        Args:
            now: what its due time is compared with.
            linger: how long a wait for news stays, and the longest timer that does.
            crowded: places are scarce: a wait for news gives its own up at once.
        """
        if not self.timer:
            stay = 0.0 if crowded else linger
            return self.since + stay if self.looked else float("inf")
        soon = self.due is not None and (self.due - now).total_seconds() <= linger
        return float("inf") if soon else 0.0

    def end(self, found: Any = None) -> bool:
        """End it with what came; False if it was over already."""
        with self._lock:
            if self.over:
                return False
            self.over, self.found = True, found
        if self._done is not None:
            self._done.set()
        if self._arrival is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, so nothing waits
                self._arrival.get_loop().call_soon_threadsafe(_arrive, self._arrival)
        return True

    def wait(self, seconds: float | None) -> None:
        """Block until it is over, or for so long."""
        with self._lock:
            if self.over:
                return
            self._done = threading.Event()
        self._done.wait(seconds)

    async def arrive(self, seconds: float | None) -> None:
        """The same, for async code."""
        loop = asyncio.get_running_loop()
        arrival: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self.over:
                return
            self._arrival = arrival
        alarm = None if seconds is None else loop.call_later(seconds, _arrive, arrival)
        try:
            await arrival
        finally:
            if alarm is not None:
                alarm.cancel()


def _arrive(arrival: "asyncio.Future[None]") -> None:
    if not arrival.done():
        arrival.set_result(None)
