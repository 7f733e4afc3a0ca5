"""Taking work: claim what there is room for, ahead of need; poll when there is none.

Claims and reconciling share this thread, so that no claim is in flight when the
worker compares what the table gives it with what it knows.
"""

import itertools
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import attrs

from . import clock, threads
from .backend import Backend, Claimed, Lane
from .bell import Bell
from .definition import WorkflowDefinition
from .errors import BackendUnavailable, OutcomeUnknown
from .executor import Executor
from .outage import GivenUp, Outage
from .wakeups import News

log = logging.getLogger("perdure")

SHORTEST_POLL = 0.02
LONGEST_POLL = 1.0
LONGEST_HEARING = 5.0
"""Where news of work are proven to come through, polls are for what was lost."""
TURN = 16
"""How many lanes one claim asks for."""
SUSPECTS_EVERY = 10.0
"""Seconds between asking in vain for suspects that other workers recovered."""
RECONCILE_EVERY = 30.0


@attrs.define
class Pauses:
    """How long to wait after a round that left nothing behind, in seconds."""

    _last: float = 0.0
    _expecting: bool = False
    """Work may appear without news: somebody's transaction held some."""
    _soon: bool = False
    """Something was found, and peers who claimed beside may have held more."""

    def begin(self) -> None:
        """Something was found: the next pauses are short."""
        self._last, self._soon = 0.0, True

    def expect(self) -> None:
        """There will be work soon, and nobody will tell: the next pauses are short."""
        self._last, self._expecting = 0.0, True

    def next(self, *, hears: bool) -> float:
        """The next one; where news are heard, polls are for what was lost."""
        longest = LONGEST_HEARING if hears else LONGEST_POLL
        grown = min(max(SHORTEST_POLL, self._last * 1.5), longest)
        self._last = longest if hears and not (self._expecting or self._soon) else grown
        self._expecting &= grown < longest
        self._soon = False
        return self._last


