"""A backend for SQLite whose verbs can be made to fail."""

from collections.abc import Callable
from typing import Any, TypeAlias

import attrs
import pytest

import perdure.connection
from perdure.backend import Backend
from perdure_backends.sqlite import SqliteBackend

Replacement: TypeAlias = Callable[..., Any]
"""Called with the real verb and the arguments of the call."""

VERBS = (
    *("commit", "claim", "heartbeat", "history", "load", "reap", "reconcile", "submit", "wake"),
    *("look", "send", "subscribe", "events", "cancel", "requests"),
)


@attrs.define
class Faults:
    """What is wrong with the databases of this process, and what they were asked."""

    calls: list[tuple[str, tuple[Any, ...]]] = attrs.field(factory=list[Any])
    _replaced: dict[str, Replacement] = attrs.field(factory=dict[str, Replacement])

    def replace(self, verb: str, replacement: Replacement) -> None:
        """From now on call `replacement(real, …)` instead of a verb."""
        self._replaced[verb] = replacement

    def fail(self, *verbs: str, error: Callable[[], Exception]) -> None:
        """From now on raise this instead of doing anything."""

        def failing(_real: object, *_args: object, **_options: object) -> None:
            raise error()

        for verb in verbs:
            self.replace(verb, failing)

    def answer_lost(self, *verbs: str, error: Callable[[], Exception]) -> None:
        """From now on do what is asked, and raise this."""

        def losing(real: Callable[..., Any], *args: object, **options: object) -> None:
            real(*args, **options)
            raise error()

        for verb in verbs:
            self.replace(verb, losing)

    def clear(self) -> None:
        """All is well again."""
        self._replaced.clear()

    def call(self, verb: str, real: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """What a verb does now."""
        self.calls.append((verb, args))
        replacement = self._replaced.get(verb)
        return replacement(real, *args, **options) if replacement else real(*args, **options)


class FaultyBackend(SqliteBackend):
    """SQLite with faults."""

    faults: Faults


def _faulty_verb(verb: str) -> Callable[..., Any]:
    def call(self: FaultyBackend, *args: Any, **options: Any) -> Any:
        real = getattr(SqliteBackend, verb).__get__(self)
        return self.faults.call(verb, real, *args, **options)

    return call


for _verb in VERBS:
    setattr(FaultyBackend, _verb, _faulty_verb(_verb))


def installed(monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Faults that every database has that a test opens from now on."""
    faults = Faults()

    def open_faulty(url: str, *, namespace: str) -> Backend:
        backend = FaultyBackend(url, namespace=namespace)
        backend.faults = faults
        return backend

    monkeypatch.setattr(perdure.connection, "open_backend", open_faulty)
    return faults
