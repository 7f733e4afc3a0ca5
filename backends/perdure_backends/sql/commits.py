"""The journal's commit as one statement: each table is written once."""

from typing import Any

from sqlalchemy import CTE, BigInteger, Text, func, select, union_all

from .claims import let_go
from .dialect import Dialect
from .expression import constant, nothing
from .steps import record, wait
from .workers import fence

FENCE, STEPS, WAITS, TRANSITIONS = "fence", "steps", "waits", "transitions"
FRESH = "fresh"
"""A part beside the others: no step is there yet, else the statement fails."""


def commit(dialect: Dialect, *parts: str) -> Any:
    """Fence and parts together: how much each part wrote, and each transition.

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
        done = let_go(dialect, gate=gate).cte("done")
        each = (constant(TRANSITIONS), nothing(BigInteger()), done.c.workflow_id, done.c.status)
        branches.append(select(*each))
    return union_all(*branches)


def _counted(part: str, written: CTE) -> Any:
    nobody = nothing(Text())
    return select(constant(part), func.count(), nobody, nobody).select_from(written)
