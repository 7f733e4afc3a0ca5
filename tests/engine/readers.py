"""Topics, and workflows that read them."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

import perdure

from .support import (
    HOUR,
    NO_LINGER,
)

SOON = timedelta(milliseconds=30)
WORD: perdure.Topic[str] = perdure.Topic("word", str)
MAYBE: perdure.Topic[int | None] = perdure.Topic("maybe", int | None)
NUMBER: perdure.Topic[int] = perdure.Topic("number", int)


@attrs.frozen
class Decision:
    """What a person says."""

    verdict: str
    by: str


APPROVAL: perdure.Topic[Decision] = perdure.Topic("approval", Decision)


@perdure.workflow(name="messages.reader")
def reader(count: int) -> list[str]:
    return [perdure.receive(WORD) for _ in range(count)]


@perdure.workflow(name="messages.areader")
async def areader(count: int) -> list[str]:
    return [await perdure.areceive(WORD) for _ in range(count)]


READERS = pytest.mark.parametrize("workflow", [reader, areader], ids=["sync", "async"])
LINGERS = pytest.mark.parametrize("linger", [NO_LINGER, HOUR], ids=["outside", "inside"])


def started(engine: perdure.Engine, workflow: Any, *args: Any) -> perdure.Handle[Any]:
    """Start a workflow of either colour."""
    return engine.start(workflow, *args)
