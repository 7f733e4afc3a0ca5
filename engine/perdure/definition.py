"""What a step or a workflow is: a function, its name, its types. Nothing runs here."""

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, TypeAlias, TypeVar, cast, get_type_hints

import attrs
import orjson

from . import clock, ids
from .codec import Codec, codec_of
from .errors import DefinitionError, InvalidArguments, SerializationError
from .retry import ONCE, Retry

T = TypeVar("T")

Async: TypeAlias = Coroutine[Any, Any, T]
"""What calling an `async def` that returns T gives."""

_POSITIONAL = frozenset(
    {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
)


@attrs.define(kw_only=True, slots=False, eq=False)
class Definition:
    """A decorated function."""

    fn: Callable[..., Any]
    name: str

    @classmethod
    def check(cls, fn: object, name: str | None) -> str:
        """The definition's name: `name`, else the function's qualified name.

        Raises:
            DefinitionError: `fn` is no function, or the name cannot be stored.
        """
        if not inspect.isfunction(fn):
            raise DefinitionError(f"{fn!r} is not a function: decorate a def or async def")
        if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
            raise DefinitionError(f"{fn.__qualname__} is a generator; return a value instead")
        try:
            return ids.checked(name or fn.__qualname__, what="the name")
        except RuntimeError as error:
            raise DefinitionError(str(error)) from None

    @cached_property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.fn)

    @cached_property
    def result(self) -> Codec[Any]:
        """The codec of the return annotation."""
        return codec_of(self.hints.get("return", Any))

    @cached_property
    def hints(self) -> dict[str, Any]:
        """The annotations, resolved at first use, when all their names exist.

        Raises:
            DefinitionError: an annotation names something that cannot be found.
        """
        try:
            return get_type_hints(self.fn)
        except NameError as error:
            raise DefinitionError(
                f"{self.name}: the annotation {error.name!r} cannot be resolved; "
                f"define it at the top level of {self.fn.__module__}"
            ) from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


@attrs.define(kw_only=True, slots=False, eq=False, repr=False)
class StepDefinition(Definition):
    """A step: recorded once, tried as `retries` says, each try within `timeout`."""

    retries: Retry = ONCE
    timeout: timedelta | None = attrs.field(
        default=None, converter=attrs.converters.optional(clock.bounded)
    )


@attrs.define(kw_only=True, slots=False, eq=False, repr=False)
class WorkflowDefinition(Definition):
    """A workflow: its arguments travel as JSON, its name says who can run it."""

    queue: str = "default"

    @cached_property
    def signature(self) -> inspect.Signature:
        return inspect.signature(self.fn)

    @property
    def local(self) -> bool:
        """Defined inside a function, so that no other process can import it."""
        return "<locals>" in self.fn.__qualname__

    def dump(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Arguments as the stored input: `{"args": […], "kwargs": {…}}`.

        What may be given by position is stored by position, so that one call has
        one form however it was written.

        Raises:
            InvalidArguments: the function does not take them.
            SerializationError: one of them cannot become JSON.
        """
        bound = self._bind(args, kwargs)
        parts = [self._piece(i, value) for i, value in enumerate(bound.args)]
        named = {
            key: orjson.Fragment(self._codec(self._parameter(key)).dump(value))
            for key, value in bound.kwargs.items()
        }
        whole = {"args": parts, "kwargs": named} if named else {"args": parts}
        return orjson.dumps(whole).decode()

    def load(self, text: str | None) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a stored input.

        Raises:
            InvalidArguments: the function does not take them, or the text is not
                of the form `{"args": […], "kwargs": {…}}`.
            SerializationError: an argument is not of its annotated type.
        """
        args, kwargs = self._parse(text)
        try:
            if not kwargs and len(args) == self._plain:  # nothing to sort out
                codecs = self._positional
                return [codec.unpack(arg) for codec, arg in zip(codecs, args, strict=True)], {}
            bound = self._bind(args, kwargs)
            return (
                [self._codec_at(i).unpack(value) for i, value in enumerate(bound.args)],
                {
                    key: self._codec(self._parameter(key)).unpack(value)
                    for key, value in bound.kwargs.items()
                },
            )
        except SerializationError as error:
            raise SerializationError(
                f"{self.name}: an argument of {self.signature} cannot be read: {error}"
            ) from error

    def _parse(self, text: str | None) -> tuple[list[Any], dict[str, Any]]:
        try:
            whole: Any = orjson.loads(text) if text else {}
        except orjson.JSONDecodeError as error:
            raise SerializationError(f"{self.name}: the input is not JSON: {error}") from error
        if isinstance(whole, dict):
            fields: dict[str, Any] = dict(cast("dict[str, Any]", whole))
            args: Any = fields.pop("args", [])
            kwargs: Any = fields.pop("kwargs", {})
            if isinstance(args, list) and isinstance(kwargs, dict) and not fields:
                return args, kwargs  # pyright: ignore[reportUnknownVariableType]  # JSON has no more to say
        raise InvalidArguments(
            self.name, 'the input must be a JSON object {"args": […], "kwargs": {…}}'
        )

    def _bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        try:
            return self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise InvalidArguments(self.name, f"{error}; it takes {self.signature}") from None

    def _piece(self, index: int, value: Any) -> orjson.Fragment:
        return orjson.Fragment(self._codec_at(index).dump(value))

    def _codec_at(self, index: int) -> Codec[Any]:
        return self._positional[min(index, len(self._positional) - 1)]

    @cached_property
    def _positional(self) -> list[Codec[Any]]:
        kinds = _POSITIONAL | {inspect.Parameter.VAR_POSITIONAL}
        parameters = self.signature.parameters.values()
        return [self._codec(p) for p in parameters if p.kind in kinds]

    @cached_property
    def _plain(self) -> int | None:
        """How many arguments it takes, if all of them go by position and all are asked for."""
        kinds = {parameter.kind for parameter in self.signature.parameters.values()}
        return len(self._positional) if kinds <= _POSITIONAL else None

    def _parameter(self, key: str) -> inspect.Parameter:
        parameters = self.signature.parameters
        if key in parameters:
            return parameters[key]
        return next(p for p in parameters.values() if p.kind is p.VAR_KEYWORD)

    def _codec(self, parameter: inspect.Parameter) -> Codec[Any]:
        return codec_of(self.hints.get(parameter.name, Any))
