"""Looking for what the workflows of a worker wait for, as long as they wait in memory.

One thread, one batched look for all of them: at once when a wait begins or news
come in, and now and then without.
"""

import logging
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

import attrs

from . import clock, threads
from .attempt import Attempt
from .backend import Backend
from .bell import Bell
from .mail import EventKey, Published, Sight, Watch
from .model import WorkflowRecord
from .outage import GivenUp, Outage
from .vigil import Vigil
from .wakeups import News

log = logging.getLogger("perdure")

SHORTEST_POLL = 0.02
LONGEST_POLL = 1.0
PATIENCE = 2.0
"""Seconds that a look under way gets to come back when the worker leaves."""
MESSAGES = 100
"""The most messages of a topic that one look brings."""


@attrs.define(eq=False)
class Lookout:
    """The thread that looks out for one worker; it begins with the first wait."""

    backend: Backend
    bell: Bell
    _watched: dict[Vigil, Attempt] = attrs.field(factory=dict[Vigil, Attempt], init=False)
    _changed: threading.Condition = attrs.field(factory=threading.Condition, init=False, repr=False)
    _asked: bool = attrs.field(default=False, init=False)
    """Somebody wants a look now."""
    _begun: bool = attrs.field(default=False, init=False)
    _thread: threading.Thread | None = attrs.field(default=None, init=False, repr=False)
    _stop: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)

    def watch(self, attempt: Attempt, vigil: Vigil) -> None:
        """Look for what it waits for, until it is over or its workflow has left memory."""
        with self._changed:
            self._watched[vigil] = attempt
            first, self._begun = not self._begun, True
            self._asked = True
            self._changed.notify()
        if first:
            self.bell.on(News.SENT, News.ENDED, call=self.nudge)
            self._thread = threads.start(self._run, name="lookout")

    def nudge(self) -> None:
        """Something may have come."""
        with self._changed:
            self._asked = True
            self._changed.notify()

    def end(self) -> None:
        """Look no more."""
        self.bell.off(self.nudge)
        self._stop.set()
        self.nudge()
        if self._thread is not None:
            self._thread.join(PATIENCE)

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        outage = Outage("look for messages and news")
        pause: float | None = SHORTEST_POLL
        while pause is not None:
            pause = self._round(outage, pause)

    def _round(self, outage: Outage, pause: float) -> float | None:
        """Wait for the time of the next look and make it; the pause after it, None at the end."""
        watched = self._next(pause)
        if watched is None:
            return None
        try:
            found = outage.ride_out(partial(self._look, watched), self._stop)
        except GivenUp:
            return None
        except Exception:  # the next look tries again; the thread must live
            log.exception("looking for messages and news failed")
            found = False
        for attempt in set(watched.values()):
            attempt.look_around()
        return SHORTEST_POLL if found else min(pause * 1.5, LONGEST_POLL)

    def _next(self, pause: float) -> dict[Vigil, Attempt] | None:
        """Wait for the time of the next look; the waits that are open then."""
        with self._changed:
            if self._open() and not self._asked:
                self._changed.wait(min(pause, self._lingering()))
            while not self._open() and not self._stop.is_set():
                self._changed.wait()
            self._asked = False
            return None if self._stop.is_set() else dict(self._watched)

    def _open(self) -> bool:
        gone = [v for v, attempt in self._watched.items() if v.over or attempt.ended]
        for vigil in gone:
            del self._watched[vigil]
        return bool(self._watched)

    def _lingering(self) -> float:
        """Seconds until the first of them may leave memory."""
        now = clock.monotonic()
        left = [
            attempt.host.linger - (now - vigil.since) for vigil, attempt in self._watched.items()
        ]
        return max(min((seconds for seconds in left if seconds > 0), default=LONGEST_POLL), 0.001)

    def _look(self, watched: dict[Vigil, Attempt]) -> bool:
        """Bring what has come to those who wait for it; whether anything had.

        The counts of wake-ups are read first: what comes after them is told again.
        """
        for attempt in set(watched.values()):
            attempt.inbox.settle()
        sights = self._sights(_watches(watched))
        ended, published = self._ended(watched), self._published(watched)
        found = False
        for attempt in set(watched.values()):
            if attempt.id in sights:
                _take_in(attempt, sights[attempt.id])
        for vigil, attempt in watched.items():
            if attempt.id in sights:
                found |= _answer(vigil, attempt, ended, published)
                _looked(vigil, attempt)
        for attempt in set(watched.values()):
            # Last: who suspends it by this count finds a wait over that it tells of.
            if attempt.id in sights:
                attempt.seen = max(attempt.seen, sights[attempt.id].wake)
        return found

    def _sights(self, watches: Sequence[Watch]) -> dict[str, Sight]:
        most = self.backend.capabilities.max_batch
        parts = [watches[i : i + most] for i in range(0, len(watches), most)]
        found = [sight for part in parts for sight in self.backend.look(part, limit=MESSAGES)]
        return {sight.workflow_id: sight for sight in found}

    def _ended(self, watched: dict[Vigil, Attempt]) -> dict[str, WorkflowRecord]:
        ids = list({target for vigil in watched for target in vigil.targets})
        most = self.backend.capabilities.max_batch
        parts = [ids[i : i + most] for i in range(0, len(ids), most)]
        records = [one for part in parts for one in self.backend.load(part, only_ended=True)]
        return {record.id: record for record in records if record.status.final}

    def _published(self, watched: dict[Vigil, Attempt]) -> dict[EventKey, Published]:
        keys = {vigil.event for vigil in watched if vigil.event is not None}
        return {one.key: one for one in self.backend.events(keys)} if keys else {}


def _watches(watched: dict[Vigil, Attempt]) -> list[Watch]:
    topics: dict[str, set[str]] = {}
    for vigil, attempt in watched.items():
        wanted = topics.setdefault(attempt.id, set())
        if vigil.topic is not None:
            wanted.add(vigil.topic)
    return [Watch(workflow_id=one, topics=sorted(of)) for one, of in topics.items()]


def _looked(vigil: Vigil, attempt: Attempt) -> None:
    """Nothing has come that was there before; if its time is over, that is how it ends."""
    vigil.looked = True
    if vigil.due is not None and vigil.due <= attempt.host.now():
        vigil.end()


def _take_in(attempt: Attempt, sight: Sight) -> None:
    attempt.inbox.deliver(sight.messages)
    if sight.cancel_reason is not None:
        attempt.ask_to_cancel(sight.cancel_reason)


def _answer(
    vigil: Vigil,
    attempt: Attempt,
    ended: dict[str, WorkflowRecord],
    published: dict[EventKey, Published],
) -> bool:
    """End the vigil if what it waits for is there."""
    if vigil.topic is not None:
        message = attempt.inbox.take(vigil.topic)
        if message is not None and not vigil.end(message):
            attempt.inbox.put_back(message)
        return message is not None
    found: Any = published.get(vigil.event) if vigil.event is not None else None
    if found is None and vigil.targets:
        there = [ended[target] for target in vigil.targets if target in ended]
        vigil.missing = max(1, vigil.wanted - len(there))
        found = there if len(there) >= vigil.wanted else None
    return found is not None and vigil.end(found)
