"""Containers: arrays, sets, and objects with keys of any type."""

from collections import OrderedDict, abc, deque
from collections.abc import Callable
from types import GenericAlias
from typing import Any, get_args

import orjson

from .form import TEXT, Build, Convert, Form, class_of, is_a, refused
from .plain import dump_key

_SETS = (set, frozenset)
_ARRAYS = (list, deque, *_SETS)
_DICTS = (dict, OrderedDict)
_ABSTRACT: dict[Any, tuple[type, ...]] = {
    abc.Sequence: (list, tuple),
    abc.MutableSequence: (list,),
    abc.Set: (set, frozenset),
    abc.MutableSet: (set,),
    abc.Iterable: (list, tuple, set, frozenset),
    abc.Collection: (list, tuple, set, frozenset),
    abc.Mapping: (dict,),
    abc.MutableMapping: (dict,),
}


def container_form(type_: Any, origin: Any, build: Build) -> Form | None:
    """The form of a concrete container, if `origin` is one."""
    args = get_args(type_)
    if origin is tuple:
        return _tuple(type_, args, build)
    if origin in _ARRAYS:
        return _array(type_, origin, build(*(args or (Any,))))
    if origin in _DICTS:
        key, value = args or (Any, Any)
        return _object(type_, origin, _key(build(key)), build(value))
    return None


def abstract(type_: Any, origin: Any) -> list[Any]:
    """What an abstract container stands for, most natural first."""
    args = get_args(type_)
    return [_applied(cls, args) for cls in _ABSTRACT.get(origin, ())]


def _applied(cls: Any, args: tuple[Any, ...]) -> Any:
    if not args:
        return cls
    return GenericAlias(cls, (*args, ...) if cls is tuple else args)


def _array(type_: Any, cls: Any, item: Form) -> Form:
    dump, load = item.dump, item.load
    ordered = cls not in _SETS
    covers = item.verbatim.issuperset

    def dump_all(value: Any) -> Any:
        if not is_a(value, cls):
            raise refused(value, cls)
        if ordered and covers(map(class_of, value)):
            return value if class_of(value) is list else list(value)
        dumped = [dump(element) for element in value]
        return dumped if ordered else sorted(dumped, key=_sortable)

    def load_all(value: Any) -> Any:
        if class_of(value) is not list:
            raise refused(value, cls)
        known = covers(map(class_of, value))
        loaded = value if known else [load(element) for element in value]
        return loaded if cls is list else cls(loaded)

    return _made(type_, cls, "array", dump_all, load_all, item)


def _sortable(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _made(type_: Any, cls: Any, kind: Any, dump: Convert, load: Convert, *items: Form) -> Form:
    return Form(
        annotation=type_,
        dump=dump,
        load=load,
        kinds=frozenset({kind}),
        classes=(cls,),
        width=max((item.width for item in items), default=0),
        native=cls in (list, dict),
    )


def _tuple(type_: Any, args: tuple[Any, ...], build: Build) -> Form:
    if type_ is tuple or args[1:] == (Ellipsis,):
        return _array(type_, tuple, build(args[0] if args else Any))
    return fixed(type_, tuple, [build(arg) for arg in args], tuple)


def fixed(type_: Any, cls: Any, items: list[Form], make: Callable[[Any], Any]) -> Form:
    """An array of known length, each place with a form of its own."""
    dumps = [item.dump for item in items]
    loads = [item.load for item in items]

    def dump(value: Any) -> Any:
        if not is_a(value, cls) or len(value) != len(dumps):
            raise refused(value, type_)
        return [each(element) for each, element in zip(dumps, value, strict=True)]

    def load(value: Any) -> Any:
        if class_of(value) is not list or len(value) != len(loads):
            raise refused(value, type_)
        return make(each(element) for each, element in zip(loads, value, strict=True))

    return _made(type_, cls, "array", dump, load, *items)


def _key(form: Form) -> Form:
    """A key: as it is if JSON has a string for it anyway, else as JSON text."""
    if form.annotation is Any:
        return Form(annotation=Any, dump=dump_key, load=_same, kinds=TEXT)
    if form.kinds == TEXT:
        return form
    return Form(
        annotation=form.annotation,
        dump=lambda key: _sortable(form.dump(key)).decode(),
        load=lambda key: form.load(orjson.loads(key)),
        kinds=TEXT,
        width=form.width,
    )


def _same(key: Any) -> Any:
    return key


def _object(type_: Any, cls: Any, key: Form, item: Form) -> Form:
    dump_name, dump_item = key.dump, item.dump
    load_name, load_item = key.load, item.load

    def dump(value: Any) -> Any:
        if not is_a(value, cls):
            raise refused(value, cls)
        dumped = {dump_name(name): dump_item(item) for name, item in value.items()}
        if len(dumped) != len(value):
            raise refused(value, type_, "two of its keys look the same in JSON")
        return dumped

    def load(value: Any) -> Any:
        if class_of(value) is not dict:
            raise refused(value, cls)
        loaded = {load_name(name): load_item(item) for name, item in value.items()}
        return loaded if cls is dict else cls(loaded)

    return _made(type_, cls, "object", dump, load, key, item)
