"""The queue in front of SQLite's write lock.

SQLite's own busy timeout is no queue: a waiter sleeps while a busy writer takes
the lock again and again, and a heartbeat may wait longer than its lease. So
whoever wants to write stands at the turnstile: threads of one process in a line,
processes at a lock on a file beside the database, which the kernel hands on and
takes back from the dead. It is held only until the transaction has begun.
"""

import os
import sys
import threading
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import attrs

if sys.platform == "win32":
    import msvcrt

    def _hold(descriptor: int) -> None:
        while True:
            try:
                # Ten tries, a second apart, and then an error: ask again.
                msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
            except OSError:
                continue
            return

    def _release(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _hold(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def _release(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@attrs.define(eq=False)
class Line:
    """A lock that threads get in the order in which they came."""

    _held: bool = False
    _waiting: deque[threading.Lock] = attrs.field(factory=deque[threading.Lock])
    _guard: threading.Lock = attrs.field(factory=threading.Lock)

    def __len__(self) -> int:
        """How many stand in line behind the one whose turn it is."""
        return len(self._waiting)

    def __enter__(self) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        try:
            mine.acquire()
        except BaseException:
            self._give_up(mine)
            raise

    def __exit__(self, *_: object) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False

    def _give_up(self, mine: threading.Lock) -> None:
        with self._guard:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return
        # The turn had come already: hand it on.
        self.__exit__()


@attrs.define(eq=False)
class Turnstile:
    """The turnstile of one database file in this process."""

    _path: Path
    line: Line = attrs.field(factory=Line)
    _descriptor: int | None = None

    @contextmanager
    def turn(self) -> Generator[None, None, None]:
        """Be the one process that tries to begin; the caller stands first in line."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _CLOEXEC, 0o666)
        _hold(self._descriptor)
        try:
            yield
        finally:
            _release(self._descriptor)


_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_turnstiles: dict[tuple[int, str], Turnstile] = {}
_making = threading.Lock()


def turnstile(database: Path) -> Turnstile:
    """The one turnstile of this process for a file.

    A child of a fork makes its own: the descriptor it inherits shares the
    parent's lock.
    """
    key = (os.getpid(), str(database.resolve()))
    found = _turnstiles.get(key)
    if found is None:
        with _making:
            found = _turnstiles.setdefault(key, Turnstile(_beside(database.resolve())))
    return found


def _beside(database: Path) -> Path:
    return database.with_name(f"{database.name}-turn")
