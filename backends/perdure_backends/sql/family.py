"""What the databases that speak PostgreSQL's language share: a dialect with some words left open."""

from functools import partial

from sqlalchemy.dialects.postgresql import insert

from . import arrays, wire
from .dialect import Dialect

POSTGRES_FAMILY = partial(
    Dialect,
    fused=True,
    batch=arrays.rowset,
    each=arrays.each,
    insert=insert,
    now=wire.now,
    shifted=wire.shifted,
    rowset=arrays.rowset,
    encode=arrays.encode,
    among=arrays.among,
    listed=arrays.listed,
    quoted=wire.quoted,
    contains=wire.contains,
    arrival=wire.arrival,
    written=wire.written,
    read=wire.read,
    cursor=wire.cursor,
    fault=wire.fault,
)
