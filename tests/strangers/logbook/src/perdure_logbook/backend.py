"""The verbs: each takes its turn at the log, decides, and puts records."""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import attrs

from perdure.backend import (
    Backend,
    Batch,
    Capabilities,
    Claimed,
    Committed,
    EventKey,
    Existing,
    Item,
    Lane,
    Peer,
    Published,
    Pulse,
    Query,
    Reading,
    Reaped,
    Recovery,
    SchemaVersion,
    SendAnswer,
    Service,
    Sight,
    Submission,
    Subscription,
    Watch,
    WorkerInfo,
)
from perdure.errors import ConfigurationError, SchemaError
from perdure.model import ENDED, History, Message, Status, WorkflowRecord

from . import mail, outbox, workflows
from .commits import commit
from .log import Log, Turn
from .tables import FORMAT, OLDER, READABLE, Definition, Forgotten, Format
from .workers import joined
from .workflows import NEVER


class LogbookBackend(Backend):
    """`logbook:///path/to/folder`: a file in that folder for each namespace."""

    capabilities = Capabilities(
        embedded=True,
        missing={
            "guests": "nobody else writes to this log, so that there is no transaction to join",
            "sql_script": "a log needs no tables: its first line is all there is to make",
        },
    )

    def __init__(self, url: str, *, namespace: str = "perdure") -> None:
        parts = urlsplit(url)
        if parts.netloc or not parts.path.startswith("/"):
            raise ConfigurationError("write the whole path: logbook:///path/to/folder")
        folder = Path(unquote(parts.path))
        self.log = Log(folder / f"{quote(namespace, safe='')}.log", where=f"logbook://{folder}")

    def __repr__(self) -> str:
        return f"<LogbookBackend {self.where}, {len(self.log.tables.workflows)} workflows>"

    @property
    def where(self) -> str:
        return self.log.where

    # -------------------------------------------------------------- schema

    def schema_version(self) -> SchemaVersion:
        with self.log.turn() as turn:
            current = turn.tables.format
        return SchemaVersion(current=current, wanted=FORMAT, known=current in READABLE)

    def migrate(self) -> None:
        with self.log.turn() as turn:
            if turn.tables.format in (None, OLDER):
                turn.put(Format(FORMAT))
            self._check(turn)

    @contextmanager
    def _turn(self) -> Generator[Turn, None, None]:
        with self.log.turn() as turn:
            self._check(turn)
            yield turn

    def _check(self, turn: Turn) -> None:
        if turn.tables.format is None:
            raise SchemaError(f"{self.where} has no log yet: call migrate()")
        if turn.tables.format == OLDER:
            raise SchemaError(f"the log in {self.where} is older: call migrate()")
        if turn.tables.format != FORMAT:
            raise SchemaError(f"the log in {self.where} is newer: upgrade perdure-logbook")

    def migration_sql(self) -> str:
        return "-- Nothing to run: a log has no tables.\n"

    def close(self) -> None:
        self.log.close()

    # ------------------------------------------------------------- workers

    def join(self, worker: WorkerInfo, *, lease: timedelta) -> bool:
        with self._turn() as turn:
            before = turn.tables.workers.get(worker.id)
            if before and before.dead_at:
                return False
            turn.put(joined(worker, before, lease_until=turn.now + lease))
            turn.put(*[Definition(name) for name in worker.names])
            return True

    def heartbeat(self, worker_id: str, *, lease: timedelta) -> Pulse | None:
        with self._turn() as turn:
            if turn.fenced(worker_id):
                return None
            mine = turn.tables.workers[worker_id]
            turn.put(attrs.evolve(mine, lease_until=turn.now + lease, beat=mine.beat + 1))
            alive = [one for one in turn.tables.workers.values() if one.dead_at is None]
            return Pulse(
                now=turn.now,
                peers=[one.peer for one in alive],
                next_due=_next_due(turn),
                orphans=bool(_orphans(turn)),
                outbox=bool(turn.tables.mailbox.outbox),
            )

    def leave(self, worker_id: str) -> None:
        with self._turn() as turn:
            if not turn.fenced(worker_id):
                turn.put(attrs.evolve(turn.tables.workers[worker_id], dead_at=turn.now))

    def reap(
        self, witnessed: Sequence[Peer], *, margin: timedelta, recovery: Recovery, limit: int
    ) -> Reaped:
        with self._turn() as turn:
            every = list(turn.tables.workers.values())
            dead = [one for one in every if one.expired(witnessed, before=turn.now - margin)]
            turn.put(*[attrs.evolve(one, dead_at=turn.now) for one in dead])
        with self._turn() as turn:
            back = [_recovered(turn, one, recovery) for one in _orphans(turn)[:limit]]
            turn.put(*back)
            owners = {one.owner for one in turn.tables.workflows.values()}
            old = [one for one in turn.tables.workers.values() if one.forgettable(now=turn.now)]
            turn.put(*[Forgotten(one.id) for one in old if one.id not in owners])
        return Reaped(
            workers=[one.id for one in dead], workflows={one.id: one.status for one in back}
        )

    def service(self, name: str, queue: str) -> Service:
        with self._turn() as turn:
            every = turn.tables.workers.values()
            live = any(one.serves(name, queue, now=turn.now) for one in every)
            return Service(known=name in turn.tables.definitions, live=live)

    # ----------------------------------------------------------- workflows

    def submit(self, submissions: Sequence[Submission]) -> Sequence[Existing]:
        with self._turn() as turn:
            every = turn.tables.workflows
            there = [every[one.id] for one in submissions if one.id in every]
            new = [one for one in submissions if one.id not in every]
            turn.put(*[workflows.submitted(one, now=turn.now) for one in new])
            return [workflows.existing(one) for one in there]

    def claim(
        self, worker_id: str, lanes: Sequence[Lane], *, limit: int, suspects: bool = False
    ) -> Sequence[Claimed]:
        with self._turn() as turn:
            if turn.fenced(worker_id):
                return ()
            every = turn.tables.workflows.values()
            mine = [one for one in every if workflows.lane(one) in lanes]
            due = [one for one in mine if workflows.ready(one, suspects=suspects, now=turn.now)]
            first = sorted(due, key=workflows.turn)[:limit]
            taken = [workflows.claimed(one, owner=worker_id, now=turn.now) for one in first]
            turn.put(*taken)
            return [Claimed.of(one) for one in taken]

    def commit(self, worker_id: str, batch: Batch) -> Committed:
        with self._turn() as turn:
            return commit(turn, worker_id, batch)

    def reconcile(self, worker_id: str, known: Collection[str]) -> Sequence[str]:
        with self._turn() as turn:
            if turn.fenced(worker_id):
                return ()
            mine = [one for one in turn.tables.workflows.values() if one.owner == worker_id]
            lost = [one for one in mine if one.id not in known]
            turn.put(*map(workflows.released, lost))
            return [one.id for one in lost]

    def wake(self, *, limit: int) -> int:
        with self._turn() as turn:
            counted = outbox.apply(turn, limit=limit)
        with self._turn() as turn:
            due = _over(turn, workflows.due)[:limit]
            turn.put(*map(workflows.released, due))
        with self._turn() as turn:
            late = _over(turn, workflows.late)[:limit]
            for one in late:
                _cancelled(turn, one, reason=f"its deadline was {one.deadline}")
        return max(counted, len(due), len(late))

    def cancel(self, ids: Collection[str], *, reason: str) -> Mapping[str, Status]:
        with self._turn() as turn:
            every = turn.tables.workflows
            there = [every[one] for one in set(ids) if one in every]
            return {one.id: _cancelled(turn, one, reason=reason) for one in there}

    def requests(self, worker_id: str) -> Mapping[str, str]:
        with self._turn() as turn:
            mine = [one for one in turn.tables.workflows.values() if one.owner == worker_id]
            return {one.id: one.cancel_reason or "" for one in mine if workflows.asked(one)}

    def load(self, ids: Collection[str], *, only_ended: bool = False) -> Sequence[WorkflowRecord]:
        with self._turn() as turn:
            every = turn.tables.workflows
            there = [every[one] for one in set(ids) if one in every]
            return [one for one in there if not only_ended or one.status in ENDED]

    def find(self, query: Query) -> Sequence[WorkflowRecord]:
        with self._turn() as turn:
            every = turn.tables.workflows.values()
            found = [one for one in every if workflows.matches(one, query)]
        return sorted(found, key=workflows.age, reverse=True)[: query.limit]

    def resume(self, id: str, *, epoch: int) -> Status | None:
        with self._turn() as turn:
            one = turn.tables.workflows.get(id)
            if one and (one.status, one.epoch) == (Status.PARKED, epoch):
                turn.put(one := workflows.resumed(one, now=turn.now))
            return one.status if one else None

    def read(self, readings: Sequence[Reading], *, limit: int) -> Sequence[Item]:
        with self._turn() as turn:
            return [item for one in readings for item in turn.tables.mailbox.read(one, limit)]

    def history(self, ids: Collection[str]) -> Sequence[History]:
        with self._turn() as turn:
            return [turn.tables.history(one) for one in set(ids)]

    # ---------------------------------------------------------------- mail

    def look(self, watches: Sequence[Watch], *, limit: int) -> Sequence[Sight]:
        with self._turn() as turn:
            sights = [mail.seen(turn, one, limit=limit) for one in watches]
            return [one for one in sights if one]

    def send(self, messages: Sequence[Message]) -> Sequence[SendAnswer]:
        with self._turn() as turn:
            return [mail.sent(turn, one) for one in messages]

    def subscribe(self, subscriptions: Sequence[Subscription]) -> Collection[str]:
        with self._turn() as turn:
            return {one.target_id for one in subscriptions if mail.subscribed(turn, one)}

    def events(self, keys: Collection[EventKey]) -> Sequence[Published]:
        with self._turn() as turn:
            values = [mail.published(turn, one) for one in set(keys)]
            return [one for one in values if one]


def _over(turn: Turn, due: Callable[[WorkflowRecord], datetime]) -> list[WorkflowRecord]:
    every = turn.tables.workflows.values()
    return sorted((one for one in every if due(one) <= turn.now), key=due)


def _next_due(turn: Turn) -> datetime | None:
    every = turn.tables.workflows.values()
    due = min((min(workflows.due(one), workflows.late(one)) for one in every), default=NEVER)
    return due if due < NEVER else None


def _cancelled(turn: Turn, one: WorkflowRecord, *, reason: str) -> Status:
    after = workflows.cancelled(one, reason=reason, now=turn.now)
    if after != one:
        outbox.change(turn, after)
    return after.status


def _orphans(turn: Turn) -> list[WorkflowRecord]:
    every = turn.tables.workflows.values()
    return [one for one in every if one.owner is not None and turn.fenced(one.owner)]


def _recovered(turn: Turn, one: WorkflowRecord, recovery: Recovery) -> WorkflowRecord:
    steps = turn.tables.steps.get(one.id, {}).values()
    progress = any(step.epoch == one.epoch for step in steps)
    return workflows.recovered(one, recovery, progress=progress, now=turn.now)
