"""The tables, as far as statements need to know them; the migrations create them.

The names are public: anybody may submit a workflow with an INSERT and read the
history with a SELECT, so a column is renamed only with a release note.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.types import TypeEngine

metadata = MetaData()

# SQLite has no time type: one fixed-width UTC text sorts like the time it names.
MOMENT: TypeEngine[datetime] = DateTime(timezone=True).with_variant(Text(), "sqlite")

NEVER = "9999-12-31T00:00:00.000000Z"
"""When time wakes what it is not to wake. Not infinity, which not every database has."""

workflows = Table(
    "workflows",
    metadata,
    Column("workflow_id", Text, primary_key=True),
    Column("name", Text),
    Column("status", Text),
    Column("queue", Text),
    Column("shard", SmallInteger),
    Column("priority", Integer),
    Column("run_at", MOMENT),
    Column("input", Text),
    Column("output", Text),
    Column("error", Text),
    Column("error_message", Text),
    Column("owner", Text),
    Column("epoch", BigInteger),
    Column("wake", BigInteger),
    Column("wake_at", BigInteger),
    Column("awaited", Boolean),
    Column("recoveries", Integer),
    Column("strikes", Integer),
    Column("cancel_requested_at", MOMENT),
    Column("cancel_reason", Text),
    Column("parent_id", Text),
    Column("detached", Boolean),
    Column("timeout", Double[float]()),
    Column("deadline", MOMENT),
    Column("code_version", Text),
    Column("attributes", Text),
    Column("created_at", MOMENT),
    Column("started_at", MOMENT),
    Column("completed_at", MOMENT),
)

steps = Table(
    "workflow_steps",
    metadata,
    Column("workflow_id", Text, primary_key=True),
    Column("branch", Text, primary_key=True),
    Column("step_seq", Integer, primary_key=True),
    Column("step_name", Text),
    Column("kind", Text),
    Column("status", Text),
    Column("output", Text),
    Column("error", Text),
    Column("error_message", Text),
    Column("attempts", Integer),
    Column("started_at", MOMENT),
    Column("completed_at", MOMENT),
    Column("epoch", BigInteger),
)

waits = Table(
    "waits",
    metadata,
    Column("workflow_id", Text, primary_key=True),
    Column("branch", Text, primary_key=True),
    Column("step_seq", Integer, primary_key=True),
    Column("kind", Text),
    Column("due", MOMENT),
    Column("epoch", BigInteger),
)

messages = Table(
    "messages",
    metadata,
    Column("workflow_id", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("topic", Text),
    Column("body", Text),
    Column("sender", Text),
    Column("position", BigInteger),
    Column("sent_at", MOMENT),
    Column("consumed_branch", Text),
    Column("consumed_seq", Integer),
)

# The outbox. `fan` tells whom it is for: the workflow, or all that have subscribed to it.
wakeups = Table(
    "wakeups",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("workflow_id", Text),
    Column("n", BigInteger),
    Column("fan", Boolean),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("workflow_id", Text, primary_key=True),
    Column("target_id", Text, primary_key=True),
)

items = Table(
    "stream_items",
    metadata,
    Column("workflow_id", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("item_offset", BigInteger, primary_key=True),
    Column("place", Text),
    Column("attempt", BigInteger),
    Column("value", Text),
    Column("closes", Boolean),
    Column("epoch", BigInteger),
)

workers = Table(
    "workers",
    metadata,
    Column("worker_id", Text, primary_key=True),
    Column("host", Text),
    Column("pid", Integer),
    Column("code_version", Text),
    Column("started_at", MOMENT),
    Column("lease_until", MOMENT),
    Column("beat", BigInteger),
    Column("dead_at", MOMENT),
    Column("known", Text),
)

definitions = Table("definitions", metadata, Column("name", Text, primary_key=True))

# What Alembic keeps, under a name that does not collide with the application's own.
version = Table("perdure_version", metadata, Column("version_num", Text, primary_key=True))

# The row that a migration holds; not part of the revisions, which need it first.
migration = Table(
    "migration",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("holder", Text),
    Column("held_until", MOMENT),
)
