"""A revision that no release has: it shows that tables with data are brought on.

Each statement can run twice, as in a real one.
"""

from alembic import context, op

from perdure_backends.sql.dialect import Ddl, Dialect

revision = "0003"
down_revision = "0002"

_STATEMENTS = """
ALTER TABLE {schema}workflows ADD COLUMN {once}colour TEXT
---
UPDATE {schema}workflows SET colour = 'from ' || status WHERE colour IS NULL
---
CREATE TABLE IF NOT EXISTS {schema}summaries (name {identifier} NOT NULL PRIMARY KEY, steps INTEGER)
---
INSERT INTO {schema}summaries
SELECT workflow_id, count(*) FROM {schema}workflow_steps WHERE true GROUP BY workflow_id
ON CONFLICT DO NOTHING
---
CREATE INDEX IF NOT EXISTS workflows_colour ON {schema}workflows (colour)
"""


def upgrade() -> None:
    """A column and a table that are filled from what is there, and an index."""
    given = context.config.attributes
    dialect: Dialect = given["dialect"]
    ddl: Ddl = dialect.ddl
    schema: str | None = given["schema"]
    for statement in _STATEMENTS.split("---"):
        op.execute(
            statement.strip().format(
                schema=f'"{schema}".' if schema else "",
                # SQLite has no such words, and undoes a migration that ends half way.
                once="IF NOT EXISTS " if schema else "",
                identifier=ddl.identifier,
            )
        )
