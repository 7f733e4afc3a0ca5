"""The double as a process of its own: start it, learn its port, stop it.

It ends by itself when the pipe to whoever started it breaks.
"""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from typing import Self
from urllib.parse import SplitResult, urlsplit

import attrs

from .entrance import Address, Entrance
from .manners import Manners
from .proxy import converse
from .side import Side

_PORT = 5432
_PROGRAM = __name__.rpartition(".")[0]
HOST = "127.0.0.1"


def address(url: str) -> Address:
    """Host and port of a PostgreSQL.

    Raises:
        ValueError: the URL names neither.
    """
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("the PostgreSQL's URL has no host: a double speaks TCP")
    return parts.hostname, parts.port or _PORT


def disguised(url: str, port: int) -> str:
    """The URL under which the same database is reached through a double."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    found = SplitResult("cockroachdb", f"{user}{at}{HOST}:{port}", *parts[2:])
    return found.geturl()


async def serve(
    upstream: Address, manners: Manners, *, port: int, started: Callable[[int], None]
) -> None:
    """Serve for ever; `started` is told the port."""
    entrance = Entrance(upstream)
    numbers = count(1)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await converse(Side(reader, writer), entrance, manners.fate(next(numbers)))

    server = await asyncio.start_server(connected, HOST, port)
    started(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()


@attrs.define(eq=False)
class Double:
    """A double in front of a PostgreSQL, as long as the block lasts."""

    upstream: str
    """The URL of any database of the PostgreSQL."""
    manners: Manners = attrs.field(factory=Manners)
    _process: "subprocess.Popen[str] | None" = attrs.field(default=None, init=False)
    port: int = attrs.field(default=0, init=False)

    def __enter__(self) -> Self:
        host, port = address(self.upstream)
        manners = self.manners
        options = ["--attached", f"--rate={manners.rate}", f"--seed={manners.seed}"]
        options += [f"--skew={manners.skew}", f"--kinds={','.join(manners.kinds)}"]
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            [sys.executable, "-m", _PROGRAM, f"postgresql://{host}:{port}", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None  # noqa: S101 (it is a pipe)
        said = self._process.stdout.readline()
        if not said:
            raise ChildProcessError(f"the double did not start: {self._process.wait()}")
        self.port = int(said.strip().rpartition(":")[2])
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            with self._process as process:
                process.terminate()

    def url(self, upstream: str | None = None) -> str:
        """The `cockroachdb://` URL of a database of the same PostgreSQL."""
        return disguised(upstream or self.upstream, self.port)
