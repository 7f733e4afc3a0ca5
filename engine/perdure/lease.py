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
    _until: float = 0.0
    _stop: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)
    _thread: threading.Thread | None = attrs.field(default=None, init=False, repr=False)

    def held(self) -> bool:
        """Whether the worker is surely alive for all others."""
        return clock.monotonic() < self._until

    def now(self) -> datetime:
        """The wall clock, corrected by what the last heartbeat showed."""
        return clock.now() + self.offset

    def begin(self, sent: float) -> None:
        """The lease was granted by a request sent at `sent`; keep it from now on."""
        self._renewed(sent)
        self._thread = threads.start(self._run, name="heartbeat")

    def end(self) -> None:
        """Renew no more."""
        self._stop.set()

    def _renewed(self, sent: float) -> None:
        self._until = sent + (self.length - MARGIN).total_seconds()

    def _run(self) -> None:
        outage = Outage("send a heartbeat")
        pause = 0.0  # the first one tells at once who the peers are
        while not self._stop.wait(pause):
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

    def _beat(self) -> bool:
        sent, wall = clock.monotonic(), clock.now()
        pulse = self.backend.heartbeat(self.worker_id, lease=self.length)
        if self._stop.is_set():
            return False
        if pulse is None:
            self._until = 0.0
            self.on_lost()
            return False
        self._renewed(sent)
        trip = clock.now() - wall
        self.offset = pulse.now - (wall + trip / 2)
        self.on_pulse(pulse, sent)
        return True
