"""What passes between an engine and its backend, seen and cut at the backend's class.

The engine opens its backend by itself, so the class is where a test can stand between.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from perdure.backend import Backend, Batch, Committed
from perdure.errors import BackendUnavailable

from .boundaries import Boundary, Moment, places
from .dooms import DOOMS, Doom, reach

VERBS = sorted(Backend.__abstractmethods__ - {"where", "close", "migration_sql"})

_HELD: dict[Doom, Backend] = {}
"""The backend that claimed for each doom's worker."""
_SEVERED: list[Backend] = []
"""Those that nothing reaches any more, and that reach nothing."""


@contextmanager
def tapped(kind: type[Backend]) -> Generator[None]:
    """Meanwhile the dooms see each commit, and severed backends reach nothing."""
    own = {verb: vars(kind)[verb] for verb in VERBS if verb in vars(kind)}
    for verb in VERBS:
        setattr(kind, verb, _TAPS.get(verb, _tap)(getattr(kind, verb)))
    try:
        yield
    finally:
        for verb in VERBS:
            delattr(kind, verb)
        for verb, real in own.items():
            setattr(kind, verb, real)
        _HELD.clear()
        _SEVERED.clear()


def sever(doom: Doom) -> None:
    """Cut the worker of a doom off from its database for good."""
    _SEVERED.append(_HELD[doom])


def _refuse(backend: Backend) -> None:
    if any(one is backend for one in _SEVERED):
        raise BackendUnavailable(backend.where, "its worker is as good as dead")


def _tap(real: Callable[..., Any]) -> Callable[..., Any]:
    """Nothing goes through a severed line, and no answer comes back."""

    def verb(self: Backend, *args: Any, **options: Any) -> Any:
        _refuse(self)
        answer = real(self, *args, **options)
        _refuse(self)
        return answer

    return verb


def _claim(real: Callable[..., Any]) -> Callable[..., Any]:
    """Note whose worker has which doom."""
    plain = _tap(real)

    def claim(self: Backend, *args: Any, **options: Any) -> Any:
        claimed = plain(self, *args, **options)
        for one in claimed:
            if doom := DOOMS.get(one.id):
                _HELD[doom] = self
        return claimed

    return claim


def _commit(real: Callable[..., Any]) -> Callable[..., Any]:
    """Tell the dooms what is not recorded yet, and what is."""
    plain = _tap(real)

    def commit(self: Backend, worker_id: str, batch: Batch) -> Committed:
        _tell(Moment.UNRECORDED, batch)
        answer: Committed = plain(self, worker_id, batch)
        if not answer.fenced:
            _tell(Moment.RECORDED, batch)
            _refuse(self)
        return answer

    return commit


def _tell(moment: Moment, batch: Batch) -> None:
    for workflow_id, place in places(batch):
        reach(workflow_id, Boundary(moment, place))


_TAPS = {"claim": _claim, "commit": _commit}
