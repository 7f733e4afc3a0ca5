"""What the conformance suite cannot do through the backend: clean up, age, break the disk."""

import errno
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import attrs

from perdure.backend import Backend
from perdure_compat.fault import Crash, Injector, Plan
from perdure_compat.harness import Harness, Place

from .backend import LogbookBackend
from .log import Disk, Log
from .tables import Record
from .workflows import NEVER


class LogbookHarness(Harness):
    """Its namespaces are files, which can be deleted and rewritten."""

    missing: Mapping[str, str] = {}

    def dispose(self, place: Place) -> None:
        self._delete(f"{place.namespace}.*")

    def close(self) -> None:
        self._delete(f"{self.prefix}_*")

    def _delete(self, names: str) -> None:
        for file in Path(unquote(urlsplit(self.url).path)).glob(names):
            file.unlink()

    def pass_time(self, place: Place, by: timedelta) -> None:
        log = _log(place.open())
        with log.turn() as turn:
            turn.put(*[_older(one, by) for one in turn.tables.records()])
        log.close()

    def injector(self, backend: Backend) -> Injector:
        striking = StrikingDisk()
        _log(backend).disk = striking
        return striking


def _log(backend: Backend) -> Log:
    assert isinstance(backend, LogbookBackend)
    return backend.log


def _older(record: Record, by: timedelta) -> Record:
    fields: dict[str, Any] = attrs.asdict(record, recurse=False)
    times = {key: at for key, at in fields.items() if isinstance(at, datetime) and at < NEVER}
    past: dict[str, Any] = {key: at - by for key, at in times.items()}
    return type(record)(**fields | past)


@attrs.frozen
class Mishap:
    """A call comes as far as `share` of it, and then something happens."""

    name: str
    share: float = 0

    def __str__(self) -> str:
        return f"{self.name} after {self.share:.0%}"

    def strike(self) -> NoReturn:
        """Die, or fail as the kernel would."""
        if self.name == "crash":
            raise Crash
        number: int = getattr(errno, self.name)
        raise OSError(number, os.strerror(number))


_OTHERS_FIRST = Mishap("others take their turn")
_DEATHS = (Mishap("crash"), Mishap("crash", 1))
_MISHAPS: Mapping[str, Sequence[Mishap]] = {
    "lock": (*_DEATHS, Mishap("ENOLCK")),
    "cut": (*_DEATHS, Mishap("EIO")),
    "write": (*_DEATHS, Mishap("crash", 0.5), Mishap("ENOSPC", 0.5)),
    "sync": (*_DEATHS, Mishap("EIO"), Mishap("EIO", 1)),
}


class StrikingDisk(Disk, Injector):
    """Each call is a point."""

    def __init__(self) -> None:
        self._armed = False
        self._plan: Mapping[int, object] = {}
        self._meanwhile: Callable[[], object] | None = None
        self._passed: list[Sequence[Mishap]] = []

    def arm(self, plan: Plan, *, meanwhile: Callable[[], object] | None = None) -> None:
        self._plan = {strike.at: strike.mishap for strike in plan}
        self._armed, self._meanwhile, self._passed = True, meanwhile, []

    def disarm(self) -> Sequence[Sequence[Mishap]]:
        self._armed = False
        return self._passed

    def lock(self, file: int) -> None:
        with self._point("lock") as share:
            if share:
                super().lock(file)

    def write(self, file: int, data: bytes) -> None:
        with self._point("write") as share:
            super().write(file, data[: int(len(data) * share)])

    def sync(self, file: int) -> None:
        with self._point("sync") as share:
            if share:
                super().sync(file)

    def cut(self, file: int, size: int) -> None:
        with self._point("cut") as share:
            if share:
                super().cut(file, size)

    @contextmanager
    def _point(self, call: str) -> Generator[float, None, None]:
        mishap = self._next(call) if self._armed else None
        if mishap == _OTHERS_FIRST and self._meanwhile:
            self._meanwhile()
            mishap = None
        yield mishap.share if mishap else 1
        if mishap:
            mishap.strike()

    def _next(self, call: str) -> Mishap | None:
        waiting = call == "lock" and self._meanwhile
        possible = (*_MISHAPS[call], *([_OTHERS_FIRST] if waiting else []))
        planned = self._plan.get(len(self._passed))
        self._passed.append(possible)
        return next((one for one in possible if one == planned), None)
