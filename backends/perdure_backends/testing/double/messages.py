"""Framing of PostgreSQL's protocol, version 3: bytes in, messages out, and back."""

import struct
from collections.abc import Iterable, Mapping

import attrs

_HEAD = 5
"""One byte that says what it is, four for the length."""

PLEASE_ENCRYPT = frozenset({80877103, 80877104})
CANCEL = 80877102
PROTOCOL = 196608


@attrs.frozen
class Message:
    """One message of either side, after the first packet of the client."""

    kind: bytes
    body: bytes = b""

    def encoded(self) -> bytes:
        """As it travels."""
        return self.kind + struct.pack("!I", len(self.body) + 4) + self.body


@attrs.define
class Frames:
    """Bytes that have arrived, cut into messages."""

    _rest: bytes = b""

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete with these bytes."""
        data, at = self._rest + data, 0
        found: list[Message] = []
        while len(data) - at >= _HEAD:
            end = at + 1 + struct.unpack_from("!I", data, at + 1)[0]
            if end > len(data):
                break
            found.append(Message(data[at : at + 1], data[at + _HEAD : end]))
            at = end
        self._rest = data[at:]
        return found


def encoded(messages: Iterable[Message]) -> bytes:
    """All of them, one after the other."""
    return b"".join(message.encoded() for message in messages)


# ------------------------------------------------------- the first packet


def first_packet(code: int, body: bytes) -> bytes:
    """The packet that opens a connection, which has no kind."""
    return struct.pack("!II", len(body) + 8, code) + body


def read_parameters(body: bytes) -> dict[str, str]:
    """User, database and settings that the client asks for."""
    words = body.decode().split("\0")
    return {key: value for key, value in zip(words[::2], words[1::2], strict=False) if key}


def written_parameters(parameters: Mapping[str, str]) -> bytes:
    """The same as bytes."""
    return "".join(f"{key}\0{value}\0" for key, value in parameters.items()).encode() + b"\0"


# ------------------------------------------------------------- statements


def texts(body: bytes, count: int) -> tuple[list[bytes], bytes]:
    """So many texts from the beginning of a body, and the rest of it."""
    found: list[bytes] = []
    for _ in range(count):
        text, _, body = body.partition(b"\0")
        found.append(text)
    return found, body


def query(sql: str) -> Message:
    """A statement in the simple protocol."""
    return Message(b"Q", sql.encode() + b"\0")


def status(name: str, value: str) -> Message:
    """What the server announces about itself."""
    return Message(b"S", f"{name}\0{value}\0".encode())


def failure(code: str, text: str) -> Message:
    """An error of the server's."""
    return Message(b"E", f"SFATAL\0VFATAL\0C{code}\0M{text}\0\0".encode())


def ready(state: bytes) -> Message:
    """The server waits; `state` is I, T or E: no transaction, one, or one that failed."""
    return Message(b"Z", state)


def sqlstate(messages: Iterable[Message]) -> str | None:
    """The SQLSTATE of the first error among these messages."""
    for message in messages:
        if message.kind == b"E":
            fields = message.body.split(b"\0")
            return next(field[1:].decode() for field in fields if field[:1] == b"C")
    return None
