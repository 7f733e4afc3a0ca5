"""Odd cases of the codec, one by one; the laws are in test_codec_laws."""

import sys
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    Literal,
    NamedTuple,
    Optional,
    Required,
    TypedDict,
    TypeVar,
)
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import attrs
import pytest

from perdure.codec import PORTABLE, canonical, codec_of
from perdure.errors import SerializationError

T = TypeVar("T")
N = TypeVar("N", int, str)


class Colour(StrEnum):
    RED = "red"


@attrs.frozen
class Order:
    id: str
    cents: int = 0


@attrs.frozen
class Refund:
    id: str
    cents: int = 0


@attrs.frozen
class GiftOrder(Order):
    card: str = ""


@attrs.define
class Node:
    name: str
    children: "list[Node]" = attrs.field(factory=list["Node"])
    parent: "Node | None" = None


@attrs.define
class Awkward:
    """Its fields are named like parameters of code generators."""

    cl: int
    converter: int
    _secret: int = attrs.field(alias="secret")
    cls: int
    total: int = attrs.field(init=False, default=0)


@attrs.define
class Box(Generic[T]):
    content: T


@attrs.define
class Labelled(Box[int], Generic[T]):
    label: T


class Settings(TypedDict, total=False):
    depth: Required[int]
    note: str


class Point(NamedTuple):
    x: int
    y: int = 0


class Row(NamedTuple):
    a: int


def back(type_: Any, value: object) -> object:
    codec = codec_of(type_)
    return codec.load(codec.dump(value))


def refusal(type_: Any, value: object) -> str:
    with pytest.raises(SerializationError) as caught:
        codec_of(type_).dump(value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        (str, "é\0", '"é\\u0000"'),
        (int, 2**64, '{"$type":"int","value":"18446744073709551616"}'),
        (float, float("-inf"), '{"$type":"float","value":"-inf"}'),
        (float, 1, "1.0"),
        (bytes, b"\xff", '"/w=="'),
        (Decimal, Decimal("1.10"), '"1.10"'),
        (date, date(2026, 1, 2), '"2026-01-02"'),
        (datetime, datetime(2026, 1, 2, 3, tzinfo=UTC), '"2026-01-02T03:00:00+00:00"'),
        (timedelta, -timedelta(seconds=90, microseconds=500_000), '"-PT90.5S"'),
        (Colour, Colour.RED, '"red"'),
        (Path, Path("a/b"), '"a/b"'),
        (tuple[int, str], (1, "a"), '[1,"a"]'),
        (set[str], {"b", "a", "c"}, '["a","b","c"]'),
        (dict[int, str], {1: "a"}, '{"1":"a"}'),
        (dict[tuple[int, str], int], {(1, "a"): 2}, '{"[1,\\"a\\"]":2}'),
        (Order, Order("a", 1), '{"id":"a","cents":1}'),
        (Point, Point(1, 2), '{"x":1,"y":2}'),
        (date | datetime, date(2026, 1, 2), '{"$type":"date","value":"2026-01-02"}'),
        (tuple[int, ...] | list[int], (1,), '{"$type":"tuple","value":[1]}'),
        (tuple[int, ...] | list[int], [1], "[1]"),
        (Sequence[int], [1], "[1]"),
        (str | bytes, "a", '"a"'),
        (str | bytes, b"a", '{"$type":"bytes","value":"YQ=="}'),
        (Order | Refund, Refund("a"), '{"$type":"Refund","value":{"id":"a","cents":0}}'),
        (Order | None, Order("a"), '{"id":"a","cents":0}'),
        (int | str | None, None, "null"),
        (bool | int, True, "true"),
    ],
)
def test_a_value_has_this_text(type_: Any, value: object, text: str) -> None:
    assert codec_of(type_).dump(value) == text
    assert codec_of(type_).load(text) == value
    assert type(codec_of(type_).load(text)) is (float if type_ is float else type(value))


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (Any, {"$type": "int", "value": "x"}),
        (Any, [{"$type": {"$type": 1}}]),
        (dict[str, Any] | int, {"$type": "int", "value": 1}),
        (dict[str, str] | Order, {"$type": "Order", "value": "x"}),
        (dict[str, dict[str, int]], {"$type": {"value": 1}}),
        (Settings | dict[str, int], {"$type": 1}),
    ],
)
def test_a_dict_of_the_users_with_a_tag_in_it_is_no_tag(type_: Any, value: object) -> None:
    assert back(type_, value) == value


