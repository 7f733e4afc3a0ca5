"""All schedules of three actors on PostgreSQL, statement by statement.

They are played with a bounded number of switches between the actors.
"""

import logging
from collections.abc import Callable

import pytest

from perdure_backends.testing.schedules import Bounds
from perdure_backends.testing.world import World

from .roles import Scene
from .stage import Stage
from .stream_scenes import follow_two_tries_to_write
from .trios import TRIOS, claim_finish_and_reap

_SCENES = {**TRIOS, "follow_two_tries_to_write": follow_two_tries_to_write}
_log = logging.getLogger(__name__)
_USUAL = Bounds(switches=3)
_BOUNDS = {"takeover_finish_and_claim": Bounds(switches=2)}
"""Without a bound this has 13,131 schedules, the others up to 900; all have been played."""


@pytest.mark.long(40)
@pytest.mark.parametrize("scene", _SCENES.values(), ids=_SCENES)
def test_the_schedules_of_three_actors_keep_the_invariants(
    scene: Callable[[World], Scene], stage: Stage
) -> None:
    count = stage.play(scene, _BOUNDS.get(scene.__name__, _USUAL))
    _log.info("%s: %s schedules", scene.__name__, count)
    assert count > 1


@pytest.mark.long(30)
def test_one_of_three_actors_may_die_at_any_of_its_stops(stage: Stage) -> None:
    count = stage.play(claim_finish_and_reap, Bounds(deaths=1, switches=2))
    _log.info("with a death: %s schedules", count)
    assert count > 1
