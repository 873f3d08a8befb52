"""A cluster of Dask Gateway, which is started for one command and ended with it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client

from ..errors import UserError, first_line

NAME = "gateway"  # in [compute] scheduler
WORKER_SECONDS = 600  # in which the first worker comes: a pod may wait for a machine

_CLOSED: list[object] = []  # dask-gateway 2026.3 prints a traceback where one that is closed goes


@contextmanager
def open_gateway(workers: int) -> Iterator[tuple[Client, str]]:
    """Start a cluster with so many workers; yield its client and address when there is a worker.

    Where the gateway is, and who asks, stands in Dask's own configuration.
    """
    from dask_gateway import GatewayCluster, GatewayClusterError, GatewayServerError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # versions are compared later
            started = GatewayCluster(shutdown_on_close=True)
    except (OSError, ValueError, GatewayClusterError, GatewayServerError) as error:
        raise _no_cluster(error) from None
    _CLOSED.append(started.gateway)
    with started, started.get_client() as client:
        started.scale(workers)
        try:
            client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError as error:
            raise _no_cluster(error) from None
        yield client, started.scheduler_address


def _no_cluster(error: Exception) -> UserError:
    return UserError(
        f'[compute] scheduler is "{NAME}", but Dask Gateway gives no cluster with a worker '
        f"({first_line(error)}); name it in the environment variable DASK_GATEWAY__ADDRESS, or "
        "see what it says of its clusters."
    )
