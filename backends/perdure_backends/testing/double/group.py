"""What a client sends at once and waits for: one simple query, or all up to a Sync."""

from collections.abc import Callable, Sequence

import attrs

from .messages import Message, texts


@attrs.define
class Prepared:
    """The statements that a connection has given names to."""

    _texts: dict[bytes, str] = attrs.field(factory=dict[bytes, str])
    _portals: dict[bytes, bytes] = attrs.field(factory=dict[bytes, bytes])

    def executed(self, messages: Sequence[Message]) -> list[str]:
        """Note what these messages prepare and bind; the statements that they execute."""
        readers: dict[bytes, Callable[[bytes], list[str]]] = {
            b"Q": lambda body: [body[:-1].decode()],
            b"P": self._parse,
            b"B": self._bind,
            b"E": self._execute,
        }
        ran: list[str] = []
        for message in messages:
            if reader := readers.get(message.kind):
                ran += reader(message.body)
        return ran

    def _parse(self, body: bytes) -> list[str]:
        (name, sql), _ = texts(body, 2)
        self._texts[name] = sql.decode()
        return []

    def _bind(self, body: bytes) -> list[str]:
        (portal, name), _ = texts(body, 2)
        self._portals[portal] = name
        return []

    def _execute(self, body: bytes) -> list[str]:
        (portal,), _ = texts(body, 1)
        return [self._texts.get(self._portals.get(portal, b""), "")]


def new_texts(messages: Sequence[Message]) -> list[str]:
    """The statements whose text the server sees for the first time."""
    found: list[str] = []
    for message in messages:
        if message.kind == b"Q":
            found.append(message.body[:-1].decode())
        if message.kind == b"P":
            found.append(texts(message.body, 2)[0][1].decode())
    return found


def names_something(messages: Sequence[Message]) -> bool:
    """Whether it leaves a name behind, so that it cannot simply be left out or sent twice."""
    return any(m.kind == b"C" or (m.kind == b"P" and m.body[:1] != b"\0") for m in messages)
