"""Laws of the codec, for generated types and generated values."""

import dataclasses
import json
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from pathlib import Path, PurePosixPath
from typing import (
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    TypeAlias,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from perdure.codec import PORTABLE, canonical, codec_of
from perdure.errors import SerializationError
from perdure.forms.form import class_of, is_a

T = TypeVar("T")
Values: TypeAlias = st.SearchStrategy[Any]
Typed: TypeAlias = tuple[Any, Values]


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Shape(Enum):
    DOT = None
    LINE = (0, 1)


class Mixed(Enum):
    ONE = 1
    TWO = "two"


class Right(Flag):
    READ = 1
    WRITE = 2


Cents = NewType("Cents", int)


@attrs.frozen
class Box(Generic[T]):
    content: T
    _mark: str = ""


@dataclasses.dataclass
class Pair(Generic[T]):
    left: T
    right: T


class Point(NamedTuple):
    x: int
    label: str = ""


class Options(TypedDict):
    depth: int
    note: NotRequired[str]


@attrs.define
class Twin:
    content: int


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=-3, minutes=30, seconds=7))])
JSON: Values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXT | st.sampled_from(["$type", "value"]), inner, max_size=3)
    ),
    max_leaves=8,
)
TAGS = st.sampled_from(["int", "float", "dict", "str", "list", "tuple", "Box", "Any"])
TAGGED: Values = st.fixed_dictionaries({"$type": TAGS, "value": JSON})
LITERALS = ["a", 1, True, None, Colour.RED]

HASHABLE: list[Typed] = [
    (type(None), st.none()),
    (bool, st.booleans()),
    (int, st.integers() | st.integers(2**62, 2**66)),
    (float, st.floats(allow_nan=False)),
    (str, TEXT),
    (bytes, st.binary(max_size=8)),
    (Decimal, st.decimals(allow_nan=False)),
    (UUID, st.uuids()),
    (date, st.dates()),
    (datetime, st.datetimes(timezones=ZONES)),
    (time, st.times(timezones=ZONES)),
    (timedelta, st.timedeltas()),
    (Colour, st.sampled_from(Colour)),
    (Level, st.sampled_from(Level)),
    (Shape, st.sampled_from(Shape)),
    (Mixed, st.sampled_from(Mixed)),
    (Right, st.sampled_from([*Right, Right.READ | Right.WRITE, Right(0)])),
    (Path, st.sampled_from([Path(), Path("a/b"), Path("/c")])),
    (PurePosixPath, st.sampled_from([PurePosixPath(), PurePosixPath("a/b")])),
    (Literal["a", 1, True, Colour.RED] | None, st.sampled_from(LITERALS)),
    (Cents, st.integers()),
    (Point, st.builds(Point, st.integers(), TEXT)),
]
SINGLE: list[Typed] = [
    *HASHABLE,
    (Any, JSON | TAGGED),
    (Options, st.fixed_dictionaries({"depth": st.integers()}, optional={"note": TEXT})),
    (Twin, st.builds(Twin, st.integers())),
]


def applied(generic: Any, *args: Any) -> Any:
    """A generic type with its arguments, of which a checker need know nothing."""
    return generic[args]


def hashable() -> st.SearchStrategy[Typed]:
    """A type of hashable values, and its values."""
    leaves = st.sampled_from(HASHABLE)
    return leaves | leaves.map(tuple_of) | st.lists(leaves, min_size=2, max_size=2).map(either)


def typed() -> st.SearchStrategy[Typed]:
    """A type, and its values."""
    return st.recursive(st.sampled_from(SINGLE) | hashable(), wrapped, max_leaves=4)