def test_integers_of_any_size_survive() -> None:
    for value in (2**63, -(2**63) - 1, 10**5_000, -(10**5_000)):
        assert back(int, value) == value
        assert back(Any, [value]) == [value]


def test_true_is_no_one_in_a_union() -> None:
    for value in (True, 1, 1.0):
        for type_ in (bool | int | float, float | int | bool):
            assert type(back(type_, value)) is type(value)


def test_the_narrowest_alternative_wins() -> None:
    assert repr(back(list[float] | list[int], [1, 2])) == "[1, 2]"
    assert repr(back(list[str] | list[Colour], [Colour.RED])) == "[<Colour.RED: 'red'>]"


def test_aware_times_stay_aware_and_naive_ones_naive() -> None:
    berlin = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    naive = datetime(2026, 7, 1, 12, 0, 0, 1)  # noqa: DTZ001 - the case

    assert back(datetime, berlin) == berlin
    assert str(back(datetime, berlin)) == "2026-07-01 12:00:00+02:00"
    assert back(datetime, naive) == naive
    assert "offset" in refusal(time, time(12, tzinfo=ZoneInfo("Europe/Berlin")))


def test_a_datetime_is_no_date() -> None:
    assert "annotate it datetime" in refusal(date, datetime.now(UTC))


def test_durations_may_be_written_by_hand() -> None:
    day = timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=500)

    assert codec_of(timedelta).load('"P1DT2H3M4.5S"') == day
    assert codec_of(timedelta).load('"PT15M"') == timedelta(minutes=15)
    for text in ('"P"', '"PT"', '"15 minutes"', '"PT1S\\n"'):
        with pytest.raises(SerializationError, match=r"P1DT2H3M4\.5S"):
            codec_of(timedelta).load(text)


def test_classes_may_contain_themselves() -> None:
    tree = Node("root", [Node("leaf"), Node("branch", [Node("twig")])], Node("parent"))

    assert back(Node, tree) == tree
    assert back(list[Node] | None, [tree]) == [tree]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="has no type statement")
def test_an_alias_may_contain_itself() -> None:
    scope: dict[str, Any] = {}
    exec("type Json = None | int | str | list[Json] | dict[str, Json]", scope)  # noqa: S102 - too new

    assert back(scope["Json"], {"a": [1, None, {"b": "c"}]}) == {"a": [1, None, {"b": "c"}]}


def test_a_field_may_have_any_name() -> None:
    value = Awkward(cl=1, converter=2, secret=3, cls=4)
    value.total = 10

    assert back(Awkward, value) == value


def test_type_parameters_of_bases_are_kept_apart() -> None:
    value = Labelled(content=1, label="a")

    assert back(Labelled[str], value) == value
    assert "Labelled[str].label" in refusal(Labelled[str], Labelled(content=1, label=2)).replace(
        f"{__name__}.", ""
    )


def test_wrappers_of_annotations_do_not_matter() -> None:
    assert back(Annotated[int, "cents"], 1) == 1
    assert back(Final[int], 1) == 1
    assert back(Optional[int], None) is None  # noqa: UP045 - the case
    assert back(N, "a") == "a"
    assert codec_of(Annotated[int, ["unhashable"]]).dump(1) == "1"


def test_literals_are_exact() -> None:
    assert back(Literal["a", "b"], "a") == "a"
    assert [back(Literal[1, True], value) for value in (1, True)] == [1, True]
    assert "Literal[1]" in refusal(Literal[1], 2)
    assert "Literal['a']" in refusal(Literal["a"], "b")
    assert codec_of(Literal["a"] | str).dump("a") == '"a"'  # noqa: PYI051 - the case


def test_abstract_containers_keep_the_concrete_one() -> None:
    assert back(Sequence[int], (1, 2)) == (1, 2)
    assert back(AbstractSet[int], frozenset({1})) == frozenset({1})
    assert back(Mapping[str, int], {"a": 1}) == {"a": 1}
    assert type(back(OrderedDict[str, int], OrderedDict[str, int](a=1))) is OrderedDict


