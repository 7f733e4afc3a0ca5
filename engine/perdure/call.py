"""A workflow with its arguments and start options; nothing has run yet."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Generic, Self, TypeVar

import attrs

from . import clock, ids
from .definition import WorkflowDefinition
from .errors import InvalidArguments, UsageError
from .model import Attributes

R_co = TypeVar("R_co", covariant=True)

LOWEST, HIGHEST = -(2**31), 2**31 - 1
"""The priorities that every database has room for."""


def _positive(_: object, field: Any, duration: timedelta | None) -> None:
    if duration is not None and duration <= timedelta(0):
        raise UsageError(f"{field.name}={duration!r} is over before it begins")


def _ranked(_: object, __: object, priority: int | None) -> None:
    given: Any = priority  # what a caller without a type checker gives
    if given is None:
        return
    if not isinstance(given, int) or isinstance(given, bool) or not LOWEST <= given <= HIGHEST:
        raise UsageError(f"priority={given!r} is not a whole number from {LOWEST} to {HIGHEST}")


def _plain(_: object, __: object, attributes: Attributes) -> None:
    given: Mapping[Any, Any] = attributes  # what a caller without a type checker gives
    for key, value in given.items():
        if not isinstance(key, str) or not isinstance(value, str | int | float | bool):
            raise UsageError(f"attributes hold str, int, float or bool, not {key!r}: {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"the attribute {key!r} is {value}, which JSON has no number for")


@attrs.frozen(kw_only=True)
class StartOptions:
    """How a workflow is started. Durations are bounded, times in UTC.

    `priority`: the lowest comes first. `delay` counts from the submission by the
    database's clock, `run_at` is absolute; at most one of them is given. `timeout` counts
    from the first time that a worker takes it, `deadline` is absolute; the earlier cancels it.
    """

    id: str | None = None
    queue: str | None = None
    priority: int | None = attrs.field(default=None, validator=_ranked)
    delay: timedelta | None = attrs.field(
        default=None, converter=attrs.converters.optional(clock.bounded)
    )
    run_at: datetime | None = attrs.field(
        default=None, converter=attrs.converters.optional(clock.utc)
    )
    attributes: Attributes | None = attrs.field(
        default=None, validator=attrs.validators.optional(_plain)
    )
    timeout: timedelta | None = attrs.field(
        default=None, converter=attrs.converters.optional(clock.bounded), validator=_positive
    )
    deadline: datetime | None = attrs.field(
        default=None, converter=attrs.converters.optional(clock.utc)
    )

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
