"""A PostgreSQL with the manners of CockroachDB, as far as a proxy can teach them."""

from .manners import ALL, UNAPPLIED, Kind, Manners
from .server import Double

__all__ = ["ALL", "UNAPPLIED", "Double", "Kind", "Manners"]
