"""One connection through the double: what the client sends, in groups, and what becomes of each.

A group is answered before the next one is looked at, so client and server are
always in step. Where the server shall fail it really fails, by a statement that raises.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import attrs

from . import messages, shim
from .entrance import Entrance, Refused, exchange, farewell
from .group import Prepared, names_something, new_texts
from .manners import Fate, Kind, excess, refusal
from .messages import Message
from .side import Gone, Side
from .statement import Place, changes_schema, place

_BUFFER = 16_384
"""Bytes of an answer up to which the server itself repeats a statement."""
_REPEATS = 10
_TRANSIENT = frozenset({"40001", "40P01"})
_NOT_IN_A_TRANSACTION = "25001"
_READY = messages.ready(b"I")
_BEGIN, _COMMIT, _ROLLBACK = (messages.query(word) for word in ("BEGIN", "COMMIT", "ROLLBACK"))
_RESTART = "restart transaction: TransactionRetryWithProtoRefreshError (injected by the double)"
_AMBIGUOUS = "result is ambiguous: error while committing (injected by the double)"


@attrs.define(eq=False)
class Connection:
    """A client and the server it talks to."""

    client: Side
    server: Side
    fate: Fate
    _prepared: Prepared = attrs.field(factory=Prepared)
    _state: bytes = b"I"
    _streaming: "asyncio.Task[None] | None" = None
    """Answers to a group of which only a part has come."""

    async def run(self) -> None:
        """Serve until one of the two goes."""
        group: list[Message] = []
        while True:
            found = await self._next()
            if found.kind == b"X":
                return
            if found.kind == b"H":
                await self._begin(group)
                group = []
                continue
            group.append(found)
            if found.kind in {b"Q", b"S"}:
                await self._serve(group)
                group = []

    async def _next(self) -> Message:
        while not self.client.waiting():
            if self._streaming is not None:
                await self.client.more()
                continue
            sides: set[asyncio.Task[bytes]] = {self.client.reading(), self.server.reading()}
            await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
            if self.client.reading().done():
                await self.client.more()
            else:
                await self._overheard()
        return await self.client.message()

    async def _overheard(self) -> None:
        """The server says something that nobody asked for, for example good-bye."""
        await self.server.more()
        await self.client.send(self.server.taken())

    # ----------------------------------------------- a group in two parts

    async def _begin(self, part: Sequence[Message]) -> None:
        self._prepared.executed(part)
        if any(refusal(sql) for sql in new_texts(part)):
            raise Gone
        await self.server.send([*part, Message(b"H")])
        if self._streaming is None:
            self._streaming = asyncio.ensure_future(self._stream())

    async def _stream(self) -> None:
        while True:
            found = await self.server.message()
            await self.client.send([found])
            if found.kind == b"Z":
                self._state = found.body
                return

    async def _end(self, part: Sequence[Message], streaming: "asyncio.Task[None]") -> None:
        self._prepared.executed(part)
        await self.server.send(part)
        await streaming
        self._streaming = None

    # ------------------------------------------------------- a whole group

    async def _serve(self, group: Sequence[Message]) -> None:
        if self._streaming is not None:
            await self._end(group, self._streaming)
            return
        for refused in (excess(group), *map(refusal, new_texts(group))):
            if refused is not None:
                await self._fail(refused.code, refused.text)
                return
        ran = self._prepared.executed(group)
        sql = ran[0] if len(ran) == 1 else ""
        if sql and self._state == b"T" and changes_schema(sql):
            # autocommit_before_ddl
            await self._ask([_COMMIT])
        where = place(sql, state=self._state)
        if names_something(group):
            where = Place.QUIET
        kind = self.fate.next(where)
        if kind is None:
            await self._tell(await self._plainly(group, where))
        else:
            await self._strike(kind, group, where)

    async def _ask(self, asked: Sequence[Message]) -> list[Message]:
        """What the server answers; only we hear it."""
        answer = await exchange(self.server, asked)
        self._state = answer[-1].body
        return answer

    async def _tell(self, answer: Sequence[Message]) -> None:
        await self.client.send(answer)

    async def _plainly(self, group: Sequence[Message], where: Place) -> list[Message]:
        """Run it; a statement that stands alone is repeated by the server itself."""
        answer = await self._ask(group)
        for repeat in range(_REPEATS if where is Place.ALONE else 0):
            small = sum(len(message.body) for message in answer) < _BUFFER
            if messages.sqlstate(answer) not in _TRANSIENT or not small:
                break
            await asyncio.sleep(0.002 * (repeat + 1))
            answer = await self._ask(group)
        return answer

    async def _fail(self, code: str, text: str) -> None:
        """An error of the server's, with what it does to a transaction."""
        answer = await self._ask([messages.query(shim.raised(code, text))])
        await self._tell([found for found in answer if found.kind in {b"E", b"Z"}])

    # -------------------------------------------------------------- faults

    async def _strike(self, kind: Kind, group: Sequence[Message], where: Place) -> None:
        answer = await self._effect(kind, group, where)
        if messages.sqlstate(answer) == _NOT_IN_A_TRANSACTION:
            await self._tell(await self._plainly(group, where))
            return
        if messages.sqlstate(answer):
            # It failed without us, and that is what the client shall know.
            await self._tell(answer)
            return
        if kind in {Kind.DROPPED_LOST, Kind.DROPPED_APPLIED}:
            raise Gone
        if kind in {Kind.AMBIGUOUS_LOST, Kind.AMBIGUOUS_APPLIED}:
            await self._fail("40003", _AMBIGUOUS)
        else:
            await self._fail("40001", _RESTART)

    async def _effect(self, kind: Kind, group: Sequence[Message], where: Place) -> list[Message]:
        """What the statement does to the data before the fault is known."""
        if kind.applied:
            return await self._plainly(group, where)
        if kind is Kind.RESTART_LATE and where in {Place.ALONE, Place.INSIDE}:
            return await self._undone(group, where)
        if self._state != b"I" and kind is not Kind.RESTART:
            await self._ask([_ROLLBACK])
        return []

    async def _undone(self, group: Sequence[Message], where: Place) -> list[Message]:
        """Run it and take it back; inside a transaction the error that follows does so."""
        if where is Place.INSIDE:
            return await self._ask(group)
        await self._ask([_BEGIN])
        answer = await self._ask(group)
        await self._ask([_ROLLBACK])
        # Told in place of ours if it failed by itself, but outside of a transaction.
        return [*answer[:-1], _READY] if messages.sqlstate(answer) else []


async def converse(client: Side, entrance: Entrance, fate: Fate) -> None:
    """Serve one client from its first packet to the end."""
    server: Side | None = None
    try:
        server = await entrance.pass_through(client, fate)
        if server is not None:
            await Connection(client, server, fate).run()
    except Refused as refused:
        await farewell(client, refused)
    except (Gone, OSError):
        pass
    finally:
        if server is not None:
            with suppress(Gone):
                await server.send([Message(b"X")])
            server.close()
        client.close()
