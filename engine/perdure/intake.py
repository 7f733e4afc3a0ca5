"""Starts that come while others are being written share the next write: group commit for clients."""

import threading
from collections.abc import Sequence

import attrs

from .backend import Backend, Existing, Submission
from .errors import BackendUnavailable

LARGEST = 1000
"""The most workflows that one write takes."""


@attrs.define(eq=False)
class Request:
    """What one caller wants written, whole or not at all."""

    submissions: Sequence[Submission]
    existing: Sequence[Existing] | None = None
    """Which of them were there; None: nothing is known."""
    error: BackendUnavailable | None = None


@attrs.define(eq=False)
class Group:
    """Requests that are written together: no id is in two of them."""

    requests: list[Request] = attrs.field(factory=list[Request])
    ids: set[str] = attrs.field(factory=set[str])
    written: threading.Event = attrs.field(factory=threading.Event)

    def takes(self, request: Request) -> bool:
        """Add it, if there is room and all its ids are new; whether it was."""
        ids = {one.id for one in request.submissions}
        if self.requests and (len(self.ids) + len(ids) > LARGEST or not self.ids.isdisjoint(ids)):
            return False
        self.requests.append(request)
        self.ids |= ids
        return True


@attrs.define(eq=False)
class Intake:
    """Writes what callers in many threads start.

    The first request of a group writes it, once the write before it is through; until
    then others join. A group that is refused says nothing about any of its requests: each
    is written alone then.
    """

    backend: Backend
    turn: threading.Lock
    """Whoever has it uses the connection."""
    _open: Group = attrs.field(factory=Group, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    @property
    def waiting(self) -> int:
        """How many requests the next write takes, as of now."""
        return len(self._open.requests)

    def submit(self, submissions: Sequence[Submission]) -> Sequence[Existing]:
        """As `Backend.submit`, for up to `LARGEST`."""
        request = Request(submissions)
        group = self._join(request)
        if group.requests[0] is request:
            self._lead(group)
        else:
            group.written.wait()
        if request.error is not None:
            raise request.error
        return self._alone(request) if request.existing is None else request.existing

    def _join(self, request: Request) -> Group:
        with self._lock:
            if not self._open.takes(request):
                self._open = Group()
                self._open.takes(request)
            return self._open

    def _lead(self, group: Group) -> None:
        try:
            with self.turn:
                self._close(group)
                self._write(group)
        finally:
            # Whatever has happened to this thread, nobody waits for it.
            self._close(group)
            group.written.set()

    def _close(self, group: Group) -> None:
        with self._lock:
            if self._open is group:
                self._open = Group()

    def _write(self, group: Group) -> None:
        # In the order of ids, in which all writers lock them.
        rows = sorted((one for request in group.requests for one in request.submissions), key=_id)
        try:
            existing = self.backend.submit(rows)
        except BackendUnavailable as error:
            for request in group.requests:
                request.error = error
        except Exception:
            if len(group.requests) == 1:
                raise
        else:
            for request in group.requests:
                own = {one.id for one in request.submissions}
                request.existing = [one for one in existing if one.id in own]

    def _alone(self, request: Request) -> Sequence[Existing]:
        with self.turn:
            return self.backend.submit(request.submissions)


def _id(submission: Submission) -> str:
    return submission.id
