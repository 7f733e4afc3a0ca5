"""What is on its way from a workflow to the database, as its code sees it."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol, TypeAlias

import attrs

from .backend import Consumption, Existing, Submission
from .mail import SendAnswer, Subscription
from .model import Message, Status, StepRecord, Wait
from .streams import Item


@attrs.frozen
class Receipt:
    """A step that takes a message; both are written, or neither."""

    step: StepRecord
    message_id: str

    @property
    def size(self) -> int:
        return self.step.size

    @property
    def consumption(self) -> Consumption:
        step = self.step
        return Consumption(
            workflow_id=step.workflow_id,
            branch=step.branch,
            seq=step.seq,
            epoch=step.epoch,
            message_id=self.message_id,
        )


@attrs.frozen
class Inscription:
    """A step that writes an item to a stream; both are written, or neither."""

    step: StepRecord
    item: Item

    @property
    def size(self) -> int:
        return self.step.size + self.item.size


Record: TypeAlias = StepRecord | Wait | Receipt | Inscription | Item
"""What an attempt sends on its way before its end."""


class Courier(Protocol):
    """Carries what workflows send, and brings the answers."""

    def send(self, message: Message) -> "Future[SendAnswer]": ...
    def submit(self, submissions: Sequence[Submission]) -> "list[Future[Existing | None]]": ...
    def subscribe(self, subscriptions: Sequence[Subscription]) -> "list[Future[bool]]": ...
    def cancel(self, id: str, reason: str) -> "Future[Status | None]": ...
