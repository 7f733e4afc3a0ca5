"""Workers: who lives, and who serves what."""

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Delete,
    Double,
    Integer,
    Select,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    select,
    update,
)

from .dialect import Dialect, Field
from .expression import bind, constant
from .tables import MOMENT, NEVER, definitions, wakeups, workers, workflows

NAMES = (Field("name", Text()),)
SEEN = (Field("worker_id", Text()), Field("beat", BigInteger()))
_DAY = 86_400
_me = workers.c.worker_id == bind("me", Text())
_alive = workers.c.dead_at.is_(None)


def fence() -> CTE:
    """My row, if I am not dead: whatever joins it is not written by a dead worker.

    The lock lets heartbeats pass and makes the declaration of death wait.
    """
    return (
        select(workers.c.worker_id)
        .where(_me, _alive)
        .with_for_update(read=True, key_share=True)
        .cte("fence")
        .prefix_with("MATERIALIZED")
    )


def fenced(_: Dialect) -> Select[Any]:
    """The fence alone."""
    return select(fence().c.worker_id)


# ------------------------------------------------------------------ join


def _lease(dialect: Dialect) -> Any:
    return dialect.shifted(bind("lease", Double()))


def arrive(dialect: Dialect) -> Any:
    """Insert or renew my row, unless I am dead; one row if I live."""
    row = {
        "worker_id": bind("me", Text()),
        "host": bind("host", Text()),
        "pid": bind("pid", Integer()),
        "code_version": bind("code_version", Text()),
        "known": bind("known", Text()),
    }
    insert = dialect.insert(workers).from_select(
        [*row, "lease_until"],
        select(*row.values(), _lease(dialect)).where(constant(1) == constant(1)),
    )
    return insert.on_conflict_do_update(
        index_elements=[workers.c.worker_id],
        set_={
            "known": insert.excluded.known,
            "code_version": insert.excluded.code_version,
            "lease_until": insert.excluded.lease_until,
            "beat": workers.c.beat + constant(1),
        },
        where=_alive,
    ).returning(workers.c.worker_id)


def define(dialect: Dialect, *, arrived: CTE | None = None) -> Any:
    """Remember the names that are served."""
    names = dialect.rowset("served", NAMES)
    known = constant(1) == constant(1)
    if arrived is not None:
        known = exists(select(arrived.c.worker_id))
    rows = select(names.c.name).where(known).order_by(names.c.name)
    return (
        dialect.insert(definitions)
        .from_select(["name"], rows)
        .on_conflict_do_nothing()
        .returning(definitions.c.name)
    )


def join(dialect: Dialect) -> Select[Any]:
    """Both in one statement."""
    arrived = arrive(dialect).cte("arrived")
    defined = define(dialect, arrived=arrived).cte("defined")
    return select(arrived.c.worker_id).add_cte(defined)


# ------------------------------------------------------------- heartbeat


def renew(dialect: Dialect) -> Any:
    """One heartbeat; no row if I am dead."""
    return (
        update(workers)
        .values(lease_until=_lease(dialect), beat=workers.c.beat + constant(1))
        .where(_me, _alive)
        .returning(workers.c.worker_id, workers.c.beat, workers.c.lease_until)
    )


def pulse(dialect: Dialect, *, renewed: CTE | None = None) -> Select[Any]:
    """All live workers, and beside each the time and whether there is something to do.

    That is: the next due time, the next deadline, orphans, wake-ups.
    """
    beat: Any = workers.c.beat
    until: Any = workers.c.lease_until
    if renewed is not None:
        # The statement sees the row as it was before its own update.
        mine = workers.c.worker_id == renewed.c.worker_id
        beat = case((mine, renewed.c.beat), else_=beat)
        until = case((mine, renewed.c.lease_until), else_=until)
    orphaned = exists(select(_abandoned(owners()).c.owner))
    flags = [case((each, constant(1)), else_=constant(0)) for each in (orphaned, _told())]
    rows = select(workers.c.worker_id, beat, until, dialect.now(), _due(), _deadline(), *flags)
    if renewed is not None:
        rows = rows.join_from(workers, renewed, constant(1) == constant(1))
    return rows.where(_alive)


def heartbeat(dialect: Dialect) -> Select[Any]:
    """Both in one statement."""
    return pulse(dialect, renewed=renew(dialect).cte("renewed"))


