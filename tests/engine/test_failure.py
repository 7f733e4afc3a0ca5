"""Exceptions as data: what comes back, what cannot, and that nothing breaks on the way."""

import json
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any, Never
from uuid import uuid4

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure import errors
from perdure.errors import RemoteError
from perdure.failure import MESSAGE_BYTES, TRACEBACK_BYTES, Failure, normalised


class CardDeclined(Exception):
    """One that keeps other arguments than it passes on."""

    def __init__(self, code: int, *, card: str) -> None:
        self.code = code
        self.card = card
        super().__init__(f"{card}: declined with {code}")


@attrs.define
class Refused(Exception):
    """One with slots, made by attrs."""

    reason: str


class Holding(Exception):
    """One that cannot be made of its arguments, with an attribute that is no JSON."""

    def __init__(self, first: str, second: object) -> None:
        self.second = second
        super().__init__(first)


class Slotted(Exception):
    """One whose attribute is lost if `__init__` is not called."""

    __slots__ = ("code",)

    def __init__(self, *, code: int) -> None:
        self.code = code
        super().__init__(str(code))


class Outer:
    class Inner(Exception):
        """One inside a class."""


class Broken(Exception):
    """One of which nothing works."""

    @property
    def args(self) -> Never:  # type: ignore[override]
        raise RuntimeError

    def __str__(self) -> Never:
        raise RuntimeError

    def __repr__(self) -> Never:
        raise RuntimeError

    def __reduce__(self) -> Never:
        raise RuntimeError


def raised(statement: str) -> BaseException:
    try:
        exec(statement)  # noqa: S102 - the shortest way to errors that Python raises
    except BaseException as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError(statement)


def again(error: BaseException) -> Exception:
    return Failure.load(Failure.of(error).dump()).exception()


