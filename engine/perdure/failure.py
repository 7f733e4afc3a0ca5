"""Exceptions as data: what is stored of one, and the exception that comes of it again."""

import re
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Self, TypeAlias

import attrs

from .codec import PORTABLE
from .errors import RemoteError, SerializationError
from .forms.form import is_a

MESSAGE_BYTES = 64 * 1024
TRACEBACK_BYTES = 32 * 1024
_Class: TypeAlias = type[Exception]
_STATE_CHARACTERS = 64 * 1024
_DEPTH = 8
"""How deep groups in groups are kept."""
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def normalised(text: str, limit: int = MESSAGE_BYTES) -> str:
    """`text` as every database stores it: no NUL, no half surrogate pair, not too long.

    Args:
        text: any text.
        limit: how many bytes of UTF-8 may remain; what is too much is cut out of
            the middle.
    """
    clean = _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    data = clean.encode()
    if len(data) <= limit:
        return clean
    mark = f"\n[… {len(data) - limit} bytes and more are left out …]\n"
    half = max(limit - len(mark.encode()), 0) // 2
    head, tail = data[:half], data[len(data) - half :]
    return head.decode(errors="ignore") + mark + tail.decode(errors="ignore")


@attrs.frozen
class Failure:
    """An exception as it is stored.

    `args` rebuild it, `state` are its attributes; None if they hold what JSON cannot.
    """

    type: str
    """The qualified name of its class."""
    module: str
    args: tuple[Any, ...] | None
    message: str
    traceback: str
    state: Mapping[str, Any] | None = None
    parts: tuple["Failure", ...] = ()
    """What an `ExceptionGroup` holds, without tracebacks: its own has theirs. Nothing if it is too much."""

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """What is stored of `error`. Never fails, whatever `error` is."""
        return cls._of(error, _traceback(error), _DEPTH)

    @classmethod
    def _of(cls, error: BaseException, trace: str, depth: int) -> Self:
        found = type(error)
        return cls(
            type=normalised(found.__qualname__),
            module=normalised(str(found.__module__)),
            args=_portable(lambda: _arguments(error)),
            message=_message(error),
            traceback=trace,
            state=_portable(lambda: _reduced(error)[1]),
            parts=cls._held(error, depth),
        )

    @classmethod
    def _held(cls, error: BaseException, depth: int) -> tuple["Failure", ...]:
        if type(error) is not ExceptionGroup or not depth:
            return ()
        parts: list[Failure] = []
        size = 0
        for each in error.exceptions:
            parts.append(cls._of(each, "", depth - 1))
            size += len(parts[-1].dump())
            if size > _STATE_CHARACTERS:
                return ()
        return tuple(parts)

    def dump(self) -> str:
        """The failure as JSON text."""
        return PORTABLE.dump(self.plain())

    def plain(self) -> dict[str, Any]:
        """The failure as plain JSON."""
        whole: dict[str, Any] = {
            "type": self.type,
            "module": self.module,
            "args": None if self.args is None else list(self.args),
            "message": self.message,
            "traceback": self.traceback,
        }
        if self.state != {}:
            whole["state"] = None if self.state is None else dict(self.state)
        if self.parts:
            whole["parts"] = [part.plain() for part in self.parts]
        return whole

    @classmethod
    def load(cls, text: str | None) -> Self:
        """The failure that `text` stands for. Never fails: an unreadable text is one, too."""
        try:
            return cls._parsed(PORTABLE.load(text))
        except SerializationError as error:
            return cls("unknown", "", None, normalised(str(error)), "")

    @classmethod
    def _parsed(cls, whole: Any) -> Self:
        if not is_a(whole, dict):
            raise SerializationError("the stored error is not a JSON object")
        args: Any = whole.get("args")
        state: Any = whole.get("state", {})
        parts: Any = whole.get("parts")
        texts = [whole.get(name) or "" for name in ("type", "module", "message", "traceback")]
        type_, module, message, trace = (normalised(str(text)) for text in texts)
        return cls(
            type=type_ or "unknown",
            module=module,
            args=tuple(args) if is_a(args, list) else None,
            message=message,
            traceback=trace,
            state=state if is_a(state, dict) else None,
            parts=tuple(map(cls._parsed, parts)) if is_a(parts, list) else (),
        )

    def exception(self) -> Exception:
        """The exception again, the same on every call and in every process.

        Of its own class if that can be imported, is an `Exception` and yields an
        equal one; else a `RemoteError`. Imports the module; never fails.
        """
        cls = _find(self.module, self.type)
        if cls is not None and self.args is not None:
            for make in (self._called, self._restored):
                made = self._attempt(cls, make)
                if made is not None:
                    return made
        return RemoteError(self._name(), self.message, self.traceback)

    def _name(self) -> str:
        plain = self.module in ("", "builtins")
        return self.type if plain else f"{self.module}.{self.type}"

    def _attempt(self, cls: _Class, make: Callable[[_Class], Exception]) -> Exception | None:
        try:
            made = make(cls)
            if self.state is not None:
                made.__setstate__(dict(self.state))
            equal = type(made) is cls and _arguments(made) == self.args
        except Exception:  # noqa: BLE001 - a class that cannot be rebuilt, for any reason
            return None
        return made if equal and _message(made) == self.message else None

    def _called(self, cls: _Class) -> Exception:
        held = [[part.exception() for part in self.parts]] if self.parts else []
        return cls(*(self.args or ()), *held)

    def _restored(self, cls: _Class) -> Exception:
        """Without `__init__`, whose parameters need not be `args`."""
        if self.state is None or any(base.__dict__.get("__slots__") for base in cls.__mro__):
            raise TypeError(cls)
        made = cls.__new__(cls, *(self.args or ()))
        made.args = self.args or ()
        return made


def _arguments(error: BaseException) -> tuple[Any, ...]:
    """What its class is called with; a group has parts beside it."""
    return (error.message,) if type(error) is ExceptionGroup else _reduced(error)[0]


def _reduced(error: BaseException) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What rebuilds `error`: the arguments of its class, and its attributes.

    Asks as pickle does, because the `args` of an OSError lack the file's name.
    """
    reduced: Any = error.__reduce__()
    if not is_a(reduced, tuple) or reduced[0] is not type(error):
        return error.args, dict(vars(error))
    state: Any = reduced[2] if reduced[2:] else {}
    return tuple(reduced[1]), dict(state or {})


def _portable(read: Callable[[], Any]) -> Any:
    """What `read` gives, in the form it will have on replay; None if it has none."""
    try:
        value = read()
        text = PORTABLE.dump(value)
        again = PORTABLE.load(text)
        return again if again == value and len(text) <= _STATE_CHARACTERS else None
    except BaseException:  # noqa: BLE001 - the user's attributes may do anything
        return None


def _message(error: BaseException) -> str:
    try:
        return normalised(str.__str__(str(error)))
    except BaseException:  # noqa: BLE001 - the user's __str__ may do anything
        return f"<{type(error).__name__} whose text cannot be made>"


def _traceback(error: BaseException) -> str:
    try:
        return normalised("".join(traceback.format_exception(error)), TRACEBACK_BYTES)
    except BaseException:  # noqa: BLE001 - formatting calls the user's __str__ and __repr__
        return ""


def _find(module: str, name: str) -> _Class | None:
    try:
        found: Any = sys.modules.get(module) or import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        good = issubclass(found, Exception)
    except (Exception, SystemExit):  # noqa: BLE001 - a module may do anything on import
        return None
    return found if good else None
