"""Polling for all who wait in one process: one thread, one batched look, while anybody waits.

Whoever comes is looked for at once and alone. All are looked for when news come in, and
now and then without: soon after somebody came or has got something, then ever more seldom.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Generic, TypeVar

import attrs

from . import clock, threads
from .bell import Bell
from .outage import GivenUp, Outage
from .wakeups import News

T = TypeVar("T")

SHORTEST = 0.02
LONGEST = 1.0


@attrs.define(eq=False, kw_only=True)
class Poll(Generic[T]):
    """Those who wait, and the thread that looks for what they wait for."""

    name: str
    """The thread's."""
    doing: str
    """What cannot be done while the database is away, for the log."""
    bell: Bell
    look: Callable[[Sequence[T]], bool]
    """Looks for these; whether anything has come for any of them."""
    over: Callable[[T], bool]
    """Whether one waits no more."""
    failed: Callable[[Sequence[T], Exception], None]
    """Told for whom a look has failed, and not because the database was away."""
    dismiss: Callable[[T], None] = lambda _: None
    """Told of each who still waits when it is closed."""
    longest: Callable[[Collection[T]], float] = lambda _: LONGEST
    """Seconds after which all of these must have been looked for again."""
    _waiting: dict[T, None] = attrs.field(factory=dict[T, None], init=False)
    _asking: dict[T, None] = attrs.field(factory=dict[T, None], init=False)
    """Who has come, or come back, since the last look."""
    _heard: bool = attrs.field(default=False, init=False)
    _everybody: bool = attrs.field(default=False, init=False)
    """Whether this look is for all who wait."""
    _again_at: float = attrs.field(default=0.0, init=False)
    _pause: float = attrs.field(factory=lambda: SHORTEST, init=False)
    _listening: bool = attrs.field(default=False, init=False)
    _thread: threading.Thread | None = attrs.field(default=None, init=False, repr=False)
    _changed: threading.Condition = attrs.field(factory=threading.Condition, init=False, repr=False)
    _stop: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)

    def ask(self, one: T) -> None:
        """Look for this one now, and with the others until it waits no more."""
        with self._changed:
            closed = self._stop.is_set()
            if not closed:
                self._waiting[one] = self._asking[one] = None
                self._pause = SHORTEST
                self._again_at = min(self._again_at, clock.monotonic() + SHORTEST)
                self._changed.notify()
                self._begin()
        if closed:
            self.dismiss(one)

    def _begin(self) -> None:
        if not self._listening:
            self._listening = True
            self.bell.on(News.SENT, News.ENDED, call=self.nudge)
        if self._thread is None:
            self._thread = threads.start(self._run, name=self.name)

    def nudge(self) -> None:
        """Something may have come."""
        with self._changed:
            if self._waiting:
                self._heard = True
                self._changed.notify()

    def close(self, patience: float = 0.0) -> None:
        """Look no more; a look under way gets so many seconds to come back."""
        self.bell.off(self.nudge)
        with self._changed:
            self._stop.set()
            left, thread = self._waiting, self._thread
            self._waiting, self._asking = {}, {}
            self._changed.notify()
        for one in left:
            self.dismiss(one)
        if patience and thread is not None:
            thread.join(patience)

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        outage = Outage(self.doing)
        while turn := self._next():
            try:
                found = outage.ride_out(partial(self.look, turn), self._stop)
            except GivenUp:
                break
            except Exception as error:  # noqa: BLE001 (whoever waits is told)
                self.failed(turn, error)
                found = False
            self._pace(turn, found=found)

    def _next(self) -> list[T]:
        """For whom to look now; for nobody at the end, or when nobody has waited for long."""
        with self._changed:
            while not (turn := self._turn()) and not self._stop.is_set():
                if self._waiting:
                    self._changed.wait(self._again_at - clock.monotonic())
                    continue
                self._changed.wait(LONGEST)
                if not self._waiting:
                    self._thread = None
                    break
            return turn

    def _turn(self) -> list[T]:
        """Who has come, or all if there were news or it is time; those who are through are dropped."""
        self._everybody = self._heard or clock.monotonic() >= self._again_at
        wanted = self._waiting if self._everybody else self._asking
        turn = [one for one in wanted if not self.over(one)]
        if self._everybody:
            self._waiting = dict.fromkeys(turn)
        self._heard, self._asking = False, {}
        return turn

    def _pace(self, turn: Sequence[T], *, found: bool) -> None:
        """Say when to look for all again."""
        with self._changed:
            if self._everybody:
                self._pause = SHORTEST if found else min(self._pause * 1.5, LONGEST)
                self._again_at = clock.monotonic() + min(self._pause, self.longest(turn))
