"""All schedules of two actors on PostgreSQL, statement by statement, alive and dying."""

import logging
from collections.abc import Callable

import pytest

from perdure_backends.testing.schedules import Bounds
from perdure_backends.testing.world import World

from .mail_scenes import LETTERS
from .roles import Scene
from .scenes import PAIRS
from .stage import Stage
from .stream_scenes import STREAMS

_SCENES = {**PAIRS, **LETTERS, **STREAMS}
_log = logging.getLogger(__name__)
_SWITCHES = 3
"""Beside the death: nearly all there are, except where two reapers go through many statements."""


@pytest.mark.parametrize("scene", _SCENES.values(), ids=_SCENES)
def test_every_schedule_of_two_actors_keeps_the_invariants(
    scene: Callable[[World], Scene], stage: Stage
) -> None:
    count = stage.play(scene)
    _log.info("%s: %s schedules", scene.__name__, count)
    assert count > 1


@pytest.mark.parametrize("scene", _SCENES.values(), ids=_SCENES)
def test_either_of_two_actors_may_die_at_any_of_its_stops(
    scene: Callable[[World], Scene], stage: Stage
) -> None:
    count = stage.play(scene, Bounds(deaths=1, switches=_SWITCHES))
    _log.info("%s with a death: %s schedules", scene.__name__, count)
    assert count > 1
