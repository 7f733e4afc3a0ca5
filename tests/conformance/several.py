"""Judges several backends in one process: most of what a run takes is to begin.

Reads a list of [URL, noun, test, file for the report], as JSON, from stdin.
"""

import json
import sys
from pathlib import Path

from perdure_compat.judge import SUITE, Request, judge, profile_for
from perdure_compat.nouns import Noun

if __name__ == "__main__":
    for url, noun, test, report in json.load(sys.stdin):
        judge(
            Request(
                url=url,
                only=Noun(noun),
                test=test,
                profile=profile_for(seed=None),
                json=Path(report),
                page=None,
            ),
            tests=SUITE / f"test_{noun}.py",
        )
