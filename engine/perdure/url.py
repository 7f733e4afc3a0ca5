"""From a URL to a backend: the scheme is the name of an entry point."""

from importlib.metadata import entry_points
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
    known = {point.name: point for point in entry_points(group=GROUP)}
    if scheme not in known:
        raise UnknownBackend(scheme or url.partition(":")[0], known)
    backend: Backend = known[scheme].load()(url, namespace=namespace)
    return backend
