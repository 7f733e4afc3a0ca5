"""One end of a connection, as messages."""

import asyncio
from collections import deque
from collections.abc import Iterable

import attrs

from .messages import Frames, Message, encoded

_CHUNK = 1 << 16


class Gone(Exception):
    """The other end has closed, or shall see us close."""


@attrs.define(eq=False)
class Side:
    """Messages from and to one peer."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    _frames: Frames = attrs.field(factory=Frames)
    _arrived: deque[Message] = attrs.field(factory=deque[Message])
    _reading: "asyncio.Task[bytes] | None" = None

    def reading(self) -> "asyncio.Task[bytes]":
        """The read under way: done when something has arrived."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self.reader.read(_CHUNK))
        return self._reading

    async def message(self) -> Message:
        """The next message."""
        while not self._arrived:
            await self.more()
        return self._arrived.popleft()

    async def more(self) -> None:
        """Wait until something has arrived.

        Raises:
            Gone: the other end has closed.
        """
        try:
            data = await self.reading()
        except OSError as error:
            raise Gone from error
        finally:
            self._reading = None
        if not data:
            raise Gone
        self._arrived.extend(self._frames.feed(data))

    def waiting(self) -> bool:
        """Whether a whole message is here already."""
        return bool(self._arrived)

    def taken(self) -> list[Message]:
        """All messages that are here already."""
        found = list(self._arrived)
        self._arrived.clear()
        return found

    async def send(self, messages: Iterable[Message]) -> None:
        """Send them all."""
        try:
            self.writer.write(encoded(messages))
            await self.writer.drain()
        except OSError as error:
            raise Gone from error

    def close(self) -> None:
        """Close at once."""
        if self._reading is not None:
            self._reading.cancel()
        self.writer.close()
