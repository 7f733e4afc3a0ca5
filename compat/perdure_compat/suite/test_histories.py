"""Histories: random calls by several workers, beside the reference, and what always holds.

Some calls are lost on the way there or on the way back, are sent again, arrive late
once more, or fail half way; then whatever may have happened is one of several possible
worlds, until an answer or a look decides. A failure names the first answer or look that
fits none of them.
"""

import secrets
from collections.abc import Sequence

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from perdure import backend as seam
from perdure.backend import Backend, Recovery
from perdure_compat.harness import Harness
from perdure_compat.profile import Profile
from perdure_compat.promise import promise

from .fates import Breakage
from .histories import Histories
from .rehearsal import rehearsal

EXAMPLES = 60
STEPS = 30
THOROUGH = 60
"""How many times as many examples when there are minutes, each twice as long."""
BRIEF = 3
"""By what the examples are divided where a sample is enough."""


def _settings(chosen: int | None, profile: Profile) -> settings:
    most = EXAMPLES * THOROUGH if profile.thorough else EXAMPLES
    return settings(
        max_examples=most // BRIEF if profile.brief else most,
        stateful_step_count=STEPS * (2 if profile.thorough else 1),
        derandomize=chosen is None,
        database=None,
        # Explaining a failure takes minutes; a short history explains itself.
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def _breakage(harness: Harness, judged: Sequence[Backend]) -> Breakage | None:
    found = [(backend, harness.injector(backend)) for backend in judged]
    injectors = [(backend, injector) for backend, injector in found if injector is not None]
    return Breakage.learnt(injectors, rehearsal()) if len(injectors) == len(judged) else None


@promise(
    seam,
    "is **safe to repeat**: after a lost answer the engine calls it again with the same arguments.",
)
@promise(
    seam,
    "Every write is conditional on the state it expects (owner, epoch, status); the primary key of a step decides who recorded it.",
)
@promise(
    seam,
    "A workflow leaves a live owner only through that owner's own `commit` (or its own `reconcile`); a dead one's only through `reap`.",
)
@promise(Backend.join, "nothing was changed")
@promise(Backend.claim, "A dead worker gets none. Two claims never return the same (id, epoch).")
@promise(
    Backend.commit,
    "Nothing is written if the worker is dead; an operation is written only if its workflow is running, owned by the worker, under the operation's epoch. The first record of a step wins for good.",
)
@promise(Backend.heartbeat, "None: the worker is dead (or was never there); nothing was changed.")
@promise(
    Backend.submit,
    "An id that existed is left untouched and comes back as it is, ended or not; after a lost answer that includes the caller's own.",
)
@promise(Backend.reap, "takes up to `limit` running workflows from workers that are dead")
@promise(Recovery, "Two strikes make it a suspect, which waits `backoff` times 2^(strikes - 2)")
def test_random_histories_are_those_of_the_reference(
    backend: Backend, rival: Backend, harness: Harness, profile: Profile
) -> None:
    judged = [backend, rival]
    breakage = _breakage(harness, judged)
    last: list[Histories] = []

    class Here(Histories):
        def __init__(self) -> None:
            super().__init__(judged, breakage)
            last[:] = [self]

    chosen = profile.seed
    if chosen is None and profile.thorough:
        chosen = secrets.randbelow(2**32)
    factory = Here if chosen is None else seed(chosen)(Here)
    try:
        run_state_machine_as_test(factory, settings=_settings(chosen, profile))
    except Exception as error:
        error.add_note(last[0].pair.story())
        error.add_note(_again(chosen, thorough=profile.thorough))
        raise


def _again(chosen: int | None, *, thorough: bool) -> str:
    how = f" --seed {chosen}" if chosen is not None else ""
    return f"To see it again: --only histories{how}{' --thorough' if thorough else ''}"
