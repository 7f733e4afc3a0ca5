"""What any worker does for all: bury the dead, return their work, wake what is due.

Death needs two witnesses. The database must say that the lease is over, and the
reaper must have seen the same heartbeat, unchanged, for nearly a lease on its own
clock, without missing a heartbeat of its own in between: after an outage nobody has
sent one, and nobody is dead for it.
"""

import heapq
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

import attrs

from . import clock, threads
from .backend import Backend, Peer, Pulse, Recovery
from .errors import BackendUnavailable
from .exchange import SOON
from .model import Status
from .outage import GivenUp, Outage

log = logging.getLogger("perdure")

BATCH = 500
BACKOFF = timedelta(seconds=1)
GRAIN = 0.001
"""Seconds in which the clock of a database may stand still; SQLite's counts milliseconds."""
QUIET = 0.01
"""Seconds between two wakes, so that many due times that are close share one."""

NEVER = float("inf")


def _after(seconds: float) -> float:
    """When so many seconds have surely passed, on the monotonic clock."""
    return clock.monotonic() + max(0.0, seconds) + GRAIN


@attrs.define
class Witness:
    """Since when, on this process's own clock, each peer's heartbeat has not changed."""

    worker_id: str
    lease: timedelta
    heartbeat: timedelta
    _looked: float | None = None
    """When it looked last, on its own clock."""
    _seen: dict[str, tuple[Peer, float, float]] = attrs.field(
        factory=dict[str, tuple[Peer, float, float]]
    )

    def observe(self, pulse: Pulse, at: float) -> None:
        """Take in what a heartbeat's answer, asked for at `at`, says of the peers."""
        if not self._current(at):
            self.forget()
        self._looked = at
        seen: dict[str, tuple[Peer, float, float]] = {}
        for peer in pulse.peers:
            if peer.worker_id == self.worker_id:
                continue
            before = self._seen.get(peer.worker_id)
            since = before[1] if before and before[0].beat == peer.beat else at
            over = at + (peer.lease_until - pulse.now).total_seconds()
            seen[peer.worker_id] = peer, since, over
        self._seen = seen

    def forget(self) -> None:
        """A heartbeat of its own was missed: what was seen before counts no more."""
        self._seen = {}

    def postpone(self, peer: Peer, at: float) -> None:
        """It is being dealt with; look again after a heartbeat."""
        _, since, over = self._seen[peer.worker_id]
        self._seen[peer.worker_id] = (
            peer,
            since,
            max(over, at + self.heartbeat.total_seconds()),
        )

    def dead(self, at: float) -> list[Peer]:
        """The peers that may be declared dead at that time.

        Nobody, unless its own heartbeat is up to date: the first one after an outage
        would condemn all who could not send theirs.
        """
        if not self._current(at):
            return []
        return [peer for peer, since, over in self._seen.values() if at >= self._due(since, over)]

    def next_due(self, at: float) -> float | None:
        """When the next of the peers could be dead, seen from then, if it sends nothing more."""
        if not self._current(at):
            return None
        return min((self._due(since, over) for _, since, over in self._seen.values()), default=None)

    def _current(self, at: float) -> bool:
        """Whether no heartbeat of its own is missing at that time."""
        longest = 1.5 * self.heartbeat.total_seconds()
        return self._looked is not None and at - self._looked <= longest

    def _due(self, since: float, over: float) -> float:
        return max(over, since + (self.lease - self.heartbeat).total_seconds())


