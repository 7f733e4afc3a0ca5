"""Values that say themselves what they are: the standard library's, without an annotation."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from .containers import container_form
from .form import ALL_KINDS, Form
from .scalars import SCALARS
from .unions import union_form

_SINGLE = (
    *(None, bool, int, float, str, bytes, Decimal, UUID, Path),
    *(date, datetime, time, timedelta),
)
_MANY = (list, tuple, set, frozenset, dict)


def _dump(value: Any) -> Any:
    return PORTABLE.dump(value)


def _load(value: Any) -> Any:
    return PORTABLE.load(value)


_INNER = Form(annotation=Any, dump=_dump, load=_load, kinds=ALL_KINDS)


def _inner(type_: Any) -> Form:
    return SCALARS[str] if type_ is str else _INNER


def _container(cls: Any) -> Form:
    form = container_form(dict[str, Any] if cls is dict else cls, cls, _inner)
    if form is None:
        raise TypeError(cls)
    return form


PORTABLE = union_form(
    Any, [*(SCALARS[cls] for cls in _SINGLE), *(_container(cls) for cls in _MANY)]
)
