"""Messages: how they come to a workflow, and how a step takes one."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    case,
    exists,
    false,
    func,
    select,
    true,
    union_all,
    update,
)

from .dialect import Dialect, Field, Fields
from .expression import Row, bind, constant, nothing
from .outbox import leave
from .steps import KEY as STEP_KEY
from .steps import gate_of, owned, there
from .tables import messages, workflows
from .workflows import final

KEY: Fields = (Field("workflow_id", Text()), Field("message_id", Text()))
MESSAGE: Fields = (
    *KEY,
    Field("topic", Text()),
    Field("body", Text()),
    Field("sender", Text()),
    Field("position", BigInteger()),
)
WATCH: Fields = (Field("workflow_id", Text()), Field("topic", Text()))
CONSUMPTION: Fields = (*STEP_KEY, Field("epoch", BigInteger()), Field("message_id", Text()))
Order: TypeAlias = Callable[[FromClause], tuple[ColumnElement[Any], ...]]
_TOPIC = ("workflow_id", "topic")
_SENDER = (*_TOPIC, "sender")
_PENDING = messages.c.consumed_seq.is_(None)


# ------------------------------------------------------------------ send


def insert(dialect: Dialect) -> Any:
    """Insert what is new and is for workflows that have not ended; no row of theirs is locked."""
    given = dialect.rowset("message", MESSAGE)
    columns = [field.name for field in MESSAGE]
    open_ = case((final(workflows.c.status), false()), else_=true())
    # Two senders that meet must meet in the same order; where only one writes, it is that
    # of the sender, because rows get their numbers in it.
    order = ("workflow_id", "message_id") if dialect.fused else ("sender", "position")
    rows = (
        select(*[given.c[name] for name in columns])
        .select_from(workflows)
        .where(
            workflows.c.workflow_id == given.c.workflow_id,
            dialect.picked(workflows.c.workflow_id, select(given.c.workflow_id)),
            open_,
        )
        .order_by(*[given.c[name] for name in order])
    )
    return (
        dialect.insert(messages)
        .from_select(columns, rows)
        .on_conflict_do_nothing()
        .returning(messages.c.workflow_id, messages.c.message_id)
    )


def send(dialect: Dialect) -> Select[Any]:
    """Insert them, and a wake-up for each: in one statement."""
    inserted = insert(dialect).cte("inserted")
    each = select(inserted.c.workflow_id, func.count(), false()).group_by(inserted.c.workflow_id)
    told = leave(dialect, each).cte("told")
    return select(inserted.c.workflow_id, inserted.c.message_id).add_cte(told)


def sent(dialect: Dialect) -> Select[Any]:
    """Which of these are there, whatever became of them."""
    keys = dialect.rowset("letter", KEY)
    # Both ids at once, else it could read all that was ever sent to these workflows.
    return select(messages.c.workflow_id, messages.c.message_id).where(
        *[messages.c[field.name] == keys.c[field.name] for field in KEY]
    )


# ------------------------------------------------------------------ look


def pending(dialect: Dialect) -> Any:
    """Workflows, and the first messages of each topic watched: all from one moment.

    As many of each sender as there are among those that came first, but the first by
    position: one may have overtaken another. With a message stands when one came in
    whose place it is; a workflow has no message in its row.
    """
    watch = dialect.rowset("watch", WATCH)
    taken = _taken(dialect, _first(dialect, watch))
    asked = workflows.c.cancel_requested_at.is_not(None)
    reason = case((asked, func.coalesce(workflows.c.cancel_reason, constant(""))))
    none = [nothing(field.type) for field in MESSAGE[1:]]
    found = select(
        workflows.c.workflow_id, *none, workflows.c.wake, reason, nothing(taken.c.came.type)
    ).where(dialect.picked(workflows.c.workflow_id, select(watch.c.workflow_id)))
    letters = _columns(taken, [field.name for field in MESSAGE])
    return union_all(found, select(*letters, nothing(BigInteger()), nothing(Text()), taken.c.came))


def _first(dialect: Dialect, watch: CTE) -> CTE:
    """When those came that came first, and which of their sender's they are."""
    found, matches = _found(dialect, watch, _TOPIC, dialect.arrival)
    came, *_ = dialect.arrival(found)
    return (
        select(*_columns(found, _SENDER), came.label("came"), _place(found, dialect.arrival))
        .select_from(watch.join(found, matches, isouter=not dialect.fused))
        .cte("first")
        .prefix_with("MATERIALIZED")
    )


