"""The journal's commit as one statement: each table is written once."""

from typing import Any

from sqlalchemy import CTE, Integer, Text, select, union_all

from .claims import let_go
from .dialect import Dialect
from .expression import constant, nothing
from .steps import record, wait
from .workers import fence

STEPS, WAITS, TRANSITIONS = "steps", "waits", "transitions"


def commit(dialect: Dialect, *parts: str) -> Any:
    """Fence and parts together; each row says which part it comes from."""
    gate = fence()
    branches = [
        select(
            constant("fence"),
            gate.c.worker_id,
            nothing(Text()),
            nothing(Integer()),
            nothing(Text()),
        )
    ]
    if STEPS in parts:
        branches.append(_keys(STEPS, record(dialect, gate=gate).cte("recorded")))
    if WAITS in parts:
        branches.append(_keys(WAITS, wait(dialect, gate=gate).cte("awaited")))
    if TRANSITIONS in parts:
        done = let_go(dialect, gate=gate).cte("done")
        branches.append(
            select(
                constant(TRANSITIONS),
                done.c.workflow_id,
                nothing(Text()),
                nothing(Integer()),
                done.c.status,
            )
        )
    return union_all(*branches)


def _keys(part: str, written: CTE) -> Any:
    return select(
        constant(part),
        written.c.workflow_id,
        written.c.branch,
        written.c.step_seq,
        nothing(Text()),
    )
