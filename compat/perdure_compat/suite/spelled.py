"""How a value would be written in a program, with no more than it takes."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any

import attrs


def spelled(value: Any) -> str:
    """The value as source text, as far as a reader needs it."""
    kind: Any = value.__class__
    if attrs.has(kind):
        return call(kind.__name__, (), _told(value))
    if issubclass(kind, datetime | timedelta):
        return f"<{value}>"
    if issubclass(kind, Mapping):
        pairs: Mapping[Any, Any] = value
        return "{" + ", ".join(f"{spelled(k)}: {spelled(v)}" for k, v in pairs.items()) + "}"
    if issubclass(kind, Sequence | AbstractSet) and not issubclass(kind, str):
        return "[" + ", ".join(spelled(one) for one in value) + "]"
    return repr(str(value)) if issubclass(kind, str) else repr(value)


def call(name: str, args: Sequence[Any], how: Mapping[str, Any]) -> str:
    """A call of `name` with these arguments."""
    said = [*map(spelled, args), *(f"{key}={spelled(value)}" for key, value in how.items())]
    return f"{name}({', '.join(said)})"


def _told(record: Any) -> Mapping[str, Any]:
    """The fields that differ from what they are by default."""
    fields: Sequence[Any] = attrs.fields(record.__class__)
    values = {field.name: (getattr(record, field.name), field.default) for field in fields}
    return {
        key: value
        for key, (value, usual) in values.items()
        if value is not None and value != {} and not _same(value, usual)
    }


def _same(value: Any, usual: Any) -> bool:
    return bool(value == usual or (usual == () and not value))
