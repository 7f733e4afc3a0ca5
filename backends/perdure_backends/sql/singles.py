"""A row that travels alone: a parameter for each of its columns, instead of an array of one."""

from collections.abc import Sequence
from typing import Any

from .dialect import Fields
from .expression import Row, bind


def row(name: str, fields: Fields) -> Row:
    """The row, to select from as from a rowset."""
    return Row({field.name: bind(f"{name}_{field.name}", field.type) for field in fields})


def each(name: str, fields: Fields, rows: Sequence[Sequence[object]]) -> list[dict[str, Any]]:
    """The parameters of each row, all texts: what a statement is prepared for is always the same."""
    names = [f"{name}_{field.name}" for field in fields]
    return [dict(zip(names, map(_text, values), strict=True)) for values in rows]


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)
