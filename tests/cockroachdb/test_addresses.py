"""What the cluster's harness says to `cockroach` and to clients; no cluster is needed."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg.conninfo
import pytest

from perdure.url import open_backend

from ..durability.program import chain
from .addresses import conninfo, free_ports, in_turn, initialise, local_nodes, perdure_url
from .cluster import Cluster
from .conftest import elsewhere
from .daemon import Daemon


def test_a_node_is_told_its_ports_its_store_and_all_its_peers(tmp_path: Path) -> None:
    one, two, three = local_nodes(tmp_path, 3)
    told = two.command("/bin/cockroach", [one, two, three])
    assert told[:3] == ["/bin/cockroach", "start", "--insecure"]
    assert f"--listen-addr=127.0.0.1:{two.port}" in told
    assert f"--http-addr=127.0.0.1:{two.http}" in told
    assert f"--store={tmp_path}/node-2" in told
    assert f"--join={one.address},{two.address},{three.address}" in told
    assert initialise("c", one) == ["c", "init", "--insecure", f"--host={one.address}"]


def test_no_port_is_given_to_two() -> None:
    assert len(set(free_ports(20))) == 20


def test_a_url_of_several_hosts_reaches_the_driver_in_its_order(tmp_path: Path) -> None:
    nodes = local_nodes(tmp_path, 3)
    turned = in_turn(nodes, 1)
    assert [node.number for node in turned] == [1, 2, 0]
    url = perdure_url(turned, "shop")
    backend: Any = open_backend(url, namespace="perdure")
    given = backend._engine().dialect.create_connect_args(backend._engine().url)[1]
    assert given["host"] == "127.0.0.1,127.0.0.1,127.0.0.1"
    assert given["port"] == ",".join(str(node.port) for node in turned)
    assert (given["user"], given["dbname"], given["sslmode"]) == ("root", "shop", "disable")


def test_messages_name_all_hosts_of_a_url(tmp_path: Path) -> None:
    nodes = local_nodes(tmp_path, 2)
    where = open_backend(perdure_url(nodes, "shop"), namespace="perdure").where
    assert where == f"cockroachdb://{nodes[0].address},{nodes[1].address}/shop"


def test_the_driver_alone_is_told_the_same(tmp_path: Path) -> None:
    nodes = local_nodes(tmp_path, 2)
    given = psycopg.conninfo.conninfo_to_dict(conninfo(nodes, "shop"))
    assert given["port"] == f"{nodes[0].port},{nodes[1].port}"
    assert (given["dbname"], given["user"]) == ("shop", "root")


def test_a_given_url_keeps_its_parameters_in_another_database() -> None:
    given = "cockroachdb://root:secret@host:26257/main?sslmode=require"
    assert elsewhere(given, "b") == "cockroachdb://root:secret@host:26257/b?sslmode=require"


def test_the_load_can_be_started_again_under_its_ids() -> None:
    assert chain.bind(0.1).options(id="a").start_options.id == "a"


# -------------------------------------------------------- processes of one's own


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    """A process that says so and does nothing more."""
    waits = "import signal; print('up', flush=True); signal.pause()"
    return Daemon([sys.executable, "-c", waits], tmp_path / "log")


def test_a_daemon_is_killed_and_started_again_and_its_log_goes_on(daemon: Daemon) -> None:
    assert not daemon.alive
    daemon.start()
    _until(lambda: daemon.said() == "up\n")
    first = daemon.pid
    daemon.kill()
    assert (daemon.alive, daemon.pid) == (False, None)
    daemon.start()
    _until(lambda: daemon.said() == "up\nup\n")
    assert daemon.pid not in {None, first}
    daemon.kill()
    daemon.kill()
    assert not daemon.alive


def test_a_node_that_cannot_start_says_why(tmp_path: Path) -> None:
    """A binary that is no CockroachDB: what is waited for does not hang, and its words are kept."""
    broken = tmp_path / "cockroach"
    broken.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    broken.chmod(0o755)
    cluster = Cluster.of(str(broken), tmp_path)
    cluster.daemons[0].start()
    _until(lambda: not cluster.daemons[0].alive)
    with pytest.raises(AssertionError, match="not today"):
        cluster.await_node(0)
    cluster.close()
