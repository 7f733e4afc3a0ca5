"""A form: how the values of one type become JSON values and come back."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import attrs

from perdure.errors import SerializationError

Kind: TypeAlias = Literal["null", "bool", "int", "float", "str", "array", "object"]
Convert: TypeAlias = Callable[[Any], Any]

ALL_KINDS: frozenset[Kind] = frozenset({"null", "bool", "int", "float", "str", "array", "object"})
NULL: frozenset[Kind] = frozenset({"null"})
TEXT: frozenset[Kind] = frozenset({"str"})
OBJECT: frozenset[Kind] = frozenset({"object"})
KIND_OF: dict[type, Kind] = {
    type(None): "null",
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    list: "array",
    dict: "object",
}

class_of: Callable[[object], type[Any]] = type
"""`type`, which does not make a checker lose that a value is `Any`."""
is_a: Callable[[object, Any], bool] = isinstance
"""`isinstance`, likewise."""

TAG = "$type"
VALUE = "value"


@attrs.frozen(kw_only=True, eq=False)
class Form:
    """The two directions of one type, and what a union must know to choose it."""

    annotation: Any
    dump: Convert
    """From a value to a JSON value; refuses what would not come back equal."""
    load: Convert
    """From a JSON value, of any kind, to a value."""
    kinds: frozenset[Kind]
    """What the JSON value may be."""
    classes: tuple[type, ...] = ()
    """The classes whose very own instances belong to this form."""
    same: frozenset[type] = frozenset()
    """The immutable classes whose instances come back as they went."""
    verbatim: frozenset[type] = frozenset()
    """The classes whose instances are their own JSON value."""
    width: int = 0
    """How much the form takes in: 0 its own class, 1 subclasses too, 2 other
    numbers, 3 anything. In a union the narrowest form goes first."""
    native: bool = False
    """Whether JSON itself has this type: in a union it needs no tag."""
    partial: bool = False
    """Whether it takes only some values of its class."""
    members: tuple["Form", ...] = ()
    """The alternatives, if it is a union."""


Build: TypeAlias = Callable[[Any], Form]


def tagged(tag: str, value: object) -> dict[str, object]:
    """A JSON value that says what it is."""
    return {TAG: tag, VALUE: value}


def untagged(tag: str, value: Any) -> Any:
    """What `tagged` wrapped, or `value` itself if it carries no such tag."""
    if class_of(value) is dict and value.keys() == {TAG, VALUE} and value[TAG] == tag:
        return value[VALUE]
    return value


def described(type_: Any) -> str:
    """`type_` as a person would write it in an annotation."""
    if isinstance(type_, type) and not hasattr(type_, "__args__"):
        return type_.__qualname__
    return repr(type_).replace("typing.", "")


def refused(value: object, expected: Any, why: str = "") -> SerializationError:
    """The error for a value that is not what the annotation says."""
    text = f"found {class_of(value).__qualname__} where {described(expected)} is expected"
    return SerializationError(f"{text} ({why})" if why else text)
