"""How a connection begins: encryption is declined, the password passes, the shim is put there."""

import asyncio
import struct
from collections.abc import Sequence
from contextlib import suppress

import attrs

from . import messages, shim
from .manners import Fate
from .messages import Message
from .side import Gone, Side

_ASKED_FOR_MORE = frozenset({3, 5, 7, 8, 10, 11})
"""Kinds of authentication that the client answers; what is left only tells it something."""
_HEAD = 8
_LONGEST = 10_000
"""Bytes of a first packet, as PostgreSQL has it."""

Address = tuple[str, int]


@attrs.define(eq=False)
class Entrance:
    """The way in, for all connections of one double."""

    upstream: Address
    _shimmed: dict[str, asyncio.Lock | None] = attrs.field(factory=dict[str, asyncio.Lock | None])
    """By database: None once the schema is there."""

    async def pass_through(self, client: Side, fate: Fate) -> Side | None:
        """Connect a client; the side of the server, or None if it only came to cancel."""
        code, body = await _first(client)
        server = Side(*await asyncio.open_connection(*self.upstream))
        try:
            if code != messages.CANCEL:
                wanted = messages.read_parameters(body)
                asked = messages.written_parameters(shim.settings(wanted, skew=fate.skew))
                server.writer.write(messages.first_packet(code, asked))
                greeting = await _authenticated(client, server)
                await self._install(server, wanted.get("database", wanted.get("user", "")))
                await client.send(greeting)
                return server
            server.writer.write(messages.first_packet(code, body))
            await server.writer.drain()
        except BaseException:
            server.close()
            raise
        server.close()
        return None

    async def _install(self, server: Side, database: str) -> None:
        lock = self._shimmed.setdefault(database, asyncio.Lock())
        if lock is None:
            return
        async with lock:
            if self._shimmed[database] is not None:
                answer = await exchange(server, [messages.query(shim.installation())])
                if state := messages.sqlstate(answer):
                    raise Refused(state, answer)
                self._shimmed[database] = None


class Refused(Gone):
    """The server has said no, and the client shall hear it."""

    def __init__(self, state: str, answer: Sequence[Message]) -> None:
        self.answer = [message for message in answer if message.kind == b"E"]
        super().__init__(state)


async def exchange(server: Side, asked: Sequence[Message]) -> list[Message]:
    """Send to the server; all it answers until it is ready again."""
    await server.send(asked)
    answer = [await server.message()]
    while answer[-1].kind != b"Z":
        answer.append(await server.message())
    return answer


async def _first(client: Side) -> tuple[int, bytes]:
    """The first packet that does not ask for encryption."""
    while True:
        try:
            length, code = struct.unpack("!II", await client.reader.readexactly(_HEAD))
            if not _HEAD <= length <= _LONGEST:
                raise Gone
            body = await client.reader.readexactly(length - _HEAD)
        except (OSError, EOFError) as error:
            raise Gone from error
        if code not in messages.PLEASE_ENCRYPT:
            return code, body
        client.writer.write(b"N")


async def _authenticated(client: Side, server: Side) -> list[Message]:
    """Carry passwords to and fro; what the server says of itself once it is content."""
    content = False
    greeting: list[Message] = []
    while not greeting or greeting[-1].kind != b"Z":
        found = await server.message()
        if found.kind == b"E":
            raise Refused("refused", [found])
        if content:
            greeting.append(_disguised(found))
            continue
        await client.send([found])
        (kind,) = struct.unpack_from("!I", found.body)
        content = kind == 0
        if kind in _ASKED_FOR_MORE:
            await server.send([await client.message()])
    announced = messages.status("crdb_version", shim.VERSION)
    return [announced, *greeting]


def _disguised(found: Message) -> Message:
    # What CockroachDB says there, whatever its own version.
    if found.kind == b"S" and found.body.startswith(b"server_version\0"):
        return messages.status("server_version", "13.0.0")
    return found


async def farewell(client: Side, refused: Refused) -> None:
    """Tell the client why it may not come in."""
    with suppress(Gone):
        await client.send(refused.answer)
