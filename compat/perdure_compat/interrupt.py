"""Ctrl+C, wherever it strikes."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


@contextmanager
def kept() -> Generator[None, None, None]:
    """Raise an interrupt that Python dropped, as it does while it forgets an object.

    pytest brings what was dropped to light as an error of whichever test comes next,
    which would seem to have found a broken promise.

    Raises:
        KeyboardInterrupt: it is what caused the error of the block.
    """
    try:
        yield
    except Exception as error:
        if _interrupted(error):
            raise KeyboardInterrupt from error
        raise


def _interrupted(error: BaseException) -> bool:
    if isinstance(error, KeyboardInterrupt):
        return True
    group: Any = error
    within = group.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return any(_interrupted(one) for one in (*within, error.__cause__) if one is not None)
