"""Workers that are born to die: `python -m perdure_compat.suite.nursery URL NAMESPACE`.

A line on stdin names them (see `Life`). Each is a process, forked from this one, which
has imported everything and holds nothing open; some live at a time. One line says who was
born, and one how each ended.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NoReturn

import attrs

from perdure.backend import Batch
from perdure.errors import PerdureError
from perdure_compat.harness import Place

from .boundaries import Boundary
from .dooms import DOOMS, Doom
from .programs import working
from .records import LANE, LEASE, end, info, step, wait
from .taps import tapped

CROWD = 12
"""How many live at once: each has a handful of connections."""
LIFETIME = 60
"""Seconds after which a worker that has not met its boundary is given up."""


@attrs.frozen(kw_only=True)
class Life:
    """A worker's life: what it serves, and which boundaries its workflows have to meet.

    With a `gate` it does not die there: it says so in the file `<gate>.shut`, and
    goes on when the file `gate` is there.
    """

    number: int
    shape: str
    queue: str
    meets: Mapping[str, Sequence[str]]
    log: str
    gate: str | None = None

    def boundaries(self) -> Mapping[str, Sequence[Boundary]]:
        """The same, as records."""
        return {key: [Boundary.of(one) for one in each] for key, each in self.meets.items()}


def _say(something: object) -> None:
    sys.stdout.write(json.dumps(something) + "\n")
    sys.stdout.flush()


def _live(place: Place, life: Life) -> NoReturn:
    """Be a worker until death."""
    # Who is stopped and woken again lives longer; the clock goes on meanwhile.
    signal.alarm(LIFETIME if life.gate is None else 4 * LIFETIME)
    out = os.open(life.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(out, 1)
    os.dup2(out, 2)
    doom = Doom(life.boundaries(), lambda: _strike(life))
    DOOMS.update(dict.fromkeys(life.meets, doom))
    with tapped(type(place.open())), working(place, [life.shape], [life.queue]):
        while True:
            signal.pause()


def _strike(life: Life) -> bool:
    if life.gate is not None:
        Path(f"{life.gate}.shut").touch()
        pause = threading.Event()
        while not Path(life.gate).exists():
            pause.wait(0.02)
        return False
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()  # the signal may take a moment
    return True


def main(url: str, namespace: str) -> None:
    """Fork one worker after the other, and see them all end."""
    place = Place(url=url, namespace=namespace)
    _rehearse(place)
    lives = [Life(**one) for one in json.loads(sys.stdin.readline())]
    alive: dict[int, int] = {}
    while lives or alive:
        while lives and len(alive) < CROWD:
            life = lives.pop(0)
            sys.stdout.flush()
            pid = os.fork()
            if pid == 0:
                _born(place, life)
            alive[pid] = life.number
            _say({"born": life.number, "pid": pid})
        pid, status = os.wait()
        _say({"died": alive.pop(pid), "code": os.waitstatus_to_exitcode(status)})


def _rehearse(place: Place) -> None:
    """A life in which nothing happens.

    What a backend prepares at its first calls, those who are born need not prepare again.
    """
    nobody = f"nobody {os.getpid()}"
    with closing(place.open()) as backend, suppress(PerdureError):
        backend.schema_version()
        backend.join(info(nobody), lease=LEASE)
        backend.heartbeat(nobody, lease=LEASE)
        for suspects in (False, True):
            backend.claim(nobody, [LANE], limit=1, suspects=suspects)
        for batch in _batches():
            backend.commit(nobody, batch)
        backend.requests(nobody)
        backend.wake(limit=1)
        backend.history(["nothing"])
        backend.load(["nothing"])
        backend.leave(nobody)


def _batches() -> Iterator[Batch]:
    """All kinds of what a worker commits; nobody's, so that nothing comes of it."""
    for steps in ([], [step("nothing")], [step("nothing", status="error", output_json=None)]):
        for waits in ([], [wait("nothing")]):
            for transitions in ([], [end("nothing")]):
                yield Batch(steps=steps, waits=waits, transitions=transitions)


def _born(place: Place, life: Life) -> NoReturn:
    """A child never returns into its parent's code."""
    try:
        _live(place, life)
    except BaseException:  # noqa: BLE001  its own log says what
        sys.excepthook(*_what())
    finally:
        os._exit(1)


def _what() -> Any:
    return sys.exc_info()


if __name__ == "__main__":
    main(*sys.argv[1:])
