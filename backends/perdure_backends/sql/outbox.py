"""The outbox: wake-ups that a transaction leaves for other workflows, and how they come to them.

Whoever writes what others wait for only inserts here: it locks no row that is not its own.
"""

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Subquery,
    Text,
    and_,
    case,
    cast,
    delete,
    exists,
    false,
    func,
    or_,
    select,
    true,
    union_all,
    update,
)

from .claims import TRANSITION
from .dialect import Dialect, Field, Fields
from .expression import bind, constant
from .steps import STEP, gate_of, owned, there
from .tables import subscriptions, wakeups, workflows
from .workflows import final

TOLD: Fields = (Field("workflow_id", Text()), Field("n", BigInteger()))


# ----------------------------------------------------------------- leave


def leave(dialect: Dialect, first: Select[Any], *others: Select[Any]) -> Any:
    """Insert wake-ups: for whom, how many, and whether for all that have subscribed to it."""
    rows = union_all(first, *others) if others else first
    return dialect.insert(wakeups).from_select(["workflow_id", "n", "fan"], rows)


def of_ended(moved: CTE) -> tuple[Select[Any], Select[Any]]:
    """For the parents and the subscribers of workflows, where these have ended."""
    over = final(moved.c.status)
    parents = (
        select(moved.c.parent_id, func.count(), false())
        .where(over, moved.c.parent_id.is_not(None))
        .group_by(moved.c.parent_id)
    )
    return parents, select(moved.c.workflow_id, constant(1), true()).where(over, moved.c.awaited)


def of_published(recorded: CTE, publishing: CTE) -> Select[Any]:
    """For the subscribers of workflows, one for each event that was recorded now."""
    return (
        select(recorded.c.workflow_id, func.count(), true())
        .join_from(recorded, publishing, recorded.c.workflow_id == publishing.c.workflow_id)
        .where(recorded.c.kind == constant("event"), publishing.c.awaited)
        .group_by(recorded.c.workflow_id)
    )


def followed(dialect: Dialect) -> Select[Any]:
    """Which of these have a parent, or subscribers, to be told of their end."""
    parent, awaited = workflows.c.parent_id.is_not(None), workflows.c.awaited
    return select(workflows.c.workflow_id).where(
        dialect.among(workflows.c.workflow_id, "ids"), or_(parent, awaited)
    )


def ends(dialect: Dialect) -> Any:
    """For the end that a transition will be: before it, in the same transaction."""
    rows = dialect.batch("transition", TRANSITION)
    mine = owned(dialect, gate_of(dialect), rows)
    return leave(dialect, *of_each(workflows, *mine))


def of_each(ending: FromClause, *which: ColumnElement[bool]) -> tuple[Select[Any], Select[Any]]:
    """For the parents and the subscribers of these workflows."""
    parents = select(ending.c.parent_id, constant(1), false())
    fans = select(ending.c.workflow_id, constant(1), true())
    return parents.where(*which, ending.c.parent_id.is_not(None)), fans.where(
        *which, ending.c.awaited
    )


def events(dialect: Dialect) -> Any:
    """For the event that a step will be: before it, in the same transaction."""
    rows = dialect.batch("step", STEP)
    mine = owned(dialect, gate_of(dialect), rows)
    fan = select(workflows.c.workflow_id, constant(1), true())
    return leave(dialect, fan.where(*mine, workflows.c.awaited, ~there(rows)))


def tell(dialect: Dialect) -> Any:
    """So many for each of these workflows."""
    told = dialect.rowset("told", TOLD)
    return leave(dialect, select(told.c.workflow_id, told.c.n, false()))


# ---------------------------------------------------------------- spread


def fans(dialect: Dialect) -> Any:
    """Take out those for subscribers, to be spread in the same transaction."""
    taken = (
        select(wakeups.c.id)
        .where(wakeups.c.fan)
        .order_by(wakeups.c.id)
        .limit(bind("limit", Integer()))
        .with_for_update(skip_locked=True)
        .cte("taken")
        .prefix_with("MATERIALIZED")
    )
    return (
        delete(wakeups)
        .where(dialect.picked(wakeups.c.id, select(taken.c.id)))
        .returning(wakeups.c.workflow_id, wakeups.c.n)
    )


