"""Claims: how a workflow comes to a worker, and how it leaves it again."""

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    Double,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    null,
    or_,
    select,
    true,
    union_all,
    update,
)

from .dialect import Dialect, Field, Fields
from .expression import Row, bind, constant
from .steps import gate_of, owned
from .tables import MOMENT, NEVER, steps, workflows
from .workers import abandoned, fence
from .workflows import final

LANE: Fields = (Field("queue", Text()), Field("name", Text()))
TRANSITION: Fields = (
    Field("workflow_id", Text()),
    Field("epoch", BigInteger()),
    Field("status", Text()),
    Field("output", Text()),
    Field("error", Text()),
    Field("error_message", Text()),
    Field("run_at", MOMENT),
    Field("wake_at", BigInteger()),
    Field("cancelling", Boolean()),
)
SUCCESS: Fields = tuple(
    field for field in TRANSITION if field.name in {"workflow_id", "epoch", "output"}
)
"""What travels of a transition to success; all others are NULL or not so."""
CLAIMED = (
    "workflow_id",
    "name",
    "queue",
    "input",
    "epoch",
    "strikes",
    "wake",
    "parent_id",
    "deadline",
    "cancel_reason",
    "created_at",
)
_RUNNING = workflows.c.status == constant("running")


# ----------------------------------------------------------------- claim


def ready(
    dialect: Dialect, table: FromClause, *, suspects: bool
) -> tuple[ColumnElement[bool], ...]:
    """What the ready index holds, or the index of suspects, and is due."""
    strikes = table.c.strikes
    return (
        table.c.status == constant("enqueued"),
        strikes >= constant(2) if suspects else strikes < constant(2),
        table.c.run_at <= dialect.now(),
    )


def order(table: FromClause) -> tuple[ColumnElement[Any], ...]:
    """The order in which a queue is served."""
    return (table.c.priority, table.c.run_at, table.c.workflow_id)


def claim(dialect: Dialect, suspects: bool) -> Any:  # noqa: FBT001 (part of its name: see Compiled)
    """Claim from all lanes in one statement: the first of each, merged."""
    gate = fence()
    lane = dialect.rowset("lane", LANE)
    candidate = workflows.alias("candidate")
    top = (
        select(*order(candidate))
        .where(
            *ready(dialect, candidate, suspects=suspects),
            candidate.c.queue == lane.c.queue,
            candidate.c.name == lane.c.name,
        )
        .order_by(*order(candidate))
        .limit(bind("limit", Integer()))
        .with_for_update(skip_locked=True)
        .lateral("top")
    )
    best = (
        select(top.c.workflow_id)
        .select_from(lane.join(top, true()))
        .where(exists(select(gate.c.worker_id)))
        .order_by(*order(top))
        .limit(bind("limit", Integer()))
    )
    return take(dialect, gate, dialect.picked(workflows.c.workflow_id, best))


def claim_shard(dialect: Dialect, suspects: bool) -> Any:  # noqa: FBT001 (part of its name: see Compiled)
    """Claim from one lane and one shard."""
    gate = fence()
    candidate = workflows.alias("candidate")
    best = (
        _in_lane(dialect, candidate, suspects=suspects)
        .where(
            candidate.c.shard == bind("shard", Integer()),
            exists(select(gate.c.worker_id)),
        )
        .limit(bind("limit", Integer()))
        .with_for_update(skip_locked=True)
    )
    chosen = best.with_only_columns(candidate.c.workflow_id)
    return take(dialect, gate, dialect.picked(workflows.c.workflow_id, chosen))


def heads(dialect: Dialect, suspects: bool) -> Any:  # noqa: FBT001 (part of its name: see Compiled)
    """Which shards of a lane have something due, and how urgent it is."""
    branches: list[Select[Any]] = []
    for shard in range(dialect.shards):
        candidate = workflows.alias(f"candidate_{shard}")
        first = (
            _in_lane(dialect, candidate, suspects=suspects)
            .where(candidate.c.shard == constant(shard))
            .limit(constant(1))
            .subquery(f"head_{shard}")
        )
        branches.append(select(constant(shard), *first.c))
    return union_all(*branches)


