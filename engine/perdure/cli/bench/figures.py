"""Figures of several runs, and their medians."""

import statistics
from collections.abc import Sequence
from typing import TypeAlias

Figures: TypeAlias = dict[str, float]
"""Names with their units: `workflows_per_second`, `p50_ms`, `ratio_to_limit`."""


def medians(runs: Sequence[Figures]) -> Figures:
    """The median of each figure over the runs that have it."""
    names = dict.fromkeys(name for run in runs for name in run)
    return {
        name: round(statistics.median([run[name] for run in runs if name in run]), 4)
        for name in names
    }


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
