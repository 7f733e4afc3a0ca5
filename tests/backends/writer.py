"""A process that writes to one SQLite file as fast as it can: `python writer.py URL NAME ROUNDS`.

It says `ready`, waits for a line, writes, says `done` after so many rounds, goes
on until its input ends, and says how often it wrote and how long it waited.
"""

import json
import sys
import threading
import time
from datetime import timedelta

from perdure.backend import WorkerInfo
from perdure_backends.sqlite import SqliteBackend

_LEASE = timedelta(hours=1)


def _say(something: object) -> None:
    sys.stdout.write(json.dumps(something) + "\n")
    sys.stdout.flush()


def _write(backend: SqliteBackend, name: str) -> float:
    began = time.perf_counter()
    assert backend.heartbeat(name, lease=_LEASE)
    return time.perf_counter() - began


def main(url: str, name: str, rounds: str) -> None:
    """Be one writer."""
    backend = SqliteBackend(url)
    info = WorkerInfo(id=name, host="h", pid=1, code_version=None, names=[], queues=[])
    assert backend.join(info, lease=_LEASE)
    _say("ready")
    sys.stdin.readline()
    over = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    waits: list[float] = []
    while not over.is_set():
        waits.append(_write(backend, name))
        if len(waits) == int(rounds):
            _say("done")
    waits.sort()
    _say({"wrote": len(waits), "median": waits[len(waits) // 2], "late": waits[-3]})
    backend.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
