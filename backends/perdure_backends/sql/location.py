"""Where a database is: its URL, taken apart without quoting it."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from perdure.errors import ConfigurationError


def parsed(url: str, *, scheme: str) -> URL:
    """The URL in parts.

    Raises:
        ConfigurationError: it is none. The text leaves the URL out: what made it
            unreadable may well be the password.
    """
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            f"the {scheme} URL cannot be read. It looks like {scheme}://user:password@host:port/"
            f"database, with the special characters of the password percent-encoded"
        ) from None
