"""From an annotation to its form."""

import typing
from enum import Enum
from types import UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    NewType,
    NotRequired,
    Required,
    TypeVar,
    Union,
    get_args,
    get_origin,
)

from typing_extensions import ReadOnly, TypeAliasType

from perdure.errors import SerializationError

from .classes import class_form, has_fields
from .containers import abstract, container_form
from .enums import enum_form, literal, literal_forms
from .form import ALL_KINDS, OBJECT, Form, described
from .plain import PLAIN
from .scalars import SCALARS
from .unions import union_form

_ALIASES = (TypeAliasType, getattr(typing, "TypeAliasType", TypeAliasType))
_WRAPPERS = (Annotated, Final, ClassVar, Required, NotRequired, ReadOnly)


def form_of(type_: Any) -> Form:
    """The form of an annotation.

    Raises:
        SerializationError: values of that type have no JSON form.
    """
    return _Builder().build(type_)


class _Builder:
    """One annotation's forms while they are made; a type may contain itself."""

    def __init__(self) -> None:
        self.done: dict[Any, Form] = {}
        self.begun: list[Any] = []

    def build(self, type_: Any) -> Form:
        type_ = _unwrapped(type_)
        if type_ in (Any, object):
            return PLAIN
        if type_ in SCALARS:
            return SCALARS[type_]
        if type_ in self.done:
            return self.done[type_]
        if type_ in self.begun:
            return self._later(type_)
        if _may_contain_itself(type_):
            self.begun.append(type_)
        self.done[type_] = form = self._compound(type_)
        return form

    def _later(self, type_: Any) -> Form:
        alias = isinstance(get_origin(type_) or type_, _ALIASES)
        return Form(
            annotation=type_,
            dump=lambda value: self.done[type_].dump(value),  # noqa: PLW0108 - not there yet
            load=lambda value: self.done[type_].load(value),  # noqa: PLW0108 - not there yet
            kinds=ALL_KINDS if alias else OBJECT,
            classes=() if alias else (get_origin(type_) or type_,),
        )

    def _compound(self, type_: Any) -> Form:
        origin = get_origin(type_) or type_
        if isinstance(origin, _ALIASES):
            return self.build(_meaning(type_, origin))
        if origin is Literal:
            return union_form(type_, literal_forms(get_args(type_), self.build))
        several = _alternatives(type_, origin)
        if several:
            return union_form(type_, [self.build(each) for each in several])
        if isinstance(origin, type) and issubclass(origin, Enum):
            return enum_form(origin)
        form = class_form(type_, origin, self.build) or container_form(type_, origin, self.build)
        if form is None:
            raise SerializationError(_unknown(type_))
        return form


def _may_contain_itself(type_: Any) -> bool:
    origin = get_origin(type_) or type_
    return isinstance(origin, _ALIASES) or has_fields(origin)


def _alternatives(type_: Any, origin: Any) -> list[Any]:
    """The types of which a value has one, if there are several."""
    if isinstance(type_, TypeVar):
        return list(type_.__constraints__)
    if origin in (Union, UnionType):
        return _merged(get_args(type_))
    return abstract(type_, origin)


def _merged(types: tuple[Any, ...]) -> list[Any]:
    """`types`, with their literals in one."""
    others = [each for each in types if get_origin(each) is not Literal]
    literals = [get_args(each) for each in types if get_origin(each) is Literal]
    return [*others, literal(value for each in literals for value in each)] if literals else others


def _meaning(type_: Any, alias: Any) -> Any:
    args = get_args(type_)
    return alias.__value__[args] if args else alias.__value__


def _unwrapped(type_: Any) -> Any:
    while True:
        if isinstance(type_, NewType):
            type_ = type_.__supertype__
        elif get_origin(type_) in _WRAPPERS:
            type_ = get_args(type_)[0]
        elif isinstance(type_, TypeVar) and not type_.__constraints__:
            type_ = type_.__bound__ or Any
        else:
            return type_


def _unknown(type_: Any) -> str:
    return (
        f"values of type {described(type_)} have no JSON form. Use an attrs class, a "
        f"dataclass, a TypedDict, a pydantic model or the types of the standard library, or "
        f"pass what identifies the object and look the object up where it is used"
    )
