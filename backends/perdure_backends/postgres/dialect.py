"""PostgreSQL, as the shared layer sees it."""

from typing import Any

from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.engine.interfaces import Dialect as Compiler

from perdure_backends.sql import arrays
from perdure_backends.sql.dialect import Ddl
from perdure_backends.sql.family import POSTGRES_FAMILY


def _compiler() -> Compiler:
    make: Any = psycopg.dialect
    compiler: Compiler = make()
    return compiler


POSTGRES = POSTGRES_FAMILY(
    scheme="postgresql",
    driver="postgresql+psycopg",
    extra="postgres",
    compiler=_compiler,
    shards=1,
    picked=arrays.picked,
    ddl=Ddl(
        identifier='TEXT COLLATE "C"',
        moment="TIMESTAMP WITH TIME ZONE",
        now="now()",
        shard="",
        transactional=True,
    ),
)
