"""What differs between the databases, as a record of callables and flags.

Statements ask this record, never for the name of a database.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import CTE, ColumnElement, FromClause, Select, Table
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.engine.interfaces import Dialect as Compiler
from sqlalchemy.types import TypeEngine

from .errors import Fault
from .expression import Row


@attrs.frozen
class Field:
    """One column of a rowset."""

    name: str
    type: TypeEngine[Any]


Fields = tuple[Field, ...]


@attrs.frozen(kw_only=True)
class Ddl:
    """The words of a migration that differ."""

    identifier: str
    """The type of a text that is compared byte by byte."""
    moment: str
    now: str
    """The default of a time column."""
    shard: str
    """What the indexes of the queue begin with."""
    ticket: str
    """The type of a row's number that the database gives; it grows where that costs nothing."""
    tickets: str
    """What follows `PRIMARY KEY` for it."""
    arrival: str
    """What tells in which order messages of one topic came, in the index of those pending."""
    transactional: bool


@attrs.frozen(kw_only=True)
class Dialect:
    """One kind of database."""

    scheme: str
    """As in the URL, for messages."""
    driver: str
    """SQLAlchemy's name for database and driver."""
    extra: str
    """The extra of the distribution that installs the driver."""
    compiler: Callable[[], Compiler]
    """SQLAlchemy's dialect with named parameters, made without a connection."""
    shards: int
    """Over how many parts of the ready index the workflows are spread."""
    fused: bool
    """Whether the parts of a verb travel as one statement with writing CTEs.

    Otherwise each is a statement of its own, and a commit's are executed for each row.
    """
    batch: Callable[[str, Fields], CTE | Row]
    """What a commit writes: all rows, as `rowset`, or the one of an execution.

    Parameters by the row are many times cheaper for a database in this process than
    a document that it takes apart, and make no trip.
    """
    each: Callable[[str, Fields, Sequence[Sequence[object]]], Sequence[dict[str, Any]]]
    """The parameters of `batch`, for each execution."""
    insert: Callable[[Table], Insert]
    """An INSERT that knows ON CONFLICT."""
    now: Callable[[], ColumnElement[datetime]]
    shifted: Callable[[ColumnElement[Any]], ColumnElement[datetime]]
    """Now plus so many seconds, which may be negative."""
    rowset: Callable[[str, Fields], CTE]
    """The rows of a batch as something to select from."""
    encode: Callable[[str, Fields, Sequence[Sequence[object]]], dict[str, Any]]
    """The parameters of `rowset`."""
    among: Callable[[ColumnElement[Any], str], ColumnElement[bool]]
    """Whether a text is one of those in a parameter."""
    listed: Callable[[Sequence[str]], str]
    """The parameter of `among`."""
    picked: Callable[[ColumnElement[Any], Select[Any]], ColumnElement[bool]]
    """Whether a text is one of those that a subselect locks; evaluated once."""
    quoted: Callable[[ColumnElement[str]], ColumnElement[str]]
    """A text as a JSON string."""
    contains: Callable[[ColumnElement[str], str], ColumnElement[bool]]
    """Whether a JSON object has every pair of the one in a parameter."""
    arrival: Callable[[FromClause], tuple[ColumnElement[Any], ...]]
    """What orders messages as they came; the first of it tells when."""
    written: Callable[[datetime], Any]
    """A time as a parameter."""
    read: Callable[[Any], datetime]
    """A time out of a row, aware, in UTC."""
    cursor: Callable[[Any], Any]
    """A cursor on a connection of the driver's own, with tuples for rows; None: it is no such."""
    fault: Callable[[BaseException], Fault]
    """What an error of the driver means."""
    ddl: Ddl
