"""Events: steps whose latest output others may read, and whose recording wakes them."""

from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, Text, select

from .dialect import Dialect, Field, Fields
from .expression import constant
from .steps import ID
from .tables import steps, workflows

EVENT: Fields = (Field("workflow_id", Text()), Field("step_name", Text()))


def publishing(dialect: Dialect, gate: CTE) -> CTE:
    """Whether somebody awaits the workflows of a batch's events; their rows locked.

    Without the lock somebody could subscribe after this statement has begun and look
    for the event before it ends: he would neither find it nor be told of it.
    """
    rows = dialect.rowset("publisher", ID)
    return (
        select(workflows.c.workflow_id, workflows.c.awaited)
        .where(
            workflows.c.owner == gate.c.worker_id,
            workflows.c.status == constant("running"),
            dialect.picked(workflows.c.workflow_id, select(rows.c.workflow_id)),
        )
        .with_for_update(key_share=True, of=workflows)
        .cte("publishing")
        .prefix_with("MATERIALIZED")
    )


def latest(dialect: Dialect) -> Select[Any]:
    """The latest value of each of these events; the epoch is that of its step, if there is one."""
    asked = dialect.rowset("event", EVENT)
    return select(
        asked.c.workflow_id,
        asked.c.step_name,
        _newest(asked, steps.c.output),
        _newest(asked, steps.c.epoch),
    )


def _newest(asked: CTE, what: ColumnElement[Any]) -> ColumnElement[Any]:
    return (
        select(what)
        .where(
            steps.c.workflow_id == asked.c.workflow_id,
            steps.c.step_name == asked.c.step_name,
            steps.c.kind == constant("event"),
        )
        .order_by(steps.c.completed_at.desc(), steps.c.branch.desc(), steps.c.step_seq.desc())
        .limit(constant(1))
        .correlate(asked)
        .scalar_subquery()
    )
