"""Events: values that a workflow publishes, the latest of which counts."""

from functools import cached_property
from typing import Generic, TypeVar

import attrs
from typing_extensions import TypeForm

from . import ids
from .codec import Codec, codec_of
from .context import workflow_branch
from .execution import note

T = TypeVar("T")

KIND = "event"


@attrs.define(slots=False, init=False)
class Event(Generic[T]):
    """A named, latest-wins value that a workflow publishes."""

    name: str
    type: TypeForm[T]

    def __init__(self, name: str, type: TypeForm[T], /) -> None:
        self.name = ids.checked(name, what="the event's name")
        self.type = type

    @cached_property
    def codec(self) -> Codec[T]:
        """Between its values and JSON."""
        return codec_of(self.type)

    def set(self, value: T, /) -> None:
        """Publish a value of this workflow, for anybody to read, also after its end.

        Does not wait: it is durable before anything later that waits.

        Raises:
            NotInWorkflow: there is no workflow here.
            SerializationError: the value cannot become JSON.
        """
        slot = workflow_branch(f"{self.name}.set").draw()
        text = self.codec.dump(value)
        if slot.recorded(name=self.name, kind=KIND) is None:
            note(slot, KIND, text, slot.attempt.now(), name=self.name)
