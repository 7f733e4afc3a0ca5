"""The rest of a running workflow: what of it moves, and leaving memory when nothing does."""

import asyncio
import threading
import weakref
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import attrs

from . import clock
from .cancellation import Cancellation
from .host import Host
from .vigil import Vigil

TURNS = 10
"""Turns of the event loop in which nothing moves before a workflow leaves memory."""


class Resting(Protocol):
    """What rests: a run of a workflow."""

    strike: Callable[[], None]

    @property
    def host(self) -> Host[Any]: ...
    @property
    def ended(self) -> bool: ...
    @property
    def seen(self) -> int: ...
    @property
    def bodies(self) -> Collection[object]: ...
    @property
    def tasks(self) -> "Collection[asyncio.Task[Any]]": ...
    @property
    def cancellation(self) -> Cancellation: ...

    def suspend(self, vigils: Sequence[Vigil], seen: int) -> None:
        """Leave memory until one of these is over."""


@attrs.define(eq=False)
class Rest:
    """The lines of execution of one run, as far as they move or wait durably."""

    of: "weakref.ref[Resting]"
    """Weakly: each other's, the two would stay in memory until the collector looks for them."""
    active: int = 1
    """How many lines do anything but wait durably, or for others that do."""
    moves: int = 0
    """Grows whenever a line of an async workflow begins, ends, waits, or goes on."""
    _vigils: dict[Vigil, None] = attrs.field(factory=dict[Vigil, None], init=False)
    """In the order in which they began."""
    _nudges: set[threading.Event] = attrs.field(factory=set[threading.Event], init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def enter(self, vigil: Vigil) -> None:
        """It is in this durable wait."""
        with self._lock:
            self._vigils[vigil] = None
        if (run := self.of()) is not None:
            run.cancellation.unwinding = False

    def leave(self, vigil: Vigil) -> None:
        """It is no longer."""
        with self._lock:
            self._vigils.pop(vigil, None)

    def awaited(self) -> list[Vigil]:
        """The waits for anything but a time that are not over, the oldest first."""
        with self._lock:
            return [vigil for vigil in self._vigils if not (vigil.over or vigil.timer)]

    def nudged(self, event: threading.Event) -> None:
        """Set the event when the waits are disturbed."""
        with self._lock:
            self._nudges.add(event)

    def disturb(self) -> None:
        """End all waits, with nothing, for the code to find out why."""
        with self._lock:
            vigils, nudges = list(self._vigils), list(self._nudges)
        for vigil in vigils:
            vigil.end()
        for nudge in nudges:
            nudge.set()

    def shift(self, by: int) -> None:
        """A line of execution of a sync workflow begins (+1) or stops (-1) to do something."""
        with self._lock:
            self.active += by
        self.look()

    def look(self) -> None:
        """Leave memory, if nothing runs but durable waits that need not stay in it.

        Of an async workflow only its loop may call it. What has just been woken there
        gets its turn first: from the end of a task to who waits for it, through groups
        of futures, there are some turns.
        """
        run = self.of()
        if run is None or self.active or run.ended:
            return
        if run.tasks:
            self._look_after(TURNS, self.moves)
        else:
            self._look()

    def _look_after(self, turns: int, moves: int) -> None:
        """The same after so many turns of the loop in which no line has moved."""
        run = self.of()
        if run is None or moves != self.moves:
            return
        if turns:
            run.host.loop.call_soon(self._look_after, turns - 1, moves)
        else:
            self._look()

    def _look(self) -> None:
        run = self.of()
        if run is None or self.active or run.ended or run.bodies:
            return
        cancellation = run.cancellation
        if cancellation.unwinding:
            return
        seen = run.seen  # before the look at the waits: what is counted here has ended them
        with self._lock:
            vigils = list(self._vigils)
        if cancellation.pending:
            run.strike()
        elif vigils and not any(vigil.over for vigil in vigils):
            host = run.host
            now, linger, crowded = host.now(), host.linger, host.crowded()
            stay = max(vigil.leaves_at(now, linger, crowded=crowded) for vigil in vigils)
            if clock.monotonic() >= stay:
                run.suspend(vigils, seen)
