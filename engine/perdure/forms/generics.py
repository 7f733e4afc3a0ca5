"""What the annotations of a class mean where it has type parameters."""

import inspect
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from typing_extensions import is_typeddict

from perdure.errors import SerializationError

from .form import described

_Bound = Mapping[Any, Any]


def hints_of(type_: Any) -> dict[str, Any]:
    """The annotations of a class or an applied generic class, by name.

    Raises:
        SerializationError: an annotation names what cannot be found.
    """
    cls = get_origin(type_) or type_
    bound: dict[Any, _Bound] = {}
    _bind(cls, get_args(type_), bound)
    try:
        hints = get_type_hints(cls, localns={cls.__name__: cls}, include_extras=True)
    except Exception as error:
        raise SerializationError(
            f"the annotations of {described(cls)} cannot be resolved ({error}): define "
            f"what they name at the top of a module"
        ) from error
    return {name: _applied(hint, _owner(cls, name, bound)) for name, hint in hints.items()}


def _bind(cls: Any, args: tuple[Any, ...], bound: dict[Any, _Bound]) -> None:
    parameters = getattr(cls, "__parameters__", ())
    bound[cls] = dict(zip(parameters, args, strict=False))
    for base in getattr(cls, "__orig_bases__", getattr(cls, "__bases__", ())):
        origin = get_origin(base) or base
        if isinstance(origin, type) and origin is not object:
            inner = tuple(_applied(arg, bound[cls]) for arg in get_args(base))
            _bind(origin, inner, bound)


def _owner(cls: Any, name: str, bound: dict[Any, _Bound]) -> _Bound:
    if is_typeddict(cls):
        return {parameter: arg for each in bound.values() for parameter, arg in each.items()}
    for base in cls.__mro__:
        if name in inspect.get_annotations(base):
            return bound.get(base, {})
    return {}


def _applied(hint: Any, bound: _Bound) -> Any:
    if isinstance(hint, TypeVar):
        return bound.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    if not parameters or isinstance(hint, type):
        return hint
    return hint[tuple(bound.get(parameter, parameter) for parameter in parameters)]
