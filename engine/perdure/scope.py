"""What is opened by `with` and by `async with` alike, and blocks no event loop doing so."""

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from . import threads


class Scope(ABC):
    """Something with a beginning and an end, each of which may take a while."""

    @abstractmethod
    def _enter(self) -> None:
        """What `with` does first."""

    @abstractmethod
    def _leave(self) -> None:
        """What `with` does last, whatever happened inside."""

    def __enter__(self) -> Self:
        self._enter()
        return self

    def __exit__(
        self,
        t: type[BaseException] | None,
        e: BaseException | None,
        tb: TracebackType | None,
        /,
    ) -> None:
        self._leave()

    async def __aenter__(self) -> Self:
        await asyncio.wrap_future(threads.call(self._enter, name="begin"))
        return self

    async def __aexit__(
        self,
        t: type[BaseException] | None,
        e: BaseException | None,
        tb: TracebackType | None,
        /,
    ) -> None:
        await asyncio.wrap_future(threads.call(self._leave, name="end"))
