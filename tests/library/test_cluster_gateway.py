"""Dask Gateway gives each command a cluster of its own, which ends with it."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import dask
import pytest
from ports import free_port
from project import edit, run_in

pytest.importorskip("dask_gateway_server", reason="Dask Gateway is not installed")
import dask_gateway
from dask_cluster import newest_run, numbers, on, with_children

pytestmark = pytest.mark.slow

SECONDS = 60  # that a server may take to come up, on a machine that is busy
CONFIGURATION = """
c.DaskGateway.backend_class = "dask_gateway_server.backends.local.UnsafeLocalBackend"
c.DaskGateway.address = "127.0.0.1:{own}"
c.Proxy.address = c.Proxy.tcp_address = "127.0.0.1:{port}"
c.ClusterConfig.scheduler_cmd = [{python!r}, "-m", "dask", "scheduler"]
c.ClusterConfig.worker_cmd = [{python!r}, "-m", "dask", "worker"]
c.ClusterConfig.worker_cores = 1
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """Start a gateway whose clusters are processes of this machine, and name it to Dask."""
    folder, port = tmp_path_factory.mktemp("gateway"), free_port()
    text = CONFIGURATION.format(own=free_port(), port=port, python=sys.executable)
    (folder / "gateway.py").write_text(text, encoding="utf-8")
    program = Path(sys.executable).parent / "dask-gateway-server"
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [program, "-f", "gateway.py"],
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + SECONDS
    while not _answers(address):
        assert server.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.2)
    with dask.config.set({"gateway.address": address}):
        yield address
    with_children(server, signal.SIGTERM)


def _answers(address):
    try:
        with urlopen(f"{address}/api/version", timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def clusters(address):
    """Return the clusters that a gateway has now."""
    gateway = dask_gateway.Gateway(address)
    return gateway.list_clusters()


def test_a_training_gets_a_cluster_and_finds_what_it_finds_on_one_machine(own, gateway):
    edit(own, search={"method": "none", "budget_seconds": 3600})
    assert run_in(own.root, "train", "--force").exit_code == 0
    single = newest_run(own)
    on(own, "gateway", workers=2)
    result = run_in(own.root, "train", "--force")
    assert result.exit_code == 0, result.output
    assert f"at {gateway.replace('http', 'gateway')}/" in result.output
    assert ", busy for " in result.output
    assert numbers(newest_run(own)) == numbers(single)
    assert clusters(gateway) == []


def test_no_gateway_is_one_sentence(own):
    on(own, "gateway")
    with dask.config.set({"gateway.address": f"http://127.0.0.1:{free_port()}"}):
        failed = run_in(own.root, "train", "--force")
    assert failed.exit_code == 2, failed.output
    assert "but Dask Gateway gives no cluster with a worker (" in failed.output
    assert "name it in the environment variable DASK_GATEWAY__ADDRESS" in failed.output
    with dask.config.set({"gateway.address": None}):
        failed = run_in(own.root, "train", "--force")
    assert failed.exit_code == 2, failed.output
    assert "(No dask-gateway address provided or found in configuration)" in failed.output
