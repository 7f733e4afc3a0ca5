"""A row that travels alone: a parameter for each of its columns, instead of an array of one."""

from collections.abc import Sequence
from typing import Any

from .dialect import Fields
from .expression import Row, bind


def row(name: str, fields: Fields) -> Row:
    """The row, to select from as from a rowset."""
    return Row({field.name: bind(f"{name}_{field.name}", field.type) for field in fields})


def encode(name: str, fields: Fields, values: Sequence[object]) -> dict[str, Any]:
    """Its parameters. All are texts: what a statement is prepared for does not depend on values."""
    return {
        f"{name}_{field.name}": _text(value) for field, value in zip(fields, values, strict=True)
    }


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)
