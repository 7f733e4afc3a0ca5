"""One database: a backend that nothing disturbs, and a plain look at the tables."""

from datetime import timedelta
from typing import Any

import attrs

from perdure.backend import Lane, Recovery, WorkerInfo
from perdure_backends.sql.backend import SqlBackend

State = frozenset[tuple[Any, ...]]
"""Rows, each behind the name of its table."""

_OPEN = ("enqueued", "delayed", "waiting", "running")
_LONG_AGO = "2000-01-01T00:00:00.000000Z"
_TABLES = {
    "workflows": "workflow_id, status, owner, epoch, recoveries, strikes, output, error_message, "
    "CASE WHEN completed_at IS NULL THEN 0 ELSE 1 END",
    "workflow_steps": "workflow_id, branch, step_seq, step_name, status, output, epoch",
    "waits": "workflow_id, branch, step_seq, kind, epoch",
    "workers": "worker_id, known, CASE WHEN dead_at IS NULL THEN 0 ELSE 1 END",
    "definitions": "name",
    "messages": "workflow_id, message_id, consumed_branch, consumed_seq",
    "subscriptions": "workflow_id, target_id",
    "wakeups": "workflow_id, n, fan",
    "stream_items": "workflow_id, stream, item_offset, place, attempt, value, closes, epoch",
}


@attrs.frozen(eq=False)
class World:
    """What actors act on, and where one looks."""

    clean: SqlBackend
    raw: Any
    """A plain connection of the driver's, in autocommit mode, that finds the tables."""

    def clear(self) -> None:
        """Empty all tables."""
        for table in _TABLES:
            self.raw.execute(f"DELETE FROM {table}")  # noqa: S608 (our own names)

    def state(self, *tables: str) -> State:
        """What these tables hold, or all of them, without clocks and counters of beats."""
        return frozenset(
            (table, *row)
            for table in tables or _TABLES
            for row in self.raw.execute(f"SELECT {_TABLES[table]} FROM {table}").fetchall()  # noqa: S608 (our own names)
        )

    def epochs(self, *statuses: str, owner: str | None = None) -> dict[str, int]:
        """Ids and epochs of the workflows in these statuses, or of all, or of one owner."""
        return {
            row[1]: row[4]
            for row in self.state("workflows")
            if (not statuses or row[2] in statuses) and (owner is None or row[3] == owner)
        }

    def expire(self) -> None:
        """Let all leases be over and everything be due."""
        self.raw.execute(f"UPDATE workers SET lease_until = '{_LONG_AGO}'")  # noqa: S608 (our own names)
        self.raw.execute(f"UPDATE workflows SET run_at = '{_LONG_AGO}'")  # noqa: S608 (our own names)


_UNHEARD = """
SELECT workflow_id FROM workflows WHERE status = 'waiting' AND wake >= wake_at
UNION ALL
SELECT w.workflow_id FROM workflows w
WHERE w.wake < (SELECT count(*) FROM messages m WHERE m.workflow_id = w.workflow_id)
    + (SELECT count(*) FROM workflows c WHERE c.parent_id = w.workflow_id
       AND c.status IN ('success', 'error', 'cancelled'))
"""


def deliver(world: World) -> None:
    """Apply all wake-ups: none is left, none was lost, and nobody waits who has got enough."""
    world.clean.wake(limit=1000)
    _require(not world.state("wakeups"), "wake-ups are left")
    unheard = world.raw.execute(_UNHEARD).fetchall()
    _require(not unheard, f"not woken or not told: {unheard}")


def _require(condition: object, complaint: str) -> None:
    if not condition:
        raise AssertionError(complaint)


def rescue(world: World) -> None:
    """Let everybody die and a newcomer take over: nothing is lost, nothing runs twice."""
    started = world.epochs(*_OPEN)
    records = world.state("workflow_steps", "stream_items")
    lanes = [Lane("default", "work")]
    newcomer = WorkerInfo(id="z", host="h", pid=1, code_version=None, names=["work"], queues=[])
    world.expire()
    lease = timedelta(minutes=5)
    _require(world.clean.join(newcomer, lease=lease), "nobody can join")
    pulse = world.clean.heartbeat("z", lease=lease)
    _require(pulse, "the newcomer is dead")
    others = [peer for peer in (pulse.peers if pulse else ()) if peer.worker_id != "z"]
    patient = Recovery(max_strikes=100, backoff=timedelta(0))
    world.clean.reap(others, margin=timedelta(0), recovery=patient, limit=1000)
    world.clean.wake(limit=1000)
    taken = {
        found.id: found.epoch
        for suspects in (False, True)
        for found in world.clean.claim("z", lanes, limit=1000, suspects=suspects)
    }
    wanted = {each: epoch + 1 for each, epoch in started.items()}
    _require(taken == wanted, f"of {started} the newcomer got {taken}")
    _require(world.state("workflow_steps", "stream_items") == records, "records changed")
