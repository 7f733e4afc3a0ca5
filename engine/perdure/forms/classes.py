"""Classes with fields: attrs, dataclasses, named tuples, typed dicts, pydantic models.

An object keeps its fields by name. What is stored and no longer declared is
dropped, what is declared and not stored takes its default.
"""

import dataclasses
import sys
from collections.abc import Callable, Mapping
from typing import Any, get_origin

import attrs
from typing_extensions import is_typeddict

from perdure.errors import SerializationError

from .form import OBJECT, Build, Convert, Form, class_of, described, is_a, refused
from .generics import hints_of
from .plain import dump_plain, load_plain

_LONG = 2_000


def class_form(type_: Any, origin: Any, build: Build) -> Form | None:
    """The form of a class with fields, if `origin` is one."""
    for applies, form in _KINDS:
        if isinstance(origin, type) and applies(origin):
            return form(type_, origin, build)
    return None


def has_fields(origin: Any) -> bool:
    """Whether `class_form` knows the class: only such classes contain themselves."""
    return isinstance(origin, type) and any(applies(origin) for applies, _ in _KINDS)


def _form(type_: Any, dump: Convert, load: Convert, forms: Mapping[str, Form]) -> Form:
    cls = get_origin(type_) or type_
    runtime = dict if is_typeddict(cls) else cls

    def dump_exact(value: Any) -> Any:
        if class_of(value) is not runtime:
            raise refused(value, type_, _advice(value, cls))
        return dump(value)

    def load_object(value: Any) -> Any:
        if class_of(value) is not dict:
            raise refused(value, type_)
        return load(value)

    return Form(
        annotation=type_,
        dump=dump_exact,
        load=load_object,
        kinds=OBJECT,
        classes=(runtime,),
        width=max((form.width for form in forms.values()), default=0),
    )


def _advice(value: object, cls: type) -> str:
    if not is_typeddict(cls) and is_a(value, cls):
        both = f"{cls.__qualname__} | {class_of(value).__qualname__}"
        return f"a subclass would lose its type: annotate {both}"
    return ""


def _in_field(type_: Any, name: str, error: Exception) -> Exception:
    """`error`, saying in which field it happened."""
    if isinstance(error, RecursionError) or len(str(error)) > _LONG:
        return error
    reason = str(error) if isinstance(error, SerializationError) else repr(error)
    return SerializationError(f"{described(type_)}.{name}: {reason}")


def _dumper(type_: Any, forms: Mapping[str, Form]) -> Convert:
    """From an object to its fields by name."""
    dumps = [(name, form.dump) for name, form in forms.items()]

    def dump(value: Any) -> Any:
        dumped: dict[str, Any] = {}
        name = ""
        try:
            for name, convert in dumps:
                dumped[name] = convert(getattr(value, name))
        except Exception as error:
            raise _in_field(type_, name, error) from error
        return dumped

    return dump


def _converter(type_: Any, converts: Mapping[str, Convert]) -> Convert:
    """From fields by name to fields by name; unknown ones are dropped."""

    def convert(value: dict[str, Any]) -> dict[str, Any]:
        converted: dict[str, Any] = {}
        name = ""
        try:
            for name, item in value.items():
                if name in converts:
                    converted[name] = converts[name](item)
        except Exception as error:
            raise _in_field(type_, name, error) from error
        return converted

    return convert


def _loader(type_: Any, forms: Mapping[str, Form]) -> Convert:
    return _converter(type_, {name: form.load for name, form in forms.items()})


def _record(type_: Any, cls: Any, build: Build) -> Form:
    hints = hints_of(type_)
    fields = attrs.fields(cls) if attrs.has(cls) else dataclasses.fields(cls)
    forms = {field.name: build(hints.get(field.name, Any)) for field in fields}
    given = {field.name: getattr(field, "alias", field.name) for field in fields if field.init}
    make = _maker(type_, cls, forms, given)
    return _form(type_, _dumper(type_, forms), make, forms)


def _maker(type_: Any, cls: Any, forms: Mapping[str, Form], given: Mapping[str, str]) -> Convert:
    """From fields by name to an object; those that `__init__` does not take are set."""
    load_fields = _loader(type_, forms)
    renamed = {name: alias for name, alias in given.items() if name != alias}

    def load(value: Any) -> Any:
        fields = load_fields(value)
        late = {name: fields.pop(name) for name in later if name in fields}
        for name, alias in renamed.items():
            if name in fields:
                fields[alias] = fields.pop(name)
        made = cls(**fields)
        for name, item in late.items():
            object.__setattr__(made, name, item)
        return made

    later = [name for name in forms if name not in given]
    return load if later or renamed else lambda value: cls(**load_fields(value))


def _named_tuple(type_: Any, cls: Any, build: Build) -> Form:
    hints = hints_of(type_)
    forms = {name: build(hints.get(name, Any)) for name in cls._fields}
    load = _loader(type_, forms)
    return _form(type_, _dumper(type_, forms), lambda value: cls(**load(value)), forms)


def _typed_dict(type_: Any, cls: Any, build: Build) -> Form:
    forms = {name: build(hint) for name, hint in hints_of(type_).items()}
    dump_fields = _converter(type_, {name: form.dump for name, form in forms.items()})
    load_fields = _loader(type_, forms)
    required = frozenset(cls.__required_keys__)

    def complete(value: dict[str, Any]) -> dict[str, Any]:
        if not required.issubset(value):
            raise refused(value, type_, f"without {sorted(required.difference(value))}")
        return value

    def dump(value: Any) -> Any:
        unknown = [name for name in value if name not in forms]
        if unknown:
            raise refused(value, type_, f"with the undeclared keys {unknown}")
        return dump_fields(complete(value))

    return _form(type_, dump, lambda value: load_fields(complete(value)), forms)


def _is_model(cls: type) -> bool:
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(cls, pydantic.BaseModel)


def _model(type_: Any, cls: Any, build: Build) -> Form:
    """A pydantic model dumps and loads itself; `build` has nothing to do."""
    del cls, build

    def dump(value: Any) -> Any:
        return dump_plain(value.model_dump(mode="json", by_alias=True, round_trip=True))

    def load(value: Any) -> Any:
        return type_.model_validate(load_plain(value))

    return _form(type_, dump, load, {})


def _is_record(cls: type) -> bool:
    return attrs.has(cls) or dataclasses.is_dataclass(cls)


def _is_named_tuple(cls: Any) -> bool:
    return hasattr(cls, "_fields") and issubclass(cls, tuple)


_KINDS: list[tuple[Callable[[type], bool], Callable[[Any, Any, Build], Form]]] = [
    (is_typeddict, _typed_dict),
    (_is_model, _model),
    (_is_record, _record),
    (_is_named_tuple, _named_tuple),
]
