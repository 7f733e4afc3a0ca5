"""One worker's membership in the fleet: from joining to leaving, or until its lease is lost."""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import attrs

from . import clock, ids
from .attempt import Attempt
from .backend import Backend, Committed, Pulse, WorkerInfo
from .bell import Bell
from .claimer import Claimer
from .courier import Courier
from .definition import WorkflowDefinition
from .errors import BackendUnavailable
from .executor import Executor
from .journal import Journal
from .lease import Lease
from .lookout import Lookout
from .loop import EventLoop
from .model import Status
from .recovery import Chores, Witness
from .threads import Pool
from .wakeups import News

log = logging.getLogger("perdure")


@attrs.frozen(kw_only=True)
class Settings:
    """How a worker works."""

    lease: timedelta
    heartbeat: timedelta
    max_recoveries: int
    concurrency: int
    threads: int
    queues: Sequence[str] | None
    grace: timedelta = attrs.field(converter=clock.bounded)
    linger: timedelta = attrs.field(converter=clock.bounded)
    desk: object
    """What the handles of workflows started by workflows ask."""
    code_version: str | None = None


@attrs.define(eq=False)
class Membership:
    """The threads that work under one worker id."""

    backend: Backend
    bell: Bell
    settings: Settings
    serving: Callable[[], Sequence[WorkflowDefinition]]
    on_ended: Callable[[Sequence[Attempt]], None]
    """Told of attempts whose end is durable."""
    on_lost: Callable[["Membership"], None]
    """Told once when the database says that this worker is dead."""
    events: EventLoop
    pool: Pool
    id: str = attrs.field(factory=ids.worker_id)
    executor: Executor = attrs.field(init=False)
    _lease: Lease = attrs.field(init=False)
    _journal: Journal = attrs.field(init=False)
    _chores: Chores = attrs.field(init=False)
    _claimer: Claimer = attrs.field(init=False)
    _courier: Courier = attrs.field(init=False)
    _lookout: Lookout = attrs.field(init=False)
    _announced: frozenset[str] = attrs.field(factory=frozenset[str], init=False)
    _peers: frozenset[str] = attrs.field(factory=frozenset[str], init=False)
    _lost: bool = attrs.field(default=False, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def join(self) -> None:
        """Make the worker known and start its threads.

        Raises:
            BackendUnavailable: there is no database; nothing was started.
        """
        sent = clock.monotonic()
        self._announce()
        self._assemble()
        self._lease.begin(sent)
        self._chores.begin()
        self._claimer.begin()
        log.info("worker %s joined", self.id)

    def stop(self) -> None:
        """Let no body begin from here on, whatever a claim under way still brings."""
        self.executor.draining = True

    def drain(self) -> None:
        """Stop claiming, finish what is under way, release the rest, and leave."""
        grace = self.settings.grace.total_seconds()
        end = clock.monotonic() + grace
        self._claimer.end(grace)
        self.executor.drain()
        if not self.executor.idle(max(0.0, end - clock.monotonic())):
            log.warning(
                "the grace of %s is over: unfinished steps will run again",
                self.settings.grace,
            )
            self.executor.release()
        self._leave(journal_patience=max(2.0, end - clock.monotonic()))

    def abandon(self) -> None:
        """The worker is dead: stop everything at once, write nothing."""
        self.stop()
        self._journal.give_up()
        self._lease.end()
        self._end_chores()
        self._claimer.end(0.0)
        self.executor.abandon()

    def _assemble(self) -> None:
        settings = self.settings
        self._lease = Lease(
            self.backend,
            self.id,
            settings.lease,
            settings.heartbeat,
            on_pulse=self._pulse,
            on_missed=lambda: self._chores.missed(),  # noqa: PLW0108 (made after the lease)
            on_lost=self._lose,
        )
        self.executor = Executor(
            settings.concurrency,
            settings.threads,
            self._lease,
            self.events,
            self.pool,
            lambda suspect: self._claimer.room(suspect=suspect),
            settings.linger.total_seconds(),
            settings.desk,
        )
        self._courier = Courier(self.backend, self._told, self._enqueued, self._asked)
        self._lookout = Lookout(self.backend, self.bell)
        self._journal = Journal(self.backend, self.id, self._through, self._lose, self._written)
        self.executor.recorder, self.executor.courier = self._journal, self._courier
        self.executor.lookout = self._lookout
        self._claimer = Claimer(
            self.backend,
            self.id,
            self.executor,
            self.serving,
            self._announce,
            self.bell,
            self._expect,
            settings.queues,
        )
        self._chores = Chores(
            self.backend,
            Witness(self.id, settings.lease, settings.heartbeat),
            settings.max_recoveries,
            self._returned,
            self._hear_requests,
            self._stirred,
            self._lease.hurry,
        )
        self.bell.on(News.ASKED, call=self._chores.listen)
        self.bell.on(News.DELAYED, call=self._lease.hurry, vague=False)

    def _announce(self) -> None:
        """Tell the database what this worker serves, if that is news."""
        definitions = self.serving()
        names = frozenset(definition.name for definition in definitions)
        if names == self._announced and self._announced:
            return
        own = [definition.queue for definition in definitions]
        worker = WorkerInfo(
            id=self.id,
            host=socket.gethostname(),
            pid=os.getpid(),
            code_version=self.settings.code_version,
            names=sorted(names),
            queues=list(self.settings.queues or dict.fromkeys([*own, "default"])),
        )
        if not self.backend.join(worker, lease=self.settings.lease):
            self._lose()
        self._announced = names

    def _pulse(self, pulse: Pulse, at: float) -> None:
        self.events.watch()
        self._chores.pulse(pulse, at)
        peers = frozenset(peer.worker_id for peer in pulse.peers)
        if self._peers - peers:
            # Whoever returned its work to the queue may have died before it told anybody.
            self._claimer.recovered()
        self._peers = peers

    def _expect(self, deadline: datetime) -> None:
        """A workflow that runs here is to be cancelled then."""
        self._chores.expect(self._lease.until(deadline))

    def _returned(self) -> None:
        """Work came back to the queue: for this worker, and for the others."""
        self._claimer.recovered()
        self.bell.ring(News.ENQUEUED)

    def _enqueued(self) -> None:
        """Workflows were woken: for this worker, and for the others."""
        self.bell.ring(News.ENQUEUED)

    def _told(self) -> None:
        """Something may have come for workflows that run here or elsewhere."""
        self.bell.ring(News.SENT)

    def _stirred(self) -> None:
        """Wake-ups were applied, and what has passed its deadline is asked to cancel."""
        self._told()
        self._asked()

    def _asked(self) -> None:
        """Workflows, here or elsewhere, are asked to cancel."""
        self.bell.ring(News.ASKED)

    def _written(self, answer: Committed, items: bool) -> None:  # noqa: FBT001 (a callback's)
        if answer.wakeups:
            self._courier.apply()
        elif items:
            self._told()
        if Status.ENQUEUED in answer.transitions:
            self._enqueued()

    def _hear_requests(self) -> None:
        """Tell workflows that run here that they are asked to cancel."""
        if not self.executor.known():
            return
        requests = self.backend.requests(self.id)
        for attempt in self.executor.attempts(requests):
            attempt.ask_to_cancel(requests[attempt.id])

    def _through(self, attempts: Sequence[Attempt]) -> None:
        self.executor.forget(attempts)
        for until in {attempt.until for attempt in attempts if attempt.until}:
            self._chores.expect(self._lease.until(until))
        self.on_ended(attempts)

    def _lose(self) -> None:
        with self._lock:
            first, self._lost = not self._lost, True
        if first:
            log.error(
                "worker %s lost its lease: its workflows go on elsewhere, what runs here is dropped",
                self.id,
            )
            self.on_lost(self)

    def _end_chores(self) -> None:
        """Do nothing more for others, and look and listen for nothing."""
        self._chores.end()
        self._lookout.end()
        self._courier.end()
        self.bell.off(self._chores.listen)
        self.bell.off(self._lease.hurry)

    def _leave(self, journal_patience: float) -> None:
        self._end_chores()
        if not self._journal.close(journal_patience):
            self._journal.give_up()
        with contextlib.suppress(BackendUnavailable):
            # What a claim without an answer left behind; else its lease would have to run out.
            self.backend.reconcile(self.id, [])
            self.backend.leave(self.id)
        self.bell.ring(News.ENQUEUED)
        self._lease.end()
        log.info("worker %s left", self.id)
