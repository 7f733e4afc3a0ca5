"""What the codec refuses, and in which words: nothing but a SerializationError leaves it."""

import dataclasses
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from pathlib import PurePath, PureWindowsPath
from types import ModuleType
from typing import Any, NamedTuple, Required, TypedDict
from uuid import UUID, uuid4

import attrs
import pytest

from perdure.codec import codec_of
from perdure.errors import SerializationError


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


class Settings(TypedDict, total=False):
    depth: Required[int]
    note: str


class Row(NamedTuple):
    a: int


def refusal(type_: Any, value: object) -> str:
    with pytest.raises(SerializationError) as caught:
        codec_of(type_).dump(value)
    return str(caught.value)


def test_something_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    node = Node("a")
    node.children.append(node)

    assert "contains itself" in refusal(Any, loop)
    assert "contains itself" in refusal(Node, node)


def test_garbage_deep_inside_costs_no_more_than_its_depth() -> None:
    text = '{"name":"a","parent":' * 60 + "1" + "}" * 60
    with pytest.raises(SerializationError, match=r"Node\.parent"):
        codec_of(Node).load(text)


def test_a_subclass_with_fields_of_its_own_is_refused() -> None:
    assert "annotate Order | GiftOrder" in refusal(Order, GiftOrder("a", 1, "c"))
    codec = codec_of(Order | GiftOrder)
    assert codec.load(codec.dump(GiftOrder("a", 1, "c"))) == GiftOrder("a", 1, "c")


@pytest.mark.parametrize(
    ("type_", "value", "why"),
    [
        (int, Order("a"), "Order cannot be stored as int"),
        (Any, Order("a"), "annotate it"),
        (Any, {1: 2}, r"dict\[int, str\]"),
        (Any, Row(1), "annotate it"),
        (Any, uuid4(), "annotate it"),
        (Any, {1, 2}, "annotate it"),
        (str, "\ud800", "surrogate"),
        (dict[str, int], {"\udc00": 1}, "surrogate"),
        (float, 2**53 + 1, "float is expected"),
        (float, 10**400, "too large"),
        (tuple[int, str], (1,), r"tuple\[int, str\]"),
        (list[Order], [Order("a"), Refund("a")], "Refund where Order"),
        (Order, Order("a", "b"), r"Order\.cents: found str where int"),  # type: ignore[arg-type]
        (Order | None, Order(1), r"Order\.id: found int where str"),  # type: ignore[arg-type]
        (Settings, {"note": "a"}, r"without \['depth'\]"),
        (Settings, {"depth": 1, "x": 1}, r"undeclared keys \['x'\]"),
        (PurePath, PureWindowsPath("a"), "come back equal"),
        (None, 1, "None is expected"),
        (dict[int | str, int], {"1": Order("a")}, "Order where int"),
    ],
)
def test_what_would_not_come_back_equal_is_refused(type_: Any, value: object, why: str) -> None:
    with pytest.raises(SerializationError, match=why):
        codec_of(type_).dump(value)


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (int, "1.0"),
        (int, "true"),
        (int, '"1"'),
        (int, '{"$type":"int","value":"1x"}'),
        (float, '"1"'),
        (str, "1"),
        (bool, "0"),
        (bytes, '"a"'),
        (bytes, '"YQ==\\n"'),
        (UUID, '"x"'),
        (Decimal, '"x"'),
        (list[int], "{}"),
        (Order, '"id"'),
        (Order, "{}"),
        (Colour, '"blue"'),
        (Order | Refund, '{"id":"a","cents":1}'),
        (Any, '{"$type":"float","value":1}'),
        (int, None),
        (int, ""),
        (int, "1 2"),
        (str, '"\\ud800"'),
    ],
)
def test_what_is_not_the_json_of_the_type_is_refused(type_: Any, text: str | None) -> None:
    with pytest.raises(SerializationError, match="Was the annotation changed"):
        codec_of(type_).load(text)


@pytest.mark.parametrize("type_", [ModuleType, Iterator[int], complex, Exception, "Order"])
def test_a_type_without_a_json_form_is_refused_at_once(type_: Any) -> None:
    with pytest.raises(SerializationError, match="no JSON form"):
        codec_of(type_)


def test_an_annotation_that_cannot_be_resolved_is_named() -> None:
    @dataclasses.dataclass
    class Local:
        value: "Missing"  # type: ignore[name-defined] # noqa: F821 - the case

    with pytest.raises(SerializationError, match=r"Local.*Missing.*top of a module"):
        codec_of(Local)
