"""The workflows a process knows, by name."""

import threading
from collections.abc import Iterable

import attrs

from .definition import WorkflowDefinition
from .errors import DefinitionError


@attrs.define(eq=False)
class Registry:
    """Definitions by name; the same name in two files is an error when it is asked for."""

    version: int = 0
    """Grows with each addition."""
    _known: dict[str, WorkflowDefinition] = attrs.field(factory=dict[str, WorkflowDefinition])
    _rivals: dict[str, WorkflowDefinition] = attrs.field(factory=dict[str, WorkflowDefinition])
    _lock: threading.Lock = attrs.field(factory=threading.Lock, repr=False)

    def add(self, definition: WorkflowDefinition) -> None:
        """Make a definition known; a newer one from the same file replaces the older."""
        with self._lock:
            self.version += 1
            earlier = self._known.get(definition.name)
            if earlier is not None and _file(earlier) != _file(definition):
                self._rivals[definition.name] = definition
            else:
                self._known[definition.name] = definition

    def get(self, name: str) -> WorkflowDefinition | None:
        """The definition of that name.

        Raises:
            DefinitionError: two files define it.
        """
        if name in self._rivals:
            raise DefinitionError(
                f"two workflows are named {name!r}: in {_file(self._known[name])} and in "
                f"{_file(self._rivals[name])}. Give one of them @perdure.workflow(name=…)."
            )
        return self._known.get(name)

    def all(self) -> tuple[WorkflowDefinition, ...]:
        """Every definition.

        Raises:
            DefinitionError: two files define one name.
        """
        for name in tuple(self._rivals):
            self.get(name)
        return tuple(self._known.values())


def _file(definition: WorkflowDefinition) -> str:
    return definition.fn.__code__.co_filename


def advice(name: str) -> str:
    """The command that would serve a workflow of that name."""
    try:
        known = IMPORTED.get(name)
    except DefinitionError:
        known = None
    return f"perdure worker {known.fn.__module__ if known else 'MODULE'}"


IMPORTED = Registry()
"""All workflows at the top level of the modules that were imported."""


@attrs.define(eq=False)
class Serving:
    """What the workers of one engine serve: what it is given, or else all that is known.

    `listed` is what the engine was given; None means all that is imported, and what
    is started here though it cannot be imported.
    """

    listed: Iterable[WorkflowDefinition] | None
    _own: Registry = attrs.field(factory=Registry, init=False)

    def __attrs_post_init__(self) -> None:
        for definition in self.listed or ():
            self._own.add(definition)

    def started(self, definition: WorkflowDefinition) -> None:
        """A workflow is started here; serve it, even if it is defined inside a function.

        Raises:
            DefinitionError: two files define its name.
        """
        if self.listed is not None:
            return
        if definition.local:
            self._own.add(definition)
        else:
            IMPORTED.get(definition.name)

    def all(self) -> tuple[WorkflowDefinition, ...]:
        """Every definition that is served now.

        Raises:
            DefinitionError: two files define one name.
        """
        own = self._own.all()
        if self.listed is not None:
            return own
        imported = {definition.name: definition for definition in IMPORTED.all()}
        return tuple((imported | {definition.name: definition for definition in own}).values())

    def knows(self, name: str) -> bool:
        """Whether a name is served."""
        return any(definition.name == name for definition in self.all())
