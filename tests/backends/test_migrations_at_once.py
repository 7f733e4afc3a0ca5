"""Two migrations at once on PostgreSQL: every schedule with one switch between them, or one death.

Without a bound there are more schedules than anybody could play.
"""

import logging
from collections.abc import Sequence

import pytest

from perdure_backends.sql import migrate
from perdure_backends.sql.backend import SqlBackend
from perdure_backends.testing.actors import Act
from perdure_backends.testing.schedules import Bounds
from perdure_compat.suite.records import claim, ids, join, submit

from .sites import ServerSite
from .stage import Stage

_log = logging.getLogger(__name__)


@pytest.mark.parametrize("deaths", [0, 1])
def test_two_migrations_that_take_turns_make_the_tables_once(stage: Stage, deaths: int) -> None:
    world = stage.world
    site = ServerSite(world.clean.where, world.raw)
    wanted = site.catalog()

    def begin() -> Sequence[Act]:
        site.clear()
        return [SqlBackend.migrate] * 2

    def judge(_: Sequence[object]) -> None:
        world.clean.migrate()
        assert world.clean.schema_version().current == migrate.REVISIONS[-1]
        assert site.catalog() == wanted
        join(world.clean, "a")
        submit(world.clean, "w")
        assert ids(claim(world.clean, "a")) == ["w"]

    bounds = Bounds(switches=1 - deaths, deaths=deaths)
    count = stage.director.play_all(begin, judge, bounds=bounds)
    _log.info("two migrations, %s deaths: %s schedules", deaths, count)
    assert count > 10
