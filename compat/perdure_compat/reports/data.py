"""The report for programs: one JSON value, whose fields docs/conformance.md lists."""

import json
import platform
from importlib.metadata import version
from typing import Any

import attrs

from .judgement import Judgement, Outcome, Verdict


def as_json(judgement: Judgement) -> str:
    """The report as text."""
    return json.dumps(_whole(judgement), indent=2, ensure_ascii=False) + "\n"


def _whole(judgement: Judgement) -> dict[str, Any]:
    return {
        "perdure": version("perdure"),
        "python": platform.python_version(),
        "backend": judgement.where,
        "scheme": judgement.scheme,
        "started": judgement.started.isoformat(),
        "seconds": round(judgement.seconds, 3),
        "profile": attrs.asdict(judgement.profile),
        "capabilities": [
            {"name": name, "there": why is None, "reason": why}
            for name, why in judgement.capabilities.items()
        ],
        "deviations": [attrs.asdict(row) for row in judgement.deviations],
        "all_kept": not judgement.totals[Outcome.BROKEN],
        "totals": {outcome.value: count for outcome, count in judgement.totals.items()},
        "tests": [_test(verdict) for verdict in judgement.verdicts],
    }


def _test(verdict: Verdict) -> dict[str, Any]:
    return {
        "noun": verdict.noun,
        "name": verdict.name,
        "promises": [attrs.asdict(quote) for quote in verdict.promises],
        "outcome": verdict.outcome.value,
        "reason": verdict.reason or None,
        "example": verdict.example or None,
        "seconds": round(verdict.seconds, 3),
        "notes": dict(verdict.notes),
    }
