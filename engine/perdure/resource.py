"""Dependencies of steps: made once per process at first use, closed when the worker drains.

A sync resource belongs to the process, so it is made after any fork. An async one
belongs to an event loop, because async clients do: steps get the one of the
worker's loop.
"""

import asyncio
import contextlib
import inspect
import logging
import os
import threading
import weakref
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterator,
)
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Generic, TypeAlias, TypeVar, overload

import attrs

from .errors import DefinitionError

log = logging.getLogger("perdure")

T = TypeVar("T")

Made: TypeAlias = tuple[asyncio.Lock, list[Any]]
"""A lock for the making, and, once made, the value and its scope."""


@attrs.define(eq=False)
class Resource(Generic[T]):
    """One value per process; call it to get the value."""

    _open: Callable[[], AbstractContextManager[T]]
    _made: tuple[int, T, AbstractContextManager[T]] | None = attrs.field(default=None, init=False)
    _overrides: list[T] = attrs.field(factory=list[T], init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def __call__(self) -> T:
        """The value of this process, made now if it is not there yet."""
        if self._overrides:
            return self._overrides[-1]
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                scope = self._open()
                self._made = os.getpid(), scope.__enter__(), scope
                _OPEN.add(self)
            return self._made[1]

    @contextlib.contextmanager
    def override(self, value: T, /) -> Generator[None]:
        """Give out `value` instead, for a test."""
        self._overrides.append(value)
        try:
            yield
        finally:
            self._overrides.remove(value)

    def close(self) -> None:
        """Run the rest of the generator; the next call makes a new value."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None and made[0] == os.getpid():
            made[2].__exit__(None, None, None)


@attrs.define(eq=False)
class AsyncResource(Generic[T]):
    """One value per event loop; await its call to get the value."""

    _open: Callable[[], AbstractAsyncContextManager[T]]
    _made: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Made] = attrs.field(
        factory=weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Made], init=False
    )
    _overrides: list[T] = attrs.field(factory=list[T], init=False)

    def __call__(self) -> Coroutine[Any, Any, T]:
        """The value of the running loop, made now if it is not there yet."""
        return self._value()

    async def _value(self) -> T:
        if self._overrides:
            return self._overrides[-1]
        lock, made = self._made.setdefault(asyncio.get_running_loop(), (asyncio.Lock(), []))
        async with lock:
            if not made:
                scope = self._open()
                made += [await scope.__aenter__(), scope]
                _ASYNC_OPEN.add(self)
        value: T = made[0]
        return value

    @contextlib.contextmanager
    def override(self, value: T, /) -> Generator[None]:
        """Give out `value` instead, for a test."""
        self._overrides.append(value)
        try:
            yield
        finally:
            self._overrides.remove(value)

    async def aclose(self) -> None:
        """Run the rest of the generator on the loop that made the value."""
        found = self._made.pop(asyncio.get_running_loop(), None)
        if found is not None and found[1]:
            await found[1][1].__aexit__(None, None, None)


_OPEN: "weakref.WeakSet[Resource[Any]]" = weakref.WeakSet()
_ASYNC_OPEN: "weakref.WeakSet[AsyncResource[Any]]" = weakref.WeakSet()


@overload
def resource(
    fn: Callable[[], AsyncGenerator[T, None]] | Callable[[], AsyncIterator[T]], /
) -> AsyncResource[T]: ...
@overload
def resource(
    fn: Callable[[], Generator[T, None, None]] | Callable[[], Iterator[T]], /
) -> Resource[T]: ...
def resource(fn: Callable[[], Any], /) -> Any:
    """Make a generator function a resource: what it yields once, steps share.

    Raises:
        DefinitionError: it is not a generator function.
    """
    if inspect.isasyncgenfunction(fn):
        return AsyncResource[Any](contextlib.asynccontextmanager(fn))
    if inspect.isgeneratorfunction(fn):
        return Resource[Any](contextlib.contextmanager(fn))
    raise DefinitionError(f"{fn!r} does not yield: a resource is a generator function")


def close_all() -> None:
    """Close every sync resource of this process."""
    for made in tuple(_OPEN):
        _OPEN.discard(made)
        try:
            made.close()
        except Exception:  # one that fails must not keep the others open
            log.exception("a resource failed to close")


async def aclose_all() -> None:
    """Close every async resource of the running loop."""
    for made in tuple(_ASYNC_OPEN):
        try:
            await made.aclose()
        except Exception:  # one that fails must not keep the others open
            log.exception("a resource failed to close")
