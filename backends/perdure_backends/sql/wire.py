"""What the servers that speak PostgreSQL's protocol have in common."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import URL, Connection, FromClause, Text, cast, func, literal_column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.sql.elements import ColumnElement

from .errors import Fault, of_sqlstate
from .expression import bind
from .link import driver_of

# A dead peer is noticed well within a lease; libpq's own defaults are hours.
SETTINGS: Mapping[str, str] = {
    "connect_timeout": "4",
    "keepalives": "1",
    "keepalives_idle": "4",
    "keepalives_interval": "2",
    "keepalives_count": "2",
    "tcp_user_timeout": "8000",
    "fallback_application_name": "perdure",
}

LARGEST_MESSAGE = 2**30 - 2**16
"""Bytes. PostgreSQL hangs up, without a word, on whoever sends a message of a gigabyte
(`PQ_LARGE_MESSAGE_LIMIT`); the rest is room for what is not text."""

_BY_WORDS = {
    # CockroachDB, under the state of a broken protocol.
    ("08P01", "maximum allowed message size"): Fault.TOO_LARGE,
    # A column has another type now, and the next connection makes another plan.
    ("0A000", "cached plan"): Fault.RETRY,
}
"""What the state alone does not tell."""


def cursor(connection: Any) -> Any:
    """A cursor on a connection of psycopg's."""
    # Who has one has loaded it; who has not may do without.
    driver: Any = sys.modules.get("psycopg")
    kinds = (driver.Connection, driver.AsyncConnection) if driver else ()
    if not isinstance(connection, kinds):
        return None
    return connection.cursor(row_factory=driver.rows.tuple_row)


def now() -> ColumnElement[datetime]:
    """The server's clock at the beginning of the statement."""
    return func.now()


def shifted(seconds: ColumnElement[Any]) -> ColumnElement[datetime]:
    """Now plus so many seconds."""
    return func.now() + seconds * literal_column("INTERVAL '1 second'")


def quoted(text: ColumnElement[str]) -> ColumnElement[str]:
    """A text as a JSON string."""
    return cast(func.to_json(text), Text())


def contains(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Whether a JSON object has every pair of the parameter."""
    return cast(column, JSONB()).op("@>", is_comparison=True)(bind(name, JSONB()))


def arrival(messages: FromClause) -> tuple[ColumnElement[Any], ...]:
    """The order in which messages came; who sends several at once has numbered them."""
    return (messages.c.sent_at, messages.c.sender, messages.c.position)


def written(moment: datetime) -> datetime:
    """A time as a parameter: the driver sends the offset along."""
    return moment


def read(moment: datetime) -> datetime:
    """A time out of a row, whatever zone the session has."""
    return moment.astimezone(UTC)


def fault(error: BaseException) -> Fault:
    """What an error means, by its SQLSTATE if it has one."""
    original = getattr(error, "orig", None)
    state = getattr(original, "sqlstate", None)
    if isinstance(state, str):
        said = str(original)
        for (known, words), meaning in _BY_WORDS.items():
            if state == known and words in said:
                return meaning
        return of_sqlstate(state)
    # Without a state it comes from the client library: the connection is gone.
    if isinstance(error, OperationalError | InterfaceError):
        return Fault.TOO_LARGE if _size(error.params) > LARGEST_MESSAGE else Fault.LOST
    return Fault.REFUSED


def _size(parameters: Any) -> int:
    """Of all texts among the parameters of a statement, in bytes."""
    each: Any = [parameters] if isinstance(parameters, Mapping) else parameters or ()
    texts = [value for one in each for value in one.values() if isinstance(value, str)]
    return sum(len(text.encode(errors="surrogatepass")) for text in texts)


def completed(url: URL, *, drivername: str) -> URL:
    """The URL with the driver set and the limits that it does not set itself."""
    missing = {key: value for key, value in SETTINGS.items() if key not in url.query}
    return url.set(drivername=drivername).update_query_dict(missing)


def where(url: URL, *, scheme: str) -> str:
    """Scheme, host, port and database, without user and password."""
    hosts = url.host or url.query.get("host") or "localhost"
    host = hosts if isinstance(hosts, str) else ",".join(hosts)
    port = f":{url.port}" if url.port else ""
    return f"{scheme}://{host}{port}/{url.database or ''}"


def parameter(connection: Connection, name: str) -> str | None:
    """What the server announced when the connection was made."""
    value: str | None = driver_of(connection).info.parameter_status(name)
    return value


def aborted(driver: Any) -> bool:
    """Whether the transaction under way can only be rolled back."""
    state: str = driver.info.transaction_status.name
    return state == "INERROR"


def server_version(connection: Connection) -> int:
    """PostgreSQL's version as a number: 130004 is 13.4."""
    version: int = driver_of(connection).info.server_version
    return version
