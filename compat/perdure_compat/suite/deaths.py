"""Ways in which the workers of one test die: killed, or cut off where no process helps."""

import json
import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any, Self

import attrs

from perdure_compat.harness import Place

from .dooms import DOOMS, Doom
from .nursery import CROWD, LIFETIME, Life
from .programs import working
from .races import WITHIN, together
from .taps import sever, tapped

KILLED = -9
AT_ONCE = 80
"""So many workers share a process with the test."""


class Deaths(ABC):
    """The workers of some lives, from `with` on; they are gone after it."""

    @abstractmethod
    def wait(self) -> None:
        """Until each has met its boundaries and is dead."""

    def __enter__(self) -> Self:
        return self

    @abstractmethod
    def __exit__(
        self,
        t: type[BaseException] | None,
        e: BaseException | None,
        tb: TracebackType | None,
        /,
    ) -> None: ...


def deaths(place: Place, lives: Sequence[Life], *, processes: bool) -> Deaths:
    """The hardest death that there is here."""
    return Killed(place, lives) if processes and hasattr(os, "fork") else CutOff(place, lives)


class Killed(Deaths):
    """Each worker is a process, which sends itself SIGKILL."""

    def __init__(self, place: Place, lives: Sequence[Life]) -> None:
        self._lives = {life.number: life for life in lives}
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            [sys.executable, "-m", "perdure_compat.suite.nursery", place.url, place.namespace],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        patience = LIFETIME * (2 + len(lives) // CROWD)
        self._guard = Timer(patience, self._process.kill)
        self._guard.daemon = True
        self._guard.start()
        assert self._process.stdin is not None
        json.dump([attrs.asdict(life) for life in lives], self._process.stdin)
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self.born: dict[int, int] = {}
        self._died: set[int] = set()

    def wait(self) -> None:
        """Until all have died by their own hand."""
        while len(self._died) < len(self._lives):
            self._hear()

    def await_births(self) -> None:
        """Until all are born; `born` has their process ids."""
        while len(self.born) < len(self._lives):
            self._hear()

    def _hear(self) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the nursery has ended: {self._process.poll()}"
        told: dict[str, Any] = json.loads(line)
        if "born" in told:
            self.born[told["born"]] = told["pid"]
            return
        life = self._lives[told["died"]]
        self._died.add(life.number)
        said = Path(life.log).read_text(errors="replace")
        assert told["code"] == KILLED, f"{_unmet(life)} (exit code {told['code']})\n{said}"

    def __exit__(self, *_: object) -> None:
        """Kill who is left."""
        for number, pid in self.born.items():
            if number not in self._died:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait(WITHIN)
        self._guard.cancel()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


class CutOff(Deaths):
    """Each worker is threads of this process, which reach their database no more.

    What it had in memory halts where it is, until its threads end without a word: for
    the database that is a death, and the only one where all share one process.
    """

    def __init__(self, place: Place, lives: Sequence[Life]) -> None:
        self._place = place
        self._lives = lives

    def wait(self) -> None:
        """Start them here, some at a time: what ran before has met no doom."""
        with tapped(type(self._place.open())):
            for first in range(0, len(self._lives), AT_ONCE):
                self._lose(self._lives[first : first + AT_ONCE])

    def _lose(self, lives: Sequence[Life]) -> None:
        dooms: list[Doom] = []
        scopes: list[ExitStack] = []
        try:
            for life in lives:
                dooms.append(_doomed(life))
                scopes.append(ExitStack())
                scopes[-1].enter_context(working(self._place, [life.shape], [life.queue]))
            for life, doom in zip(lives, dooms, strict=True):
                assert doom.struck.wait(LIFETIME), _unmet(life)
        finally:
            DOOMS.clear()
            for doom in dooms:
                doom.over.set()
            # All at once: each waits for its database for a while.
            together(ExitStack.close, scopes)

    def __exit__(self, *_: object) -> None:
        """They are gone already."""


def _doomed(life: Life) -> Doom:
    doom = Doom(life.boundaries(), lambda: _cut(doom))
    DOOMS.update(dict.fromkeys(life.meets, doom))
    return doom


def _cut(doom: Doom) -> bool:
    sever(doom)
    return True


def _unmet(life: Life) -> str:
    wanted = "; ".join(f"{key!r} at {', '.join(each)}" for key, each in life.meets.items())
    return f"a worker of its own did not bring a workflow to where it was to die: {wanted}"
