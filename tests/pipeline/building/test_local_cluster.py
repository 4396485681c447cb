"""Worker processes of this host: only the build that started them can connect to them."""

import os
import socket
import ssl
from collections.abc import Iterator

import psutil
import pytest
from distributed import Client, SpecCluster
from distributed.comm.addressing import get_address_host_port
from distributed.security import Security

from pipeline.building.local_cluster import local_cluster

LOOPBACK = "127.0.0.1"


@pytest.fixture
def others() -> set[tuple[str, int]]:
    """Return the sockets of services that tests before this one started and that still run."""
    return listening()


@pytest.fixture
def cluster(others: set[tuple[str, int]]) -> Iterator[SpecCluster]:
    """Run two workers, after `others` is known."""
    del others
    with local_cluster(2) as running:
        yield running


def listening() -> set[tuple[str, int]]:
    """Return (host, port) of every socket on which this process and its children listen."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    sockets = [one for process in processes for one in process.net_connections("inet")]
    return {(one.laddr.ip, one.laddr.port) for one in sockets if one.status == psutil.CONN_LISTEN}


def test_every_socket_of_a_build_refuses_who_lacks_its_certificate(
    others: set[tuple[str, int]], cluster: SpecCluster
) -> None:
    """The scheduler's, those of the workers and of the processes that watch them: Dask's protocol, and no HTTP."""
    with Client(cluster) as client:
        workers = client.run(os.getpid)
    found = listening() - others
    assert {get_address_host_port(address) for address in (cluster.scheduler_address, *workers)} < found
    assert len(found) == 1 + 2 * len(workers)
    assert {host for host, _ in found} == {LOOPBACK}
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
    for address in found:
        with (
            socket.create_connection(address, timeout=60) as plain,
            pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"),
            stranger.wrap_socket(plain) as connection,
        ):
            connection.recv(1)


@pytest.mark.parametrize("protocol", ["tcp", "tls"])
def test_a_client_of_dask_with_another_certificate_or_none_runs_nothing(cluster: SpecCluster, protocol: str) -> None:
    host, port = get_address_host_port(cluster.scheduler_address)
    security = Security.temporary() if protocol == "tls" else None
    with pytest.raises(OSError, match=r"TLS certificate does not match|closed|Timed out"):
        Client(f"{protocol}://{host}:{port}", security=security, timeout=3)


def test_clusters_of_two_builds_run_at_once(cluster: SpecCluster) -> None:
    """Each on ports that the system chooses, without a warning that one is in use."""
    with local_cluster(1) as second, Client(second) as client:
        assert list(client.run(os.getpid)) != []
        assert second.scheduler_address != cluster.scheduler_address
