"""Work on other machines: `in_parallel` hands it to the workers of a Dask cluster."""

import logging
import os
import pickle
import platform
import sys
import time
import warnings
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, redirect_stderr, suppress
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from itertools import chain, islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import cloudpickle
from distributed import Client, Future, KilledWorker, LocalCluster, Worker, wait
from distributed.client import ClosedClientError
from threadpoolctl import threadpool_limits

from ..environment import FROM_ENVIRONMENT, from_environment, named
from ..errors import UserError, first_line
from ..files import file_digest
from ..preparation.rest import FOLDER as REST
from ..problem.settings import Compute
from ..report import counted
from ..steps import library_digest
from .gateway import NAME as GATEWAY
from .gateway import open_gateway
from .parallel import say
from .search import Trial

# What has to be the same on all machines, for work to be understood and numbers to be equal.
LIBRARIES = (
    *("cloudpickle", "dask", "distributed", "joblib", "lightgbm", "numpy", "pandas", "pyarrow"),
    *("pydantic", "scikit-learn", "scipy", "skops", "statsmodels"),
)
INSTEAD = "DASK_SCHEDULER_ADDRESS"  # Dask's own name of the scheduler to take where none is named
ANSWER_SECONDS = 10  # in which a scheduler answers
LOST_SECONDS = 15  # without a worker that takes work; one that has died is started again sooner
LOOK_SECONDS = 1  # between two looks at who is there
NOTICE_SECONDS = 2  # until a client knows that its scheduler has gone
FREE_SECONDS = 1.5  # in which work that nobody waits for any more may end
MOST_LOSSES = 2  # of the data of a task, before it is no longer repeated
MEMORY = "[compute] memory, `dask worker --memory-limit`, or the limit of its container"
GROUPS, MOST_GROUP = 4, 100  # of short calls: for each thread, and the most in one
Task = tuple[Any, ...]
GONE = (OSError, CancelledError, ClosedClientError)  # what is raised where nobody listens


@contextmanager
def open_cluster(compute: Compute, package: str) -> Iterator["Cluster"]:
    """Connect to the cluster that [compute] names, or start one here; say how busy it was.

    Instead of starting one, take that of the environment: so containers have one, and the same
    project.toml does without on a machine of one's own.
    The project's package is sent with the work: an edit of it needs no worker to start anew.
    """
    for noisy in ("distributed", "distributed.client", "distributed.nanny"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)  # what matters is an exception
    given = compute.scheduler
    if given == "local" and os.environ.get(INSTEAD):
        given = FROM_ENVIRONMENT + INSTEAD
    with ExitStack() as stack:
        if given == GATEWAY:
            client, address = stack.enter_context(open_gateway(compute.workers))
        else:
            address = from_environment(given, "[compute] scheduler")
            if given == "local":
                started = LocalCluster(
                    n_workers=compute.workers,
                    threads_per_worker=compute.threads,
                    memory_limit=compute.memory,
                    dashboard_address="127.0.0.1:0",
                )
                address = stack.enter_context(started).scheduler_address
            client = stack.enter_context(_connect(address, given))
        if package in sys.modules and package != __name__.partition(".")[0]:
            cloudpickle.register_pickle_by_value(sys.modules[package])
            stack.callback(cloudpickle.unregister_pickle_by_value, sys.modules[package])
        cluster = Cluster(client, address, own=given in ("local", GATEWAY))
        say(f"{cluster.described()}; dashboard: {client.dashboard_link}")
        yield cluster
        if cluster.offered:
            share = cluster.worked / cluster.offered
            say(f"{cluster.described()}, busy for {share:.0%} of {cluster.seconds:.1f} s")


def _connect(address: str, given: str) -> Client:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # versions are compared below
            return Client(address, timeout=ANSWER_SECONDS)
    except (OSError, ValueError, TypeError, RuntimeError) as error:  # two of them are of TLS
        raise UserError(
            f'{named(given, "[compute] scheduler")} is "{address}", but no Dask scheduler answers '
            f"there ({first_line(error)}); start it with `dask scheduler`, or name another."
        ) from None


