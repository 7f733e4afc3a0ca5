"""Workflows, their steps and waits, workers and definitions.

Each statement can run twice: not every database undoes half a migration.
"""

from alembic import context, op

from perdure_backends.sql.dialect import Ddl, Dialect

revision = "0001"
down_revision = None

_TABLES = """
CREATE TABLE IF NOT EXISTS {schema}workflows (
    workflow_id {identifier} NOT NULL PRIMARY KEY,
    name {identifier} NOT NULL,
    status TEXT NOT NULL DEFAULT 'enqueued',
    queue {identifier} NOT NULL DEFAULT 'default',
    shard SMALLINT NOT NULL DEFAULT 0,
    priority INTEGER NOT NULL DEFAULT 0,
    run_at {moment} NOT NULL DEFAULT {now},
    input TEXT,
    output TEXT,
    error TEXT,
    error_message TEXT,
    owner {identifier},
    epoch BIGINT NOT NULL DEFAULT 0,
    wake BIGINT NOT NULL DEFAULT 0,
    wake_at BIGINT,
    awaited BOOLEAN NOT NULL DEFAULT FALSE,
    recoveries INTEGER NOT NULL DEFAULT 0,
    strikes INTEGER NOT NULL DEFAULT 0,
    cancel_requested_at {moment},
    cancel_reason TEXT,
    parent_id {identifier},
    deadline {moment},
    code_version TEXT,
    attributes TEXT NOT NULL DEFAULT '{{}}',
    created_at {moment} NOT NULL DEFAULT {now},
    started_at {moment},
    completed_at {moment}
)
---
CREATE TABLE IF NOT EXISTS {schema}workflow_steps (
    workflow_id {identifier} NOT NULL,
    branch {identifier} NOT NULL DEFAULT '',
    step_seq INTEGER NOT NULL,
    step_name TEXT NOT NULL,
    kind TEXT NOT NULL DEFAULT 'step',
    status TEXT NOT NULL,
    output TEXT,
    error TEXT,
    error_message TEXT,
    attempts INTEGER NOT NULL DEFAULT 1,
    started_at {moment} NOT NULL DEFAULT {now},
    completed_at {moment} NOT NULL DEFAULT {now},
    epoch BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (workflow_id, branch, step_seq)
)
---
CREATE TABLE IF NOT EXISTS {schema}waits (
    workflow_id {identifier} NOT NULL,
    branch {identifier} NOT NULL DEFAULT '',
    step_seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    due {moment} NOT NULL,
    epoch BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (workflow_id, branch, step_seq)
)
---
CREATE TABLE IF NOT EXISTS {schema}workers (
    worker_id {identifier} NOT NULL PRIMARY KEY,
    host TEXT,
    pid INTEGER,
    code_version TEXT,
    started_at {moment} NOT NULL DEFAULT {now},
    lease_until {moment} NOT NULL DEFAULT {now},
    beat BIGINT NOT NULL DEFAULT 0,
    dead_at {moment},
    known TEXT NOT NULL DEFAULT '{{}}'
)
---
CREATE TABLE IF NOT EXISTS {schema}definitions (
    name {identifier} NOT NULL PRIMARY KEY
)
"""

# The queue's indexes hold only what a claim, a timer or a recovery looks for; a
# workflow that has ended is in none of them. The unique index on workers makes
# every change of dead_at conflict with the fence of a running commit.
_INDEXES = """
CREATE INDEX IF NOT EXISTS workflows_ready
    ON {schema}workflows ({shard}queue, name, priority, run_at, workflow_id)
    WHERE status = 'enqueued' AND strikes < 2
---
CREATE INDEX IF NOT EXISTS workflows_suspects
    ON {schema}workflows ({shard}queue, name, priority, run_at, workflow_id)
    WHERE status = 'enqueued' AND strikes >= 2
---
CREATE INDEX IF NOT EXISTS workflows_owned
    ON {schema}workflows (owner) WHERE status = 'running'
---
CREATE INDEX IF NOT EXISTS workflows_due
    ON {schema}workflows (run_at) WHERE status IN ('delayed', 'waiting')
---
CREATE UNIQUE INDEX IF NOT EXISTS workers_life ON {schema}workers (worker_id, dead_at)
"""


def upgrade() -> None:
    """Create everything."""
    given = context.config.attributes
    dialect: Dialect = given["dialect"]
    ddl: Ddl = dialect.ddl
    schema: str | None = given["schema"]
    for statement in (_TABLES + "---" + _INDEXES).split("---"):
        op.execute(
            statement.strip().format(
                schema=f'"{schema}".' if schema else "",
                identifier=ddl.identifier,
                moment=ddl.moment,
                now=ddl.now,
                shard=ddl.shard,
            )
        )
