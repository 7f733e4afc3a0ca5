"""A stranger's backend for the suite: what we say to CockroachDB, said to PostgreSQL.

It shows that the statements for CockroachDB are right where PostgreSQL understands
them too, and nothing about CockroachDB itself.
"""

import psycopg

from perdure_backends.cockroachdb import CockroachBackend
from perdure_compat.harness import Harness, Place

SCHEME = "cockroachdb-dialect"
ENTRY_POINTS = f"""
[perdure.backends]
{SCHEME} = cockroachdb_dialect:CockroachDialect
[perdure.compat.harness]
{SCHEME} = cockroachdb_dialect:DialectHarness
"""


class CockroachDialect(CockroachBackend):
    """The backend for CockroachDB, which does not ask what the server is."""

    def __init__(self, url: str, *, namespace: str) -> None:
        url = f"cockroachdb://{url.partition('://')[2]}"
        super().__init__(url, namespace=namespace, check_server=False)

    @property
    def where(self) -> str:
        """The database, under its real name."""
        return f"cockroachdb dialect on postgresql ({super().where})"


class DialectHarness(Harness):
    """Its namespaces are schemas, which can be dropped."""

    def dispose(self, place: Place) -> None:
        """Drop the schema."""
        server = f"postgresql://{place.url.partition('://')[2]}"
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f"DROP SCHEMA IF EXISTS {place.namespace} CASCADE".encode())
