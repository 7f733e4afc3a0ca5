"""CockroachDB, as the shared layer sees it."""

from importlib import import_module
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine.interfaces import Dialect as Compiler

from perdure.errors import ConfigurationError
from perdure_backends.sql import arrays, wire
from perdure_backends.sql.dialect import Ddl, Dialect


def _compiler() -> Compiler:
    try:
        psycopg = import_module("sqlalchemy_cockroachdb.psycopg")
    except ImportError as error:
        raise ConfigurationError(
            "cockroachdb:// needs a driver that is not installed. "
            "Install it: pip install 'perdure[cockroachdb]'"
        ) from error
    make: Any = psycopg.dialect
    compiler: Compiler = make()
    return compiler


def _picked(identifier: ColumnElement[Any], chosen: Select[Any]) -> ColumnElement[bool]:
    # An array made by a subselect would not become a lookup by primary key here.
    once = chosen.cte().prefix_with("MATERIALIZED")
    return identifier.in_(select(*once.c))


COCKROACHDB = Dialect(
    scheme="cockroachdb",
    driver="cockroachdb+psycopg",
    extra="cockroachdb",
    compiler=_compiler,
    shards=16,
    schemas=True,
    fused=True,
    insert=insert,
    now=wire.now,
    shifted=wire.shifted,
    rowset=arrays.rowset,
    encode=arrays.encode,
    among=arrays.among,
    listed=arrays.listed,
    picked=_picked,
    quoted=wire.quoted,
    contains=wire.contains,
    written=wire.written,
    read=wire.read,
    fault=wire.fault,
    ddl=Ddl(
        # Its own order of texts is that of their bytes.
        identifier="TEXT",
        moment="TIMESTAMP WITH TIME ZONE",
        now="now()",
        shard="shard, ",
        transactional=False,
    ),
)
