"""A workflow with its arguments and start options; nothing has run yet."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Generic, Self, TypeVar

import attrs

from . import ids
from .definition import WorkflowDefinition
from .errors import InvalidArguments, UsageError
from .model import Attributes

R_co = TypeVar("R_co", covariant=True)


def _aware(_: object, field: Any, when: datetime | None) -> None:
    if when is not None and when.tzinfo is None:
        raise UsageError(f"{field.name}={when!r} has no time zone; Perdure's times are aware")


def _positive(_: object, field: Any, duration: timedelta | None) -> None:
    if duration is not None and duration <= timedelta(0):
        raise UsageError(f"{field.name}={duration!r} is over before it begins")


def _plain(_: object, __: object, attributes: Attributes) -> None:
    given: Mapping[Any, Any] = attributes  # what a caller without a type checker gives
    for key, value in given.items():
        if not isinstance(key, str) or not isinstance(value, str | int | float | bool):
            raise UsageError(f"attributes hold str, int, float or bool, not {key!r}: {value!r}")


@attrs.frozen(kw_only=True)
class StartOptions:
    """How a workflow is started. Durations and times as the user gave them.

    `priority`: the lowest comes first. `delay` counts from the submission by the
    database's clock, `run_at` is absolute; at most one of them is given. `timeout` counts
    from the first time that a worker takes it, `deadline` is absolute; the earlier cancels it.
    """

    id: str | None = None
    queue: str | None = None
    priority: int | None = None
    delay: timedelta | None = None
    run_at: datetime | None = attrs.field(default=None, validator=_aware)
    attributes: Attributes | None = attrs.field(
        default=None, validator=attrs.validators.optional(_plain)
    )
    timeout: timedelta | None = attrs.field(default=None, validator=_positive)
    deadline: datetime | None = attrs.field(default=None, validator=_aware)

    def __attrs_post_init__(self) -> None:
        if self.delay is not None and self.run_at is not None:
            raise UsageError("give delay or run_at, not both")
        if self.id is not None:
            ids.checked(self.id, what="the id")
        if self.queue is not None:
            ids.checked(self.queue, what="the queue's name")

    @classmethod
    def of(cls, target: str, options: Mapping[str, Any]) -> "StartOptions":
        """Options by name, as `start` gets them.

        Raises:
            InvalidArguments: there is no such option; the message shows the way for
                a workflow's own keyword.
        """
        unknown = [key for key in options if key not in _NAMES]
        if unknown:
            shown = ", ".join(f"{key}=…" for key in unknown)
            raise InvalidArguments(
                target,
                f"start has no option {shown}; a workflow's own keywords go through "
                f"start({target}.bind(…, {shown}))",
            )
        return cls(**options)


_NAMES = frozenset(field.name for field in attrs.fields(StartOptions))


@attrs.frozen
class Call(Generic[R_co]):
    """A workflow with its arguments and start options; nothing has run yet.

    Made by `workflow.bind(…)`; `start` and `start_many` take it.
    """

    definition: WorkflowDefinition
    input_json: str
    start_options: StartOptions = attrs.field(factory=StartOptions)

    def options(
        self,
        *,
        id: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        delay: timedelta | None = None,
        run_at: datetime | None = None,
        timeout: timedelta | None = None,
        deadline: datetime | None = None,
        attributes: Attributes | None = None,
    ) -> Self:
        """The same call with these options; what is not given stays as it was.

        Raises:
            UsageError: a value cannot be an option.
        """
        given = {
            "id": id,
            "queue": queue,
            "priority": priority,
            "delay": delay,
            "run_at": run_at,
            "timeout": timeout,
            "deadline": deadline,
            "attributes": attributes,
        }
        changed: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        return attrs.evolve(self, start_options=attrs.evolve(self.start_options, **changed))
