"""From what `start` is given to what is written."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import attrs
import orjson

from .backend import Existing, Submission
from .call import Call, StartOptions
from .codec import Codec, canonical, codec_of
from .context import STEP
from .definition import WorkflowDefinition
from .errors import InvalidArguments, UsageError


@attrs.frozen(kw_only=True)
class Stranger:
    """What is known of a workflow of which this process has only heard the name."""

    name: str
    queue: str = "default"
    result: Codec[Any] = attrs.field(factory=lambda: codec_of(Any))


@attrs.define(eq=False)
class Named:
    """A `Call` of a stranger."""

    definition: Stranger
    input_json: str
    start_options: StartOptions


Start: TypeAlias = Call[Any] | Named
"""A workflow to be started: checked, encoded, not yet written."""


def submission(start: Start, new_id: Callable[[], str]) -> Submission:
    """What the backend is asked to write."""
    options = start.start_options
    return Submission(
        id=options.id or new_id(),
        name=start.definition.name,
        input_json=start.input_json,
        queue=options.queue or start.definition.queue,
        priority=options.priority or 0,
        delay=options.delay,
        run_at=options.run_at,
        attributes=options.attributes or {},
        timeout=options.timeout,
        deadline=options.deadline,
        fresh=not options.id,
    )


def same_work(there: Existing, asked: Submission) -> bool:
    """Whether what is there under an id is what is asked for again."""
    if there.name != asked.name:
        return False
    if there.input_json == asked.input_json:
        return True
    return canonical(there.input_json) == canonical(asked.input_json)


def prepare(target: object, args: Sequence[Any], options: Mapping[str, Any]) -> Start:
    """Check and encode what `start` is given: a workflow, a `Call` or a name.

    Raises:
        InvalidArguments: the workflow does not take these arguments.
        SerializationError: one of them cannot become JSON.
        UsageError: the target is none of the three.
    """
    match target:
        case Call():
            if args or options:
                raise InvalidArguments(
                    target.definition.name,
                    "arguments and options belong into bind and options",
                )
            return of_call(target)  # pyright: ignore[reportUnknownArgumentType]  # a match knows no type arguments
        case object(definition=WorkflowDefinition() as definition):
            chosen = StartOptions.of(definition.name, options)
            return of_call(Call(definition, definition.dump(args, {}), chosen))
        case str():
            return _by_name(target, args, StartOptions.of(target, options))
        case _:
            raise UsageError(f"{target!r} is not a workflow: decorate it with @perdure.workflow")


def of_call(call: Call[Any]) -> Start:
    """What a `Call` asks for."""
    options = _with_id(call.start_options)
    return call if options is call.start_options else attrs.evolve(call, start_options=options)


def _by_name(name: str, args: Sequence[Any], options: StartOptions) -> Start:
    stranger = Stranger(name=name)
    parts = [orjson.Fragment(stranger.result.dump(value)) for value in args]
    return Named(stranger, orjson.dumps({"args": parts}).decode(), _with_id(options))


def _with_id(options: StartOptions) -> StartOptions:
    """In a step the default id comes from the step, so that its next try starts nothing new."""
    step = STEP.get(None)
    if step is None or options.id is not None:
        return options
    return attrs.evolve(options, id=step.next_start())
