"""Workflows to be children, and a parent's run."""

from typing import Any

import pytest

import perdure

from .support import (
    HOUR,
    NO_LINGER,
    Memory,
    engine_of,
    result_of,
)

GO: perdure.Topic[str] = perdure.Topic("go", str)
COLOURS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
LINGERS = pytest.mark.parametrize("linger", [NO_LINGER, HOUR], ids=["outside", "inside"])


class Declined(Exception):
    """An error of a workflow's own."""


@perdure.workflow(name="children.double")
def double(number: int) -> int:
    return 2 * number


@perdure.workflow(name="children.adouble")
async def adouble(number: int) -> int:
    return 2 * number


@perdure.workflow(name="children.fail")
def fail(text: str) -> int:
    raise Declined(text)


@perdure.workflow(name="children.wait")
def wait() -> str:
    return perdure.receive(GO)


KNOWN: list[Any] = [double, adouble, fail, wait]


def run(memory: Memory, workflow: Any, *args: Any, **options: Any) -> Any:
    """What a workflow returns whose children are served, too."""
    with engine_of(memory.url, workflow, *KNOWN, **options) as engine, engine.worker():
        handle: perdure.Handle[Any] = engine.start(workflow, *args, id="w")
        return result_of(handle)
