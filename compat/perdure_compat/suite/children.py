"""Real processes that the tests begin, talk to and kill."""

from contextlib import suppress
from functools import cache
from importlib.metadata import entry_points
from multiprocessing import get_all_start_methods, get_context
from threading import Timer
from typing import TYPE_CHECKING, Any, Self

from perdure.url import GROUP
from perdure_compat.harness import Place, scheme_of

from . import deeds
from .races import WITHIN

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext


@cache
def processes(scheme: str) -> "ForkServerContext | SpawnContext":
    """What begins processes: where it can be, forked from one that has imported everything."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    backends = entry_points(group=GROUP, name=scheme)
    context.set_forkserver_preload([deeds.__name__, *(one.module for one in backends)])
    return context


class Child:
    """A process on the same place, which runs one act of `deeds` once it is told to go."""

    def __init__(self, place: Place, act: str, **arguments: Any) -> None:
        begins = processes(scheme_of(place.url))
        self._line, theirs = begins.Pipe()
        given = (place, act, arguments, theirs)
        self._process = begins.Process(target=deeds.perform, args=given, daemon=True)
        self._process.start()
        theirs.close()
        self._guard = Timer(2 * WITHIN, self._process.kill)
        self._guard.daemon = True
        self._guard.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._close()

    def go(self) -> None:
        """Wait until the child is ready, then let it begin."""
        assert self.read() == "ready"
        self._line.send("go")

    def read(self) -> Any:
        """The next thing that it tells.

        Raises:
            EOFError: it has ended.
        """
        return self._line.recv()

    def rest(self) -> list[Any]:
        """All it tells until its end; a last word cut short by death does not count."""
        told: list[Any] = []
        with suppress(EOFError, OSError):
            while True:
                told.append(self.read())
        return told

    def end(self) -> int | None:
        """Wait for its end; the exit code, None if it does not come."""
        self._process.join(WITHIN)
        code = self._process.exitcode
        self._close()
        return code

    def kill(self, *, after: float = 0.0) -> None:
        """Kill it as SIGKILL does, after some seconds unless it has ended before."""
        self._process.join(after)
        self._process.kill()
        self._process.join(WITHIN)

    def _close(self) -> None:
        self._guard.cancel()
        self._line.close()