def noted() -> Exception:
    error = ValueError("x")
    error.add_note("seen at night")
    return error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x", 1, None, 2.5),
        ValueError(),
        ValueError("\0"),
        KeyError("missing"),
        LookupError(uuid4(), Decimal("1.5"), (1, 2)),
        noted(),
        CardDeclined(51, card="visa"),
        Refused("no"),
        Outer.Inner("x"),
        OSError(2, "no such file", "/nowhere"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        raised("open('/nowhere')"),
        raised("import nowhere"),
        raised("{}['a']"),
        raised("import json; json.loads('{')"),
        raised("1 / 0"),
        errors.StepTimeout("charge took longer than 0:00:05"),
        errors.GiveUp("no such account"),
        errors.SerializationError("x"),
        errors.WorkflowConflict(["a", "b"]),
        errors.WaitTimeout("approval", timedelta(days=1)),
        errors.WorkflowNotFound("a"),
        errors.WorkflowParked("a", "b"),
        errors.UnknownBackend("x", {"sqlite"}),
        errors.InvalidArguments("f", "missing 'x'"),
        errors.OutcomeUnknown("host", "reset"),
        RemoteError("shop.Declined", "no", "Traceback …"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_exception_comes_back_as_it_was(error: Exception) -> None:
    rebuilt = again(error)

    assert type(rebuilt) is type(error)
    assert rebuilt.args == error.args
    assert str(rebuilt) == str(error)
    assert vars(rebuilt) == vars(error)


def test_a_group_comes_back_with_all_that_it_holds() -> None:
    inner = ExceptionGroup("inner", [CardDeclined(51, card="visa"), Holding("a", object())])
    outer = ExceptionGroup("outer\0", [ValueError(1), inner, SystemError(), nested(5)])
    outer.add_note("seen at night")
    rebuilt = again(outer)

    assert type(rebuilt) is ExceptionGroup
    assert rebuilt.message == outer.message
    assert vars(rebuilt) == vars(outer)
    held = [repr(one) for one in rebuilt.exceptions]
    assert held == [
        "ValueError(1)",
        repr(ExceptionGroup("inner", [again(one) for one in inner.exceptions])),
        "SystemError()",
        repr(nested(5)),
    ]
    assert repr(again(rebuilt)) == repr(rebuilt)


def nested(depth: int) -> Exception:
    """Groups in groups."""
    return ExceptionGroup("deep", [nested(depth - 1)]) if depth else ValueError("at the bottom")


def test_groups_come_back_to_a_certain_depth() -> None:
    error: Any = again(nested(500))
    depth = 0
    while hasattr(error, "exceptions"):
        (error,) = error.exceptions
        depth += 1

    assert depth == 8
    assert repr(error) == "RemoteError('ExceptionGroup: deep (1 sub-exception)')"


def test_what_comes_back_comes_back_the_same_again() -> None:
    error = CardDeclined(51, card="visa")

    assert vars(again(again(error))) == vars(error)
    assert repr(again(again(Holding("a", object())))) == repr(again(Holding("a", object())))


def local() -> Exception:
    class Local(Exception):
        """One that no other process can import."""

    return Local("x")


@pytest.mark.parametrize(
    "error",
    [
        local(),
        Holding("a", object()),
        Slotted(code=3),
        ExceptionGroup("too many", [ValueError("x" * 40_000)] * 2),
        BaseExceptionGroup("hard", [KeyboardInterrupt()]),
        SystemExit(3),
        KeyboardInterrupt(),
        ValueError("\ud800"),
        ValueError("x" * 100_000),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_cannot_be_rebuilt_is_a_remote_error_at_once(error: BaseException) -> None:
    rebuilt = Failure.of(error).exception()

    assert type(rebuilt) is RemoteError
    assert rebuilt.type.endswith(type(error).__qualname__)
    assert rebuilt.message == normalised(str(error))
    assert repr(again(error)) == repr(rebuilt)


def test_nothing_of_a_broken_exception_escapes() -> None:
    rebuilt = again(Broken())

    assert isinstance(rebuilt, RemoteError)
    assert rebuilt.message == "<Broken whose text cannot be made>"


def test_the_attributes_of_an_error_are_not_shared_with_it() -> None:
    error = ValueError([1])
    failure = Failure.of(error)
    error.args[0].append(2)

    assert failure.exception().args == ([1],)


def test_the_traceback_names_the_line_that_raised() -> None:
    error = raised("int('x')")

    assert "int('x')" in Failure.of(error).message or "invalid literal" in Failure.of(error).message
    assert Failure.of(error).traceback.startswith("Traceback")
    assert (
        Failure.of(error).traceback.rstrip().endswith("invalid literal for int() with base 10: 'x'")
    )


def test_the_stored_form_is_readable_json() -> None:
    stored = json.loads(Failure.of(ValueError("no", 1)).dump())

    assert stored == {
        "type": "ValueError",
        "module": "builtins",
        "args": ["no", 1],
        "message": "('no', 1)",
        "traceback": "ValueError: ('no', 1)\n",
    }


@pytest.mark.parametrize(
    "text",
    [None, "", "null", "[]", "3", "{", "{}", '{"type":3,"args":{},"state":[],"message":null}'],
)
def test_an_unreadable_failure_is_a_failure_too(text: str | None) -> None:
    assert isinstance(Failure.load(text).exception(), RemoteError)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "int"),
        ("builtins", "SystemExit"),
        ("builtins", "nothing"),
        ("os", "system"),
        ("no.such.module", "Error"),
        ("", "ValueError"),
        (".", "ValueError"),
        ("builtins", "ValueError.__init__"),
        ("builtins", ""),
    ],
)
def test_nothing_but_exception_classes_is_ever_called(module: str, name: str) -> None:
    stored = json.dumps({"type": name, "module": module, "args": ["x"], "message": "x"})

    assert isinstance(Failure.load(stored).exception(), RemoteError)


def test_a_module_that_fails_to_import_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "leaving_at_once.py").write_text("raise SystemExit(3)\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    stored = '{"type": "Error", "module": "leaving_at_once", "args": [], "message": ""}'

    assert isinstance(Failure.load(stored).exception(), RemoteError)


def test_a_class_of_a_module_that_is_not_imported_yet_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported_late.py").write_text("class Declined(Exception): pass\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    stored = '{"type": "Declined", "module": "imported_late", "args": ["x"], "message": "x"}'

    error = Failure.load(stored).exception()

    assert (type(error).__name__, error.args) == ("Declined", ("x",))


def test_a_class_that_has_changed_since_is_a_remote_error(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("changing")
    monkeypatch.setitem(sys.modules, "changing", module)
    module.Declined = type("Declined", (Exception,), {"__module__": "changing"})
    stored = Failure.of(module.Declined("x")).dump()
    module.Declined = type("Declined", (ValueError,), {"__str__": Exception.__repr__})

    assert isinstance(Failure.load(stored).exception(), RemoteError)


def test_texts_become_storable() -> None:
    assert normalised("a\0b\ud800c") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"
    assert normalised("é" * 10) == "é" * 10


@given(st.text(max_size=300), st.integers(100, 200))
def test_texts_are_bounded_and_keep_both_ends(text: str, limit: int) -> None:
    bounded = normalised(text, limit)

    assert len(bounded.encode()) <= limit
    assert normalised(bounded, limit) == bounded
    assert len(text.encode(errors="replace")) > limit or len(bounded) == len(text)


def test_long_messages_and_tracebacks_keep_head_and_tail() -> None:
    failure = Failure.of(ValueError("head" + "x" * 200_000 + "tail"))

    assert failure.message.startswith("head")
    assert failure.message.endswith("tail")
    assert len(failure.message.encode()) <= MESSAGE_BYTES
    assert len(failure.traceback.encode()) <= TRACEBACK_BYTES
    assert len(failure.dump()) < 2 * MESSAGE_BYTES


@given(st.lists(st.none() | st.booleans() | st.integers() | st.text() | st.binary()))
def test_any_arguments_can_be_stored(args: list[Any]) -> None:
    for cls in (Exception, OSError, KeyError, UnicodeDecodeError):
        with suppress(TypeError):
            error = cls(*args)
            rebuilt = again(error)
            assert isinstance(rebuilt, RemoteError) or rebuilt.args == error.args


def test_a_failure_is_the_same_in_another_process() -> None:
    stored = Failure.of(errors.WorkflowConflict(["a"])).dump()
    code = "import sys; from perdure.failure import Failure; print(repr(Failure.load(sys.argv[1]).exception().ids))"

    shown = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code, stored], check=True, capture_output=True, text=True
    )

    assert shown.stdout == "('a',)\n"
