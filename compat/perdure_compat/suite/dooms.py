"""Where workflows of this process meet their worker's death, and what strikes there.

A process without dooms is an ordinary one: its workflows pass by.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from threading import Event, Lock

import attrs

from perdure_compat.fault import Crash

from .boundaries import Boundary


@attrs.define(eq=False)
class Doom:
    """The death of one worker: when each of these workflows has met all of its boundaries.

    A workflow that is there before the others halts and waits for them. `strike`
    does not return if it kills; else it says whether who is there halts for good.
    """

    meets: Mapping[str, Collection[Boundary]]
    strike: Callable[[], bool]
    over: Event = attrs.field(factory=Event)
    """Set when the test is, so that what halts can end."""
    struck: Event = attrs.field(factory=Event)
    _left: set[tuple[str, Boundary]] = attrs.field(init=False)
    _halts: bool = True
    _lock: Lock = attrs.field(factory=Lock)

    def __attrs_post_init__(self) -> None:
        self._left = {(key, one) for key, each in self.meets.items() for one in each}

    def met(self, workflow_id: str, boundary: Boundary) -> bool:
        """A workflow has come here; whether it halts."""
        with self._lock:
            if self.struck.is_set():
                return self._halts
            if boundary not in self.meets[workflow_id]:
                return False
            self._left.discard((workflow_id, boundary))
            if self._left:
                return True
            self._halts = self.strike()
            self.struck.set()
            return self._halts


DOOMS: dict[str, Doom] = {}
"""The doom of each workflow that has one."""


def reach(workflow_id: str, boundary: Boundary) -> bool:
    """A workflow passes by; whether it halts here."""
    doom = DOOMS.get(workflow_id)
    return doom is not None and doom.met(workflow_id, boundary)


def come(workflow_id: str, boundary: Boundary) -> None:
    """Sync code passes by, or halts until its worker is dead.

    Raises:
        Crash: the worker is dead, in a process that lives on.
    """
    doom = DOOMS.get(workflow_id)
    if doom is not None and doom.met(workflow_id, boundary):
        doom.over.wait()
        raise Crash


async def acome(workflow_id: str, boundary: Boundary) -> None:
    """The same for async code, which is cancelled in the end."""
    if reach(workflow_id, boundary):
        await asyncio.get_running_loop().create_future()
