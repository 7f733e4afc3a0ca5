"""Where nodes listen, and the URLs and command lines that say so."""

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

import attrs

HOST = "127.0.0.1"


@attrs.frozen(kw_only=True)
class Node:
    """One node of a local cluster."""

    number: int
    port: int
    http: int
    store: Path

    @property
    def address(self) -> str:
        """Where it serves SQL and its peers."""
        return f"{HOST}:{self.port}"

    def command(self, binary: str, peers: "Sequence[Node]") -> list[str]:
        """What starts it, in the foreground."""
        return [
            binary,
            "start",
            "--insecure",
            f"--store={self.store}",
            f"--listen-addr={self.address}",
            f"--http-addr={HOST}:{self.http}",
            f"--join={','.join(peer.address for peer in peers)}",
            # Three of them share a small machine.
            "--cache=128MiB",
            "--max-sql-memory=128MiB",
        ]


def local_nodes(folder: Path, count: int) -> list[Node]:
    """Nodes on ports that nobody uses."""
    ports = free_ports(2 * count)
    return [
        Node(
            number=number,
            port=ports[2 * number],
            http=ports[2 * number + 1],
            store=folder / f"node-{number + 1}",
        )
        for number in range(count)
    ]


def free_ports(count: int) -> list[int]:
    """Different ports of this machine that nobody listens on."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]


def initialise(binary: str, node: Node) -> list[str]:
    """What makes one cluster of nodes that know of each other."""
    return [binary, "init", "--insecure", f"--host={node.address}"]


def in_turn(nodes: Sequence[Node], first: int) -> list[Node]:
    """The same nodes, beginning with another one."""
    return [*nodes[first:], *nodes[:first]]


def perdure_url(nodes: Sequence[Node], database: str) -> str:
    """One URL with several hosts: a client takes the first that answers."""
    hosts = [("host", node.address) for node in nodes]
    query = urlencode([*hosts, ("sslmode", "disable")], safe=":")
    return f"cockroachdb://root@/{database}?{query}"


def conninfo(nodes: Sequence[Node], database: str) -> str:
    """The same for the driver alone."""
    hosts = ",".join(HOST for _ in nodes)
    ports = ",".join(str(node.port) for node in nodes)
    return (
        f"host={hosts} port={ports} dbname={database} user=root sslmode=disable connect_timeout=4"
    )
