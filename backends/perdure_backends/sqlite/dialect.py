"""SQLite, as the shared layer sees it."""

import itertools
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Table,
    Text,
    and_,
    cast,
    column,
    exists,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.engine.interfaces import Dialect as Compiler

from perdure.errors import BackendRefused
from perdure_backends.sql import singles
from perdure_backends.sql.dialect import Ddl, Dialect, Field, Fields
from perdure_backends.sql.errors import Fault
from perdure_backends.sql.expression import bind, constant
from perdure_backends.sql.moments import utc_json
from perdure_backends.sql.tables import MOMENT

# Milliseconds are all it has; the zeros make its times as long as ours.
_FORMAT = "'%Y-%m-%dT%H:%M:%f000Z'"
_WIDTH = len("2000-01-01T00:00:00.000000Z")
_LARGEST = 2**63
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_AWAY = frozenset(
    {
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)


class _Statements(SQLiteCompiler):
    """Without the OFFSET that SQLAlchemy adds as a parameter to each LIMIT."""

    def limit_clause(self, select: Any, **kw: Any) -> str:
        return f"\n LIMIT {self.process(select._limit_clause, **kw)}"  # noqa: SLF001 (what a compiler renders has no public name)


def _compiler() -> Compiler:
    make: Any = sqlite.dialect
    compiler: Compiler = make(paramstyle="named")
    compiler.statement_compiler = _Statements
    return compiler


def _now() -> ColumnElement[datetime]:
    return literal_column(f"strftime({_FORMAT}, 'now')")


def _shifted(seconds: ColumnElement[Any]) -> ColumnElement[datetime]:
    # printf, because 1e-05 is no number to strftime.
    shift = func.printf(literal_column("'%+.6f seconds'"), seconds)
    return func.strftime(literal_column(_FORMAT), literal_column("'now'"), shift)


def _item(position: int) -> ColumnElement[Any]:
    return func.json_extract(column("value"), constant(f"$[{position}]"))


def _rowset(name: str, fields: Fields) -> CTE:
    document = func.json_each(bind(name, Text())).table_valued(column("value"))
    values = [
        cast(_item(position), field.type).label(field.name) for position, field in enumerate(fields)
    ]
    return select(*values).select_from(document).cte(name).prefix_with("MATERIALIZED")


def _encode(name: str, _: Fields, rows: Sequence[Sequence[object]]) -> dict[str, Any]:
    return {name: _document([list(map(_plain, row)) for row in rows])}


def _each(name: str, fields: Fields, rows: Sequence[Sequence[object]]) -> list[dict[str, Any]]:
    names = [f"{name}_{field.name}" for field in fields]
    columns = [
        _column(field, column)
        for field, column in zip(fields, zip(*rows, strict=True), strict=bool(rows))
    ]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _column(field: Field, values: Sequence[Any]) -> Iterable[object]:
    """All values of a column; what is usual is told by a look at all of them at once."""
    if values.count(values[0]) == len(values):
        return itertools.repeat(_plain(values[0]), len(values))
    if field.type is MOMENT and (whole := utc_json(values)) is not None:
        # A time without a fraction is shorter here.
        texts = whole[2:-2].split('","')
        if len(texts) == len(values) and {*map(len, texts)} == {_WIDTH}:
            return texts
    return map(_plain, values)


def _listed(values: Sequence[str]) -> str:
    return _document(list(map(_plain, values)))


def _document(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError as error:
        raise BackendRefused(f"SQLite cannot store it: {error}") from error


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return _written(value)
    if isinstance(value, str) and "\0" in value:
        raise BackendRefused(f"SQLite cannot store the NUL character in {value[:40]!r}")
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        raise BackendRefused(f"SQLite cannot store the number {value}")
    return value


def _among(identifier: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    document = func.json_each(bind(name, Text())).table_valued(column("value"))
    return identifier.in_(select(document.c.value))


def _picked(identifier: ColumnElement[Any], chosen: Select[Any]) -> ColumnElement[bool]:
    return identifier.in_(chosen)


def _contains(document: ColumnElement[str], name: str) -> ColumnElement[bool]:
    parts: Any = (column("key"), column("atom"), column("type"))
    asked = func.json_each(bind(name, Text())).table_valued(*parts, name="asked")
    given = func.json_each(document).table_valued(*parts, name="given")
    numbers = [constant("integer"), constant("real")]
    alike = or_(
        asked.c.type == given.c.type,
        and_(asked.c.type.in_(numbers), given.c.type.in_(numbers)),
    )
    found = exists(
        select(constant(1))
        .select_from(given)
        .where(given.c.key == asked.c.key, given.c.atom == asked.c.atom, alike)
    )
    return ~exists(select(constant(1)).select_from(asked).where(~found))


def _arrival(messages: FromClause) -> tuple[ColumnElement[Any], ...]:
    named: Any = messages
    return (literal_column(f"{named.name}.rowid", BigInteger()),)


def _written(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _read(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _cursor(connection: object) -> sqlite3.Cursor | None:
    if not isinstance(connection, sqlite3.Connection):
        return None
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor


def _fault(error: BaseException) -> Fault:
    original: Any = getattr(error, "orig", None) or error
    code = getattr(original, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        return Fault.RETRY
    if code in _AWAY:
        return Fault.UNAVAILABLE
    if code == sqlite3.SQLITE_IOERR:
        return Fault.LOST
    absent = str(original).startswith(("no such table", "no such column"))
    return Fault.SCHEMA if absent else Fault.REFUSED


def _insert(table: Table) -> Insert:
    made: Any = sqlite.insert(table)
    chosen: Insert = made
    return chosen


SQLITE = Dialect(
    scheme="sqlite",
    driver="sqlite",
    extra="sqlite",
    compiler=_compiler,
    shards=1,
    fused=False,
    batch=singles.row,
    each=_each,
    insert=_insert,
    now=_now,
    shifted=_shifted,
    rowset=_rowset,
    encode=_encode,
    among=_among,
    listed=_listed,
    picked=_picked,
    quoted=func.json_quote,
    contains=_contains,
    arrival=_arrival,
    written=_written,
    read=_read,
    cursor=_cursor,
    fault=_fault,
    ddl=Ddl(
        identifier="TEXT",
        moment="TEXT",
        now=f"(strftime({_FORMAT}, 'now'))",
        shard="",
        ticket="INTEGER",
        tickets=" AUTOINCREMENT",
        # Milliseconds do not tell them apart; the number of a row does, which each index has.
        arrival="",
        transactional=True,
    ),
)
