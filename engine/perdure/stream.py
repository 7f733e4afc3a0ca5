"""Streams: what a workflow and its steps write while they run, for anybody to follow."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar

import attrs
from typing_extensions import TypeForm

from . import ids
from .attempt import Attempt
from .codec import Codec, codec_of
from .context import STEP, workflow_branch
from .execution import row_of
from .streams import Item

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)

KIND = "stream"
_ROOM = 32
"""Bits that leave room for the items of one attempt, and for the tries of one step in it."""


@attrs.define(slots=False, init=False)
class Stream(Generic[T]):
    """A named, append-only log of a workflow.

    What its code writes is written once. What a step's body writes can be read at once, so
    that a try which fails has shown something already: each item says of which step and of
    which attempt it is, and who sees the attempt of a step grow drops what the last one showed.
    """

    name: str
    type: TypeForm[T]

    def __init__(self, name: str, type: TypeForm[T], /) -> None:
        self.name = ids.checked(name, what="the stream's name")
        self.type = type

    @cached_property
    def codec(self) -> Codec[T]:
        """Between its values and JSON."""
        return codec_of(self.type)

    def write(self, value: T, /) -> None:
        """Append a value, in a workflow or in a step. Does not wait.

        Raises:
            NotInWorkflow: there is neither here.
            SerializationError: the value cannot become JSON.
        """
        self._append(self.codec.dump(value), closes=False)

    def close(self) -> None:
        """Append the end: readers stop there. The end of the workflow does the same.

        Raises:
            NotInWorkflow: there is no workflow and no step here.
        """
        self._append(None, closes=True)

    def _append(self, text: str | None, *, closes: bool) -> None:
        step = STEP.get(None)
        if step is not None:
            attempt = step.slot.attempt
            number = attempt.epoch << _ROOM | step.attempt
            item = self._item(attempt, step.slot.place, number, text, closes=closes)
            attempt.write(item, None)
            return
        slot = workflow_branch(f"{self.name}.write").draw()
        if slot.recorded(name=self.name, kind=KIND) is None:
            item = self._item(slot.attempt, "", 1, text, closes=closes)
            slot.attempt.write(item, row_of(slot, KIND, self.name))

    def _item(
        self, attempt: Attempt, place: str, number: int, text: str | None, *, closes: bool
    ) -> Item:
        """With the offset of an epoch's first item."""
        return Item(
            workflow_id=attempt.id,
            stream=self.name,
            offset=attempt.epoch << _ROOM,
            place=place,
            attempt=number,
            value_json=text,
            closes=closes,
            epoch=attempt.epoch,
        )


@attrs.frozen
class StreamItem(Generic[R_co]):
    """One item of a stream, as its readers get it."""

    offset: int
    """Grows, with holes; `read(…, after=offset)` goes on behind it."""
    attempt: int
    """Grows with each try of the step that wrote it: then drop what `step` showed before."""
    step: str
    """The place of that step in its workflow; empty for the workflow's own code."""
    _text: str | None
    _load: Callable[[str | None], Any]

    @classmethod
    def of(cls, item: Item, stream: Stream[T]) -> "StreamItem[T]":
        """An item as a reader of that stream gets it."""
        return StreamItem(item.offset, item.attempt, item.place, item.value_json, stream.codec.load)

    @property
    def value(self) -> R_co:
        """What was written.

        Raises:
            SerializationError: it is not of the stream's type.
        """
        value: R_co = self._load(self._text)
        return value
