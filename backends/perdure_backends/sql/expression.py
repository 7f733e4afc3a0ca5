"""The two kinds of values in a statement: named parameters and constants.

A constant stands in the text, so that the planner can match it with a partial
index. A parameter always has a CAST: some servers guess the type otherwise.
"""

from collections.abc import Mapping
from typing import Any

import attrs
from sqlalchemy import ColumnElement, Text, bindparam, cast, literal_column, null
from sqlalchemy.types import NullType, TypeEngine


def bind(name: str, kind: TypeEngine[Any]) -> ColumnElement[Any]:
    """The parameter `name`, of one type on every server."""
    return cast(bindparam(name, type_=NullType()), kind)


def constant(value: str | int) -> ColumnElement[Any]:
    """A value that is the same in every call."""
    if isinstance(value, int):
        return literal_column(str(value))
    quoted = value.replace("'", "''")
    return literal_column(f"'{quoted}'", Text())


def nothing(kind: TypeEngine[Any]) -> ColumnElement[Any]:
    """A NULL that has a type, as the branches of a UNION need it."""
    return cast(null(), kind)


@attrs.frozen
class Row:
    """One row of parameters, which looks like a table with that row in it."""

    c: Mapping[str, ColumnElement[Any]]
