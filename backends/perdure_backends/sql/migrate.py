"""Migrations: Alembic, driven by code, on a connection that the caller has locked."""

import io
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, select

from .dialect import Dialect
from .tables import version

REVISIONS: tuple[str, ...] = ("0001", "0002")
"""All revisions that this code knows, oldest first."""
SCRIPTS = Path(__file__).parent / "migrations"

# Alembic keeps the migration under way in module globals.
_alembic = threading.Lock()


def current(_: Dialect) -> Select[Any]:
    """The revision of the tables."""
    return select(version.c.version_num)


def upgrade(connection: Connection, dialect: Dialect, *, schema: str | None) -> None:
    """Bring the tables to the newest revision.

    The caller holds what keeps rivals away, and the transaction if there is one.
    """
    from alembic import command  # noqa: PLC0415 (slow, and only migrations need it)

    with _alembic:
        command.upgrade(_config(dialect, schema, connection), "head")


def script(dialect: Dialect, *, schema: str | None) -> str:
    """The same as SQL, for an empty database."""
    from alembic import command  # noqa: PLC0415 (slow, and only migrations need it)

    output = io.StringIO()
    with _alembic:
        command.upgrade(_config(dialect, schema, None, output), "head", sql=True)
    return output.getvalue()


def _config(
    dialect: Dialect,
    schema: str | None,
    connection: Connection | None,
    output: io.StringIO | None = None,
) -> Any:
    from alembic.config import Config  # noqa: PLC0415 (slow, and only migrations need it)

    config = Config(output_buffer=output)
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(dialect=dialect, schema=schema, connection=connection)
    return config
