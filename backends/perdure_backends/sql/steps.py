"""Steps and waits: the history of a workflow."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Table,
    Text,
    and_,
    case,
    exists,
    false,
    select,
    true,
    union_all,
)

from .dialect import Dialect, Field, Fields
from .expression import Row, bind, constant, nothing
from .tables import MOMENT, steps, waits, workflows
from .workers import fence

ID: Fields = (Field("workflow_id", Text()),)
KEY: Fields = (
    *ID,
    Field("branch", Text()),
    Field("step_seq", Integer()),
)
STEP: Fields = (
    *KEY,
    Field("step_name", Text()),
    Field("kind", Text()),
    Field("status", Text()),
    Field("output", Text()),
    Field("error", Text()),
    Field("error_message", Text()),
    Field("attempts", Integer()),
    Field("started_at", MOMENT),
    Field("completed_at", MOMENT),
    Field("epoch", BigInteger()),
)
PLAIN: Mapping[str, object] = {
    "branch": "",
    "kind": "step",
    "status": "success",
    "error": None,
    "error_message": None,
    "attempts": 1,
}
"""What most steps say: a user's, of no concurrent branch, which succeeded at once."""
UNPLAIN: Fields = tuple(field for field in STEP if field.name not in PLAIN)
WAIT: Fields = (
    *KEY,
    Field("kind", Text()),
    Field("due", MOMENT),
    Field("epoch", BigInteger()),
)


RECORDED = ("workflow_id", "branch", "step_seq", "kind", "epoch")
"""What tells of a step that was written now; of plain ones, and of waits, only their number counts."""


def record(
    dialect: Dialect,
    plain: bool = False,  # noqa: FBT001, FBT002 (part of its name: see Compiled)
    *,
    gate: CTE | Row | None = None,
    fresh: bool = False,
) -> Any:
    """Insert the steps of workflows that are mine; the first record of a step wins.

    `fresh` supposes that none of them is there: a third cheaper, and an error if one is.
    Where all are `plain`, what they have in common does not travel.
    """
    fields = UNPLAIN if plain else STEP
    return _insert(dialect, steps, "step", fields, gate=gate, fresh=fresh)


def wait(dialect: Dialect, *, gate: CTE | Row | None = None) -> Any:
    """Insert the waits of workflows that are mine."""
    return _insert(dialect, waits, "wait", WAIT, gate=gate, fresh=False)


def _insert(
    dialect: Dialect,
    table: Table,
    name: str,
    fields: Fields,
    *,
    gate: CTE | Row | None,
    fresh: bool,
) -> Any:
    gate = gate_of(dialect) if gate is None else gate
    rows = dialect.batch(name, fields)
    mine = (
        select(*[rows.c[field.name] for field in fields])
        .select_from(workflows)
        .where(*owned(dialect, gate, rows))
    )
    names = [field.name for field in fields]
    if isinstance(rows, CTE):
        # Two writers that meet must meet in the same order.
        mine = mine.order_by(*[rows.c[field.name] for field in KEY if field.name in names])
    if fields is UNPLAIN:
        names.append("status")  # the one that has no default
        mine = mine.add_columns(constant("success"))
    insert = dialect.insert(table).from_select(names, mine)
    kept = insert if fresh else insert.on_conflict_do_nothing()
    if not dialect.fused:
        return kept
    told = RECORDED if fields is STEP else ("step_seq",)
    return kept.returning(*[table.c[name] for name in told])


def there(rows: CTE | Row) -> ColumnElement[bool]:
    """Whether the step of a row is recorded, under whichever epoch."""
    return exists(
        select(steps.c.epoch).where(
            steps.c.workflow_id == rows.c["workflow_id"],
            steps.c.branch == rows.c["branch"],
            steps.c.step_seq == rows.c["step_seq"],
        )
    )


def gate_of(dialect: Dialect) -> CTE | Row:
    """The fence, or who has passed it in this transaction."""
    return fence() if dialect.fused else Row({"worker_id": bind("me", Text())})


def owned(dialect: Dialect, gate: CTE | Row, rows: CTE | Row) -> tuple[ColumnElement[bool], ...]:
    """That the worker of the fence runs the row's workflow under the row's epoch.

    The ids are said twice and the guards stand in a CASE, which hides them from
    the planner: whatever it believes about a table that grows and shrinks fast,
    it can only read these workflows by primary key.
    """
    workflow_id = workflows.c.workflow_id
    guards = and_(
        workflows.c.owner == gate.c["worker_id"],
        workflows.c.epoch == rows.c["epoch"],
        workflows.c.status == constant("running"),
    )
    same = workflow_id == rows.c["workflow_id"]
    hidden = case((guards, true()), else_=false())
    if isinstance(rows, Row):
        return same, hidden
    return same, dialect.picked(workflow_id, select(rows.c["workflow_id"])), hidden


def recorded(dialect: Dialect) -> Select[Any]:
    """The steps at these keys."""
    return _at_keys(dialect, steps, STEP)


def awaited(dialect: Dialect) -> Select[Any]:
    """The waits at these keys."""
    return _at_keys(dialect, waits, WAIT)


def _at_keys(dialect: Dialect, table: Table, fields: Fields) -> Select[Any]:
    keys = dialect.rowset("key", KEY)
    return select(*[table.c[field.name] for field in fields]).where(
        *[table.c[field.name] == keys.c[field.name] for field in KEY],
        dialect.picked(table.c.workflow_id, select(keys.c.workflow_id)),
    )


def history(dialect: Dialect) -> Any:
    """All steps and waits of these workflows, from one moment; a wait has no name."""
    due = nothing(MOMENT).label("due")
    asked = dialect.rowset("asked", ID)
    again = asked.alias("asked_again")
    recorded_ = select(*[steps.c[field.name] for field in STEP], due).where(
        dialect.picked(steps.c.workflow_id, select(asked.c.workflow_id))
    )
    columns: dict[str, ColumnElement[Any]] = {field.name: nothing(field.type) for field in STEP} | {
        field.name: waits.c[field.name] for field in WAIT if field.name != "due"
    }
    waiting = select(*columns.values(), waits.c.due).where(
        dialect.picked(waits.c.workflow_id, select(again.c.workflow_id))
    )
    return union_all(recorded_, waiting)
