"""Where code may stand: in workflows and steps of either colour."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import perdure

from .support import ran

SOON = timedelta(milliseconds=1)
MAIL: perdure.Topic[str] = perdure.Topic("mail", str)
NEWS: perdure.Event[str] = perdure.Event("news", str)


@perdure.step
def plain(text: str) -> str:
    return f"<{text}>"


@perdure.step
async def aplain(text: str) -> str:
    return f"<{text}>"


@perdure.workflow
def inner() -> str:
    return plain("inner")


@perdure.workflow
async def ainner() -> str:
    return await aplain("inner")


def in_workflow(url: str, body: Callable[[], Any]) -> Any:
    @perdure.workflow
    def outer() -> Any:
        return body()

    return ran(url, outer.bind())


def in_async_workflow(url: str, body: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    @perdure.workflow
    async def outer() -> Any:
        return await body()

    return ran(url, outer.bind())


def in_step(url: str, body: Callable[[], Any]) -> Any:
    @perdure.step
    def around() -> Any:
        return body()

    return in_workflow(url, around)


def in_async_step(url: str, body: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    @perdure.step
    async def around() -> Any:
        return await body()

    return in_async_workflow(url, around)


async def call(verb: Callable[[], Any]) -> Any:
    """Call a blocking verb in a coroutine."""
    return verb()
