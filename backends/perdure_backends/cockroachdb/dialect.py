"""CockroachDB, as the shared layer sees it."""

from importlib import import_module
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.engine.interfaces import Dialect as Compiler

from perdure.errors import ConfigurationError
from perdure_backends.sql.dialect import Ddl
from perdure_backends.sql.family import POSTGRES_FAMILY


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
    # Named here: SQLAlchemy's own names come from the address of an object that
    # `prefix_with` gives up, and two of them in one statement could be the same.
    source: Any = chosen.get_final_froms()[0]
    once = chosen.cte(f"{source.name}_ids").prefix_with("MATERIALIZED")
    return identifier.in_(select(*once.c))


COCKROACHDB = POSTGRES_FAMILY(
    scheme="cockroachdb",
    driver="cockroachdb+psycopg",
    extra="cockroachdb",
    compiler=_compiler,
    shards=16,
    picked=_picked,
    ddl=Ddl(
        # Its own order of texts is that of their bytes.
        identifier="TEXT",
        moment="TIMESTAMP WITH TIME ZONE",
        now="now()",
        shard="shard, ",
        # Numbers that grow would all be written into one range.
        ticket="UUID DEFAULT gen_random_uuid()",
        tickets="",
        arrival=", sent_at, sender, position",
        transactional=False,
    ),
)
