"""Work beside other work: the one place where it is started, and where its time is taken."""

import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import cache, partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import click
from joblib import Parallel, delayed
from threadpoolctl import ThreadpoolController, threadpool_limits

from ..errors import UserError
from ..problem.settings import Compute

FEW_ROWS = 10_000
ALL_CORES = -1
MANY_CALLS = 40  # from which processes pay for their start

_CLUSTER: ContextVar[Any] = ContextVar("cluster", default=None)


@contextmanager
def on_cluster(compute: Compute, package: str) -> Iterator[None]:
    """Let `in_parallel` use the cluster that [compute] names, if it names one.

    The code of `package`, that of the project, is sent with the work.
    """
    if compute.scheduler == "none":
        yield
        return
    try:
        from .cluster import open_cluster  # only projects that were asked for it have Dask
    except ImportError as error:
        raise UserError(
            f'Dask is not installed ({error}), and [compute] scheduler is "{compute.scheduler}"; '
            'run `copier update --data compute=dask`, or let it be "none".'
        ) from None
    with open_cluster(compute, package) as cluster:
        token = _CLUSTER.set(cluster)
        try:
            yield
        finally:
            _CLUSTER.reset(token)


def say(text: str) -> None:
    """Say something of the cluster on the terminal."""
    click.echo(f"{'cluster':<10}{text}")


def workers() -> str:
    """Return how many workers of a cluster there are, in words; nothing where there is none."""
    return _CLUSTER.get().workers() if _CLUSTER.get() else ""


def seen_by_workers(path: Path) -> bool:
    """Tell whether there is a cluster, and all of its workers see a file as it is here."""
    cluster = _CLUSTER.get()
    return bool(cluster) and cluster.share(path)


def in_parallel(
    function: Callable[..., Any],
    tasks: Iterable[tuple[Any, ...]],
    jobs: int = ALL_CORES,
    here: Callable[..., bool] | None = None,
) -> Generator[Any]:
    """Yield what `function` returns for each of the tasks, in the order in which they are done.

    Inside of `on_cluster`, workers of the cluster do it, else threads. With one job, and all cores
    for the libraries inside of it, it is done here. Tasks are asked for when a worker is free.
    A task of which `here` is true is no cluster's: it is done here, once the workers have ended
    those before it, and gives them parts of its own.
    """
    cluster = _CLUSTER.get()
    if cluster and jobs != 1:
        left, own = iter(tasks), list[tuple[Any, ...]]()
        while True:
            yield from cluster.run(function, _before(left, here, own) if here else left)
            if not own:
                return
            yield function(*own.pop())
    else:
        yield from in_threads(function, tasks, jobs)


def _before(
    tasks: Iterator[tuple[Any, ...]], here: Callable[..., bool], own: list[tuple[Any, ...]]
) -> Iterator[tuple[Any, ...]]:
    """Yield the tasks before the next that is done here, which is put into `own`."""
    for task in tasks:
        if here(*task):
            own.append(task)
            return
        yield task


def on_workers(
    function: Callable[..., Any],
    tasks: Iterable[tuple[Any, ...]],
    here: Callable[..., bool] | None = None,
) -> Generator[Any]:
    """Do what `in_parallel` does, with large tasks: without a cluster one after the other.

    The libraries inside of a task then have all cores, and memory holds one task.
    """
    return in_parallel(function, tasks, ALL_CORES if _CLUSTER.get() else 1, here)


def in_threads(
    function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], jobs: int = ALL_CORES
) -> Generator[Any]:
    """Do what `in_parallel` does, here: what a task changes is seen by whoever started it.

    Fits hold the interpreter for a part of their time only, and threads neither import anything nor
    copy rows. Each has one thread of the numeric libraries: so there are never more threads than
    cores, and however many workers there are, the numbers are the same.
    """
    run = Parallel(
        jobs, prefer="threads", batch_size=1, pre_dispatch="n_jobs", return_as="generator_unordered"
    )
    if jobs == 1:
        yield from run(delayed(function)(*task) for task in tasks)
    else:
        calls = (delayed(_in_one_thread)(function, *task) for task in tasks)
        # BLAS has one limit for the whole process, which has to hold before the first call begins.
        with threadpool_limits(1, user_api="blas"), _closing(run(calls)) as results:
            for error, result in results:
                if error:
                    raise error  # joblib would raise it without its traceback
                yield result


@contextmanager
def _closing(results: Generator[Any]) -> Iterator[Generator[Any]]:
    """Close what joblib yields, without its warning of results that nobody waits for any more."""
    try:
        yield results
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results.close()


def _in_one_thread(function: Callable[..., Any], *task: Any) -> tuple[Exception | None, Any]:
    with _libraries().limit(limits=1, user_api="openmp"):  # of this thread
        try:
            return None, function(*task)
        except Exception as error:  # noqa: BLE001 - it is raised above
            return error, None


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()  # to look for them takes as long as a small fit


def map_many(function: Callable[..., Any], calls: Iterable[Any]) -> list[Any]:
    """Return what `function` gives for each of `calls`: many short ones, which hold interpreters.

    Processes do many, or the workers of the cluster, in groups.
    """
    calls, cluster = list(calls), _CLUSTER.get()
    if not cluster or len(calls) < MANY_CALLS:
        jobs = ALL_CORES if len(calls) >= MANY_CALLS else 1
        return list(Parallel(jobs)(delayed(function)(call) for call in calls))
    size = cluster.group_size(len(calls))
    groups = ((start, calls[start : start + size]) for start in range(0, len(calls), size))
    done = sorted(cluster.run(partial(_map_group, function), groups), key=itemgetter(0))
    return [result for _, results in done for result in results]


def _map_group(function: Callable[..., Any], start: int, calls: list[Any]) -> tuple[int, list[Any]]:
    return start, [function(call) for call in calls]


def few_threads(rows: int) -> AbstractContextManager[object]:
    """Keep numeric libraries from starting threads where they cost more than they save."""
    return threadpool_limits(1 if rows < FEW_ROWS else None)


def stopwatch() -> Callable[[], float]:
    """Return a function that says how many seconds this thread has worked since, not waited.

    Where it has hardly worked, others did so for it, and all seconds count.
    """
    began, work = time.monotonic(), time.thread_time()

    def seconds() -> float:
        taken, worked = time.monotonic() - began, time.thread_time() - work
        return min(taken, worked) if worked > taken / 10 else taken

    return seconds
