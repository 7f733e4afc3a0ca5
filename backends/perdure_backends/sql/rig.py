"""What the benchmark's rigs of two databases have in common."""

import statistics
import time
from collections.abc import Callable, Iterable

FILL_STEPS = """
INSERT INTO workflow_steps (workflow_id, step_seq, step_name, status, output, epoch)
SELECT workflow_id, 1, 'step', 'success', output, 1 FROM workflows WHERE status = 'success'
"""
"""One step for each workflow that has ended."""
BARE_ROW = "x" * 100
"""What a bare insert writes."""


def text_of(payload: int) -> str:
    """A JSON text with a payload of so many bytes."""
    return f'"{"x" * payload}"'


def median_seconds(act: Callable[[], object], pauses: Iterable[float]) -> float:
    """How long an act takes, after each of these pauses."""
    taken: list[float] = []
    for pause in pauses:
        time.sleep(pause)
        begun = time.perf_counter()
        act()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)
