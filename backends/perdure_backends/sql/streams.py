"""Streams: the items that a workflow writes while it runs."""

from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    select,
    true,
)

from .dialect import Dialect, Field, Fields
from .expression import Row, bind
from .steps import gate_of, owned
from .tables import items, workflows

ITEM: Fields = (
    Field("workflow_id", Text()),
    Field("stream", Text()),
    Field("item_offset", BigInteger()),
    Field("place", Text()),
    Field("attempt", BigInteger()),
    Field("value", Text()),
    Field("closes", Boolean()),
    Field("epoch", BigInteger()),
)
READING: Fields = (
    Field("workflow_id", Text()),
    Field("stream", Text()),
    Field("after", BigInteger()),
)


def write(dialect: Dialect, *, gate: CTE | Row | None = None) -> Any:
    """Insert the items of workflows that are mine; the first with an offset stays."""
    gate = gate_of(dialect) if gate is None else gate
    rows = dialect.batch("item", ITEM)
    columns = [field.name for field in ITEM]
    mine = (
        select(*[rows.c[name] for name in columns])
        .select_from(workflows)
        .where(*owned(dialect, gate, rows))
    )
    if isinstance(rows, CTE):
        # Two writers that meet must meet in the same order.
        mine = mine.order_by(*[rows.c[name] for name in columns[:3]])
    kept = dialect.insert(items).from_select(columns, mine).on_conflict_do_nothing()
    return kept.returning(items.c.workflow_id) if dialect.fused else kept


def read(dialect: Dialect) -> Select[Any]:
    """The first items of each stream after an offset."""
    reading = dialect.rowset("reading", READING)
    same = and_(
        items.c.workflow_id == reading.c.workflow_id,
        items.c.stream == reading.c.stream,
    )
    first = (
        select(items)
        .where(same, items.c.item_offset > reading.c.after)
        .order_by(items.c.item_offset)
        .limit(bind("limit", Integer()))
    )
    columns = [field.name for field in ITEM]
    if dialect.fused:
        found: Any = first.lateral("found")
        matches: ColumnElement[bool] = true()
    else:
        # Where a join cannot look at what is to its left, they are found by their offsets.
        found = items.alias("found")
        offsets = first.with_only_columns(items.c.item_offset).correlate(reading)
        matches = and_(
            found.c.workflow_id == reading.c.workflow_id,
            found.c.stream == reading.c.stream,
            found.c.item_offset.in_(offsets),
        )
    return select(*[found.c[name] for name in columns]).select_from(reading.join(found, matches))
