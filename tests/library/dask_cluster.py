"""A Dask scheduler and its workers, started as their users start them."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

from distributed import Client
from mlsteps.files import read_json
from mlsteps.modeling import store
from ports import free_port
from project import edit

SECONDS = 60  # that a cluster may take to come up, on a machine that is busy


class Cluster:
    """A scheduler and its workers, each a process of this machine."""

    def __init__(self, folder, protocol="tcp", **variables):
        self.folder, self.workers, self.variables = folder, {}, variables
        self.address = f"{protocol}://127.0.0.1:{free_port()}"
        self.start_scheduler()

    def start_scheduler(self):
        protocol, _, port = self.address.split(":")
        options = ("--protocol", protocol, "--port", port)
        self.scheduler = self._start("scheduler", *options, **self.variables)
        self.client = Client(self.address, timeout=SECONDS, set_as_default=False)

    def end_scheduler(self):
        with_children(self.scheduler, signal.SIGKILL)
        self.client.close(timeout=2)

    def _start(self, what, *options, python=sys.executable, **variables):
        command = [python, "-m", "dask", what, "--dashboard-address", "127.0.0.1:0"]
        with (self.folder / f"{what}.log").open("a") as log:
            return subprocess.Popen(
                [*command, "--host", "127.0.0.1", *options],
                env=os.environ | variables,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def add_worker(self, *options, python=sys.executable, **variables):
        """Start a worker with its nanny, and return its address."""
        before = set(self.client.nthreads())
        local = ("--local-directory", self.folder, "--nthreads", "1", *options)
        process = self._start("worker", self.address, *map(str, local), python=python, **variables)
        deadline = time.monotonic() + SECONDS
        while not (new := set(self.client.nthreads()) - before):
            assert process.poll() is None, (self.folder / "worker.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        (address,) = new
        self.workers[address] = process
        return address

    def end_worker(self, address):
        with_children(self.workers.pop(address), signal.SIGKILL)

    def end_workers(self):
        for address in list(self.workers):
            self.end_worker(address)

    def end(self):
        self.end_workers()
        self.end_scheduler()


def with_children(process, number):
    os.killpg(process.pid, number)
    process.wait(timeout=SECONDS)


@contextmanager
def started(folder, workers, protocol="tcp", **variables):
    cluster = Cluster(folder, protocol, **variables)
    try:
        for _ in range(workers):
            cluster.add_worker()
        yield cluster
    finally:
        cluster.end()


def on(project, address, **settings):
    """Let a project, which was made for one machine, use a cluster."""
    path = project.root / "project.toml"
    path.write_text(path.read_text(encoding="utf-8") + "\n[compute]\n", encoding="utf-8")
    return edit(project, compute={"scheduler": address, **settings})


def newest_run(project):
    return read_json(project.models / store.newest_version(project.models) / "run.json")


def numbers(run):
    """Return what a search has found, but for how long it took."""
    return [{k: v for k, v in t.items() if k != "fit_seconds"} for t in run["trials"]]