def spread(dialect: Dialect) -> Any:
    """One for each subscriber instead.

    A statement of its own: it sees all who have subscribed before what is told of was written.
    """
    told = dialect.rowset("told", TOLD)
    rows = select(subscriptions.c.workflow_id, told.c.n, false()).where(
        subscriptions.c.target_id == told.c.workflow_id,
        dialect.picked(subscriptions.c.target_id, select(told.c.workflow_id)),
    )
    return leave(dialect, rows)


# ----------------------------------------------------------------- apply


def drain(dialect: Dialect) -> Select[Any]:
    """Apply the first of them, and remove what was applied or is for nobody.

    Answers with how many were removed, and how many are there for subscribers. Rows that
    somebody holds are passed over: nobody waits for a workflow while holding another.
    """
    first = _first(fan=None)
    taken = first.with_for_update(skip_locked=True).cte("taken").prefix_with("MATERIALIZED")
    given = _summed(taken).where(~taken.c.fan).cte("given").prefix_with("MATERIALIZED")
    free = (
        select(workflows.c.workflow_id)
        .where(dialect.picked(workflows.c.workflow_id, select(given.c.workflow_id)))
        .with_for_update(key_share=True, skip_locked=True)
        .cte("free")
        .prefix_with("MATERIALIZED")
    )
    woken = (
        _counted(dialect, given)
        .where(dialect.picked(workflows.c.workflow_id, select(free.c.workflow_id)))
        .returning(workflows.c.workflow_id)
        .cte("woken")
    )
    other = workflows.alias("other")
    gone = ~exists(select(other.c.status).where(other.c.workflow_id == taken.c.workflow_id))
    done = or_(taken.c.workflow_id.in_(select(woken.c.workflow_id)), gone)
    swept = (
        delete(wakeups)
        .where(dialect.picked(wakeups.c.id, select(taken.c.id).where(~taken.c.fan, done)))
        .returning(wakeups.c.id)
        .cte("swept")
    )
    removed = select(func.count()).select_from(swept).scalar_subquery()
    fanned = select(func.count()).select_from(taken).where(taken.c.fan).scalar_subquery()
    return select(removed, fanned)


def apply(dialect: Dialect) -> Any:
    """Add the first of them to their workflows' counts, where nobody else writes meanwhile."""
    return _counted(dialect, _summed(_first(fan=False).subquery("taken")).cte("given"))


def sweep(dialect: Dialect) -> Any:
    """Remove those that `apply` has applied in this transaction."""
    taken = _first(fan=False).subquery("taken")
    return (
        delete(wakeups)
        .where(dialect.picked(wakeups.c.id, select(taken.c.id)))
        .returning(wakeups.c.id)
    )


def _first(*, fan: bool | None) -> Select[Any]:
    found = select(wakeups.c.id, wakeups.c.workflow_id, wakeups.c.n, wakeups.c.fan)
    kind = () if fan is None else (wakeups.c.fan if fan else ~wakeups.c.fan,)
    return found.where(*kind).order_by(wakeups.c.id).limit(bind("limit", Integer()))


def _summed(taken: CTE | Subquery) -> Select[Any]:
    total = cast(func.sum(taken.c.n), BigInteger())
    return select(taken.c.workflow_id, total.label("n")).group_by(taken.c.workflow_id)


def _counted(dialect: Dialect, given: CTE) -> Any:
    count = workflows.c.wake + given.c.n
    woken = and_(workflows.c.status == constant("waiting"), workflows.c.wake_at <= count)
    later = and_(woken, workflows.c.run_at > dialect.now())
    return (
        update(workflows)
        .values(
            wake=count,
            status=case((woken, constant("enqueued")), else_=workflows.c.status),
            run_at=case((later, dialect.now()), else_=workflows.c.run_at),
        )
        .where(workflows.c.workflow_id == given.c.workflow_id)
    )