def _taken(dialect: Dialect, first: CTE) -> CTE:
    """For each of these places the message that its sender has numbered so."""

    def by_position(table: FromClause) -> tuple[ColumnElement[Any], ...]:
        return (table.c.position, *dialect.arrival(table))

    senders = select(*_columns(first, _SENDER)).distinct().cte("senders")
    found, matches = _found(dialect, senders, _SENDER, by_position)
    names = [field.name for field in MESSAGE]
    numbered = (
        select(*_columns(found, names), _place(found, by_position))
        .select_from(senders.join(found, matches, isouter=not dialect.fused))
        .subquery("numbered")
    )
    return (
        select(*_columns(numbered, names), first.c.came)
        .join_from(first, numbered, _same(first, numbered, (*_SENDER, "place")))
        .cte("taken")
        .prefix_with("MATERIALIZED")
    )


def _found(
    dialect: Dialect, of: CTE, same: Sequence[str], order: Order
) -> tuple[Any, ColumnElement[bool]]:
    """The first pending messages for each row, and how to join them.

    Where a join cannot look at what is to its left, they are found by their ids. The join is
    an outer one then, whose order no planner changes; a row without a message matches nothing.
    """
    first = (
        select(messages)
        .where(_same(messages, of, same), _PENDING)
        .order_by(*order(messages))
        .limit(bind("limit", Integer()))
    )
    if dialect.fused:
        return first.lateral("found"), true()
    found = messages.alias("found")
    ids = first.with_only_columns(messages.c.message_id).correlate(of)
    return found, and_(found.c.workflow_id == of.c.workflow_id, found.c.message_id.in_(ids))


def _place(found: FromClause, order: Order) -> ColumnElement[Any]:
    senders = list(_columns(found, _SENDER))
    return func.row_number().over(partition_by=senders, order_by=order(found)).label("place")


def _columns(table: FromClause, names: Sequence[str]) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in names]


def _same(one: FromClause, other: FromClause, names: Sequence[str]) -> ColumnElement[bool]:
    return and_(*[one.c[name] == other.c[name] for name in names])


# --------------------------------------------------------------- consume


def consume(dialect: Dialect, *, recorded: CTE | None = None) -> Any:
    """Give messages to the steps that take them, where these are recorded now.

    Without `recorded` it comes before them, in the same transaction.
    """
    rows = dialect.batch("consumption", CONSUMPTION)
    taken = update(messages).values(
        consumed_branch=rows.c["branch"], consumed_seq=rows.c["step_seq"]
    )
    the_message = (
        messages.c.workflow_id == rows.c["workflow_id"],
        messages.c.message_id == rows.c["message_id"],
        _PENDING,
    )
    if recorded is None:
        return taken.where(*the_message, *_to_be_recorded(dialect, rows))
    now = [recorded.c[name] == rows.c[name] for name in ("workflow_id", "branch", "step_seq")]
    same = (*now, recorded.c.epoch == rows.c["epoch"])
    return taken.where(*the_message, *same).returning(messages.c.message_id)


def _to_be_recorded(dialect: Dialect, rows: CTE | Row) -> tuple[ColumnElement[bool], ...]:
    mine = select(workflows.c.epoch).where(*owned(dialect, gate_of(dialect), rows))
    return exists(mine), ~there(rows)
