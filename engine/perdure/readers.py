"""Following streams: all readers of a process are served by one batched poll.

It is made when news come in that something was written, and now and then without. A
stream is asked for once, however many read it.
"""

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial

import attrs

from . import threads
from .backend import Backend
from .bell import Bell
from .errors import UsageError, WorkflowNotFound
from .outage import GivenUp, Outage
from .streams import Item, Reading
from .wakeups import News

log = logging.getLogger("perdure")

SHORTEST_POLL = 0.02
LONGEST_POLL = 1.0
LARGEST = 1 << 63
PAGE = 500
"""How many items of a stream one poll brings."""


@attrs.define(eq=False)
class Reader:
    """Somebody who follows one stream."""

    workflow_id: str
    stream: str
    after: int
    """The last offset that it was given."""
    on_hunger: Callable[[], None]
    """Told when it has taken all that it was given, though there is more."""
    over: bool = False
    error: Exception | None = None
    looked: bool = False
    more: bool = False
    """There was more than it was given."""
    _items: deque[Item] = attrs.field(factory=deque[Item], init=False)
    _changed: threading.Condition = attrs.field(factory=threading.Condition, init=False, repr=False)
    _loop: asyncio.AbstractEventLoop | None = None
    _arrived: asyncio.Event | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Which stream it is."""
        return self.workflow_id, self.stream

    def hungry(self) -> bool:
        """Whether it has taken all that it was given, and wants more."""
        return not self._items and not self.over

    def give(self, items: Sequence[Item], *, ended: bool) -> bool:
        """Hand it what is new to it; whether anything was."""
        fresh = [item for item in items if item.offset > self.after]
        self.more = len(items) == PAGE
        with self._changed:
            for item in fresh:
                self.after = item.offset
                if item.closes:
                    self.over = True
                    break
                self._items.append(item)
            self.over = self.over or (ended and not fresh and not self.more)
        self._tell()
        return bool(fresh)

    def fail(self, error: Exception) -> None:
        """It will get nothing more, for this reason."""
        self.error, self.over = error, True
        self._tell()

    def stop(self) -> None:
        """It wants nothing more."""
        self.over = True

    def __iter__(self) -> Iterator[Item]:
        """Its items, waiting for more until the end."""
        while True:
            with self._changed:
                while not self._items and not self.over:
                    self._changed.wait()
            if not self._items:
                break
            yield self._next()
        self._check()

    async def __aiter__(self) -> AsyncIterator[Item]:
        """The same, for async code."""
        self._loop, self._arrived = asyncio.get_running_loop(), asyncio.Event()
        while True:
            self._arrived.clear()
            over = self.over  # looked at first: the last items come with the end
            while self._items:
                yield self._next()
            if over:
                break
            if not self.over:
                await self._arrived.wait()
        self._check()

    def _next(self) -> Item:
        item = self._items.popleft()
        if not self._items and self.more:
            self.on_hunger()
        return item

    def _check(self) -> None:
        if self.error is not None:
            raise self.error

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()
        if self._loop is not None and self._arrived is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits
                self._loop.call_soon_threadsafe(self._arrived.set)


@attrs.define(eq=False)
class Readers:
    """The readers of one engine, and the thread that polls for them while there are any."""

    backend: Backend
    bell: Bell
    _readers: list[Reader] = attrs.field(factory=list[Reader], init=False)
    _changed: threading.Condition = attrs.field(factory=threading.Condition, init=False, repr=False)
    _nudged: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)
    _stop: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)
    _polling: bool = attrs.field(default=False, init=False)
    _hearing: bool = attrs.field(default=False, init=False)

    def follow(self, workflow_id: str, stream: str, after: int) -> Reader:
        """A new reader of that stream, from behind that offset.

        Raises:
            UsageError: it cannot be an offset.
        """
        if not -1 <= after < LARGEST:
            raise UsageError(f"after={after} is no offset: give that of the last item, or -1")
        reader = Reader(workflow_id, stream, after, self.nudge)
        with self._changed:
            self._readers.append(reader)
            if not self._hearing:
                self._hearing = True
                self.bell.on(News.SENT, News.ENDED, call=self.nudge)
            self._nudged.set()
            if not self._polling:
                self._polling = True
                threads.start(self._run, name="readers")
        return reader

    def nudge(self) -> None:
        """Something was written, or somebody wants more."""
        self._nudged.set()

    def close(self) -> None:
        """Read no more."""
        self._stop.set()
        self._nudged.set()

    def _run(self) -> None:
        outage, pause = Outage("read streams"), SHORTEST_POLL
        while (readers := self._open()) and not self._stop.is_set():
            try:
                found = outage.ride_out(partial(self._poll, readers), self._stop)
            except GivenUp:
                break
            except Exception as error:  # noqa: BLE001 (it reaches those who read)
                for reader in readers:
                    reader.fail(error)
                continue
            pause = SHORTEST_POLL if found else min(pause * 1.5, LONGEST_POLL)
            self._nudged.wait(pause)
        if self._stop.is_set():
            self._dismiss()

    def _dismiss(self) -> None:
        with self._changed:
            left, self._readers, self._polling = self._readers, [], False
        for reader in left:
            reader.fail(UsageError(f"the engine was closed; {reader.workflow_id} goes on"))

    def _open(self) -> list[Reader]:
        """Those who still read; the thread ends when there are none."""
        with self._changed:
            self._nudged.clear()
            self._readers = [reader for reader in self._readers if not reader.over]
            self._polling = bool(self._readers)
            return list(self._readers)

    def _poll(self, readers: Sequence[Reader]) -> bool:
        """Read once for all who want more; whether anything was there."""
        hungry = [reader for reader in readers if reader.hungry()]
        if not hungry:
            return False
        self._check_known([reader for reader in hungry if not reader.looked])
        # Before the items: who has ended has written all there will ever be.
        ids = {reader.workflow_id for reader in hungry}
        ended = {one.id for one in self.backend.load(ids, only_ended=True) if one.status.final}
        items = self._read(hungry)
        gave = [
            reader.give(items.get(reader.key, ()), ended=reader.workflow_id in ended)
            for reader in hungry
        ]
        return any(gave)

    def _check_known(self, readers: Sequence[Reader]) -> None:
        if not readers:
            return
        known = {one.id for one in self.backend.load({r.workflow_id for r in readers})}
        for reader in readers:
            reader.looked = True
            if reader.workflow_id not in known:
                reader.fail(WorkflowNotFound(reader.workflow_id))

    def _read(self, readers: Sequence[Reader]) -> dict[tuple[str, str], list[Item]]:
        after: dict[tuple[str, str], int] = {}
        for reader in readers:
            after[reader.key] = min(after.get(reader.key, reader.after), reader.after)
        readings = [
            Reading(workflow_id=id_, stream=stream, after=least)
            for (id_, stream), least in after.items()
        ]
        found: dict[tuple[str, str], list[Item]] = {}
        for item in self.backend.read(readings, limit=PAGE):
            found.setdefault((item.workflow_id, item.stream), []).append(item)
        return found
