"""What a process of the benchmark does: `python -m perdure.cli.bench.deeds`.

It reads its order from the first line of stdin, says that it is ready, waits for a
line, does its deed, and ends when stdin does.
"""

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from .ground import Ground


def work(ground: Ground, **options: Any) -> None:
    """Be a worker."""
    from . import programs  # noqa: PLC0415 (it registers workflows)

    served = [programs.steps, programs.sync_steps, programs.held]
    with ground.engine(workflows=served) as engine:
        _ready()
        with engine.worker(**options):
            _say("working")
            sys.stdin.read()


def drain(ground: Ground, *, name: str, steps: int, batch: int) -> None:
    """Do what a worker does, through the driver alone."""
    rig = ground.rig
    _ready()
    _say(rig.drain(name, steps=steps, batch=batch) if rig else 0)
    sys.stdin.read()


_DEEDS: Mapping[str, Callable[..., None]] = {one.__name__: one for one in (work, drain)}


def _ready() -> None:
    _say("ready")
    sys.stdin.readline()


def _say(something: object) -> None:
    sys.stdout.write(json.dumps(something) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    order = json.loads(sys.stdin.readline())
    with suppress(KeyboardInterrupt):
        _DEEDS[order["deed"]](Ground(order["url"], order["namespace"]), **order["given"])
