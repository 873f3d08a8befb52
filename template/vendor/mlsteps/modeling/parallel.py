"""Work beside other work: the one place where it is started, and where its time is taken."""

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager
from functools import cache, partial
from typing import Any

from joblib import Parallel, delayed
from threadpoolctl import ThreadpoolController, threadpool_limits

FEW_ROWS = 10_000
ALL_CORES = -1


def in_parallel(
    function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], jobs: int = ALL_CORES
) -> Generator[Any]:
    """Yield what `function` returns for each of the tasks, in the order in which they are done.

    Threads do it: fits hold the interpreter for a part of their time only, and threads neither
    import anything nor copy rows. ``joblib.parallel_config(backend="dask")`` around the call takes
    a cluster instead, for which functions, tasks and results can be pickled. Tasks are asked for
    when a worker is free. Each has one thread of the numeric libraries: so there are never more
    threads than cores, and however many workers there are, the numbers are the same. With one job,
    libraries may use all cores inside of it.
    """
    run = Parallel(
        jobs, prefer="threads", batch_size=1, pre_dispatch="n_jobs", return_as="generator_unordered"
    )
    if jobs == 1:
        yield from run(delayed(function)(*task) for task in tasks)
    else:
        with threadpool_limits(1, user_api="blas"):  # of the process
            yield from run(delayed(partial(_in_one_thread, function))(*task) for task in tasks)


def _in_one_thread(function: Callable[..., Any], *task: Any) -> Any:
    with _libraries().limit(limits=1, user_api="openmp"):  # of this thread
        return function(*task)


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()  # to look for them takes as long as a small fit


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