def _due() -> ColumnElement[Any]:
    """What time never wakes stands at its end."""
    first = select(func.min(workflows.c.run_at)).where(
        workflows.c.status.in_([constant("delayed"), constant("waiting")]),
        workflows.c.run_at < cast(constant(NEVER), MOMENT),
    )
    return first.scalar_subquery()


def _deadline() -> ColumnElement[Any]:
    first = select(func.min(workflows.c.deadline)).where(
        workflows.c.deadline.is_not(None),
        workflows.c.completed_at.is_(None),
        workflows.c.cancel_requested_at.is_(None),
    )
    return first.scalar_subquery()


def _told() -> ColumnElement[bool]:
    # By the index: the table may be full of what was removed.
    first = select(wakeups.c.id).order_by(wakeups.c.id).limit(constant(1))
    return first.scalar_subquery().is_not(None)


def owners() -> CTE:
    """Each owner of a running workflow, found by leaps through the index.

    The cost is that of the workers, not of the workflows they run.
    """
    running = workflows.c.status == constant("running")
    first = select(func.min(workflows.c.owner).label("owner")).where(running)
    found = first.cte("owners", recursive=True)
    after = (
        select(func.min(workflows.c.owner))
        .where(running, workflows.c.owner > found.c.owner)
        .correlate(found)
        .scalar_subquery()
    )
    return found.union_all(select(after).where(found.c.owner.is_not(None)))


def _abandoned(found: CTE) -> Any:
    living = select(workers.c.worker_id).where(workers.c.worker_id == found.c.owner, _alive)
    return (
        select(found.c.owner)
        .where(found.c.owner.is_not(None), ~exists(living.correlate(found)))
        .subquery("abandoned")
    )


def abandoned() -> Select[Any]:
    """The owners of running workflows that are dead or forgotten."""
    return select(_abandoned(owners()).c.owner)


# ----------------------------------------------------------------- death


def leave(dialect: Dialect) -> Any:
    """Die by one's own will.

    It waits for one's own writes instead of skipping the row: nobody else is
    held up, and a skipped row would leave the worker alive.
    """
    mine = select(workers.c.worker_id).where(_me, _alive).with_for_update()
    return _die(dialect, mine)


def declare(dialect: Dialect) -> Any:
    """Declare dead who was seen with this beat and whose lease is over."""
    seen = dialect.rowset("seen", SEEN)
    witnessed = exists(
        select(seen.c.worker_id).where(
            seen.c.worker_id == workers.c.worker_id, seen.c.beat == workers.c.beat
        )
    )
    over = workers.c.lease_until < dialect.shifted(-bind("margin", Double()))
    expired = (
        select(workers.c.worker_id)
        .where(_alive, over, witnessed)
        .order_by(workers.c.worker_id)
        .with_for_update(skip_locked=True)
    )
    return _die(dialect, expired)


def _die(dialect: Dialect, who: Select[Any]) -> Any:
    # The strong lock first: only it waits for a fence (or skips over it).
    dying = who.cte("dying").prefix_with("MATERIALIZED")
    return (
        update(workers)
        .values(dead_at=dialect.now())
        .where(workers.c.worker_id == dying.c.worker_id, _alive)
        .returning(workers.c.worker_id)
    )


def forgettable(dialect: Dialect) -> Select[Any]:
    """Workers that have been dead for a day, locked."""
    old = workers.c.dead_at < dialect.shifted(constant(-_DAY))
    return (
        select(workers.c.worker_id).where(old).limit(constant(50)).with_for_update(skip_locked=True)
    )


def forget(dialect: Dialect) -> Delete:
    """Delete them unless they own something.

    A statement of its own: what they own is visible only after the lock.
    """
    owned = select(workflows.c.workflow_id).where(
        workflows.c.owner == workers.c.worker_id,
        workflows.c.status == constant("running"),
    )
    return workers.delete().where(dialect.among(workers.c.worker_id, "ids"), ~exists(owned))


# --------------------------------------------------------------- service


def served(dialect: Dialect) -> Select[Any]:
    """What each live worker serves, and whether the name was ever served."""
    ever = exists(select(definitions.c.name).where(definitions.c.name == bind("name", Text())))
    flag = case((ever, constant(1)), else_=constant(0))
    one = select(constant(1).label("one")).subquery("one")
    living = and_(_alive, workers.c.lease_until >= dialect.now())
    return select(flag, workers.c.known).select_from(one.outerjoin(workers, living))
