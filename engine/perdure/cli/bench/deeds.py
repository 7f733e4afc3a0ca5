"""What a process of the benchmark does: `python -m perdure.cli.bench.deeds`.

It reads its order from the first line of stdin, says that it is ready, waits for a
line, does its deed, and ends when stdin does.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from perdure import threads
from perdure.worker import Worker

from .ground import Ground
from .setting import Mode

_GLANCE = 0.01


def work(ground: Ground, *, mode: str, **options: Any) -> None:
    """Be a worker, as `perdure worker` is one."""
    from . import programs  # noqa: PLC0415 (it registers workflows)

    served = programs.SERVED[Mode(mode)]
    with ground.engine(workflows=served) as engine:
        _ready()
        worker = engine.worker(**options)
        threads.start(lambda: _attend(worker), name="attendant")
        worker.run()


def _attend(worker: Worker) -> None:
    """Say when it works, and end it with stdin."""
    while worker.id is None:
        time.sleep(_GLANCE)
    _say("working")
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def drain(ground: Ground, *, name: str, steps: int, batch: int) -> None:
    """Do what a worker does, through the driver alone."""
    rig = ground.rig
    _ready()
    _say(rig.drain(name, steps=steps, batch=batch) if rig else 0)
    sys.stdin.read()


def send(ground: Ground, *, payload: int) -> None:
    """Send a message to each of the workflows that it is told of, one by one."""
    from .programs import LETTERS  # noqa: PLC0415 (it registers workflows)

    text = "x" * payload
    with ground.engine() as engine:
        ids = json.loads(_ready())
        for one in ids:
            engine.handle(one).send(LETTERS, text)
    _say(len(ids))
    sys.stdin.read()


_DEEDS: Mapping[str, Callable[..., None]] = {one.__name__: one for one in (work, drain, send)}


def _ready() -> str:
    """Say so, and wait for the word to begin."""
    _say("ready")
    return sys.stdin.readline()


def _say(something: object) -> None:
    sys.stdout.write(json.dumps(something) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    order = json.loads(sys.stdin.readline())
    with suppress(KeyboardInterrupt):
        _DEEDS[order["deed"]](Ground(order["url"], order["namespace"]), **order["given"])
