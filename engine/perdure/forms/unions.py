"""Unions: alternatives that JSON keeps apart travel bare, the others carry a tag.

A tag is `{"$type": name, "value": …}`. What is stored without one, by hand or
before the annotation became a union, is read if only one alternative fits.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, get_origin

import attrs

from perdure.errors import SerializationError

from .form import (
    KIND_OF,
    NULL,
    OBJECT,
    TAG,
    VALUE,
    Convert,
    Form,
    Kind,
    class_of,
    described,
    refused,
    tagged,
)
from .plain import PLAIN

_REMEMBERED = 256
_TAGGED = {TAG, VALUE}


def union_form(type_: Any, forms: list[Form]) -> Form:
    """The form of a value that is one of several."""
    flat = dict.fromkeys(member for form in forms for member in form.members or (form,))
    members = tuple(member for member in flat if not _covered(member, flat))
    if len(members) == 1:
        return members[0]
    rest = [member for member in members if member.kinds != NULL]
    if len(rest) < len(members) and not any("null" in member.kinds for member in rest):
        return _optional(type_, members, union_form(type_, rest))
    union = _Union(type_, members)
    return _form(type_, members, union.dump, union.load)


def _covered(form: Form, others: Iterable[Form]) -> bool:
    """Whether another alternative takes all that `form` takes, in the same JSON."""
    return any(
        other.same.issuperset(form.classes or (object,))
        for other in others
        if other is not form and (other is PLAIN or (form.partial and not other.members))
        if not other.partial
    )


def _form(type_: Any, members: tuple[Form, ...], dump: Convert, load: Convert) -> Form:
    kinds = frozenset[Kind]().union(*(member.kinds for member in members))
    return Form(
        annotation=type_,
        dump=dump,
        load=load,
        kinds=kinds | OBJECT,
        classes=tuple(cls for member in members for cls in member.classes),
        same=frozenset(cls for member in members for cls in member.same),
        width=max(member.width for member in members),
        members=members,
    )


def _optional(annotation: Any, members: tuple[Form, ...], form: Form) -> Form:
    dump_some, load_some = form.dump, form.load

    def dump(value: Any) -> Any:
        return None if value is None else dump_some(value)

    def load(value: Any) -> Any:
        return None if value is None else load_some(value)

    return attrs.evolve(
        _form(annotation, members, dump, load),
        kinds=form.kinds | NULL,
        verbatim=form.verbatim | {type(None)},
    )


class _Union:
    """Alternatives, ordered by how little they take in."""

    def __init__(self, type_: Any, members: tuple[Form, ...]) -> None:
        self.annotation = type_
        self.members = sorted(members, key=lambda member: member.width)
        self.labels = dict(zip(self.members, _labels(self.members), strict=True))
        self.by_tag = {label: form for form, label in self.labels.items()}
        self.bare = [member for member in self.members if _bare(member, members)]
        self.by_kind = {kind: form for form in self.bare for kind in form.kinds}
        self.by_class: dict[type, list[Form]] = {}

    def dump(self, value: Any) -> Any:
        cls = class_of(value)
        candidates = self.by_class.get(cls) or self._candidates(cls)
        problem: Exception | None = None
        for form in candidates:
            try:
                return self._marked(form, form.dump(value))
            except Exception as error:  # noqa: BLE001 - the next alternative may take it
                problem = problem or error
        raise refused(value, self.annotation, str(problem) if cls in candidates[0].classes else "")

    def _candidates(self, cls: type) -> list[Form]:
        found = sorted(self.members, key=lambda form: cls not in form.classes)
        if len(self.by_class) < _REMEMBERED:
            self.by_class[cls] = found
        return found

    def _marked(self, form: Form, dumped: Any) -> Any:
        if form in self.bare and not (class_of(dumped) is dict and TAG in dumped):
            return dumped
        return tagged(self.labels[form], dumped)

    def load(self, value: Any) -> Any:
        if class_of(value) is dict and value.keys() == _TAGGED:
            tag = value[TAG]
            form = self.by_tag.get(tag) if isinstance(tag, str) else None
            if form is not None:
                return form.load(value[VALUE])
        return self._untagged(value)

    def _untagged(self, value: Any) -> Any:
        likely = self.by_kind.get(KIND_OF[class_of(value)])
        try:
            if likely is not None:
                return likely.load(value)
        except Exception as error:  # noqa: BLE001 - another alternative may read it
            problem = str(error)
        else:
            problem = "no alternative fits"
        return self._guess(value, [form for form in self.members if form is not likely], problem)

    def _guess(self, value: Any, forms: list[Form], problem: str) -> Any:
        fitting = [found for form in forms for found in _attempt(form, value)]
        exact = [loaded for loaded, again in fitting if again == value]
        for found in (exact, [loaded for loaded, _ in fitting]):
            if len(found) == 1:
                return found[0]
        why = "several alternatives fit: it needs a tag" if fitting else problem
        raise refused(value, self.annotation, why)


def _attempt(form: Form, value: Any) -> list[tuple[Any, Any]]:
    try:
        loaded = form.load(value)
        return [(loaded, form.dump(loaded))]
    except Exception:  # noqa: BLE001 - whatever fails does not fit
        return []


def _bare(form: Form, members: tuple[Form, ...]) -> bool:
    rivals = [other for other in members if other is not form and other.kinds & form.kinds]
    return not rivals or (form.native and not any(other.native for other in rivals))


def _labels(members: list[Form]) -> list[str]:
    """The shortest names that tell the alternatives apart."""
    names = [_names(member.annotation) for member in members]
    seen = Counter(name for ladder in names for name in dict.fromkeys(ladder))
    labels = [next((n for n in ladder if seen[n] == 1), ladder[-1]) for ladder in names]
    if len(set(labels)) < len(labels):
        raise SerializationError(f"a union of types with the same name cannot be stored: {labels}")
    return labels


def _names(type_: Any) -> list[str]:
    origin = get_origin(type_) or type_
    short = getattr(origin, "__name__", None) or described(origin)
    module = getattr(origin, "__module__", "")
    return [str(short), described(type_), f"{module}.{described(type_)}"]