class Cluster:
    """A connection to the workers of a cluster."""

    def __init__(self, client: Client, address: str, *, own: bool) -> None:
        self.worked = self.offered = self.seconds = 0.0  # of threads, and of this machine's clock
        self._client, self._address, self._own = client, address, own  # it ends with the command
        self._threads: dict[str, int] = {}  # of each worker
        self._known: set[str] = set()  # whose versions are the same as here
        self._shared: dict[Path, str] = {}  # files that workers read, and their digests
        self._looked = self._seen = time.monotonic()
        self._full = False  # all of them wait for memory
        self._tasks: list[Task] = []  # that workers were given last
        self._sent: tuple[Callable[..., Any], Future[Any]] | None = None
        while not self.threads():
            time.sleep(LOOK_SECONDS / 5)

    def described(self) -> str:
        """Return the number of workers and of their threads, and where they are."""
        threads = counted(self.threads(), "thread")
        return f"{self.workers()} with {threads} at {self._address}"

    def workers(self) -> str:
        """Return how many workers there were at the last look."""
        return counted(len(self._threads), "worker")

    def threads(self) -> int:
        """Return how many threads the workers have together."""
        now = time.monotonic()
        if now > self._looked + LOOK_SECONDS or not self._threads:
            try:
                self._threads, self._looked = self._client.nthreads(), now
                self._compare(self._threads.keys() - self._known)
                self._full = self._out_of_memory()
            except GONE:
                raise self._lost() from None
            if self._threads and not self._full:
                self._seen = now
            elif now > self._seen + LOST_SECONDS:
                raise self._lost()
        return sum(self._threads.values())

    def _out_of_memory(self) -> bool:
        """Return whether Dask gives work to no worker, for want of memory, and none is at any."""
        workers = self._client.scheduler_info()["workers"].values()
        paused = {about["status"] for about in workers} == {"paused"}
        return paused and not any(self._client.run(_running, on_error="ignore").values())

    def _lost(self) -> UserError:
        noticed = time.monotonic() + NOTICE_SECONDS
        while self._client.status == "running" and time.monotonic() < noticed:
            time.sleep(0.1)
        if self._client.status != "running":
            return UserError(
                f"The Dask scheduler at {self._address} is gone, with what its workers were at; "
                "start it, then try again. The champion stays what it was."
            )
        names = ", ".join(sorted({f'"{_named(task)[0]}"' for task in self._tasks}))
        waiting = f" ({names})" if names else ""
        if self._full:
            remedy = f", or {_named(self._tasks[0])[1]}" if names else ""
            return UserError(
                f"The memory of the workers of the Dask scheduler at {self._address} is full, so "
                f"that they take no work{waiting}; give a worker more of it ({MEMORY}){remedy}. "
                "The champion stays what it was."
            )
        gone = f"gone, with what they were at{waiting}" if self._known else "not there"
        return UserError(
            f"The workers of the Dask scheduler at {self._address} are {gone}; start some with "
            f"`dask worker {self._address}`, then try again. The champion stays what it was."
        )

    def _compare(self, workers: set[str]) -> None:
        """Hold the versions of new workers against those here."""
        here, there = _versions(), {}
        if workers:
            there = self._client.run(_versions, workers=[*workers], on_error="return")
        for worker, found in there.items():
            if isinstance(found, OSError):
                continue  # it has gone
            if isinstance(found, Exception):
                raise UserError(
                    f"The worker at {worker} cannot load the library of this project ({found}); "
                    "start it in the environment of the project, or of one like it."
                )
            other = [
                f"{name} {found.get(name, 'not at all')} (here {here[name]})"
                for name in here
                if found.get(name) != here[name]
            ]
            if other:
                raise UserError(
                    f"The worker at {worker} has {', '.join(other)}; install on all machines what "
                    "this project's uv.lock says, and start the worker again."
                )
            self._known.add(worker)
        for path, digest in self._shared.items():
            for worker in self._without(path, digest, workers):
                raise UserError(
                    f"The worker at {worker} does not see {path} as it is here, as the others do; "
                    f"share {path.parent} with it, under the same path, or end it."
                )

    def share(self, path: Path) -> bool:
        """Tell whether all workers see a file as it is here; if so, new ones have to see it."""
        self.threads()
        digest = file_digest(path)
        try:
            if self._without(path, digest, self._threads.keys()):
                return False
        except GONE:
            raise self._lost() from None
        self._shared[path] = digest
        return True

    def _without(self, path: Path, digest: str, workers: Collection[str]) -> list[str]:
        """Return those of some workers that do not see a file of this digest."""
        if not workers:
            return []
        found = self._client.run(_digest, path, workers=[*workers], on_error="return")
        return [w for w, seen in found.items() if not (seen == digest or isinstance(seen, OSError))]

    def run(self, function: Callable[..., Any], tasks: Iterable[Task]) -> Generator[Any]:
        """Yield what `function` returns for each of the tasks, in the order in which they are done.

        The function is sent once, with the data that it holds, and stays on the workers. What a
        worker had to do when it ended is done by another.
        """
        left: Iterator[tuple[Task, int]] = ((task, 0) for task in tasks)
        waiting: dict[Future[Any], tuple[Task, int]] = {}
        ended: list[tuple[Future[Any], Task]] = []
        began = time.monotonic()
        try:
            while True:
                threads = self.threads()
                for task, losses in islice(left, max(0, threads - len(waiting))):
                    waiting[self._submit(function, task)] = task, losses
                self._tasks = [task for task, _ in waiting.values()] or self._tasks
                for future, task in ended:  # while workers are at the next tasks
                    seconds, result = _result(future, task)
                    self.worked += seconds
                    yield result
                if not waiting and not ended:
                    more = next(left, None)
                    if more is None:
                        return
                    left = chain([more], left)
                    time.sleep(LOOK_SECONDS / 5)  # until a worker is there, or surely none
                done, now = _finished(waiting), time.monotonic()
                self.seconds += now - began
                self.offered += threads * (now - began)
                began, ended = now, []  # what the caller does with a result counts
                for future in done:
                    task, losses = waiting.pop(future)
                    if future.cancelled() and losses < MOST_LOSSES:
                        self._sent = None  # the last worker that held it has ended
                        left = chain([(task, losses + 1)], left)
                    else:
                        ended.append((future, task))
        finally:
            if waiting and not self._own:
                self._free(waiting)

    def _submit(self, function: Callable[..., Any], task: Task) -> Future[Any]:
        key = f"{_named(task)[0]}-{uuid4()}"  # the dashboard shows it
        try:
            if self._sent is None or self._sent[0] is not function:
                sent = self._client.scatter(_Sent(function), broadcast=True, hash=False)
                self._sent = function, sent
            return self._client.submit(_work, self._sent[1], *task, key=key)
        except GONE:
            raise self._lost() from None

    def _free(self, waiting: Iterable[Future[Any]]) -> None:
        """Take back what nobody waits for any more.

        A thread cannot be stopped: so workers that go on with nothing else are started anew.
        """
        keys = {str(future.key) for future in waiting}
        with suppress(*GONE):
            self._client.cancel(list(waiting), force=True)
            until = time.monotonic() + FREE_SECONDS
            while busy := self._busy_with(keys):
                if time.monotonic() < until:
                    time.sleep(0.1)
                    continue
                self._client.restart_workers(busy, timeout=5, raise_for_error=False)
                return

    def _busy_with(self, keys: set[str]) -> list[str]:
        """Return the workers that work at some of these tasks, and at no other."""
        running = self._client.run(_running, on_error="ignore")
        return [worker for worker, own in running.items() if own and own <= keys]

    def group_size(self, calls: int) -> int:
        """Return how many short calls are one task."""
        return min(MOST_GROUP, -(-calls // (GROUPS * max(1, self.threads()))))


class _Sent:
    """A function that arrives with the code of the project, which Dask sends only if it has to."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __reduce__(self) -> tuple[Any, ...]:
        buffers: list[pickle.PickleBuffer] = []  # arrays, which are not copied
        code = cloudpickle.dumps(self._function, protocol=5, buffer_callback=buffers.append)
        return _arrived, (code, *buffers)


def _arrived(code: bytes, *buffers: Any) -> Any:
    return pickle.loads(code, buffers=buffers)  # noqa: S301 - as Dask does with all that it sends


def _finished(waiting: Collection[Future[Any]]) -> list[Future[Any]]:
    """Return what is done, or lost, when something is; after a second also nothing."""
    if not waiting:
        return []
    with suppress(TimeoutError, CancelledError):
        wait(list(waiting), timeout=LOOK_SECONDS, return_when="FIRST_COMPLETED")
    return [future for future in waiting if future.done()]


def _named(task: Task) -> tuple[str, str]:
    """Return what a task is called, and what can be done where it ends its workers."""
    for part in task:
        if isinstance(part, Trial):
            return part.candidate, f'take "{part.candidate}" out of [models] candidates'
        if isinstance(part, Path) and part.parent.name == REST:
            return f"{REST}/{part.name}", "lower [split] sample_rows, or set all_rows to false"
        if isinstance(part, Path):
            return part.name, "cut this file into smaller ones"
    return "series", "take the candidate that they are of out of [models] candidates"


def _result(future: Future[Any], task: Task) -> tuple[float, Any]:
    try:
        return future.result()
    except (KilledWorker, CancelledError):
        name, remedy = _named(task)
        raise UserError(
            f'"{name}" has ended several workers one after the other, most likely for want of '
            f"memory; give a worker more of it ({MEMORY}), or {remedy}."
        ) from None
    except ModuleNotFoundError as error:
        raise UserError(
            f"A worker lacks the module {error.name}; install on all machines what this project's "
            "uv.lock says, and start the workers again."
        ) from error


def _work(function: Callable[..., Any], *task: Any) -> tuple[float, Any]:
    """Do a task on a worker, with one thread of the numeric libraries as everywhere."""
    threadpool_limits(1)
    os.environ["LOKY_MAX_CPU_COUNT"] = "1"  # to scikit-learn n_jobs = -1 is one thread as well
    began = time.monotonic()
    with warnings.catch_warnings(), redirect_stderr(StringIO()):  # it may be a user's terminal
        warnings.simplefilter("ignore")
        result = function(*task)
    return time.monotonic() - began, result


def _running(dask_worker: Worker) -> set[str]:
    return set(map(str, dask_worker.active_threads.values()))


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError:
        return ""


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version(), "mlsteps": library_digest()[:12]}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
