"""The file: one process at a time reads what the others wrote, and appends one line.

Whoever holds the lock is alone with the log, threads and processes alike. A line is
there or it is not: what a crash left of one is cut off by the next who writes. When
writing fails nothing is kept in memory, so memory never knows what the file does not.
"""

import errno
import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

import attrs

from perdure.errors import BackendUnavailable, OutcomeUnknown

from .tables import FORMAT, READABLE, Record, Tables, line_of, records_of

_GLANCE = 0.0005
_ADVICE = {
    errno.ENOENT: "create the folder",
    errno.ENOTDIR: "name a folder",
    errno.EACCES: "give this user the right to write there",
    errno.EROFS: "choose a folder that can be written to",
    errno.ENOSPC: "make room on its disk",
}


@contextmanager
def opened(path: Path, flags: int) -> Generator[int, None, None]:
    """A descriptor as long as the block."""
    file = os.open(path, flags, 0o666)
    try:
        yield file
    finally:
        os.close(file)


class Disk:
    """The calls that may fail; a harness has them fail on purpose."""

    def lock(self, file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def write(self, file: int, data: bytes) -> None:
        while data:
            data = data[os.write(file, data) :]

    def sync(self, file: int) -> None:
        os.fsync(file)

    def cut(self, file: int, size: int) -> None:
        os.ftruncate(file, size)


@attrs.define(eq=False)
class Turn:
    """One transaction: what is there at one moment, and what it puts."""

    now: datetime
    tables: Tables
    puts: list[Record] = attrs.field(factory=list[Record])

    def put(self, *records: Record) -> None:
        """To be read at once, and written when the turn ends well."""
        for record in records:
            self.tables.put(record)
        self.puts += records

    def fenced(self, worker_id: str) -> bool:
        """Whether a worker is dead, or was never there: it may change nothing."""
        worker = self.tables.workers.get(worker_id)
        return worker is None or worker.dead_at is not None


@attrs.define(eq=False)
class Log:
    """One log as one backend has it open."""

    path: Path
    where: str
    disk: Disk = attrs.field(factory=Disk)
    patience: float = 10.0
    """Seconds to wait for the lock, which is held for milliseconds."""
    slack: int = 1000
    """Records that the file may have beyond four times those that count."""
    tables: Tables = attrs.field(factory=Tables)
    _file: int | None = None
    _end: int = 0
    """As far as it was read; behind it there can only be what a crash left."""
    _longest: int = 0
    """How many records it may have before it is written anew; 0 until it was read."""
    _courtesy: float = 0.0
    """Who has written leaves the lock to others until then, who look for it now and then."""
    _open: Lock = attrs.field(factory=Lock)
    """Held while a turn uses the file: `close` waits for its end."""

    @contextmanager
    def turn(self) -> Generator[Turn, None, None]:
        """Be alone with the log; what the turn puts becomes one line at its end.

        Raises:
            BackendUnavailable: nothing happened.
            OutcomeUnknown: the line may be there.
        """
        try:
            with self._locked(), self._open:
                try:
                    file = self._caught_up()
                    turn = Turn(datetime.now(UTC), self.tables)
                    yield turn
                    if turn.puts:
                        self._append(file, line_of(turn.puts))
                except BaseException:
                    self._forget()
                    raise
        except BackendUnavailable:
            raise  # which is an OSError too
        except OSError as error:
            raise BackendUnavailable(self.where, _reason(error)) from error

    def close(self) -> None:
        """Forget everything; the next turn reads it again."""
        with self._open:
            self._forget()

    def __del__(self) -> None:
        """A verb that comes after the last `close` has opened it again."""
        self._forget()

    def _forget(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file, self._end, self._longest, self.tables = None, 0, 0, Tables()

    @contextmanager
    def _locked(self) -> Generator[None, None, None]:
        # Opened each time: threads exclude each other, and a fork inherits nothing.
        with opened(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR) as lock:
            time.sleep(max(0.0, self._courtesy - time.monotonic()))
            deadline = time.monotonic() + self.patience
            while not self._got(lock):
                if time.monotonic() > deadline:
                    reason = f"waited {self.patience:g} s for its lock; is a process stopped?"
                    raise BackendUnavailable(self.where, reason)
                time.sleep(_GLANCE)
            try:
                yield
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)

    def _got(self, lock: int) -> bool:
        try:
            self.disk.lock(lock)
        except BlockingIOError:
            return False
        return True

    # ------------------------------------------------------------- reading

    def _caught_up(self) -> int:
        file = self._opened()
        self._read(file)
        if not self._longest:
            self._longest = self.slack + 4 * sum(1 for _ in self.tables.records())
        if self.tables.format == FORMAT and self.tables.puts > self._longest:
            self._rewrite()
            return self._caught_up()
        return file

    def _opened(self) -> int:
        """The file that has the name now, which after a rewrite is another one."""
        if self._file is None or not self._named(self._file):
            self._forget()
            self._file = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o666)
            with opened(self.path.parent, os.O_RDONLY) as folder:
                os.fsync(folder)  # the name is to be as durable as the lines
        return self._file

    def _named(self, file: int) -> bool:
        mine, there = os.fstat(file), self.path.stat() if self.path.exists() else None
        return there is not None and os.path.samestat(mine, there) and mine.st_size >= self._end

    def _read(self, file: int) -> None:
        begin = self._end
        with os.fdopen(file, "rb", closefd=False) as reading:
            reading.seek(begin)
            *lines, rest = reading.read().split(b"\n")
        for number, line in enumerate(lines, 1):
            records = records_of(line) if self.tables.format in READABLE else None
            if records is None:
                self._check_torn(last=number == len(lines) and not rest)
                break
            for record in records:
                self.tables.put(record)
            self._end += len(line) + 1
        if self._end > begin:
            # Whoever wrote this may have died before it was durable.
            self.disk.sync(file)

    def _check_torn(self, *, last: bool) -> None:
        if not last and self.tables.format in READABLE:
            reason = f"{self.path} is damaged at byte {self._end}: restore it from a backup"
            raise BackendUnavailable(self.where, reason)

    # ------------------------------------------------------------- writing

    def _append(self, file: int, line: bytes) -> None:
        try:
            self.disk.cut(file, self._end)
            self.disk.write(file, line)
            self.disk.sync(file)
        except OSError:
            self._take_back(file)
            raise
        self._end += len(line)
        self._courtesy = time.monotonic() + 2 * _GLANCE

    def _take_back(self, file: int) -> None:
        try:
            self.disk.cut(file, self._end)
        except OSError as error:
            raise OutcomeUnknown(self.where, _reason(error)) from error

    def _rewrite(self) -> None:
        """Replace a log that is mostly history by one that says where it led."""
        fresh = self.path.with_suffix(".new")
        try:
            with opened(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC) as file:
                self.disk.write(file, b"".join(line_of([one]) for one in self.tables.records()))
                self.disk.sync(file)
            fresh.replace(self.path)
        except OSError:
            self._longest *= 2  # there is no room for two: later
        else:
            self._forget()


def _reason(error: OSError) -> str:
    advice = _ADVICE.get(error.errno or 0, "look at the disk")
    return f"{error.strerror or error}: {advice}"
