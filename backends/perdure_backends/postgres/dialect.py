"""PostgreSQL, as the shared layer sees it."""

from typing import Any

from sqlalchemy.dialects.postgresql import insert, psycopg
from sqlalchemy.engine.interfaces import Dialect as Compiler

from perdure_backends.sql import arrays, wire
from perdure_backends.sql.dialect import Ddl, Dialect


def _compiler() -> Compiler:
    make: Any = psycopg.dialect
    compiler: Compiler = make()
    return compiler


POSTGRES = Dialect(
    scheme="postgresql",
    driver="postgresql+psycopg",
    extra="postgres",
    compiler=_compiler,
    shards=1,
    schemas=True,
    fused=True,
    insert=insert,
    now=wire.now,
    shifted=wire.shifted,
    rowset=arrays.rowset,
    encode=arrays.encode,
    among=arrays.among,
    listed=arrays.listed,
    picked=arrays.picked,
    quoted=wire.quoted,
    contains=wire.contains,
    written=wire.written,
    read=wire.read,
    fault=wire.fault,
    ddl=Ddl(
        identifier='TEXT COLLATE "C"',
        moment="TIMESTAMP WITH TIME ZONE",
        now="now()",
        shard="",
        transactional=True,
    ),
)
