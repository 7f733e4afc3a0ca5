"""What comes while something is being written shares the next write: group commit for clients."""

import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

import attrs

from .errors import BackendUnavailable
from .exchange import Capabilities
from .room import Room, Sized

T = TypeVar("T", bound=Sized)
A = TypeVar("A")

LATE = 1.0
"""Seconds after which whoever waits for a write looks whether it will ever begin."""


@attrs.define(eq=False)
class Request(Generic[T, A]):
    """What one caller wants written, whole or not at all."""

    rows: dict[Any, T]
    """By their keys."""
    size: int
    """How many characters of text they carry."""
    answers: Sequence[A] | None = None
    """One for each; None: nothing is known."""
    error: BackendUnavailable | None = None


@attrs.define(eq=False)
class Group(Generic[T, A]):
    """Requests that are written together: no key is in two of them."""

    room: Room
    requests: list[Request[T, A]] = attrs.field(factory=list[Any])
    rows: dict[Any, T] = attrs.field(factory=dict[Any, Any])
    begun: bool = False
    """A thread is at it, or was."""
    written: threading.Event = attrs.field(factory=threading.Event)

    def takes(self, request: Request[T, A]) -> bool:
        """Add it, if there is room and all its keys are new; whether it was."""
        if not self.rows.keys().isdisjoint(request.rows):
            return False
        if not self.room.take(len(request.rows), request.size):
            return False
        self.requests.append(request)
        self.rows |= request.rows
        return True


@attrs.define(eq=False)
class Intake(Generic[T, A]):
    """Writes what callers in many threads want written.

    The first request of a group writes it, once the write before it is through; until
    then others join. A group that is refused says nothing about any of its requests: each
    is written alone then.
    """

    write: Callable[[Sequence[T]], Sequence[A]]
    """Writes all or nothing; an answer for each, in order. May be repeated."""
    key: Callable[[T], Hashable]
    """What no two in one write have in common, and what they are sorted by."""
    turn: threading.Lock
    """Whoever has it uses the connection."""
    whole: Capabilities
    """Of the database, for one write."""
    _open: Group[T, A] = attrs.field(init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._open = Group(Room(self.whole))

    @property
    def waiting(self) -> int:
        """How many requests the next write takes, as of now."""
        return len(self._open.requests)

    def put(self, rows: Sequence[T]) -> Sequence[A]:
        """Write rows with distinct keys; an answer for each, in order."""
        size = sum(row.size for row in rows)
        request: Request[T, A] = Request({self.key(row): row for row in rows}, size)
        group = self._join(request)
        if group.requests[0] is request:
            self._lead(group)
        while not group.written.wait(LATE):
            self._lead(group)  # who was to do it may have been interrupted
        if request.error is not None:
            raise request.error
        return self._alone(rows) if request.answers is None else request.answers

    def _join(self, request: Request[T, A]) -> Group[T, A]:
        with self._lock:
            if not self._open.takes(request):
                self._open = Group(Room(self.whole))
                self._open.takes(request)
            return self._open

    def _lead(self, group: Group[T, A]) -> None:
        mine = False
        try:
            with self.turn:
                self._close(group)
                mine = not (group.begun or group.written.is_set())
                group.begun = True
                if mine:
                    self._write(group)
        finally:
            # Whatever has happened to this thread, nobody waits for it.
            if mine or not group.begun:
                self._close(group)
                group.written.set()

    def _close(self, group: Group[T, A]) -> None:
        with self._lock:
            if self._open is group:
                self._open = Group(Room(self.whole))

    def _write(self, group: Group[T, A]) -> None:
        # In an order that all writers share, for the sake of the locks.
        keys = sorted(group.rows)
        try:
            answers = dict(zip(keys, self.write([group.rows[key] for key in keys]), strict=True))
        except BackendUnavailable as error:
            for request in group.requests:
                request.error = error
        except Exception:
            if len(group.requests) == 1:
                raise
        else:
            for request in group.requests:
                request.answers = [answers[key] for key in request.rows]

    def _alone(self, rows: Sequence[T]) -> Sequence[A]:
        with self.turn:
            return self.write(rows)
