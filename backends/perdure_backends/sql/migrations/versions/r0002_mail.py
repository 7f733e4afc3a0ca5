"""Messages, wake-ups, subscriptions and streams, and what waiting asks of workflows.

Each statement can run twice: not every database undoes half a migration.
"""

from alembic import context, op

from perdure_backends.sql.dialect import Ddl, Dialect

revision = "0002"
down_revision = "0001"

_TABLES = """
ALTER TABLE {schema}workflows ADD COLUMN {once}detached BOOLEAN NOT NULL DEFAULT FALSE
---
ALTER TABLE {schema}workflows ADD COLUMN {once}timeout DOUBLE PRECISION
---
CREATE TABLE IF NOT EXISTS {schema}messages (
    workflow_id {identifier} NOT NULL,
    message_id {identifier} NOT NULL,
    topic {identifier} NOT NULL,
    body TEXT,
    sender {identifier} NOT NULL,
    position BIGINT NOT NULL,
    sent_at {moment} NOT NULL DEFAULT {now},
    consumed_branch {identifier},
    consumed_seq INTEGER,
    PRIMARY KEY (workflow_id, message_id)
)
---
CREATE TABLE IF NOT EXISTS {schema}wakeups (
    id {ticket} PRIMARY KEY{tickets},
    workflow_id {identifier} NOT NULL,
    n BIGINT NOT NULL,
    fan BOOLEAN NOT NULL DEFAULT FALSE
)
---
CREATE TABLE IF NOT EXISTS {schema}subscriptions (
    workflow_id {identifier} NOT NULL,
    target_id {identifier} NOT NULL,
    PRIMARY KEY (target_id, workflow_id)
)
---
CREATE TABLE IF NOT EXISTS {schema}stream_items (
    workflow_id {identifier} NOT NULL,
    stream {identifier} NOT NULL,
    item_offset BIGINT NOT NULL,
    place {identifier} NOT NULL DEFAULT '',
    attempt BIGINT NOT NULL DEFAULT 1,
    value TEXT,
    closes BOOLEAN NOT NULL DEFAULT FALSE,
    epoch BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (workflow_id, stream, item_offset)
)
"""

# Each holds only what somebody looks for by it; most workflows are in none of them.
_INDEXES = """
CREATE INDEX IF NOT EXISTS messages_pending
    ON {schema}messages (workflow_id, topic{arrival})
    WHERE consumed_seq IS NULL
---
CREATE INDEX IF NOT EXISTS messages_by_sender
    ON {schema}messages (workflow_id, topic, sender, position)
    WHERE consumed_seq IS NULL
---
CREATE INDEX IF NOT EXISTS workflow_steps_events
    ON {schema}workflow_steps (workflow_id, step_name, completed_at, branch, step_seq)
    WHERE kind = 'event'
---
CREATE INDEX IF NOT EXISTS workflows_children
    ON {schema}workflows (parent_id) WHERE parent_id IS NOT NULL
---
CREATE INDEX IF NOT EXISTS workflows_deadlines
    ON {schema}workflows (deadline)
    WHERE deadline IS NOT NULL AND completed_at IS NULL AND cancel_requested_at IS NULL
---
CREATE INDEX IF NOT EXISTS workflows_requests
    ON {schema}workflows (owner)
    WHERE status = 'running' AND cancel_requested_at IS NOT NULL
"""


def upgrade() -> None:
    """Two columns, four tables, and their indexes."""
    given = context.config.attributes
    dialect: Dialect = given["dialect"]
    ddl: Ddl = dialect.ddl
    schema: str | None = given["schema"]
    for statement in (_TABLES + "---" + _INDEXES).split("---"):
        op.execute(
            statement.strip().format(
                schema=f'"{schema}".' if schema else "",
                # SQLite has no such words, and undoes a migration that ends half way.
                once="IF NOT EXISTS " if schema else "",
                identifier=ddl.identifier,
                moment=ddl.moment,
                now=ddl.now,
                ticket=ddl.ticket,
                tickets=ddl.tickets,
                arrival=ddl.arrival,
            )
        )