@attrs.define(eq=False)
class Chores:
    """The thread that reaps and wakes when there is something to do, and only then."""

    backend: Backend
    witness: Witness
    max_strikes: int
    on_work: Callable[[], None]
    """Something was put back into the queue."""
    requests: Callable[[], None]
    """Reads which workflows of this worker are asked to cancel."""
    on_told: Callable[[], None]
    """Wake-ups were applied."""
    hurry: Callable[[], None]
    """Asks for a pulse, for what is due next."""
    _listening: bool = attrs.field(default=False, init=False)
    """There may be requests that nobody has read."""
    _orphans: bool = attrs.field(default=False, init=False)
    _dues: list[float] = attrs.field(factory=list[float], init=False)
    """When to wake, a heap: what this process expects."""
    _told: float = attrs.field(default=NEVER, init=False)
    """The earliest that the last pulse told."""
    _changed: threading.Condition = attrs.field(factory=threading.Condition, init=False, repr=False)
    _stop: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)

    def begin(self) -> None:
        """Start the thread."""
        threads.start(self._run, name="chores")

    def end(self) -> None:
        """Stop after what is under way."""
        self._stop.set()
        with self._changed:
            self._changed.notify()

    def pulse(self, pulse: Pulse, at: float) -> None:
        """Take in a heartbeat's answer."""
        with self._changed:
            self.witness.observe(pulse, at)
            self._orphans = pulse.orphans
            self._listening = True
            if pulse.outbox:
                self._due_in(0.0)
            self._told = NEVER
            if pulse.next_due is not None:
                self._told = _after((pulse.next_due - pulse.now).total_seconds())
            self._changed.notify()

    def missed(self) -> None:
        """A heartbeat found no database."""
        with self._changed:
            self.witness.forget()

    def expect(self, delay: timedelta) -> None:
        """A workflow of this process is due in `delay`."""
        if delay < SOON:
            with self._changed:
                self._due_in(delay.total_seconds())
                self._changed.notify()

    def listen(self) -> None:
        """Something may be asked of workflows that run here."""
        with self._changed:
            self._listening = True
            self._changed.notify()

    def _due_in(self, seconds: float) -> None:
        heapq.heappush(self._dues, _after(seconds))

    def _run(self) -> None:
        outage = Outage("wake workflows")
        while not self._stop.is_set():
            dead, orphans, due, listening = self._next()
            try:
                if dead or orphans:
                    self._reap(dead)
                if listening:
                    self.requests()
                if due:
                    outage.ride_out(self._wake, self._stop)
                    self._stop.wait(QUIET)
            except GivenUp:
                return
            except BackendUnavailable:
                self.missed()  # a verdict is not carried over an outage
            except Exception:  # the next pulse tries again; the thread must live
                log.exception("worker %s: a chore failed", self.witness.worker_id)

    def _next(self) -> tuple[list[Peer], bool, bool, bool]:
        """Wait until there is something to do."""
        with self._changed:
            while not self._stop.is_set():
                now = clock.monotonic()
                dead, orphans = self.witness.dead(now), self._orphans
                due = self._due(now)
                listening = self._listening
                if dead or orphans or due or listening:
                    self._orphans = self._listening = False
                    for peer in dead:
                        self.witness.postpone(peer, now)
                    return dead, orphans, due, listening
                self._changed.wait(self._left(now))
        return [], False, False, False

    def _due(self, now: float) -> bool:
        """Whether it is time to wake; one call is for all that is due."""
        due = self._told <= now
        if due:
            self._told = NEVER
        while self._dues and self._dues[0] <= now:
            heapq.heappop(self._dues)
            due = True
        return due

    def _left(self, now: float) -> float:
        """Seconds until there may be something to do; threads cannot wait for centuries."""
        death = self.witness.next_due(now)
        first = min(self._told, *self._dues[:1], NEVER if death is None else death)
        return min(max(0.001, first - now), SOON.total_seconds())

    def _reap(self, dead: Sequence[Peer]) -> None:
        while True:
            reaped = self.backend.reap(
                dead,
                margin=self.backend.capabilities.clock_skew,
                recovery=Recovery(max_strikes=self.max_strikes, backoff=BACKOFF),
                limit=BATCH,
            )
            for worker in reaped.workers:
                log.warning("worker %s is dead: its workflows go back to the queue", worker)
            for workflow, status in reaped.workflows.items():
                if status is Status.PARKED:
                    log.error(
                        "%s is parked: its worker died each time it ran; perdure resume %s",
                        workflow,
                        workflow,
                    )
            if reaped.workflows:
                log.info("recovered %d workflows", len(reaped.workflows))
                self.on_work()
            if any(status is Status.DELAYED for status in reaped.workflows.values()):
                self.expect(BACKOFF)
            if len(reaped.workflows) < BATCH:
                return

    def _wake(self) -> None:
        woken = BATCH
        while woken == BATCH:
            woken = self.backend.wake(limit=BATCH)
            if woken:
                self.on_work()
                self.on_told()
                self.hurry()
