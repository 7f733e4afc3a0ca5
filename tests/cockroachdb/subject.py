"""What is there to test: a cluster that somebody else runs, one of our own, or none.

`PERDURE_TEST_COCKROACHDB_URL` names a database of a cluster that runs; its nodes are not
ours to kill. Without it a `cockroach` on the PATH is started three times.
"""

import os
import shutil

ENVIRONMENT = "PERDURE_TEST_COCKROACHDB_URL"
GIVEN = os.environ.get(ENVIRONMENT)
BINARY = None if GIVEN else shutil.which("cockroach")
THERE = bool(GIVEN or BINARY)

NOT_RUN = (
    "grade R did not run: there is no CockroachDB here. Put a `cockroach` binary on the PATH "
    f"(three nodes are started from it), or set {ENVIRONMENT} to a database of a cluster"
)
NOT_OURS = f"its nodes are not ours to kill: {ENVIRONMENT} names a cluster that somebody else runs"
