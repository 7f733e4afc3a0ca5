"""Enums, by value where the values are strings or integers, else by name; and literals."""

from collections.abc import Iterable
from enum import Enum, Flag
from typing import Any, Literal

from .form import Build, Convert, Form, Kind, class_of, is_a, refused


def enum_form(cls: type[Enum]) -> Form:
    """The form of an enum's members."""
    if issubclass(cls, Flag):
        return _form(cls, "int", lambda member: member.value, _flag_loader(cls))
    for kind in (str, int):
        if all(type(_plain_value(member)) is kind for member in cls):
            return _by(cls, "str" if kind is str else "int", _plain_value)
    return _by(cls, "str", lambda member: member.name)


def _plain_value(member: Enum) -> Any:
    return member.value


def _by(cls: type[Enum], kind: Kind, text: Convert) -> Form:
    members = {text(member): member for member in cls}

    def load(value: Any) -> Any:
        if class_of(value) not in (str, int) or value not in members:
            raise refused(value, cls, "it has no such member")
        return members[value]

    return _form(cls, kind, text, load)


def _flag_loader(cls: type[Flag]) -> Convert:
    def load(value: Any) -> Any:
        if class_of(value) is not int:
            raise refused(value, cls)
        return cls(value)

    return load


def _form(cls: type[Enum], kind: Kind, write: Convert, load: Convert) -> Form:
    def dump(value: Any) -> Any:
        if not is_a(value, cls):
            raise refused(value, cls)
        return write(value)

    return Form(
        annotation=cls,
        dump=dump,
        load=load,
        kinds=frozenset({kind}),
        classes=(cls,),
        same=frozenset({cls}),
    )


def literal(values: Iterable[Any]) -> Any:
    """The annotation for exactly these values."""
    return _applied(Literal, tuple(values))


def _applied(generic: Any, args: tuple[Any, ...]) -> Any:
    return generic[args]


def literal_forms(values: tuple[Any, ...], build: Build) -> list[Form]:
    """The forms of a Literal's values, one for each of their classes."""
    classes = dict.fromkeys(map(class_of, values))
    return [
        _literal([value for value in values if class_of(value) is cls], build(cls))
        for cls in classes
    ]


def _literal(values: list[Any], form: Form) -> Form:
    annotation = literal(values)

    def checked(value: Any) -> Any:
        if not is_a(value, form.classes) or value not in values:
            raise refused(value, annotation)
        return value

    def dump(value: Any) -> Any:
        return form.dump(checked(value))

    def load(value: Any) -> Any:
        return checked(form.load(value))

    return Form(
        annotation=annotation,
        dump=dump,
        load=load,
        kinds=form.kinds,
        classes=form.classes,
        same=form.same,
        native=form.native,
        partial=True,
    )
