"""Cancellation: what is asked of workflows, by people and by deadlines."""

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    case,
    false,
    func,
    or_,
    select,
    true,
    update,
)

from .dialect import Dialect, Field, Fields
from .expression import bind, constant
from .outbox import leave, of_each, of_ended
from .tables import workflows
from .workflows import final

ASKED: Fields = (Field("workflow_id", Text()), Field("reason", Text()))
_status = workflows.c.status
_requested = workflows.c.cancel_requested_at.is_not(None)
_parked = _status == constant("parked")
_running = _status == constant("running")
_unasked = case((and_(~final(_status), or_(~_requested, _parked)), true()), else_=false())
_at_once = or_(_parked, and_(workflows.c.epoch == constant(0), ~_running))
"""Nobody has run its code, or nobody but a person will."""


def ask(dialect: Dialect, waits: bool) -> Any:  # noqa: FBT001 (part of its name: see Compiled)
    """Ask workflows to cancel that are not asked yet, or end them at once.

    For one alone it waits; of several it passes over those that somebody holds, because
    nobody waits for a workflow's row while holding another's. Answers with their ids.
    """
    asked = dialect.rowset("request", ASKED)
    which = dialect.picked(workflows.c.workflow_id, select(asked.c.workflow_id))
    if dialect.fused and not waits:
        free = _free(which)
        which = dialect.picked(workflows.c.workflow_id, select(free.c.workflow_id))
    moved = _move(dialect, asked).where(which)
    if not dialect.fused:
        return moved.returning(workflows.c.workflow_id)
    told = [workflows.c[name] for name in ("workflow_id", "status", "parent_id", "awaited")]
    ended = moved.returning(*told).cte("ended")
    return select(ended.c.workflow_id).add_cte(leave(dialect, *of_ended(ended)).cte("told"))


def _free(which: ColumnElement[bool]) -> CTE:
    return (
        select(workflows.c.workflow_id)
        .where(which, _unasked)
        .with_for_update(key_share=True, skip_locked=True)
        .cte("free")
        .prefix_with("MATERIALIZED")
    )


def _move(dialect: Dialect, asked: CTE) -> Any:
    now = dialect.now()
    woken = and_(~_at_once, ~_running)
    later = and_(woken, workflows.c.run_at > now)
    return (
        update(workflows)
        .values(
            status=case(
                (_at_once, constant("cancelled")), (_running, _status), else_=constant("enqueued")
            ),
            run_at=case((later, now), else_=workflows.c.run_at),
            cancel_requested_at=func.coalesce(workflows.c.cancel_requested_at, now),
            cancel_reason=func.coalesce(workflows.c.cancel_reason, asked.c.reason),
            completed_at=case((_at_once, now), else_=workflows.c.completed_at),
        )
        .where(workflows.c.workflow_id == asked.c.workflow_id, _unasked)
    )


def ends(dialect: Dialect) -> Any:
    """Wake-ups for the ends that `ask` will bring: before it, in the same transaction."""
    asked = dialect.rowset("request", ASKED)
    which = dialect.picked(workflows.c.workflow_id, select(asked.c.workflow_id))
    return leave(dialect, *of_each(workflows, which, _unasked, _at_once))


def standing(dialect: Dialect) -> Select[Any]:
    """The status of these, and whether they are still to be asked."""
    unasked = case((_unasked, constant(1)), else_=constant(0))
    return select(workflows.c.workflow_id, _status, unasked).where(
        dialect.among(workflows.c.workflow_id, "ids")
    )


def overdue(dialect: Dialect) -> Select[Any]:
    """Workflows whose deadline is over and that are not asked yet."""
    deadline = workflows.c.deadline
    return (
        select(workflows.c.workflow_id, deadline)
        .where(
            deadline.is_not(None),
            workflows.c.completed_at.is_(None),
            ~_requested,
            deadline <= dialect.now(),
        )
        .order_by(deadline)
        .limit(bind("limit", Integer()))
    )


def requests(_: Dialect) -> Select[Any]:
    """What is asked of the workflows that a worker runs."""
    return select(
        workflows.c.workflow_id, func.coalesce(workflows.c.cancel_reason, constant(""))
    ).where(workflows.c.owner == bind("me", Text()), _running, _requested)
