"""Where a run takes place: tables of its own, empty at the beginning and gone at the end."""

import secrets
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs

from perdure.backend import Backend
from perdure.engine import Engine
from perdure.model import Status, WorkflowRecord
from perdure.url import open_backend

from .rig import Rig, rig_for

_GLANCE = 0.02
_CHUNK = 1000


@attrs.frozen
class Ground:
    """A URL and a namespace."""

    url: str
    namespace: str

    @property
    def rig(self) -> Rig | None:
        """The driver's own look at it."""
        return rig_for(self.url, namespace=self.namespace)

    def engine(self, **options: Any) -> Engine:
        """An engine on it."""
        return Engine(self.url, schema=self.namespace, **options)

    def open(self) -> Backend:
        """A backend on it."""
        return open_backend(self.url, namespace=self.namespace)


@contextmanager
def ground(url: str, folder: Path) -> Generator[Ground, None, None]:
    """A fresh one, with tables, for as long as the block lasts.

    A file goes into `folder` unless the URL names one, which then lends its own.
    """
    name = f"perdure_bench_{secrets.token_hex(4)}"
    parts = urlsplit(url)
    if parts.scheme.startswith("sqlite"):
        beside = Path(parts.path[1:]).parent if parts.path.strip("/") else folder
        url = f"sqlite:///{beside / name}.db"
    made = Ground(url, name)
    made.engine().migrate()
    try:
        yield made
    finally:
        if made.rig is not None:
            made.rig.clear()


def until_ended(backend: Backend, ids: Sequence[str], *, every: float = _GLANCE) -> Iterator[int]:
    """How many of these have ended, about, again and again, in so many seconds, until all have.

    Only one in a chunk is watched until all that are watched have ended: whoever
    reads each of many ends takes the processor from those who are measured.
    """
    for number, watched in enumerate(ids[_CHUNK - 1 :: _CHUNK]):
        for _ in _left(backend, [watched], every):
            yield number * _CHUNK
    for start in range(0, len(ids), _CHUNK):
        for left in _left(backend, ids[start : start + _CHUNK], every):
            yield min(start + _CHUNK, len(ids)) - left


def _left(backend: Backend, ids: Sequence[str], every: float) -> Iterator[int]:
    """How many of these have not ended, again and again until none."""
    left = set(ids)
    while left:
        left -= {one.id for one in backend.load(left, only_ended=True)}
        yield len(left)
        if left:
            time.sleep(every)


def until_suspended(backend: Backend, ids: Sequence[str]) -> Iterator[int]:
    """How many of these have left memory, in a wait or for good, again and again until all have."""
    for start in range(0, len(ids), _CHUNK):
        left = set(ids[start : start + _CHUNK])
        while left:
            left -= {one.id for one in backend.load(left) if _left_memory(one.status)}
            yield min(start + _CHUNK, len(ids)) - len(left)
            if left:
                time.sleep(_GLANCE)


def _left_memory(status: Status) -> bool:
    return status is Status.WAITING or status.final


def records(backend: Backend, ids: Sequence[str]) -> Iterator[WorkflowRecord]:
    """The records of all of these."""
    for start in range(0, len(ids), _CHUNK):
        yield from backend.load(ids[start : start + _CHUNK])
