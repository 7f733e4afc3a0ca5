"""Values without an annotation: JSON itself, and the numbers that JSON lacks.

Integers beyond 64 bits, NaN and the infinities carry a tag, and so does a dict
with a key named like the tag's, so that nothing a user writes is taken for one.
"""

from math import isfinite
from typing import Any

from .form import ALL_KINDS, TAG, VALUE, Form, class_of, is_a, refused, tagged

_ANNOTATE = "only None, bool, int, float, str, list and dict travel without an annotation"
_DECIMAL_BITS = 10_000


def _same(value: Any) -> Any:
    return value


def dump_int(value: int) -> Any:
    """An exact int: itself, or tagged if orjson cannot write it."""
    if -(2**63) <= value < 2**64:
        return value
    return tagged("int", str(value) if value.bit_length() < _DECIMAL_BITS else hex(value))


def dump_float(value: float) -> Any:
    """An exact float: itself, or tagged if JSON has no such number."""
    return value if isfinite(value) else tagged("float", repr(value))


def dump_plain(value: Any) -> Any:
    """A JSON value for one that came without an annotation.

    Raises:
        SerializationError: it needs an annotation.
    """
    convert = _DUMP.get(class_of(value))
    return convert(value) if convert else _dump_subclass(value)


def _dump_subclass(value: Any) -> Any:
    for base, exact in _EXACT.items():
        if is_a(value, base):
            return _DUMP[base](exact(value))
    raise refused(value, Any, f"{_ANNOTATE}: annotate it")


def _dump_list(value: Any) -> Any:
    return [dump_plain(item) for item in value]


def _dump_dict(value: dict[Any, Any]) -> Any:
    dumped = {dump_key(key): dump_plain(item) for key, item in value.items()}
    return tagged("dict", dumped) if TAG in dumped else dumped


def dump_key(key: Any) -> str:
    """An object's key, which JSON wants to be a string."""
    if isinstance(key, str):
        return str.__str__(key)
    raise refused(key, str, "annotate a dict with other keys: dict[int, str]")


_DUMP = {
    str: _same,
    int: dump_int,
    float: dump_float,
    bool: _same,
    type(None): _same,
    list: _dump_list,
    tuple: _dump_list,
    dict: _dump_dict,
}
_EXACT: dict[type, Any] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    list: list,
    dict: dict[Any, Any],
}


def load_plain(value: Any) -> Any:
    """The value that `dump_plain` saw.

    Raises:
        SerializationError: a tagged number is none.
    """
    if class_of(value) is list:
        return [load_plain(item) for item in value]
    if class_of(value) is not dict:
        return value
    load = _LOAD.get(_tag_of(value), _load_dict)
    return load(value if load is _load_dict else value[VALUE])


def _tag_of(value: dict[str, Any]) -> Any:
    tag = value[TAG] if TAG in value and value.keys() == {TAG, VALUE} else None
    return tag if isinstance(tag, str) else None


def _load_dict(value: dict[str, Any]) -> Any:
    return {key: load_plain(item) for key, item in value.items()}


def _load_escaped(value: Any) -> Any:
    if class_of(value) is not dict:
        raise refused(value, dict)
    return _load_dict(value)


def load_int(value: Any) -> int:
    """The text of a tagged int."""
    if class_of(value) is not str:
        raise refused(value, int)
    return int(value, 0)


def load_float(value: Any) -> float:
    """The text of a tagged float."""
    if class_of(value) is not str:
        raise refused(value, float)
    return float(value)


_LOAD: dict[Any, Any] = {"int": load_int, "float": load_float, "dict": _load_escaped}


PLAIN = Form(
    annotation=Any,
    dump=dump_plain,
    load=load_plain,
    kinds=ALL_KINDS,
    same=frozenset({str, int, float, bool, type(None)}),
    verbatim=frozenset({str, bool, type(None)}),
    width=3,
    native=True,
)
