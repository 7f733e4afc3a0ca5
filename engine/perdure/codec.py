"""Typed JSON: values travel as JSON text, by their annotation, and come back as that type.

The law: `load(dump(value)) == value`, and of the annotated type. What would not
come back equal is refused when it is dumped, never found out at a replay.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar

import attrs
import orjson
from typing_extensions import TypeForm

from .errors import SerializationError
from .forms import Form, form_of
from .forms.form import TAG, described, is_a
from .forms.plain import PLAIN
from .forms.portable import PORTABLE as _PORTABLE

T = TypeVar("T")
_MARK = f'"{TAG}"'


@attrs.frozen
class Codec(Generic[T]):
    """Values of one type to JSON text and back."""

    annotation: Any
    _form: Form

    def dump(self, value: T) -> str:
        """`value` as JSON text, without NUL characters.

        Raises:
            SerializationError: it is not what the annotation says, or would not
                come back equal.
        """
        form = self._form
        try:
            plain = value if type(value) in form.verbatim else form.dump(value)
            return orjson.dumps(plain).decode()
        except Exception as error:
            raise _undumpable(value, self.annotation, error) from error

    def load(self, text: str | None) -> T:
        """The value that `text` stands for; None stands for JSON's null.

        Raises:
            SerializationError: it is no JSON, or not the JSON of such a value.
        """
        try:
            parsed: Any = None if text is None else orjson.loads(text)
            plain = self._form is PLAIN and (text is None or _MARK not in text)
            loaded: T = parsed if plain else self._form.load(parsed)
        except Exception as error:
            raise _unloadable(self.annotation, error) from error
        return loaded

    def unpack(self, value: Any) -> T:
        """The value that an already parsed JSON value stands for.

        Raises:
            SerializationError: it is not the JSON of such a value.
        """
        try:
            loaded: T = self._form.load(value)
        except Exception as error:
            raise _unloadable(self.annotation, error) from error
        return loaded

    def pass_through(self, value: T) -> tuple[str, T]:
        """The text of `value`, and `value` in the form that it will have on replay.

        Raises:
            SerializationError: as `dump` and `load`.
        """
        text = self.dump(value)
        return text, value if type(value) in self._form.same else self.load(text)


PORTABLE: Codec[Any] = Codec(Any, _PORTABLE)
"""Values of the standard library without an annotation: each says what it is."""


def codec_of(type_: TypeForm[T], /) -> Codec[T]:
    """The codec of an annotation; `typing.Any` is plain JSON.

    Raises:
        SerializationError: values of that type have no JSON form.
    """
    try:
        hash(type_)
    except TypeError:
        return _made(type_)
    return _cached(type_)


def _made(type_: Any) -> Codec[Any]:
    try:
        return Codec(type_, form_of(type_))
    except SerializationError:
        raise
    except Exception as error:
        raise SerializationError(f"{described(type_)} has no JSON form: {error!r}") from error


_cached: Callable[[Any], Codec[Any]] = lru_cache(maxsize=4096)(_made)


def _undumpable(value: object, type_: Any, error: Exception) -> SerializationError:
    cls = type(value)
    return SerializationError(
        f"a {cls.__module__}.{cls.__qualname__} cannot be stored as {described(type_)}: "
        f"{_reason(error)}. Pass a value of the annotated type, or annotate what is passed."
    )


def _unloadable(type_: Any, error: Exception) -> SerializationError:
    # Without the text itself: errors reach logs, and payloads must not.
    return SerializationError(
        f"what is stored cannot be read as {described(type_)}: {_reason(error)}. "
        f"Was the annotation changed since?"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, SerializationError):
        return str(error)
    if isinstance(error, RecursionError):
        return "it contains itself, or is nested too deeply"
    if isinstance(error, KeyError):
        return f"without {error}"
    return f"{type(error).__name__}: {error}"


def canonical(text: str | None) -> object:
    """A JSON text as a value that equals that of another text of the same meaning.

    Spacing and the order of keys mean nothing; `1`, `1.0` and `true` differ.

    Raises:
        SerializationError: it is no JSON.
    """
    if text is None:
        return None
    try:
        return _ranked(json.loads(text))
    except Exception as error:
        raise _unloadable(Any, error) from error


def _ranked(value: Any) -> object:
    if is_a(value, dict):
        return {key: _ranked(item) for key, item in value.items()}
    if is_a(value, list):
        return [_ranked(item) for item in value]
    return type(value).__name__, value
