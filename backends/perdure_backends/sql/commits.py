"""The journal's commit as one statement: each table is written once."""

from typing import Any

import attrs
from sqlalchemy import ARRAY, CTE, ColumnElement, Text, func, select, union_all

from . import singles
from .claims import let_go, succeed
from .dialect import Dialect
from .events import publishing
from .expression import constant, nothing
from .messages import consume
from .outbox import leave, of_ended, of_published
from .steps import record, wait
from .streams import write
from .tables import wakeups
from .workers import fence

FENCE, STEPS, WAITS, TRANSITIONS = "fence", "steps", "waits", "transitions"
CONSUMPTIONS, EVENTS, ITEMS = "consumptions", "events", "items"
BACK, TOLD = "back", "told"
"""Which of those that were moved are in the queue; how many wake-ups were left."""
FRESH = "fresh"
"""A part beside the others: no step is there yet, else the statement fails."""
PLAIN = "plain"
"""Another: all steps are as most are, in what they do not say."""
SUCCESSES = "successes"
"""Another: all transitions are to success."""
ALONE = "alone"
"""Another: no part has a second row. Most commits of a workflow that runs alone are so."""


def commit(dialect: Dialect, *parts: str) -> Any:
    """Fence and parts together: how much each part wrote, and which workflows were moved.

    A count says all that there is to say where everything was written.
    """
    dialect = attrs.evolve(dialect, batch=singles.row) if ALONE in parts else dialect
    gate = fence()
    branches, told = [_counted(FENCE, gate)], list[Any]()
    published = None
    if STEPS in parts:
        recorded = record(dialect, PLAIN in parts, gate=gate, fresh=FRESH in parts).cte("recorded")
        branches.append(_counted(STEPS, recorded))
        if EVENTS in parts:
            published = publishing(dialect, gate)
            told.append(of_published(recorded, published))
        if CONSUMPTIONS in parts:
            taken = consume(dialect, recorded=recorded).cte("consumed")
            branches.append(_counted(CONSUMPTIONS, taken))
    if WAITS in parts:
        branches.append(_counted(WAITS, wait(dialect, gate=gate).cte("awaited")))
    if ITEMS in parts:
        branches.append(_counted(ITEMS, write(dialect, gate=gate).cte("written")))
    if TRANSITIONS in parts:
        move = succeed if SUCCESSES in parts else let_go
        moved = move(dialect, gate=gate, after=published).cte("moved")
        branches += _gone(moved)
        told += of_ended(moved)
    if told:
        branches.append(_counted(TOLD, leave(dialect, *told).returning(wakeups.c.id).cte("told")))
    return union_all(*branches)


def _gone(moved: CTE) -> tuple[Any, Any]:
    """Which workflows were moved, and which of these are in the queue."""
    ids = func.array_agg(moved.c.workflow_id)
    back = moved.c.status == constant("enqueued")
    return _counted(TRANSITIONS, moved, ids), _counted(BACK, moved, ids).where(back)


def _counted(part: str, written: CTE, ids: ColumnElement[Any] | None = None) -> Any:
    which = nothing(ARRAY(Text())) if ids is None else ids
    return select(constant(part), func.count(), which).select_from(written)