def candidates(dialect: Dialect, suspects: bool) -> Select[Any]:  # noqa: FBT001 (part of its name: see Compiled)
    """The first of one lane, unlocked."""
    return _in_lane(dialect, workflows, suspects=suspects).limit(bind("limit", Integer()))


def take_ids(dialect: Dialect) -> Any:
    """Claim these, which the transaction has just selected."""
    return take(dialect, fence(), dialect.among(workflows.c.workflow_id, "ids"))


def _in_lane(dialect: Dialect, table: FromClause, *, suspects: bool) -> Select[Any]:
    return (
        select(*order(table))
        .where(
            *ready(dialect, table, suspects=suspects),
            table.c.queue == bind("queue", Text()),
            table.c.name == bind("name", Text()),
        )
        .order_by(*order(table))
    )


def take(dialect: Dialect, gate: CTE, which: ColumnElement[bool]) -> Any:
    """Make workflows the worker's of the fence.

    `status = 'enqueued'` is not said again: it would tempt the planner to scan
    the ready index once more.
    """
    returned = [workflows.c[name] for name in CLAIMED]
    return (
        update(workflows)
        .values(
            status=constant("running"),
            owner=gate.c.worker_id,
            epoch=workflows.c.epoch + constant(1),
            started_at=func.coalesce(workflows.c.started_at, dialect.now()),
            deadline=_deadline(dialect),
        )
        .where(which, gate.c.worker_id.is_not(None))
        .returning(*returned, workflows.c.priority, workflows.c.run_at)
    )


def _deadline(dialect: Dialect) -> ColumnElement[Any]:
    """At the first claim the time that is allowed begins."""
    deadline, timeout = workflows.c.deadline, workflows.c.timeout
    over = dialect.shifted(timeout)
    first = and_(workflows.c.started_at.is_(None), timeout.is_not(None))
    earlier = or_(deadline.is_(None), deadline > over)
    return case((and_(first, earlier), over), else_=deadline)


# --------------------------------------------------------------- let go


def let_go(dialect: Dialect, *, gate: CTE | Row | None = None, after: CTE | None = None) -> Any:
    """The owner's own transitions: the end, parked, waiting, or back to the queue.

    `after` locks some of these rows in the same statement, so it has to come first: a
    row that is written already would be left out there.
    """
    batch = dialect.batch("transition", TRANSITION)
    to = batch.c
    back = _back(batch)
    values = {
        "status": case((back, constant("enqueued")), else_=to["status"]),
        "error": to["error"],
        "error_message": to["error_message"],
        "run_at": case((back, dialect.now()), else_=_due(batch)),
        "wake_at": to["wake_at"],
        "completed_at": case((final(to["status"]), dialect.now())),
    }
    return _moved(dialect, batch, gate, after, **values)


def succeed(dialect: Dialect, *, gate: CTE | Row | None = None, after: CTE | None = None) -> Any:
    """The same where all have succeeded.

    It does not name `run_at`: SQLite would rewrite three indexes, which doubles the time.
    """
    values = {
        "status": constant("success"),
        "error": null(),
        "error_message": null(),
        "wake_at": null(),
        "completed_at": dialect.now(),
    }
    return _moved(dialect, dialect.batch("transition", SUCCESS), gate, after, **values)


def _moved(
    dialect: Dialect, batch: CTE | Row, gate: CTE | Row | None, after: CTE | None, **values: Any
) -> Any:
    guards = owned(dialect, gate_of(dialect) if gate is None else gate, batch)
    if after is not None:
        first = select(func.count()).select_from(after).scalar_subquery()
        guards = (*guards, first >= constant(0))
    moved = (
        update(workflows).values(owner=null(), output=batch.c["output"], **values).where(*guards)
    )
    if not dialect.fused:
        return moved
    told = ("workflow_id", "status", "parent_id", "awaited")
    return moved.returning(*[workflows.c[name] for name in told])


def _back(batch: CTE | Row) -> ColumnElement[bool]:
    """Whether something has come that who suspends it has not seen."""
    ignorant = and_(workflows.c.cancel_requested_at.is_not(None), ~batch.c["cancelling"])
    woken = workflows.c.wake >= batch.c["wake_at"]
    return and_(batch.c["status"] == constant("waiting"), or_(woken, ignorant))


