"""Who is judged: the backend that serves a URL, as it presents itself before the first test."""

from collections.abc import Mapping
from contextlib import closing

import attrs

from perdure.errors import ConfigurationError, PerdureError

from .harness import Harness, harness_for, scheme_of
from .secret import hiding


@attrs.frozen(kw_only=True)
class Subject:
    """A backend that can be reached, and what it says about itself."""

    harness: Harness
    where: str
    missing: Mapping[str, str]
    """Capabilities that it or its harness leaves out, each with the reason."""

    @property
    def scheme(self) -> str:
        """The part of the URL that chose the backend."""
        return scheme_of(self.harness.url)

    def hide(self, text: str) -> str:
        """The text without the password of the URL."""
        return hiding(self.harness.url)(text)


def subject_at(url: str) -> Subject:
    """The backend that serves `url`; its harness is the caller's to close.

    Raises:
        PerdureError: no backend serves it, or it does not answer.
    """
    try:
        harness = harness_for(url)
    except PerdureError:
        raise
    except OSError as error:
        raise ConfigurationError(f"there is no room for the tests: {error}") from error
    try:
        return _met(harness)
    except BaseException:
        harness.close()
        raise


def _met(harness: Harness) -> Subject:
    with closing(harness.fresh().open()) as backend:
        backend.schema_version()
        return Subject(
            harness=harness,
            where=hiding(harness.url)(backend.where),
            missing={**harness.missing, **backend.capabilities.missing},
        )
