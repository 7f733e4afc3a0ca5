"""A PostgreSQL on which actors play scenes."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import attrs
import psycopg

from perdure_backends.postgres import PostgresBackend
from perdure_backends.testing.actors import Act, Actor
from perdure_backends.testing.schedules import Bounds, Director
from perdure_backends.testing.world import World

from .roles import Scene

_ALL = Bounds()


@attrs.frozen
class Stage:
    """Some actors, and whoever looks on."""

    world: World
    director: Director

    def play(self, scene: Callable[[World], Scene], bounds: Bounds = _ALL) -> int:
        """Play all schedules within the bounds, and judge each; how many there were."""
        now: list[Scene] = []

        def begin() -> Sequence[Act]:
            self.world.clear()
            now[:] = [scene(self.world)]
            return [role.act for role in now[0].roles]

        def judge(answers: Sequence[object]) -> None:
            now[0].judge(self.world, answers)

        return self.director.play_all(begin, judge, bounds=bounds)


@contextmanager
def staged(
    url: str,
    psql: psycopg.Connection[Any],
    change: Callable[[PostgresBackend], None] = lambda _: None,
) -> Generator[Stage, None, None]:
    """Three actors on one database, wrong ones if `change` says so, and one that is not disturbed."""
    with ExitStack() as stack:
        clean, *backends = [stack.enter_context(closing(PostgresBackend(url))) for _ in range(4)]
        clean.migrate()
        for backend in backends:
            change(backend)
        actors = [Actor(backend) for backend in backends]
        yield Stage(World(clean, psql), Director(actors, psql))