@attrs.define(eq=False)
class Claimer:
    """The thread that takes work for one worker."""

    backend: Backend
    worker_id: str
    executor: Executor
    serving: Callable[[], Sequence[WorkflowDefinition]]
    announce: Callable[[], None]
    """Tell the database what is served now, if that has changed."""
    bell: Bell
    on_deadline: Callable[[datetime], None]
    """Told when a workflow that begins here will have to end."""
    queues: Sequence[str] | None = None
    """The queues to serve; None: each workflow's own, and the default one."""
    _nudged: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)
    _stop: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)
    _thread: threading.Thread | None = attrs.field(default=None, init=False, repr=False)
    _turn: int = attrs.field(default=0, init=False)
    _full: bool = attrs.field(default=False, init=False)
    """The last round asked for less than there may be, for want of room."""
    _pauses: Pauses = attrs.field(factory=Pauses, init=False)
    _suspects_at: float = attrs.field(default=0.0, init=False)
    _reconcile_at: float = attrs.field(
        factory=lambda: clock.monotonic() + RECONCILE_EVERY, init=False
    )

    def begin(self) -> None:
        """Start the thread."""
        self.bell.on(News.ENQUEUED, call=self.nudge)
        self.bell.on(News.COMING, call=self.expect)
        self._thread = threads.start(self._run, name="claimer")

    def nudge(self) -> None:
        """There may be work now."""
        self._nudged.set()

    def expect(self) -> None:
        """There will be work soon: look for it now, and then less and less often."""
        self._pauses.expect()
        self._nudged.set()

    def room(self, *, suspect: bool) -> None:
        """Workflows are through: claim again, if the last round had to leave something."""
        if suspect:
            self.recovered()
        elif self._full:
            self._nudged.set()

    def recovered(self) -> None:
        """Work was put back into the queue, perhaps of the suspicious kind."""
        self._suspects_at = 0.0
        self._nudged.set()

    def end(self, patience: float) -> None:
        """Claim no more; wait for a claim under way."""
        self.bell.off(self.nudge)
        self.bell.off(self.expect)
        self._stop.set()
        self._nudged.set()
        if self._thread is not None:
            self._thread.join(patience)

    def _run(self) -> None:
        outage = Outage("claim work")
        pause = 0.0
        while not self._stop.is_set():
            self.executor.wait_for_room(SHORTEST_POLL)
            self._nudged.clear()
            try:
                pause = 0.0 if self._round() else self._next_pause()
                outage.over()
            except GivenUp:
                return
            except BackendUnavailable as error:
                if isinstance(error, OutcomeUnknown):
                    self._reconcile_at = 0.0
                pause = outage.failed(error)
            except Exception:  # the next round tries again; the thread must live
                log.exception("worker %s: claiming failed", self.worker_id)
                pause = LONGEST_POLL
            self._nudged.wait(pause)

    def _next_pause(self) -> float:
        return self._pauses.next(hears=self.bell.proven and self.executor.lease.held())

    def _round(self) -> bool:
        """Ask once for everything there is room for; whether there may be more."""
        if not self.executor.lease.held():
            return False
        if clock.monotonic() >= self._reconcile_at:
            self._reconcile()
        self.announce()
        more = False
        for turn in self._turns():
            more |= self._claim(turn)
        return self._claim_suspect() or more

    def _reconcile(self) -> None:
        released = self.backend.reconcile(self.worker_id, self.executor.known())
        self._reconcile_at = clock.monotonic() + RECONCILE_EVERY
        if released:
            log.warning("released %d workflows whose claim was never answered", len(released))

    def _turns(self) -> Iterator[Sequence[tuple[Lane, bool]]]:
        """All lanes, each with its colour, in groups; another group comes first each time."""
        lanes = [
            (Lane(queue, definition.name), definition.is_async)
            for definition in self.serving()
            for queue in (self.queues or dict.fromkeys((definition.queue, "default")))
        ]
        groups = [lanes[i : i + TURN] for i in range(0, len(lanes), TURN)]
        self._turn += 1
        start = self._turn % len(groups) if groups else 0
        return itertools.chain(groups[start:], groups[:start])

    def _claim(self, turn: Sequence[tuple[Lane, bool]]) -> bool:
        """Ask for the lanes of a turn that there is room for; whether there may be more."""
        rooms = {colour: self.executor.room(is_async=colour) for _, colour in turn}
        lanes = [lane for lane, colour in turn if rooms[colour]]
        self._full = len(lanes) < len(turn)
        if not lanes or self._stop.is_set():
            return False
        most = min(room for room in rooms.values() if room)
        limit = min(most, self.backend.capabilities.max_batch)
        claimed = self.backend.claim(self.worker_id, lanes, limit=limit)
        self._begin(claimed)
        return len(claimed) == limit

    def _claim_suspect(self) -> bool:
        """Take one workflow that may have killed its workers, if none such runs here."""
        now = clock.monotonic()
        if now < self._suspects_at or self.executor.has_suspect():
            return False
        self._suspects_at = now + SUSPECTS_EVERY
        for turn in self._turns():
            lanes = [lane for lane, _ in turn]
            claimed = self.backend.claim(self.worker_id, lanes, limit=1, suspects=True)
            if claimed:
                self._begin(claimed, suspect=True)
                return True
        return False

    def _begin(self, claimed: Sequence[Claimed], *, suspect: bool = False) -> None:
        if not claimed:
            return
        self._pauses.begin()
        known = {definition.name: definition for definition in self.serving()}
        replayed = [claim.id for claim in claimed if claim.epoch > 1]
        histories = {}
        if replayed:
            read = Outage("read histories").ride_out(
                lambda: self.backend.history(replayed), self._stop
            )
            histories = {history.workflow_id: history for history in read}
        work = [(claim, known[claim.name]) for claim in claimed if claim.name in known]
        self.executor.begin(work, histories, suspect=suspect)
        for deadline in {claim.deadline for claim in claimed if claim.deadline}:
            self.on_deadline(deadline)
