"""Following streams: the readers of a process, and what they are given.

A stream is asked for once, however many read it.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import attrs

from .backend import Backend
from .bell import Bell
from .errors import UsageError, WorkflowNotFound
from .poll import Poll
from .streams import Item, Reading

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
    on_hunger: "Callable[[Reader], None]"
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
            self.on_hunger(self)
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
    """The readers of one engine."""

    backend: Backend
    bell: Bell
    _poll: Poll[Reader] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._poll = Poll(
            name="readers",
            doing="read streams",
            bell=self.bell,
            look=self._look,
            over=lambda reader: reader.over,
            failed=_fail,
            dismiss=_dismiss,
        )

    def follow(self, workflow_id: str, stream: str, after: int) -> Reader:
        """A new reader of that stream, from behind that offset.

        Raises:
            UsageError: it cannot be an offset.
        """
        if not -1 <= after < LARGEST:
            raise UsageError(f"after={after} is no offset: give that of the last item, or -1")
        reader = Reader(workflow_id, stream, after, self._poll.ask)
        self._poll.ask(reader)
        return reader

    def close(self) -> None:
        """Read no more."""
        self._poll.close()

    def _look(self, readers: Sequence[Reader]) -> bool:
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


def _fail(readers: Sequence[Reader], error: Exception) -> None:
    for reader in readers:
        reader.fail(error)


def _dismiss(reader: Reader) -> None:
    reader.fail(UsageError(f"the engine was closed; {reader.workflow_id} goes on"))
