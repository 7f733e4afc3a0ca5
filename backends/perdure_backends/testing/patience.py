"""A backend that answers what the engine would make of an unknown outcome.

The engine repeats a verb whose outcome is unknown, and looks into the table for what
a claim without an answer took. On a database where any statement may fail so, the
tests of single verbs need somebody who does the same, or each of them would have to.
What the engine gives back to the queue is handed out here, because those tests count
epochs. A claim and a wake that find nothing wait for what is due on another clock.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from perdure.backend import (
    Batch,
    Claimed,
    Committed,
    Existing,
    Lane,
    Peer,
    Pulse,
    Query,
    Reaped,
    SchemaVersion,
    Service,
    Submission,
    WorkerInfo,
)
from perdure.errors import BackendUnavailable, OutcomeUnknown
from perdure.mail import EventKey, Published, SendAnswer, Sight, Subscription, Watch
from perdure.model import History, Message, Status, WorkflowRecord
from perdure.streams import Item, Reading
from perdure_backends.sql.backend import SqlBackend

T = TypeVar("T")

_TIRES = 30.0
"""Seconds after which a database that always fails is given up."""
_MOST = 10_000
_SUSPECT = 2
"""Strikes from which on a workflow is claimed apart."""

_told: dict[str, set[tuple[str, int]]] = {}
"""By place: which epochs claims have handed out in this process."""
_lock = threading.Lock()


class Patient(SqlBackend):
    """Goes before a backend's class, and does not give up as early."""

    def _again(self, verb: Callable[[], T]) -> T:
        began = time.monotonic()
        while True:
            try:
                return verb()
            except BackendUnavailable:
                if time.monotonic() - began > _TIRES:
                    raise

    # --------------------------------------------------------------- claim

    def claim(
        self, worker_id: str, lanes: Sequence[Lane], *, limit: int, suspects: bool = False
    ) -> Sequence[Claimed]:
        """Claim until it is known that nothing more is due, on whichever clock."""
        found: list[Claimed] = []
        while len(found) < limit:
            rest = limit - len(found)
            some, answered = self._claim(worker_id, lanes, limit=rest, suspects=suspects)
            found += some
            if answered and not self._ripens(lanes, suspects=suspects):
                break
        return found

    def _claim(
        self, worker_id: str, lanes: Sequence[Lane], *, limit: int, suspects: bool
    ) -> tuple[Sequence[Claimed], bool]:
        """What was claimed, and whether the claim said so itself."""

        def claim() -> tuple[Sequence[Claimed], bool]:
            try:
                return super(Patient, self).claim(
                    worker_id, lanes, limit=limit, suspects=suspects
                ), True
            except OutcomeUnknown:
                if some := self._untold(worker_id):
                    return some, False
                raise

        some, answered = self._again(claim)
        with _lock:
            self._handed.update((one.id, one.epoch) for one in some)
        return some, answered

    @property
    def _handed(self) -> set[tuple[str, int]]:
        return _told.setdefault(f"{self._where}/{self._schema}", set())

    def _untold(self, worker_id: str) -> list[Claimed]:
        """What the table gives to a worker that no claim has told it of."""
        mine = [one for one in self._in(Status.RUNNING) if one.owner == worker_id]
        with _lock:
            return [Claimed.of(one) for one in mine if (one.id, one.epoch) not in self._handed]

    def _ripens(self, lanes: Sequence[Lane], *, suspects: bool) -> bool:
        """Whether something is due on one clock and not on another; then wait until it is."""
        return self._waited(
            one.run_at
            for one in self._in(Status.ENQUEUED)
            if Lane(one.queue, one.name) in lanes and (one.strikes >= _SUSPECT) == suspects
        )

    def _waited(self, moments: Iterable[datetime]) -> bool:
        """Wait until all clocks agree about those of the moments that they may not agree on."""
        skew, now = self.capabilities.clock_skew, datetime.now(UTC)
        near = [each for each in moments if now - skew <= each <= now + skew]
        if near:
            rest = max(near) + skew - datetime.now(UTC)
            time.sleep(max(0.0, rest.total_seconds()))
        return bool(near)

    # ---------------------------------------------------------- other verbs

    def wake(self, *, limit: int) -> int:
        """Wake what is due on whichever clock."""
        sleeping = self._in(Status.DELAYED, Status.WAITING)
        self._waited([each.run_at for each in sleeping])
        self._waited([each.deadline for each in self._in() if each.deadline is not None])
        return self._again(lambda: super(Patient, self).wake(limit=limit))

    def _in(self, *statuses: Status) -> Iterator[WorkflowRecord]:
        yield from self.find(Query(statuses=list(statuses) or None, limit=_MOST))

    # ------------------------------------------------------ plainly repeated

    def schema_version(self) -> SchemaVersion:
        return self._again(super().schema_version)

    def migrate(self) -> None:
        self._again(super().migrate)

    def join(self, worker: WorkerInfo, *, lease: timedelta) -> bool:
        return self._again(lambda: super(Patient, self).join(worker, lease=lease))

    def heartbeat(self, worker_id: str, *, lease: timedelta) -> Pulse | None:
        return self._again(lambda: super(Patient, self).heartbeat(worker_id, lease=lease))

    def leave(self, worker_id: str) -> None:
        self._again(lambda: super(Patient, self).leave(worker_id))

    def reap(self, witnessed: Sequence[Peer], **how: Any) -> Reaped:
        return self._again(lambda: super(Patient, self).reap(witnessed, **how))

    def service(self, name: str, queue: str) -> Service:
        return self._again(lambda: super(Patient, self).service(name, queue))

    def submit(self, submissions: Sequence[Submission]) -> Sequence[Existing]:
        return self._again(lambda: super(Patient, self).submit(submissions))

    def commit(self, worker_id: str, batch: Batch) -> Committed:
        return self._again(lambda: super(Patient, self).commit(worker_id, batch))

    def reconcile(self, worker_id: str, known: Collection[str]) -> Sequence[str]:
        return self._again(lambda: super(Patient, self).reconcile(worker_id, known))

    def load(self, ids: Collection[str], *, only_ended: bool = False) -> Sequence[WorkflowRecord]:
        return self._again(lambda: super(Patient, self).load(ids, only_ended=only_ended))

    def find(self, query: Query) -> Sequence[WorkflowRecord]:
        return self._again(lambda: super(Patient, self).find(query))

    def resume(self, id: str, *, epoch: int) -> Status | None:
        return self._again(lambda: super(Patient, self).resume(id, epoch=epoch))

    def history(self, ids: Collection[str]) -> Sequence[History]:
        return self._again(lambda: super(Patient, self).history(ids))

    def read(self, readings: Sequence[Reading], *, limit: int) -> Sequence[Item]:
        return self._again(lambda: super(Patient, self).read(readings, limit=limit))

    def cancel(self, ids: Collection[str], *, reason: str) -> Mapping[str, Status]:
        return self._again(lambda: super(Patient, self).cancel(ids, reason=reason))

    def requests(self, worker_id: str) -> Mapping[str, str]:
        return self._again(lambda: super(Patient, self).requests(worker_id))

    def look(self, watches: Sequence[Watch], *, limit: int) -> Sequence[Sight]:
        return self._again(lambda: super(Patient, self).look(watches, limit=limit))

    def send(self, messages: Sequence[Message]) -> Sequence[SendAnswer]:
        return self._again(lambda: super(Patient, self).send(messages))

    def subscribe(self, subscriptions: Sequence[Subscription]) -> Collection[str]:
        return self._again(lambda: super(Patient, self).subscribe(subscriptions))

    def events(self, keys: Collection[EventKey]) -> Sequence[Published]:
        return self._again(lambda: super(Patient, self).events(keys))
