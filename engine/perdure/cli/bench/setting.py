"""What is measured, and how much of it."""

from enum import StrEnum

import attrs


class Mode(StrEnum):
    """The colour of the workflows and their steps."""

    ASYNC = "async"
    SYNC = "sync"


class Workload(StrEnum):
    """What is measured."""

    DRAIN = "drain"
    ENQUEUE = "enqueue"
    LATENCY = "latency"
    STEPS = "steps"
    RECOVERY = "recovery"
    HISTORY = "history"
    SNAPSHOT = "snapshot"
    IDLE = "idle"
    LIMIT = "limit"
    WAITING = "waiting"
    MESSAGES = "messages"


@attrs.frozen(kw_only=True)
class Setting:
    """One measurement; what a workload has no use for says nothing in it."""

    workload: Workload
    workflows: int
    steps: int = 1
    workers: int = 2
    payload: int = 100
    """Bytes of the argument, which each step returns again."""
    mode: Mode = Mode.ASYNC
    pin: bool = False
    """Whether each worker process stays on one processor."""
    repeat: int = 3
    history: int = 1_000_000
    """Finished workflows that `history` puts into the tables first."""
    seconds: float = 10.0
    """How long `idle` looks on."""
