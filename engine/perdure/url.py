"""From a URL to a backend: the scheme is the name of an entry point."""

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import urlsplit

from .backend import Backend
from .errors import UnknownBackend

GROUP = "perdure.backends"


def open_backend(url: str, *, namespace: str) -> Backend:
    """The backend that serves `url`; nothing is connected yet.

    A driver after a plus sign (`postgresql+psycopg://`) is the backend's business.

    Raises:
        UnknownBackend: no installed package serves the scheme.
        ConfigurationError: the backend's driver is not installed.
    """
    scheme = urlsplit(url).scheme.partition("+")[0]
    return _serving(scheme or url.partition(":")[0])(url, namespace=namespace)


@cache
def _serving(scheme: str) -> Callable[..., Backend]:
    """Once for each scheme: to read what every installed package offers takes milliseconds."""
    known = {point.name: point for point in entry_points(group=GROUP)}
    if scheme not in known:
        raise UnknownBackend(scheme, known)
    found: Any = known[scheme].load()
    serving: Callable[..., Backend] = found
    return serving
