"""The journal's commit as one statement: each table is written once."""

from typing import Any

from sqlalchemy import ARRAY, CTE, ColumnElement, Text, func, select, union_all

from .claims import let_go
from .dialect import Dialect
from .expression import constant, nothing
from .steps import record, wait
from .workers import fence

FENCE, STEPS, WAITS, TRANSITIONS = "fence", "steps", "waits", "transitions"
FRESH = "fresh"
"""A part beside the others: no step is there yet, else the statement fails."""


def commit(dialect: Dialect, *parts: str) -> Any:
    """Fence and parts together: how much each part wrote, and which workflows were moved.

    A count says all that there is to say where everything was written.
    """
    gate = fence()
    branches = [_counted(FENCE, gate)]
    if STEPS in parts:
        recorded = record(dialect, gate=gate, fresh=FRESH in parts)
        branches.append(_counted(STEPS, recorded.cte("recorded")))
    if WAITS in parts:
        branches.append(_counted(WAITS, wait(dialect, gate=gate).cte("awaited")))
    if TRANSITIONS in parts:
        moved = let_go(dialect, gate=gate).cte("moved")
        branches.append(_counted(TRANSITIONS, moved, func.array_agg(moved.c.workflow_id)))
    return union_all(*branches)


def _counted(part: str, written: CTE, ids: ColumnElement[Any] | None = None) -> Any:
    which = nothing(ARRAY(Text())) if ids is None else ids
    return select(constant(part), func.count(), which).select_from(written)
