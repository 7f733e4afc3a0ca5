"""What EXPLAIN says of a statement that has run."""

import re
from collections.abc import Collection, Generator, Mapping
from typing import Any

import attrs
import psycopg

_EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)"
_REMOVED = ("Rows Removed by Filter", "Rows Removed by Index Recheck")


@attrs.frozen
class Plan:
    """A tree of nodes, with what each of them did."""

    _root: Mapping[str, Any]

    def nodes(self, kind: str = "") -> list[Mapping[str, Any]]:
        """All, or those of a kind."""
        return [node for node in _all(self._root) if node["Node Type"].endswith(kind)]

    @property
    def indexes(self) -> set[str]:
        """Those that are used."""
        return {node["Index Name"] for node in self.nodes() if "Index Name" in node}

    @property
    def scanned(self) -> set[str]:
        """The tables that are read from one end to the other."""
        return {node["Relation Name"] for node in self.nodes("Seq Scan")}

    @property
    def sorted(self) -> float:
        """The most rows that a node sorts."""
        return max((_rows(node) for node in self.nodes("Sort")), default=0)

    def most(self, *, besides: Collection[str] = ()) -> float:
        """The most rows that a node reads from a table, those included that it drops."""
        read = [n for n in self.nodes("Scan") if n.get("Relation Name") not in {None, *besides}]
        return max(map(_rows, read), default=0)

    def __str__(self) -> str:
        return "\n".join(_lines(self._root, 0))

    @property
    def pages(self) -> int:
        """How many pages are touched, each time that one is."""
        root = self._root
        found: int = root["Shared Hit Blocks"] + root["Shared Read Blocks"]
        return found


def _all(node: Mapping[str, Any]) -> Generator[Mapping[str, Any], None, None]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _all(inner)


def _lines(node: Mapping[str, Any], depth: int) -> Generator[str, None, None]:
    what = node.get("Index Name") or node.get("Relation Name") or node.get("CTE Name") or ""
    yield f"{'  ' * depth}{node['Node Type']} {what}: {_rows(node):.0f} rows"
    for inner in node.get("Plans", ()):
        yield from _lines(inner, depth + 1)


def _rows(node: Mapping[str, Any]) -> float:
    rows = node["Actual Rows"] + sum(node.get(removed, 0) for removed in _REMOVED)
    return float(rows * node["Actual Loops"])


def explained(
    psql: psycopg.Connection[Any], text: str, given: Mapping[str, Any], *, mode: str
) -> Plan:
    """The plan of a statement that is prepared with parameters, as ours are; nothing is kept."""
    asked = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
    for number, key in enumerate(asked, 1):
        text = text.replace(f"%({key})s", f"${number}")
    values = ", ".join(_quoted(given[key]) for key in asked)
    with psql.transaction(force_rollback=True):
        psql.execute(f"SET LOCAL plan_cache_mode = {mode}".encode())
        psql.execute(f"PREPARE hot AS {text.replace('%%', '%')}".encode())
        try:
            run = f"{_EXPLAIN} EXECUTE hot{f'({values})' if asked else ''}"
            row = psql.execute(run.encode()).fetchone()
        finally:
            psql.execute("DEALLOCATE hot")
    assert row
    return Plan(row[0][0]["Plan"])


def _quoted(value: object) -> str:
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"