def wrapped(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    """A type made of others."""
    makers = (list_of, tuple_of, deque_of, sequence_of, box_of, pair_of, mapping_of)
    return st.one_of(
        *(inner.map(make) for make in makers),
        hashable().map(set_of),
        hashable().map(frozenset_of),
        st.tuples(hashable(), inner).map(dict_of),
        st.lists(inner, min_size=1, max_size=3).map(fixed_of),
        st.lists(inner, min_size=2, max_size=3).map(either),
    )


def list_of(item: Typed) -> Typed:
    return applied(list, item[0]), st.lists(item[1], max_size=3)


def tuple_of(item: Typed) -> Typed:
    return applied(tuple, item[0], ...), st.lists(item[1], max_size=3).map(tuple)


def deque_of(item: Typed) -> Typed:
    return applied(deque, item[0]), st.lists(item[1], max_size=3).map(deque)


def sequence_of(item: Typed) -> Typed:
    values = st.lists(item[1], max_size=3)
    return applied(Sequence, item[0]), values | values.map(tuple)


def mapping_of(item: Typed) -> Typed:
    return applied(Mapping, str, item[0]), st.dictionaries(TEXT, item[1], max_size=3)


def set_of(item: Typed) -> Typed:
    return applied(set, item[0]), st.sets(item[1], max_size=3)


def frozenset_of(item: Typed) -> Typed:
    return applied(frozenset, item[0]), st.frozensets(item[1], max_size=3)


def dict_of(parts: tuple[Typed, Typed]) -> Typed:
    (key, keys), (item, items) = parts
    return applied(dict, key, item), st.dictionaries(keys, items, max_size=3)


def fixed_of(items: list[Typed]) -> Typed:
    return applied(tuple, *(item[0] for item in items)), st.tuples(*(item[1] for item in items))


def box_of(item: Typed) -> Typed:
    return applied(Box, item[0]), st.builds(Box[Any], item[1], TEXT)


def pair_of(item: Typed) -> Typed:
    return applied(Pair, item[0]), st.builds(Pair[Any], item[1], item[1])


def either(items: Sequence[Typed]) -> Typed:
    types: Any = items[0][0]
    for item in items[1:]:
        types |= item[0]
    return types, st.one_of(*(item[1] for item in items))


def shown(value: Any) -> str:
    """A text that is the same for equal values of the same types, and only for those."""
    if is_a(value, (set, frozenset)):
        members: list[str] = sorted(map(shown, value))
        return f"{type(value).__name__}{members}"
    if is_a(value, (datetime, time)):
        return f"{type(value).__name__} {value.isoformat()}"
    if is_a(value, (list, tuple, deque)):
        return f"{type(value).__name__}{[*map(shown, value)]}"
    if is_a(value, dict):
        return f"dict{[(shown(key), shown(item)) for key, item in value.items()]}"
    if is_a(value, (Box, Pair, Twin)):
        return f"{type(value).__name__}{shown(fields(value))}"
    return repr(value)


def fields(value: Any) -> list[Any]:
    declared = dataclasses.fields(value) if is_a(value, Pair) else attrs.fields(class_of(value))
    return [getattr(value, field.name) for field in declared]


def cases() -> st.SearchStrategy[tuple[Any, Any]]:
    """A type and one of its values."""
    return typed().flatmap(lambda pair: st.tuples(st.just(pair[0]), pair[1]))


@given(cases())
def test_what_is_loaded_is_what_was_dumped_and_of_the_same_type(
    case: tuple[Any, Any],
) -> None:
    type_, value = case
    codec = codec_of(type_)

    assert shown(codec.load(codec.dump(value))) == shown(value)


@given(cases())
def test_a_value_passes_through_in_the_form_it_has_on_replay(
    case: tuple[Any, Any],
) -> None:
    type_, value = case
    codec = codec_of(type_)

    text, passed = codec.pass_through(value)

    assert shown(passed) == shown(codec.load(text))
    assert codec.pass_through(passed)[0] == text


def _no_json(name: str) -> None:
    pytest.fail(f"{name} is no JSON")


@given(cases())
def test_stored_text_has_no_nul_and_is_json_to_everybody(case: tuple[Any, Any]) -> None:
    type_, value = case

    text = codec_of(type_).dump(value)

    assert "\0" not in text
    json.loads(text, parse_constant=_no_json)


@given(cases())
def test_spacing_and_key_order_do_not_matter(case: tuple[Any, Any]) -> None:
    type_, value = case
    codec = codec_of(type_)
    text = codec.dump(value)

    written_by_hand = json.dumps(json.loads(text), indent=3, sort_keys=True)

    assert canonical(written_by_hand) == canonical(text)
    assert sorted(shown(codec.load(written_by_hand))) == sorted(shown(value))


@given(typed(), JSON | TAGGED)
def test_only_a_serialization_error_leaves_load(pair: Typed, garbage: Any) -> None:
    codec = codec_of(pair[0])
    try:
        value = codec.load(codec_of(Any).dump(garbage))
    except SerializationError:
        return

    assert shown(codec.load(codec.dump(value))) == shown(value)


@given(typed(), TEXT)
def test_only_a_serialization_error_leaves_load_for_text_that_is_not_json(
    pair: Typed, garbage: str
) -> None:
    with suppress(SerializationError):
        codec_of(pair[0]).load(garbage)


@given(typed(), cases())
def test_what_dumps_under_another_annotation_comes_back_equal(
    pair: Typed, case: tuple[Any, Any]
) -> None:
    type_, value = pair[0], case[1]
    assume("Any" not in repr(type_) and "nan" not in repr(value).lower())
    codec = codec_of(type_)
    try:
        text = codec.dump(value)
    except SerializationError:
        return

    assert codec.load(text) == value


@given(cases())
def test_portable_values_come_back_without_an_annotation(case: tuple[Any, Any]) -> None:
    try:
        text = PORTABLE.dump(case[1])
    except SerializationError:
        return

    assert PORTABLE.dump(PORTABLE.load(text)) == text


@given(JSON, JSON)
def test_canonical_forms_are_equal_only_if_the_texts_mean_the_same(one: Any, two: Any) -> None:
    first, second = codec_of(Any).dump(one), codec_of(Any).dump(two)

    assert (canonical(first) == canonical(second)) == (by_key(first) == by_key(second))


def by_key(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True)
