"""The verbs: each takes the one lock, decides, and puts new records into the tables."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from perdure.backend import (
    Backend,
    Batch,
    Capabilities,
    Claimed,
    Committed,
    Existing,
    Item,
    Lane,
    Peer,
    Pulse,
    Query,
    Reading,
    Reaped,
    Recovery,
    SchemaVersion,
    Service,
    Submission,
    WorkerInfo,
)
from perdure.model import ENDED, History, Status, WorkflowRecord

from . import journal, outbox, workers, workflows
from .mail import MemoryMail
from .store import Store, Wakeup, store_at
from .workflows import NEVER

_REVISION = "memory"
_SCRIPT = """\
-- Nothing to run: workflows, workflow_steps, waits, messages, subscriptions, wakeups,
-- workers and definitions are collections in the memory of one process.
"""


class MemoryBackend(MemoryMail, Backend):
    """Workflows in the memory of one process; they end with it.

    `memory://` is private to the backend object. `memory://NAME` is shared by all
    backends of this process with that name and namespace, and lasts as long as one
    of them.
    """

    capabilities = Capabilities(
        embedded=True,
        missing={
            "guests": "there is no transaction that a caller could begin",
            "processes": "the database is the memory of one process",
            "sql_script": "there are no tables to create",
        },
    )

    def __init__(self, url: str, *, namespace: str = "perdure") -> None:
        self._name = urlsplit(url).netloc.rpartition("@")[2]
        self.store = store_at(self._name, namespace)
        self.turn: Callable[[WorkflowRecord], Any] = workflows.turn
        """The line of the queue; a test may set another one."""
        self.choice: Callable[[WorkflowRecord], Any] = workflows.due
        """Which `wake` and `reap` take first; a test may set another one."""
        self.post: Callable[[Sequence[Wakeup], int], Sequence[Wakeup]] = outbox.first
        """Which wake-ups `wake` applies; a test may choose others."""

    def __repr__(self) -> str:
        return f"<MemoryBackend {self.where}, {len(self.store.workflows)} workflows>"

    @property
    def where(self) -> str:
        return f"memory://{self._name}"

    def copy(self) -> "MemoryBackend":
        """A private backend whose tables hold the same from now on."""
        other = MemoryBackend("memory://")
        other.store = self.store.copy()
        return other

    # -------------------------------------------------------------- schema

    def schema_version(self) -> SchemaVersion:
        current = _REVISION if self.store.migrated else None
        return SchemaVersion(current=current, wanted=_REVISION, known=True)

    def migrate(self) -> None:
        self.store.migrated = True

    def migration_sql(self) -> str:
        return _SCRIPT

    def close(self) -> None:
        """Nothing is open."""

    # ------------------------------------------------------------- workers

    def join(self, worker: WorkerInfo, *, lease: timedelta) -> bool:
        with self.store.transaction() as now:
            before = self.store.workers.get(worker.id)
            after = workers.joined(before, worker, lease_until=now + lease)
            if after is None:
                return False
            self.store.workers[worker.id] = after
            self.store.definitions.update(worker.names)
            return True

    def heartbeat(self, worker_id: str, *, lease: timedelta) -> Pulse | None:
        with self.store.transaction() as now:
            if journal.fenced(self.store, worker_id):
                return None
            worker = self.store.workers[worker_id]
            self.store.workers[worker_id] = workers.renewed(worker, lease_until=now + lease)
            due = min(map(workflows.next_due, self.store.workflows.values()), default=NEVER)
            return Pulse(
                now=now,
                peers=[workers.peer(one) for one in self.store.workers.values() if one.alive],
                next_due=due if due < NEVER else None,
                orphans=bool(self._orphans()),
                outbox=bool(self.store.outbox),
            )

    def leave(self, worker_id: str) -> None:
        with self.store.transaction() as now:
            if worker := self.store.workers.get(worker_id):
                self.store.workers[worker_id] = workers.died(worker, now=now)

    def reap(
        self, witnessed: Sequence[Peer], *, margin: timedelta, recovery: Recovery, limit: int
    ) -> Reaped:
        dead = self._declare(witnessed, margin)
        with self.store.transaction() as now:
            moved = {
                one.id: workflows.recovered(one, recovery, progress=self._progress(one), now=now)
                for one in sorted(self._orphans(), key=self.choice)[:limit]
            }
            self.store.workflows.update(moved)
            self._forget(now)
        return Reaped(workers=dead, workflows={key: one.status for key, one in moved.items()})

    def _declare(self, witnessed: Sequence[Peer], margin: timedelta) -> list[str]:
        with self.store.transaction() as now:
            dead = {
                key: workers.died(one, now=now)
                for key, one in self.store.workers.items()
                if workers.expired(one, witnessed, before=now - margin)
            }
            self.store.workers.update(dead)
            return list(dead)

    def _orphans(self) -> list[WorkflowRecord]:
        return [
            one
            for one in self.store.workflows.values()
            if one.owner is not None and journal.fenced(self.store, one.owner)
        ]

    def _progress(self, workflow: WorkflowRecord) -> bool:
        steps = self.store.steps.get(workflow.id, {}).values()
        return any(step.epoch == workflow.epoch for step in steps)

    def _forget(self, now: datetime) -> None:
        owners = {one.owner for one in self.store.workflows.values()}
        for key, one in list(self.store.workers.items()):
            if workers.forgettable(one, now=now) and key not in owners:
                del self.store.workers[key]

    def service(self, name: str, queue: str) -> Service:
        with self.store.transaction() as now:
            each = self.store.workers.values()
            live = any(workers.serves(one, name, queue, now=now) for one in each)
            return Service(known=name in self.store.definitions, live=live)

    # ----------------------------------------------------------- workflows

    def submit(self, submissions: Sequence[Submission]) -> Sequence[Existing]:
        with self.store.transaction() as now:
            there = [self.store.workflows.get(new.id) for new in submissions]
            for new in submissions:
                self.store.workflows.setdefault(new.id, workflows.submitted(new, now=now))
            return [
                Existing(
                    id=one.id, name=one.name, input_json=one.input_json, parent_id=one.parent_id
                )
                for one in there
                if one is not None
            ]

    def claim(
        self, worker_id: str, lanes: Sequence[Lane], *, limit: int, suspects: bool = False
    ) -> Sequence[Claimed]:
        with self.store.transaction() as now:
            if journal.fenced(self.store, worker_id):
                return ()
            every = self.store.workflows.values()
            due = [one for one in every if workflows.ready(one, suspects=suspects, now=now)]
            line = sorted((one for one in due if _lane(one) in lanes), key=self.turn)
            mine = [workflows.claimed(one, owner=worker_id, now=now) for one in line[:limit]]
            self.store.workflows.update({one.id: one for one in mine})
            return [Claimed.of(one) for one in mine]

    def commit(self, worker_id: str, batch: Batch) -> Committed:
        with self.store.transaction() as now:
            return journal.commit(self.store, worker_id, batch, now=now)

    def reconcile(self, worker_id: str, known: Collection[str]) -> Sequence[str]:
        with self.store.transaction():
            if journal.fenced(self.store, worker_id):
                return ()
            mine = [one for one in self.store.workflows.values() if one.owner == worker_id]
            lost = {one.id: workflows.released(one) for one in mine if one.id not in set(known)}
            self.store.workflows.update(lost)
            return list(lost)

    def wake(self, *, limit: int) -> int:
        return max(part(limit) for part in self.parts())

    def parts(self) -> Sequence[Callable[[int], int]]:
        """The three transactions of `wake`."""
        return (self._apply, self._wake_due, self._cancel_late)

    def _apply(self, limit: int) -> int:
        with self.store.transaction() as now:
            outbox.spread(self.store)
            first = self.post(self.store.outbox, limit)
            outbox.apply(self.store, first, now=now)
            return len(first)

    def _wake_due(self, limit: int) -> int:
        with self.store.transaction() as now:
            timed = [one for one in self.store.workflows.values() if workflows.timed(one)]
            due = sorted((one for one in timed if one.run_at <= now), key=self.choice)
            woken = {one.id: workflows.woken(one) for one in due[:limit]}
            self.store.workflows.update(woken)
            return len(woken)

    def _cancel_late(self, limit: int) -> int:
        with self.store.transaction() as now:
            every = self.store.workflows.values()
            late = sorted((one for one in every if workflows.late(one, now=now)), key=self.choice)
            for one in late[:limit]:
                self._cancel(one, reason=f"its deadline was {one.deadline}", now=now)
            return len(late[:limit])

    def cancel(self, ids: Collection[str], *, reason: str) -> Mapping[str, Status]:
        with self.store.transaction() as now:
            there = [one for key in set(ids) if (one := self.store.workflows.get(key))]
            return {one.id: self._cancel(one, reason=reason, now=now) for one in there}

    def _cancel(self, workflow: WorkflowRecord, *, reason: str, now: datetime) -> Status:
        after = workflows.cancelled(workflow, reason=reason, now=now)
        self.store.workflows[workflow.id] = after
        if after.status.final and not workflow.status.final:
            outbox.tell_of_end(self.store, after)
        return after.status

    def requests(self, worker_id: str) -> Mapping[str, str]:
        with self.store.transaction():
            mine = [one for one in self.store.workflows.values() if one.owner == worker_id]
            return {one.id: one.cancel_reason or "" for one in mine if workflows.asked(one)}

    def load(self, ids: Collection[str], *, only_ended: bool = False) -> Sequence[WorkflowRecord]:
        with self.store.transaction():
            there = [one for key in set(ids) if (one := self.store.workflows.get(key))]
            return [one for one in there if not only_ended or one.status in ENDED]

    def find(self, query: Query) -> Sequence[WorkflowRecord]:
        with self.store.transaction():
            every = self.store.workflows.values()
            found = [one for one in every if workflows.matches(one, query)]
        return sorted(found, key=workflows.newest, reverse=True)[: query.limit]

    def resume(self, id: str, *, epoch: int) -> Status | None:
        with self.store.transaction() as now:
            found = self.store.workflows.get(id)
            if found is None:
                return None
            if (found.status, found.epoch) == (Status.PARKED, epoch):
                found = workflows.resumed(found, now=now)
                self.store.workflows[id] = found
            return found.status

    def read(self, readings: Sequence[Reading], *, limit: int) -> Sequence[Item]:
        with self.store.transaction():
            found = list[Item]()
            for one in readings:
                theirs = [
                    item
                    for (workflow_id, stream, offset), item in sorted(self.store.items.items())
                    if (workflow_id, stream) == (one.workflow_id, one.stream) and offset > one.after
                ]
                found += theirs[:limit]
            return found

    def history(self, ids: Collection[str]) -> Sequence[History]:
        with self.store.transaction():
            return [_history(self.store, key) for key in set(ids)]


def _lane(workflow: WorkflowRecord) -> Lane:
    return Lane(workflow.queue, workflow.name)


def _history(store: Store, workflow_id: str) -> History:
    steps, waits = store.steps.get(workflow_id, {}), store.waits.get(workflow_id, {})
    return History(
        workflow_id=workflow_id,
        steps=[steps[place] for place in sorted(steps)],
        waits=[waits[place] for place in sorted(waits)],
    )
