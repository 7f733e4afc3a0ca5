"""The bell: rung after a commit, heard by who waits for work or for an end.

In this process it is heard at once. To the others at most one ring goes out per kind of
news, process and `QUIET` seconds: the first at once, if that takes no waiting, and all else
by a thread of its own, so that nobody who writes waits for it.
A bell that hears what is rung at another end is proven; until then, or where something
between here and the database swallows the rings, everybody polls as if there were none.
"""

import contextlib
import logging
import threading
from collections.abc import Callable

import attrs

from . import clock, threads
from .errors import BackendUnavailable
from .outage import GivenUp, Outage
from .wakeups import News, Wakeups

log = logging.getLogger("perdure")

QUIET = 0.01
"""Seconds between two rings."""
DEAF_AFTER = 5.0
"""Seconds in which the first ring should be heard."""


@attrs.define(eq=False)
class Bell:
    """One process's end of the wire; without wakeups of the database only this process hears."""

    open: Callable[[], Wakeups | None]
    """Another end of the wire at each call."""
    proven: bool = attrs.field(default=False, init=False)
    """Whether news have come through since the connection was made."""
    _wakeups: Wakeups | None = attrs.field(init=False, repr=False)
    _heard: list[tuple[frozenset[News], Callable[[], None]]] = attrs.field(
        factory=list[tuple[frozenset[News], Callable[[], None]]], init=False, repr=False
    )
    _to_tell: set[News] = attrs.field(factory=set[News], init=False)
    _rung: threading.Condition = attrs.field(factory=threading.Condition, init=False, repr=False)
    _quiet_until: float = attrs.field(default=0.0, init=False)
    """When the next ring may go out."""
    _ringing: bool = attrs.field(default=False, init=False)
    _ringer: threading.Thread | None = attrs.field(default=None, init=False, repr=False)
    _listening: bool = attrs.field(default=False, init=False)
    _stop: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._wakeups = self.open()

    def on(self, *news: News, call: Callable[[], None], vague: bool = True) -> None:
        """Call this at such news, in the thread that rings or in the listener's, which starts now.

        Args:
            news: which.
            call: what does not block.
            vague: where all that is told is that something has changed, that counts as well.
        """
        wanted = frozenset({*news, News.CHANGED} if vague else news)
        with self._rung:
            self._heard = [*self._heard, (wanted, call)]
            first, self._listening = not self._listening, True
        if first and self._wakeups is not None:
            threads.start(self._listen, name="listener")

    def off(self, call: Callable[[], None]) -> None:
        """Call this no more."""
        with self._rung:
            self._heard = [one for one in self._heard if one[1] != call]

    def ring(self, news: News) -> None:
        """Tell this process, and the others soon."""
        self._call(news)
        if self._wakeups is None:
            return
        with self._rung:
            if self._told_at_once(news):
                return
            self._to_tell.add(news)
            first, self._ringing = not self._ringing, True
            self._rung.notify()
            if first:
                self._ringer = threads.start(self._ring, name="bell")

    def close(self) -> None:
        """Ring what is left, and hear no more."""
        self._stop.set()
        with self._rung:
            self._rung.notify()
        if self._ringer is not None:
            self._ringer.join(DEAF_AFTER)
        if self._wakeups is not None:
            self._wakeups.close()

    # -------------------------------------------------------------- ringing

    def _told_at_once(self, news: News) -> bool:
        if self._wakeups is None or self._to_tell or clock.monotonic() < self._quiet_until:
            return False
        told = self._wakeups.tell(news)
        if told:
            self._quiet_until = clock.monotonic() + QUIET
        return told

    def _ring(self) -> None:
        while news := self._next():
            try:
                for each in news:
                    self._publish(each)
            except BackendUnavailable as error:
                log.debug("nobody was told of %s: %s", news, error)
            self._quiet_until = clock.monotonic() + QUIET

    def _publish(self, news: News) -> None:
        if self._wakeups is not None:
            self._wakeups.publish(news)

    def _next(self) -> set[News]:
        """What is to be told now; nothing at the end."""
        with self._rung:
            while not self._to_tell and not self._stop.is_set():
                self._rung.wait()
        self._stop.wait(max(0.0, self._quiet_until - clock.monotonic()))
        with self._rung:
            news, self._to_tell = self._to_tell, set()
        return news

    # ------------------------------------------------------------ listening

    def _listen(self) -> None:
        outage = Outage("listen for news")
        while not self._stop.is_set():
            try:
                outage.ride_out(self._hear, self._stop)
            except GivenUp:
                return
            except Exception:  # polling goes on without it
                log.exception("listening failed: this process polls from now on")
                self.proven = False
                return

    def _hear(self) -> None:
        self.proven = False
        try:
            if self._wakeups is not None:
                self._wakeups.listen(self._tell, ready=self._prove)
        finally:
            self.proven = False

    def _prove(self) -> None:
        threads.start(self._knock, name="listener-proof")

    def _knock(self) -> None:
        """Ring as somebody else would: a database may spare us our own rings."""
        other = self.open()
        if other is not None:
            with contextlib.suppress(BackendUnavailable), contextlib.closing(other):
                other.publish(News.CHANGED)
        if not self._stop.wait(DEAF_AFTER) and not self.proven:
            log.info("no news come through from the database: this process polls")

    def _tell(self, news: News) -> None:
        self.proven = True
        self._call(news)

    def _call(self, news: News) -> None:
        for wanted, call in self._heard:
            if news in wanted:
                call()
