"""Looking for what the workflows of a worker wait for, as long as they wait in memory."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

import attrs

from . import clock
from .attempt import Attempt
from .backend import Backend
from .bell import Bell
from .mail import EventKey, Published, Sight, Watch
from .model import WorkflowRecord
from .poll import LONGEST, Poll
from .vigil import Vigil

log = logging.getLogger("perdure")

PATIENCE = 2.0
"""Seconds that a look under way gets to come back when the worker leaves."""
MESSAGES = 100
"""The most messages of a topic that one look brings."""

Watched: TypeAlias = Mapping[Attempt, Sequence[Vigil]]
"""Runs of workflows, each with all its waits: one count of wake-ups is for all of them."""


@attrs.define(eq=False)
class Lookout:
    """Who looks out for one worker's workflows."""

    backend: Backend
    bell: Bell
    _poll: Poll[Attempt] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._poll = Poll(
            name="lookout",
            doing="look for messages and news",
            bell=self.bell,
            look=self._look,
            over=lambda attempt: attempt.ended or not attempt.rest.awaited(),
            failed=_failed,
            longest=_lingering,
        )

    def watch(self, attempt: Attempt) -> None:
        """Look for what it waits for, until it waits no more or has left memory."""
        self._poll.ask(attempt)

    def end(self) -> None:
        """Look no more."""
        self._poll.close(PATIENCE)

    def _look(self, attempts: Sequence[Attempt]) -> bool:
        """Bring what has come to those who wait for it; whether anything had."""
        found = self._bring({attempt: attempt.rest.awaited() for attempt in attempts})
        for attempt in attempts:
            attempt.look_around()
        return found

    def _bring(self, watched: Watched) -> bool:
        """The counts of wake-ups are read first: what comes after them is told again."""
        for attempt in watched:
            attempt.inbox.settle()
        sights = self._sights(_watches(watched))
        ended, published = self._ended(watched), self._published(watched)
        found = False
        for attempt, vigils in watched.items():
            if (sight := sights.get(attempt.id)) is None:
                continue
            _take_in(attempt, sight)
            for vigil in vigils:
                found |= _answer(vigil, attempt, ended, published)
                _looked(vigil, attempt)
            # Last: who suspends it by this count finds a wait over that it tells of.
            attempt.seen = max(attempt.seen, sight.wake)
        return found

    def _sights(self, watches: Sequence[Watch]) -> dict[str, Sight]:
        most = self.backend.capabilities.max_batch
        parts = [watches[i : i + most] for i in range(0, len(watches), most)]
        found = [sight for part in parts for sight in self.backend.look(part, limit=MESSAGES)]
        return {sight.workflow_id: sight for sight in found}

    def _ended(self, watched: Watched) -> dict[str, WorkflowRecord]:
        ids = list({target for vigil in _vigils(watched) for target in vigil.targets})
        most = self.backend.capabilities.max_batch
        parts = [ids[i : i + most] for i in range(0, len(ids), most)]
        records = [one for part in parts for one in self.backend.load(part, only_ended=True)]
        return {record.id: record for record in records if record.status.final}

    def _published(self, watched: Watched) -> dict[EventKey, Published]:
        keys = {vigil.event for vigil in _vigils(watched) if vigil.event is not None}
        return {one.key: one for one in self.backend.events(keys)} if keys else {}


def _vigils(watched: Watched) -> Iterator[Vigil]:
    return chain.from_iterable(watched.values())


def _watches(watched: Watched) -> list[Watch]:
    return [
        Watch(
            workflow_id=attempt.id,
            topics=sorted({vigil.topic for vigil in vigils if vigil.topic is not None}),
        )
        for attempt, vigils in watched.items()
    ]


def _lingering(attempts: Collection[Attempt]) -> float:
    """Seconds until the first of them may leave memory."""
    now = clock.monotonic()
    left = [
        attempt.host.linger - (now - vigil.since)
        for attempt in attempts
        for vigil in attempt.rest.awaited()
    ]
    return max(min((seconds for seconds in left if seconds > 0), default=LONGEST), 0.001)


def _failed(attempts: Sequence[Attempt], error: Exception) -> None:
    """They go on waiting: the next look tries again."""
    log.error("looking for messages and news failed", exc_info=error)
    for attempt in attempts:
        attempt.look_around()


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
