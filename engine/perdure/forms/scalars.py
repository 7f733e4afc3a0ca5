"""Single values: numbers, texts, times, and whatever else has a text of its own."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

import attrs

from .form import TEXT, Form, Kind, class_of, is_a, refused, untagged
from .plain import dump_float, dump_int, load_float, load_int


def _dump_bool(value: Any) -> Any:
    if class_of(value) is not bool:
        raise refused(value, bool)
    return value


def _dump_none(value: Any) -> Any:
    if value is not None:
        raise refused(value, None)
    return value


def _dump_str(value: Any) -> Any:
    if class_of(value) is str:
        return value
    if is_a(value, str):
        return str.__str__(value)
    raise refused(value, str)


def _dump_int(value: Any) -> Any:
    if class_of(value) is int:
        return dump_int(value)
    if is_a(value, int):
        return dump_int(int.__int__(value))
    raise refused(value, int)


def _dump_float(value: Any) -> Any:
    if class_of(value) is float:
        return dump_float(value)
    if is_a(value, float):
        return dump_float(float.__float__(value))
    if is_a(value, int) and float(value) == value:
        return float(value)
    raise refused(value, float)


def _loads(kind: type) -> Callable[[Any], Any]:
    def load(value: Any) -> Any:
        if class_of(value) is not kind:
            raise refused(value, kind)
        return value

    return load


def _load_int(value: Any) -> Any:
    if class_of(value) is int:
        return value
    if class_of(value) is not dict:
        raise refused(value, int)
    return load_int(untagged("int", value))


def _load_float(value: Any) -> Any:
    if class_of(value) is float:
        return value
    if class_of(value) is int:
        return float(value)
    if class_of(value) is not dict:
        raise refused(value, float)
    return load_float(untagged("float", value))


def _native(cls: type, dump: Any, load: Any, *kinds: Kind, width: int = 0) -> Form:
    verbatim = frozenset[type]() if cls in (int, float) else frozenset({cls})
    return Form(
        annotation=cls,
        dump=dump,
        load=load,
        kinds=frozenset(kinds),
        classes=(cls,),
        same=frozenset({cls}),
        verbatim=verbatim,
        width=width,
        native=True,
    )


def _text(cls: Any, write: Callable[[Any], str], read: Callable[[str], Any]) -> Form:
    """A class whose values are written as a text and read from it."""

    def dump(value: Any) -> str:
        if not is_a(value, cls):
            raise refused(value, cls)
        text = write(value)
        if class_of(value) is not cls and read(text) != value:
            raise refused(value, cls, "it would not come back equal")
        return text

    def load(value: Any) -> Any:
        if class_of(value) is not str:
            raise refused(value, cls)
        return read(value)

    return Form(
        annotation=cls,
        dump=dump,
        load=load,
        kinds=TEXT,
        classes=(cls,),
        same=frozenset[type]() if cls in (datetime, time) else frozenset({cls}),
        width=1,
    )


def _write_date(value: Any) -> str:
    if is_a(value, datetime):
        raise refused(value, date, "annotate it datetime")
    return str(value.isoformat())


def _write_moment(value: Any) -> str:
    if value.tzinfo is not None and value.utcoffset() is None:
        raise refused(value, class_of(value), "its tzinfo knows no offset without a date")
    return str(value.isoformat())


def _read_bytes(text: str) -> bytes:
    return b64decode(text, validate=True)


def _write_bytes(value: bytes) -> str:
    return b64encode(value).decode()


_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?"
    r"(?:(?P<seconds>\d+)(?:\.(?P<fraction>\d{1,6}))?S)?)?",
    re.ASCII,
)


def _write_duration(value: timedelta) -> str:
    whole = value // timedelta(microseconds=1)
    seconds, micros = divmod(abs(whole), 1_000_000)
    fraction = f".{micros:06}".rstrip("0") if micros else ""
    return f"{'-' if whole < 0 else ''}PT{seconds}{fraction}S"


def _read_duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None or not any(character.isdigit() for character in text):
        raise refused(text, timedelta, "a duration reads P1DT2H3M4.5S")
    parts = {unit: int(match[unit] or 0) for unit in ("days", "hours", "minutes", "seconds")}
    span = timedelta(**parts, microseconds=int((match["fraction"] or "").ljust(6, "0")))
    return -span if match["sign"] == "-" else span


def _path(cls: Any) -> Form:
    """Path and PurePath make instances of a subclass, the one of this system."""
    return attrs.evolve(_text(cls, str, cls), classes=(type(cls()),))


_PATHS = {PurePath, PurePosixPath, PureWindowsPath, Path, type(Path())}

SCALARS: dict[Any, Form] = {
    form.annotation: form
    for form in (
        _native(str, _dump_str, _loads(str), "str", width=1),
        _native(bool, _dump_bool, _loads(bool), "bool"),
        _native(int, _dump_int, _load_int, "int", width=1),
        _native(float, _dump_float, _load_float, "float", width=2),
        _native(type(None), _dump_none, _loads(type(None)), "null"),
        _text(bytes, _write_bytes, _read_bytes),
        _text(Decimal, str, Decimal),
        _text(UUID, str, UUID),
        _text(date, _write_date, date.fromisoformat),
        _text(datetime, _write_moment, datetime.fromisoformat),
        _text(time, _write_moment, time.fromisoformat),
        _text(timedelta, _write_duration, _read_duration),
        *map(_path, _PATHS),
    )
}
SCALARS[None] = SCALARS[type(None)]
