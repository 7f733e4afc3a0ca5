"""Time and chance that come out the same at every replay."""

import hashlib
import random as _random
import uuid
from datetime import datetime

from . import clock
from .codec import codec_of
from .context import current_branch
from .execution import note

KIND = "now"


def now() -> datetime:
    """The time, aware, in UTC; recorded in a workflow, the clock's elsewhere."""
    branch = current_branch()
    if branch is None:
        return clock.now()
    slot = branch.draw()
    record = slot.recorded(name=KIND, kind=KIND)
    if record is not None:
        return codec_of(datetime).load(record.output_json)
    moment = branch.attempt.host.now()
    note(slot, KIND, codec_of(datetime).dump(moment), moment)
    return moment


def uuid4() -> uuid.UUID:
    """A random UUID; in a workflow drawn from its id and position, so nothing is recorded."""
    branch = current_branch()
    if branch is None:
        return uuid.uuid4()
    digest = hashlib.sha256(branch.draw_random().encode()).digest()
    return uuid.UUID(bytes=digest[:16], version=4)


def random() -> _random.Random:
    """A source of random numbers; in a workflow seeded from its id and position."""
    branch = current_branch()
    if branch is None:
        return _random.Random()  # noqa: S311 (the caller asked for this very class)
    return _random.Random(branch.draw_random())  # noqa: S311 (it has to repeat itself)
