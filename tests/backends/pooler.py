"""A pooler, as far as a new connection meets it: what it does with the options of a session."""

import socket
import struct
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from threading import Thread

import attrs
from sqlalchemy import make_url

from perdure_backends.postgres import PostgresBackend
from perdure_backends.testing.double import messages

_HEAD = 8


@attrs.frozen
class Pooler:
    """Relays bytes to a server and back; it refuses the options of a session, or drops them."""

    upstream: tuple[str, int]
    refuses: bool
    _door: socket.socket = attrs.field(factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._door.getsockname()[1]
        return port

    def serve(self) -> None:
        """Let in whoever comes, until the door is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                Thread(target=self._let_in, args=[client], daemon=True).start()

    def close(self) -> None:
        """Let nobody in any more."""
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _let_in(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            code, asked = _first(client)
            if self.refuses and "options" in asked:
                refused = messages.failure("08P01", "unsupported startup parameter: options")
                client.sendall(refused.encoded())
                return
            asked.pop("options", None)
            with socket.create_connection(self.upstream) as server:
                packet = messages.first_packet(code, messages.written_parameters(asked))
                server.sendall(packet)
                Thread(target=_relay, args=[server, client], daemon=True).start()
                _relay(client, server)


def _first(client: socket.socket) -> tuple[int, dict[str, str]]:
    """What a client begins with, once it no longer asks for encryption."""
    while True:
        length, code = struct.unpack("!II", _exactly(client, _HEAD))
        body = _exactly(client, length - _HEAD)
        if code not in messages.PLEASE_ENCRYPT:
            return code, dict(messages.read_parameters(body))
        client.sendall(b"N")


def _exactly(client: socket.socket, size: int) -> bytes:
    found = client.recv(size, socket.MSG_WAITALL) if size else b""
    if len(found) < size:
        raise OSError("the client is gone")
    return found


def _relay(giver: socket.socket, taker: socket.socket) -> None:
    with suppress(OSError):
        while data := giver.recv(65536):
            taker.sendall(data)
        taker.shutdown(socket.SHUT_RDWR)


@contextmanager
def pooler(upstream: tuple[str, int], *, refuses: bool) -> Generator[Pooler, None, None]:
    """One that serves in the background."""
    one = Pooler(upstream, refuses)
    Thread(target=one.serve, daemon=True).start()
    try:
        yield one
    finally:
        one.close()


@contextmanager
def pooled(url: str, *, refuses: bool) -> Generator[PostgresBackend, None, None]:
    """A backend that reaches its server through one."""
    asked = make_url(url)
    assert asked.host
    assert asked.port
    with pooler((asked.host, asked.port), refuses=refuses) as one:
        there = asked.set(port=one.port).render_as_string(hide_password=False)
        with closing(PostgresBackend(there)) as backend:
            yield backend
