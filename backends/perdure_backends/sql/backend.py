"""The seam, implemented once; a database adds what only it has."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from perdure.backend import (
    Backend,
    Batch,
    Claimed,
    Committed,
    Existing,
    Lane,
    Peer,
    Pulse,
    Query,
    Reaped,
    Recovery,
    SchemaVersion,
    Service,
    Submission,
    WorkerInfo,
)
from perdure.errors import SchemaError
from perdure.model import History, Status, WorkflowRecord
from perdure.streams import Item, Reading

from . import claims, journal, migrate, rows, steps, streams, workers, workflows
from .dialect import Fields
from .errors import Fault
from .guests import SqlGuests
from .prepared import prepare
from .session import Session
from .shards import shard_of


class SqlBackend(SqlGuests, Backend):
    """A database that speaks SQL."""

    # -------------------------------------------------------------- schema

    def schema_version(self) -> SchemaVersion:
        found = self._read(self._revision)
        known = found is None or found in migrate.REVISIONS
        return SchemaVersion(current=found, wanted=migrate.REVISIONS[-1], known=known)

    def _revision(self, session: Session) -> str | None:
        try:
            found = session.rows(migrate.current, {})
        except DBAPIError as error:
            if self._dialect.fault(error) is Fault.SCHEMA:
                return None
            raise
        return found[0][0] if found else None

    def migrate(self) -> None:
        version = self.schema_version()
        if not version.known:
            raise SchemaError(
                f"the tables in {self._where} are of revision {version.current}, which this "
                f"version of Perdure does not know: it is older than the tables. Upgrade perdure."
            )
        if version.current != version.wanted:
            self.runner.run(self._migrate)

    def _migrate(self, connection: Connection) -> None:
        with self._migrating(self.session(connection)):
            migrate.upgrade(connection, self._dialect, schema=self._schema)

    def migration_sql(self) -> str:
        return migrate.script(self._dialect, schema=self._schema)

    def close(self) -> None:
        self._connections.drop()

    # ------------------------------------------------------------- workers

    def join(self, worker: WorkerInfo, *, lease: timedelta) -> bool:
        served = {"names": list(worker.names), "queues": list(worker.queues)}
        names = [(name,) for name in sorted(set(worker.names))]
        parameters = {
            "me": worker.id,
            "host": worker.host,
            "pid": worker.pid,
            "code_version": worker.code_version,
            "known": json.dumps(served, ensure_ascii=False),
            "lease": lease.total_seconds(),
            **self._dialect.encode("served", workers.NAMES, names),
        }
        return self._write(lambda session: self._join(session, parameters))

    def _join(self, session: Session, parameters: Mapping[str, Any]) -> bool:
        if self._dialect.fused:
            return bool(session.rows(workers.join, parameters))
        arrived = bool(session.rows(workers.arrive, parameters))
        if arrived:
            session.rows(workers.define, parameters)
        return arrived

    def heartbeat(self, worker_id: str, *, lease: timedelta) -> Pulse | None:
        parameters = {"me": worker_id, "lease": lease.total_seconds()}
        found = self._write(lambda session: self._beat(session, parameters))
        if not found:
            return None
        read = self._dialect.read
        _, _, _, now, due, deadline, orphans, outbox = found[0]
        return Pulse(
            now=read(now),
            peers=[rows.peer(row, read) for row in found],
            next_due=min((read(each) for each in (due, deadline) if each), default=None),
            orphans=bool(orphans),
            outbox=bool(outbox),
        )

    def _beat(self, session: Session, parameters: Mapping[str, Any]) -> Sequence[Any]:
        if self._dialect.fused:
            return session.rows(workers.heartbeat, parameters)
        alive = session.rows(workers.renew, parameters)
        return session.rows(workers.pulse, {}) if alive else ()

    def leave(self, worker_id: str) -> None:
        self._write(lambda session: session.rows(workers.leave, {"me": worker_id}))

    def reap(
        self, witnessed: Sequence[Peer], *, margin: timedelta, recovery: Recovery, limit: int
    ) -> Reaped:
        dead = self._declare(witnessed, margin) if witnessed else []
        parameters = {
            "max_strikes": recovery.max_strikes,
            "backoff": recovery.backoff.total_seconds(),
            "limit": limit,
        }
        moved = self._write(lambda session: session.rows(claims.recover, parameters))
        self._forget()
        return Reaped(workers=dead, workflows={row[0]: Status(row[1]) for row in moved})

    def _declare(self, witnessed: Sequence[Peer], margin: timedelta) -> list[str]:
        seen = [(peer.worker_id, peer.beat) for peer in witnessed]
        parameters = self._dialect.encode("seen", workers.SEEN, seen)
        parameters["margin"] = margin.total_seconds()
        dead = self._write(lambda session: session.rows(workers.declare, parameters))
        return [row[0] for row in dead]

    def _forget(self) -> None:
        if not self._read(lambda session: session.rows(workers.forgettable, {})):
            return

        def forget(session: Session) -> None:
            old = [row[0] for row in session.rows(workers.forgettable, {})]
            session.rows(workers.forget, {"ids": self._dialect.listed(old)})

        self._write_many(forget)

    def service(self, name: str, queue: str) -> Service:
        found = self._read(lambda session: session.rows(workers.served, {"name": name}))
        known = [json.loads(row[1]) for row in found if row[1] is not None]
        live = any(
            name in each.get("names", ()) and queue in each.get("queues", ()) for each in known
        )
        return Service(known=bool(found[0][0]), live=live)

    # ----------------------------------------------------------- workflows

    def submit(self, submissions: Sequence[Submission]) -> Sequence[Existing]:
        return self._write(self._submitting(submissions, alone=True)) if submissions else ()

    def _submitting(
        self, submissions: Sequence[Submission], *, alone: bool = False
    ) -> Callable[[Session], Sequence[Existing]]:
        """What submits them: `alone`, or in whoever's transaction, which no statement may fail."""
        fresh = alone and self._dialect.fused and all(each.fresh for each in submissions)
        new = [self._new(each) for each in submissions]
        usual, fields, rest = _unusual(new)
        parameters = self._dialect.encode("new", fields, rest)
        ids = [each.id for each in submissions]

        mine: set[str] = set()

        def submit(session: Session) -> Sequence[Existing]:
            if fresh:
                with suppress(IntegrityError):
                    session.rows(workflows.submit, parameters, workflows.FRESH, *usual)
                    return ()
            found = session.rows(workflows.submit, parameters, *usual)
            inserted = {row[0] for row in found}
            if self._dialect.fused:
                # Committed already: if what follows fails, the next try finds our own.
                mine.update(inserted)
                inserted = mine
            missing = [each for each in ids if each not in inserted]
            if not missing:
                return ()
            listed = {"ids": self._dialect.listed(missing)}
            return [rows.existing(row) for row in session.rows(workflows.existing, listed)]

        return submit

    def _new(self, each: Submission) -> tuple[object, ...]:
        return (
            each.id,
            each.name,
            each.input_json,
            each.queue,
            shard_of(each.id, self._dialect.shards),
            each.priority,
            None if each.delay is None else each.delay.total_seconds(),
            each.run_at,
            json.dumps(dict(each.attributes), ensure_ascii=False) if each.attributes else "{}",
            each.code_version,
            each.parent_id,
            each.detached,
            None if each.timeout is None else each.timeout.total_seconds(),
            each.deadline,
        )

    def claim(
        self, worker_id: str, lanes: Sequence[Lane], *, limit: int, suspects: bool = False
    ) -> Sequence[Claimed]:
        if not lanes or limit < 1:
            return ()
        pairs = [(lane.queue, lane.name) for lane in lanes]
        parameters = self._dialect.encode("lane", claims.LANE, pairs)
        parameters |= {"me": worker_id, "limit": limit}
        found = self._write(
            lambda session: session.rows(claims.claim, parameters, suspects), repeatable=False
        )
        return self._claimed(found)

    def _claimed(self, found: Sequence[Sequence[Any]]) -> list[Claimed]:
        # RETURNING has no order.
        read = self._dialect.read
        ordered = sorted(found, key=itemgetter(-2, -1, 0))
        return [rows.claimed(row, read) for row in ordered]

    def commit(self, worker_id: str, batch: Batch) -> Committed:
        prepared = prepare(self._dialect, worker_id, batch)
        return self._write(lambda session: journal.record(session, prepared))

    def reconcile(self, worker_id: str, known: Collection[str]) -> Sequence[str]:
        parameters = {"me": worker_id, "known": self._dialect.listed(list(known))}
        found = self._write(lambda session: session.rows(claims.reconcile, parameters))
        return [row[0] for row in found]

    def load(self, ids: Collection[str], *, only_ended: bool = False) -> Sequence[WorkflowRecord]:
        if not ids:
            return ()
        listed = {"ids": self._dialect.listed(list(ids))}
        found = self._read(lambda session: session.rows(workflows.load, listed, only_ended))
        return [rows.workflow(row, self._dialect.read) for row in found]

    def find(self, query: Query) -> Sequence[WorkflowRecord]:
        parameters = self._query(query)
        asked = [part for part in parameters if part not in {"limit", "after_at", "after_id"}]
        if query.after is not None:
            asked.append("after")
        found = self._read(lambda session: session.rows(workflows.find, parameters, *asked))
        return [rows.workflow(row, self._dialect.read) for row in found]

    def _query(self, query: Query) -> dict[str, Any]:
        statuses, attributes = query.statuses, query.attributes
        asked: dict[str, Any] = {
            "name": query.name,
            "statuses": None
            if statuses is None
            else self._dialect.listed([str(status) for status in statuses]),
            "queue": query.queue,
            "attributes": None
            if attributes is None
            else json.dumps(dict(attributes), ensure_ascii=False),
            "parent_id": query.parent_id,
            "limit": query.limit,
        }
        if query.after is not None:
            asked["after_at"] = self._dialect.written(query.after[0])
            asked["after_id"] = query.after[1]
        return {key: value for key, value in asked.items() if value is not None}

    def resume(self, id: str, *, epoch: int) -> Status | None:
        def resume(session: Session) -> Status | None:
            moved = session.rows(workflows.resume, {"id": id, "epoch": epoch})
            if moved:
                return Status(moved[0][0])
            standing = session.rows(workflows.standing, {"ids": self._dialect.listed([id])})
            return Status(standing[0][3]) if standing else None

        return self._write(resume)

    def read(self, readings: Sequence[Reading], *, limit: int) -> Sequence[Item]:
        if not readings:
            return ()
        asked = [(each.workflow_id, each.stream, each.after) for each in readings]
        parameters = self._dialect.encode("reading", streams.READING, asked) | {"limit": limit}
        found = self._read(lambda session: session.rows(streams.read, parameters))
        return [rows.item(row) for row in sorted(found, key=lambda row: (row[0], row[1], row[2]))]

    def history(self, ids: Collection[str]) -> Sequence[History]:
        if not ids:
            return ()
        asked = self._dialect.encode("asked", steps.ID, [(each,) for each in ids])
        found = self._read(lambda session: session.rows(steps.history, asked))
        return rows.histories(found, self._dialect.read)


def _unusual(
    rows: Sequence[tuple[object, ...]],
) -> tuple[list[str], Fields, list[tuple[object, ...]]]:
    """The columns that say what they usually do; the others, and what the rows have in those."""
    columns = list(zip(workflows.NEW, zip(*rows, strict=True), strict=True))
    usual = {field.name for field, values in columns if _usual(field.name, values)}
    kept = [(field, values) for field, values in columns if field.name not in usual]
    fields = tuple(field for field, _ in kept)
    return sorted(usual), fields, list(zip(*(values for _, values in kept), strict=True))


def _usual(name: str, values: tuple[object, ...]) -> bool:
    return name in workflows.USUAL and values.count(workflows.USUAL[name]) == len(values)
