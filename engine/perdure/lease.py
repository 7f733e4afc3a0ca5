"""The lease of a worker: renewed by a thread of its own, trusted by its own clock only.

The heartbeat has a thread, and so a connection, to itself: neither a blocked event
loop nor a slow flush can cost the lease.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import attrs

from . import clock, threads
from .backend import Backend, Pulse
from .errors import BackendUnavailable
from .outage import Outage

log = logging.getLogger("perdure")

MARGIN = timedelta(seconds=1)
"""How much earlier than the database the worker regards its own lease as over."""
APART = 0.05
"""Seconds between two heartbeats, however often somebody wants one."""


@attrs.define(eq=False)
class Lease:
    """One worker's lease.

    `on_pulse` gets each answer and the monotonic time at which it was asked;
    `on_missed` is told of a heartbeat that found no database; `on_lost` that the
    worker is dead in the database's eyes.
    """

    backend: Backend
    worker_id: str
    length: timedelta
    interval: timedelta
    on_pulse: Callable[[Pulse, float], None]
    on_missed: Callable[[], None]
    on_lost: Callable[[], None]
    offset: timedelta = timedelta(0)
    """How much the database's clock is ahead of this machine's."""
    _doubt: timedelta = timedelta(0)
    """How far from that it may be."""
    _sent: float = 0.0
    """When the last heartbeat was."""
    _until: float = 0.0
    _wanted: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)
    _stop: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)
    _thread: threading.Thread | None = attrs.field(default=None, init=False, repr=False)

    def held(self) -> bool:
        """Whether the worker is surely alive for all others."""
        return clock.monotonic() < self._until

    def now(self) -> datetime:
        """The wall clock, corrected by what the last heartbeat showed."""
        return clock.now() + self.offset

    def until(self, moment: datetime) -> timedelta:
        """How long it takes until the database's clock surely says so."""
        return moment - self.now() + self._doubt

    def begin(self, sent: float) -> None:
        """The lease was granted by a request sent at `sent`; keep it from now on."""
        self._renewed(sent)
        self._thread = threads.start(self._run, name="heartbeat")

    def hurry(self) -> None:
        """Send a heartbeat soon: somebody wants to know what is due next."""
        self._wanted.set()

    def end(self) -> None:
        """Renew no more."""
        self._stop.set()
        self._wanted.set()

    def _renewed(self, sent: float) -> None:
        self._until = sent + (self.length - MARGIN).total_seconds()

    def _run(self) -> None:
        outage = Outage("send a heartbeat")
        pause = 0.0  # the first one tells at once who the peers are
        while self._rest(pause):
            pause = self.interval.total_seconds()
            try:
                alive = self._beat()
            except BackendUnavailable as error:
                pause = min(outage.failed(error), pause)
                self.on_missed()
            except Exception:  # the heart must not stop for a bug in what listens to it
                log.exception("worker %s: a heartbeat failed", self.worker_id)
                self.on_missed()
            else:
                outage.over()
                if not alive:
                    return

    def _rest(self, seconds: float) -> bool:
        """Wait for the time of the next heartbeat, or until one is wanted; False at the end."""
        if self._wanted.wait(seconds):
            self._stop.wait(max(0.0, self._sent + APART - clock.monotonic()))
            self._wanted.clear()
        return not self._stop.is_set()

    def _beat(self) -> bool:
        sent, wall = clock.monotonic(), clock.now()
        self._sent = sent
        pulse = self.backend.heartbeat(self.worker_id, lease=self.length)
        if self._stop.is_set():
            return False
        if pulse is None:
            self._until = 0.0
            self.on_lost()
            return False
        self._renewed(sent)
        self._doubt = (clock.now() - wall) / 2
        self.offset = pulse.now - (wall + self._doubt)
        self.on_pulse(pulse, sent)
        return True
