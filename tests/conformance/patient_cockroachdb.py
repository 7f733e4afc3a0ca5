"""A stranger's backend for the suite: ours for CockroachDB, with the engine's patience.

Behind its scheme any statement may fail without warning, which tests of single verbs
do not expect; it does for them what the engine does.
"""

from collections.abc import Mapping, Sequence

from perdure.backend import Backend, Existing, Submission
from perdure_backends.cockroachdb import CockroachBackend
from perdure_backends.testing.harness import CockroachHarness
from perdure_backends.testing.patience import Patient

SCHEME = "patient-cockroachdb"
LENIENT = "lenient-cockroachdb"
"""The scheme for where what failed may have been applied."""
ENTRY_POINTS = f"""
[perdure.backends]
{SCHEME} = patient_cockroachdb:PatientCockroach
{LENIENT} = patient_cockroachdb:LenientCockroach
[perdure.compat.harness]
{SCHEME} = patient_cockroachdb:PatientHarness
{LENIENT} = patient_cockroachdb:PatientHarness
"""


class PatientCockroach(Patient, CockroachBackend):
    """The backend for CockroachDB, by another scheme."""

    def __init__(self, url: str, *, namespace: str) -> None:
        super().__init__(f"cockroachdb://{url.partition('://')[2]}", namespace=namespace)


class LenientCockroach(PatientCockroach):
    """It takes an id that was not there, and now is with its own input, for its own.

    So does the engine. Only where nobody else submits the same at the same time.
    """

    def submit(self, submissions: Sequence[Submission]) -> Sequence[Existing]:
        there = {one.id for one in self.load([each.id for each in submissions])}
        mine = {(each.id, each.name, each.input_json) for each in submissions}
        return [
            one
            for one in super().submit(submissions)
            if one.id in there or (one.id, one.name, one.input_json) not in mine
        ]


class PatientHarness(CockroachHarness):
    """No faults beside those that come by themselves: nobody could say which were whose."""

    missing: Mapping[str, str] = {
        "callers": "their transactions fail by themselves here, and nobody tries them again",
        "faults": "faults come by themselves here",
    }

    def injector(self, backend: Backend) -> None:
        """None."""