def test_subclasses_of_plain_types_pass_as_the_base() -> None:
    assert back(Any, {"a": Colour.RED}) == {"a": "red"}
    assert back(Any, Counter(a=2)) == {"a": 2}
    assert codec_of(str).pass_through(Colour.RED) == ('"red"', "red")
    assert type(codec_of(str).pass_through(Colour.RED)[1]) is str
    assert back(list[int], [True]) == [1]


def test_json_written_by_hand_is_read() -> None:
    assert codec_of(Order).load(' {"cents" : 3,\n "id":"a", "more": [] } ') == Order("a", 3)
    assert codec_of(Order).load('{"id": "a"}') == Order("a")
    assert codec_of(float).load("1") == 1.0
    assert codec_of(str | bytes).load('"text"') == "text"
    assert codec_of(Order | datetime).load('{"id": "a"}') == Order("a")
    assert codec_of(int | None).load(None) is None


def test_what_was_stored_before_the_annotation_grew_is_read() -> None:
    @attrs.frozen
    class Total:
        sum: int

    assert codec_of(Order | Total).load(codec_of(Order).dump(Order("a", 1))) == Order("a", 1)
    assert codec_of(date | UUID).load(codec_of(date).dump(date(2026, 1, 2))) == date(2026, 1, 2)


def test_immutable_values_pass_through_untouched() -> None:
    cases: list[tuple[Any, object]] = [(str, "a"), (Decimal, Decimal(1)), (int | None, 5)]

    assert all(codec_of(type_).pass_through(value)[1] is value for type_, value in cases)


def test_mutable_values_pass_through_as_copies() -> None:
    value = {"a": [1]}

    text, passed = codec_of(dict[str, list[int]]).pass_through(value)

    assert (text, passed) == ('{"a":[1]}', value)
    assert passed is not value
    assert passed["a"] is not value["a"]


def test_a_tuple_without_an_annotation_comes_back_as_a_list() -> None:
    assert codec_of(Any).pass_through((1, (2,))) == ("[1,[2]]", [1, [2]])


def test_a_parsed_value_is_unpacked_like_its_text() -> None:
    assert codec_of(list[Order]).unpack([{"id": "a"}]) == [Order("a")]
    with pytest.raises(SerializationError, match="Order"):
        codec_of(Order).unpack(3)


def test_unannotated_values_of_the_standard_library_are_portable() -> None:
    value = [(1, "a"), {uuid4()}, {"$type": Decimal(1)}, date(2026, 1, 2), None, 2**70, Path("a")]

    assert PORTABLE.load(PORTABLE.dump(value)) == value


def test_canonical_texts_tell_numbers_and_truth_apart() -> None:
    assert canonical('{"a":1,"b":[2]}') == canonical(' {"b": [2], "a": 1}')
    assert canonical(None) is None
    assert len({repr(canonical(text)) for text in ("1", "1.0", "true", '"1"', "null")}) == 5
    assert canonical("1") != canonical("1.0") != canonical("true")
    assert canonical("[1,2]") != canonical("[2,1]")
    assert canonical("123456789012345678901") != canonical("123456789012345678902")
    with pytest.raises(SerializationError):
        canonical("{")


def test_an_enum_whose_values_are_not_json_travels_by_name() -> None:
    class Shape(Enum):
        LINE = (0, 1)

    assert codec_of(Shape).dump(Shape.LINE) == '"LINE"'
    assert codec_of(Shape).load('"LINE"') is Shape.LINE


def test_pydantic_models_are_validated() -> None:
    pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed")
    model: Any = pydantic.create_model("Model", at=(datetime, ...), price=(Decimal, 1))
    value = model(at=datetime(2026, 1, 2, tzinfo=UTC), price="1.10")

    assert back(model, value) == value
    assert back(list[model] | None, [value]) == [value]
    assert codec_of(model).dump(value) == '{"at":"2026-01-02T00:00:00Z","price":"1.10"}'
    with pytest.raises(SerializationError, match="price"):
        codec_of(model).load('{"at":"2026-01-02T00:00:00Z","price":"x"}')
