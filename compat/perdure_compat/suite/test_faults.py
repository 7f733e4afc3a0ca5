"""Faults: whatever fails at whichever point of a verb, its promise is kept."""

from collections.abc import Callable
from contextlib import closing

import pytest

from perdure import backend as seam
from perdure.backend import Backend
from perdure.errors import BackendUnavailable
from perdure_compat.fault import Crash, Injector, Plan
from perdure_compat.harness import Harness, Place
from perdure_compat.profile import Profile
from perdure_compat.promise import promise

from .exploration import Trace, explore
from .records import LEASE, end, finish, get, info, join, own, record, step, steps_of
from .scene import OBSERVER
from .trials import Trial, Verb
from .verbs import VERBS

pytestmark = pytest.mark.needs("faults")

PAIRS = 6
"""Of each verb, as a sample."""
BRIEF = 8
"""Of each verb's single faults, where even they are a sample."""
MIGRATIONS = 10
"""Of all that can go wrong in one, as a sample: each begins with nothing."""
_TRIES = 5

Report = Callable[[str, object], None]


def _injector(harness: Harness, backend: Backend) -> Injector:
    injector = harness.injector(backend)
    assert injector, "a harness without an injector says so: faults are missing"
    return injector


@pytest.fixture
def tried(harness: Harness, backend: Backend, rival: Backend) -> Callable[[Verb], Trial]:
    """A verb of the backend under test, beside one that nothing disturbs."""
    join(rival, OBSERVER)
    injector = _injector(harness, backend)
    return lambda verb: Trial(rival, backend, injector, verb)


@promise(
    seam,
    "**safe to repeat**: after a lost answer the engine calls it again with the same arguments.",
)
@promise(seam, "`BackendUnavailable` (nothing happened, or the verb is safe to repeat)")
@promise(seam, "Every write is conditional on the state it expects")
@promise(Backend.claim, "Two claims never return the same (id, epoch).")
@promise(Backend.claim, "workflows may have been claimed without an answer.")
@pytest.mark.parametrize("name", VERBS)
def test_a_verb_keeps_its_promise_whatever_fails_in_it(
    name: str,
    tried: Callable[[Verb], Trial],
    profile: Profile,
    record_property: Report,
) -> None:
    singles = BRIEF if profile.brief else None
    pairs = None if profile.thorough else 1 if profile.brief else PAIRS
    tally = tried(VERBS[name]).explore(singles=singles, pairs=pairs, seed=profile.seed)
    record_property("plans", str(tally))


# ------------------------------------------------------------- migration


def _until_done(backend: Backend) -> bool:
    """Whether it ended; otherwise the process died in the midst."""
    for _ in range(_TRIES):
        try:
            backend.migrate()
        except Crash:
            backend.close()
            return False
        except BackendUnavailable:
            continue
        else:
            return True
    raise AssertionError("it never ended")


def _use(backend: Backend) -> None:
    """Write to and read from every table, and migrate again with data in them."""
    assert backend.schema_version().current == backend.schema_version().wanted
    assert backend.join(info("a"), lease=LEASE)
    own(backend, "a", "w")
    record(backend, "a", step("w"))
    assert list(finish(backend, "a", end("w")).transitions) == ["success"]
    backend.migrate()
    assert get(backend, "w").epoch == 1
    assert steps_of(backend, "w") == [step("w")]


def _migrated(harness: Harness, place: Place, plan: Plan) -> Trace:
    with closing(place.open()) as backend:
        injector = _injector(harness, backend)
        injector.arm(plan)
        try:
            done = _until_done(backend)
        finally:
            trace = injector.disarm()
    with closing(place.open()) as another:
        if not done:
            _outlive(harness, place)
            another.migrate()
        _use(another)
    return trace


def _outlive(harness: Harness, place: Place) -> None:
    """Whatever the dead process holds runs out, if it is not gone with it."""
    if "clock" not in harness.missing:
        harness.pass_time(place, LEASE)


@promise(
    Backend.migrate,
    "one may be killed half way: calling again finishes the work. Data stays.",
)
def test_a_migration_is_finished_by_another_whatever_fails_in_it(
    harness: Harness, profile: Profile, record_property: Report
) -> None:
    def migrate(plan: Plan) -> Trace:
        place = harness.fresh()
        try:
            return _migrated(harness, place, plan)
        except BaseException as error:
            error.add_note("plan: " + (", ".join(map(str, plan)) or "none"))
            raise
        finally:
            harness.dispose(place)

    most = None if profile.thorough else MIGRATIONS
    pairs = 20 * MIGRATIONS if profile.thorough else MIGRATIONS
    tally = explore(migrate, singles=most, pairs=pairs, seed=profile.seed)
    record_property("plans", str(tally))
