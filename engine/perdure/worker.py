"""A worker: takes workflows from the database and runs them, in this process."""

import gc
import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType

import attrs

from . import threads
from .attempt import Attempt
from .connection import Connection
from .definition import WorkflowDefinition
from .errors import ConfigurationError, UsageError
from .loop import EventLoop
from .membership import Membership, Settings
from .outage import GivenUp, Outage
from .resource import aclose_all, close_all
from .scope import Scope
from .threads import Pool

log = logging.getLogger("perdure")

CLOSING_RESOURCES = 5.0
"""Seconds that resources get to close."""


@attrs.define(eq=False)
class Worker(Scope):
    """Runs workflows: in the background of a `with`, or with `run()` until a signal.

    Made by `engine.worker()`. It holds up to eight connections, however many workflows
    run: claims, heartbeat, journal and chores, each with a thread; where workflows wait
    or send, one to look and one to carry; where the database tells news, one to tell and
    one to hear. Beside them there are an event loop for async
    code and a pool of threads for sync code.
    """

    _connection: Callable[[], Connection]
    _serving: Callable[[], Sequence[WorkflowDefinition]]
    _settings: Settings
    _on_ended: Callable[[Sequence[Attempt]], None]
    _on_start: Callable[["Worker"], None]
    _on_stop: Callable[["Worker"], None]
    _membership: Membership | None = attrs.field(default=None, init=False)
    _events: EventLoop = attrs.field(init=False)
    _pool: Pool = attrs.field(init=False)
    _stopped: threading.Event = attrs.field(factory=threading.Event, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def run(self) -> None:
        """Work until SIGTERM or SIGINT, then drain; a second signal ends the process at once.

        Raises:
            BackendUnavailable: there is no database to begin with.
            ConfigurationError: no workflow is known.
        """
        if not self._serving():
            raise ConfigurationError(
                "this worker would serve nothing: no @perdure.workflow has been imported"
            )
        asked = threading.Event()

        def stop(number: int, _: FrameType | None) -> None:
            if asked.is_set():
                log.warning("a second signal: unfinished steps will run again elsewhere")
                os._exit(128 + number)
            asked.set()

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            with self:
                _settle_down()
                while not asked.wait(1.0):  # a wait without end would not see the signal
                    pass
                log.info("draining; a second signal ends the process at once")
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @property
    def id(self) -> str | None:
        """The id under which it is known now; a new one after a lost lease."""
        return self._membership.id if self._membership else None

    def __repr__(self) -> str:
        state = f"as {self.id}" if self._membership else "stopped"
        return f"<worker {state}, {self._settings.concurrency} at once>"

    def _enter(self) -> None:
        """Start to work, as `with` does.

        Raises:
            BackendUnavailable: there is no database to begin with.
            UsageError: it works already.
        """
        if self._membership is not None:
            raise UsageError("this worker runs already")
        self._stopped.clear()
        self._events = EventLoop()
        self._events.begin()
        self._pool = Pool(self._settings.threads, "steps")
        try:
            with self._lock:  # else one that dies as soon as it has joined is missed by nobody
                membership = self._new_membership()
                membership.join()
                self._membership = membership
        except BaseException:
            self._events.end()
            raise
        self._on_start(self)

    def _new_membership(self) -> Membership:
        connection = self._connection()
        return Membership(
            connection.backend,
            connection.bell,
            self._settings,
            self._serving,
            self._on_ended,
            self._lost,
            self._events,
            self._pool,
        )

    def _lost(self, membership: Membership) -> None:
        threads.start(lambda: self._rejoin(membership), name="rejoin")

    def _rejoin(self, lost: Membership) -> None:
        """Drop everything and come back under a new id."""
        with self._lock:
            lost.abandon()
            if self._stopped.is_set() or self._membership is not lost:
                return
            fresh = self._new_membership()
            try:
                Outage("join again").ride_out(fresh.join, self._stopped)
            except GivenUp:
                return
            self._membership = fresh

    def _leave(self) -> None:
        """Drain: finish what is under way, release the rest, leave."""
        self._stopped.set()
        with self._lock:
            membership = self._membership
            if membership is None:
                return
            membership.stop()
            self._membership = None
        self._on_stop(self)
        try:
            membership.drain()
        finally:
            self._close()

    def _close(self) -> None:
        self._pool.close()
        try:
            self._events.run(aclose_all(), CLOSING_RESOURCES)
        except TimeoutError:
            log.error("async resources did not close within %.0f s", CLOSING_RESOURCES)  # noqa: TRY400 (the stack is ours)
        close_all()
        self._events.end()


YOUNG = 20_000
"""How many objects a worker makes, beyond those it frees, between two collections."""


def _settle_down() -> None:
    """What the process has imported stays: the collector need not look through it ever again.

    A full collection walks all objects there are, and the fewer of them belong to
    workflows, the less it is worth: it took a fifth of a busy worker's time. Those of
    the workflows that run at once free themselves, so that looking through them every
    700 objects, as the interpreter does by itself, takes an eighth for nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