def _due(batch: CTE | Row) -> ColumnElement[Any]:
    waiting = batch.c["status"] == constant("waiting")
    otherwise = case((waiting, cast(constant(NEVER), MOMENT)), else_=workflows.c.run_at)
    return func.coalesce(batch.c["run_at"], otherwise)


def reconcile(dialect: Dialect) -> Any:
    """Back to the queue with what is mine and unknown to me."""
    gate = fence()
    lost = (
        select(workflows.c.workflow_id, workflows.c.epoch)
        .where(
            _RUNNING,
            workflows.c.owner == bind("me", Text()),
            ~dialect.among(workflows.c.workflow_id, "known"),
        )
        .with_for_update(key_share=True, skip_locked=True)
        .cte("lost")
        .prefix_with("MATERIALIZED")
    )
    return (
        update(workflows)
        .values(status=constant("enqueued"), owner=null())
        .where(*owned(dialect, gate, lost))
        .returning(workflows.c.workflow_id)
    )


# ------------------------------------------------------------------ reap


def recover(dialect: Dialect) -> Any:
    """Take workflows from the dead, as `Recovery` says."""
    orphan = _orphans(dialect)
    strikes = orphan.c.strikes
    parked = strikes >= bind("max_strikes", Integer())
    suspect = strikes >= constant(2)
    message = _epitaph(strikes)
    return (
        update(workflows)
        .values(
            status=case(
                (parked, constant("parked")),
                (suspect, constant("delayed")),
                else_=constant("enqueued"),
            ),
            run_at=case(
                (parked, workflows.c.run_at),
                (suspect, dialect.shifted(bind("backoff", Double()) * _doubled(strikes))),
                else_=workflows.c.run_at,
            ),
            owner=null(),
            recoveries=workflows.c.recoveries + constant(1),
            strikes=strikes,
            error=case((parked, _error(dialect, message)), else_=workflows.c.error),
            error_message=case((parked, message), else_=workflows.c.error_message),
        )
        .where(
            workflows.c.workflow_id == orphan.c.workflow_id,
            dialect.picked(workflows.c.workflow_id, select(orphan.c.workflow_id)),
            case((_RUNNING, true()), else_=false()),
        )
        .returning(workflows.c.workflow_id, workflows.c.status)
    )


def _orphans(dialect: Dialect) -> CTE:
    # No EXISTS: that may be answered by hashing all steps there are.
    progress = (
        select(steps.c.epoch)
        .where(
            steps.c.workflow_id == workflows.c.workflow_id,
            steps.c.epoch == workflows.c.epoch,
        )
        .limit(constant(1))
        .scalar_subquery()
    )
    strikes = case((progress.is_not(None), constant(1)), else_=workflows.c.strikes + constant(1))
    return (
        select(workflows.c.workflow_id, strikes.label("strikes"))
        .where(_RUNNING, dialect.picked(workflows.c.owner, abandoned()))
        # Any order will do; this one is the index's, and no other way to it is as short.
        .order_by(workflows.c.owner)
        .limit(bind("limit", Integer()))
        .with_for_update(skip_locked=True)
        .cte("orphan")
        .prefix_with("MATERIALIZED")
    )


def _doubled(strikes: ColumnElement[int]) -> ColumnElement[Any]:
    # Bounded: a shift by 64 is nonsense, and so is a delay of centuries.
    exponent = case((strikes > constant(22), constant(20)), else_=strikes - constant(2))
    return constant(1).bitwise_lshift(exponent)


def _epitaph(strikes: ColumnElement[int]) -> ColumnElement[str]:
    return (
        constant("recovered ")
        + cast(strikes, Text())
        + constant(
            " times without progress: its worker dies while it runs. "
            "When the cause is gone: perdure resume "
        )
        + workflows.c.workflow_id
    )


def _error(dialect: Dialect, message: ColumnElement[str]) -> ColumnElement[str]:
    return (
        constant('{"type": "WorkflowParked", "module": "perdure.errors", "args": [], "message": ')
        + dialect.quoted(message)
        + constant(', "traceback": ""}')
    )
