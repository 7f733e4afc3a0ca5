"""What Alembic runs first: it connects a migration with the caller's connection."""

from alembic import context

from perdure_backends.sql.dialect import Dialect
from perdure_backends.sql.tables import version


def _migrate() -> None:
    given = context.config.attributes
    dialect: Dialect = given["dialect"]
    offline = context.is_offline_mode()
    context.configure(
        connection=given["connection"],
        dialect_name=dialect.driver if offline else None,
        version_table=version.name,
        version_table_schema=given["schema"],
        # Online the caller has opened the transaction, or there is none.
        transactional_ddl=offline and dialect.ddl.transactional,
        literal_binds=offline,
    )
    with context.begin_transaction():
        context.run_migrations()


_migrate()
