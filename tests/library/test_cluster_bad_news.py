"""What happens on a cluster that is not there, is another, loses workers, or is not needed more."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from contextlib import contextmanager
from importlib.metadata import version

import pytest
from mlsteps.errors import UserError
from mlsteps.modeling import Candidate, store
from mlsteps.modeling.parallel import in_parallel, on_cluster, seen_by_workers
from mlsteps.problem.settings import Compute
from project import FOLDER, edit, part, run_in

pytest.importorskip("distributed", reason="Dask is not installed; only compute = dask needs it")
from dask_cluster import SECONDS, newest_run, on, started
from mlsteps.modeling import cluster as module

pytestmark = pytest.mark.slow

# A module of the project's package, which the workers do not have. This process has its own trial
# of a candidate before the search.
OWN = """
import os
import time
from pathlib import Path

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

KEPT = []


class Own(ClassifierMixin, BaseEstimator):
    def __init__(self, here, folder, seconds=0.0, then=""):
        self.here, self.folder, self.seconds, self.then = here, folder, seconds, then

    def fit(self, X, y):
        if os.getpid() != self.here:
            Path(self.folder, f"{os.getpid()}-{time.monotonic()}").touch()
            if self.then == "keep":
                KEPT.append(b"x" * 1_300_000_000)
            time.sleep(self.seconds)
            if self.then == "fail":
                raise ValueError("a mistake of the project")
            if self.then == "end":
                os._exit(1)
        self.model_ = LogisticRegression().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(X)
"""


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A cluster that repeats work twice, when the worker that did it has ended."""
    twice = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "2"}
    with started(tmp_path_factory.mktemp("cluster"), workers=2, **twice) as cluster:
        yield cluster


@pytest.fixture
def cluster(one):
    """The cluster, when its nannies have brought back the workers that earlier tests have ended."""
    until(lambda: len(one.client.nthreads()) == 2)
    return one


@pytest.fixture
def with_own_candidate(own, problem_type, tmp_path, monkeypatch):
    """Let the project have one candidate, of a class of its own; return where it leaves marks."""
    candidates, marks = part(problem_type, "modeling.candidates").CANDIDATES, tmp_path / "marks"
    package = part(problem_type, "cli").__name__.partition(".")[0]
    (FOLDER / package / "modeling" / "own.py").write_text(OWN)
    made = part(problem_type, "modeling.own").Own
    marks.mkdir()

    def change(**settings):
        estimator = made(os.getpid(), str(marks), **settings)
        monkeypatch.setitem(
            candidates, "own", Candidate(estimator, encoder=candidates["logistic"].encoder)
        )
        trusted = [f"{made.__module__}.Own"]
        monkeypatch.setattr(part(problem_type, "pipeline"), "TRUSTED", trusted)
        edit(own, models={"candidates": ["own"]}, search={"method": "none", "folds": 4})
        return marks

    return change


def until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def once_fitting(marks, action):
    """Do something in another thread as soon as a worker fits."""

    def wait():
        until(lambda: any(marks.iterdir()))
        action()

    thread = threading.Thread(target=wait)
    thread.start()
    yield
    thread.join()


def test_what_is_no_address_is_refused_with_what_is_allowed(own):
    refused = r'\[compute\] scheduler is "host:8786"; allowed: none, local, gateway, an address'
    with pytest.raises(UserError, match=refused):
        on(own, "host:8786")


def test_a_project_without_dask_is_told_how_to_get_it(own, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "mlsteps.modeling.cluster")
    on(own, "local")
    failed = run_in(own.root, "train", "--force")
    assert failed.exit_code == 2
    assert "run `copier update --data compute=dask`" in failed.output


def test_no_scheduler_at_the_address_is_one_sentence(own, monkeypatch):
    monkeypatch.setenv("SCHEDULER", "tcp://127.0.0.1:9")
    on(own, "env:SCHEDULER")
    failed = run_in(own.root, "train", "--force")
    assert failed.exit_code == 2
    assert "The environment variable SCHEDULER, which [compute] scheduler names" in failed.output
    assert '"tcp://127.0.0.1:9", but no Dask scheduler answers there (' in failed.output
    assert failed.output.count("\n") == 1


def test_a_worker_with_another_release_of_a_library_is_named(own, cluster, tmp_path):
    metadata = tmp_path / "scipy-0.1.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: scipy\nVersion: 0.1\n")
    worker = cluster.add_worker(PYTHONPATH=str(tmp_path))
    on(own, cluster.address)
    failed = run_in(own.root, "train", "--force")
    cluster.end_worker(worker)
    assert failed.exit_code == 2
    assert f"The worker at {worker} has scipy 0.1 (here " in failed.output


def test_a_worker_that_joins_without_the_rows_that_others_share_is_named(cluster, tmp_path):
    shared = tmp_path / "train.parquet"
    shared.write_bytes(b"rows")
    with on_cluster(Compute(scheduler=cluster.address), "mlsteps"):
        assert seen_by_workers(shared)
        shared.write_bytes(b"other rows")  # as a machine may have them
        worker = cluster.add_worker()
        with pytest.raises(UserError) as refused:
            until(lambda: next(in_parallel(abs, [(-1,)])) != 1)
    cluster.end_worker(worker)
    assert refused.value.message == (
        f"The worker at {worker} does not see {shared} as it is here, as the others do; share "
        f"{tmp_path} with it, under the same path, or end it."
    )


def another_environment(folder, *packages):
    """Make an environment with other releases of these, and else with the libraries of here."""
    uv = shutil.which("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    install = [uv, "pip", "install", "--quiet", "--no-deps", "--python", python, *packages]
    subprocess.run(install, check=True)
    (own,) = (folder / "lib").glob("python*/site-packages")
    here = sysconfig.get_path("purelib")
    own.joinpath("here.pth").write_text(f"{here}\nimport site; site.addsitedir({here!r})\n")
    return python


@pytest.mark.skipif(not shutil.which("uv"), reason="no uv is here, which makes environments")
def test_a_worker_of_another_environment_is_named_with_what_differs(own, cluster, tmp_path):
    python = another_environment(tmp_path / "other", "cloudpickle==3.1.1", "joblib==1.5.2")
    worker = cluster.add_worker(python=python)
    on(own, cluster.address)
    failed = run_in(own.root, "train", "--force")
    cluster.end_worker(worker)
    assert failed.exit_code == 2
    other = f"cloudpickle 3.1.1 (here {version('cloudpickle')}), joblib 1.5.2 (here "
    assert f"The worker at {worker} has {other}" in failed.output


def test_what_a_killed_worker_did_is_done_by_another(own, cluster, with_own_candidate):
    marks = with_own_candidate(seconds=1.0)
    on(own, cluster.address)

    def kill():
        mark = next(marks.iterdir())
        os.kill(int(mark.name.partition("-")[0]), signal.SIGKILL)

    with once_fitting(marks, kill):
        result = run_in(own.root, "train", "--force")
    assert result.exit_code == 0, result.output
    (trial,) = newest_run(own)["trials"]
    assert trial["model"] == "own"
    assert newest_run(own)["left_out"] == {}
    assert len(list(marks.iterdir())) > 4  # folds, one of them twice


def test_work_that_ends_its_workers_is_named(own, cluster, with_own_candidate, monkeypatch):
    monkeypatch.setattr(module, "LOST_SECONDS", SECONDS)  # for both to come back on a busy machine
    with_own_candidate(then="end")
    on(own, cluster.address)
    failed = run_in(own.root, "train", "--force")
    assert failed.exit_code == 2
    assert '"own" has ended several workers one after the other' in failed.output


def test_workers_whose_memory_stays_full_are_not_waited_for(
    own, with_own_candidate, tmp_path, monkeypatch
):
    """Dask pauses such a worker until it has memory again."""
    monkeypatch.setattr(module, "LOST_SECONDS", 5)
    with_own_candidate(seconds=1.0, then="keep")
    memory = {"PAUSE": "0.5", "SPILL": "False", "TARGET": "False"}
    variables = {f"DASK_DISTRIBUTED__WORKER__MEMORY__{key}": v for key, v in memory.items()}
    with started(tmp_path, workers=0) as cluster:
        cluster.add_worker("--memory-limit", "2GiB", **variables)
        on(own, cluster.address)
        failed = run_in(own.root, "train", "--force")
    assert failed.exit_code == 2
    assert f"workers of the Dask scheduler at {cluster.address} is full, so" in failed.output
    assert 'no work ("own"); give a worker more of it ([compute] memory,' in failed.output
    assert 'or take "own" out of [models] candidates' in failed.output


def test_a_mistake_in_the_project_keeps_its_traceback(own, cluster, with_own_candidate):
    with_own_candidate(then="fail")
    on(own, cluster.address)
    failed = run_in(own.root, "train", "--force")
    assert isinstance(failed.exception, ValueError), failed.output
    trace = failed.exception.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    assert trace.tb_frame.f_code.co_name == "fit"


def busy(cluster):
    running = cluster.client.run(module._running, on_error="ignore")  # noqa: SLF001
    return any(running.values())


def test_ctrl_c_frees_the_cluster_within_seconds(own, cluster, with_own_candidate):
    marks = with_own_candidate(seconds=600)
    on(own, cluster.address)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
    with once_fitting(marks, lambda: os.kill(os.getpid(), signal.SIGINT)):
        interrupted = run_in(own.root, "train", "--force")
    signal.signal(signal.SIGINT, before)
    assert interrupted.exit_code == 130
    until(lambda: len(cluster.client.nthreads()) == 2 and not busy(cluster))
    assert cluster.client.submit(sum, [1, 2]).result(timeout=SECONDS) == 3


def test_when_all_workers_are_gone_the_champion_stays(
    own, cluster, with_own_candidate, monkeypatch
):
    monkeypatch.setattr(module, "LOST_SECONDS", 3)
    marks, champion = with_own_candidate(seconds=600), store.champion(own.models)
    on(own, cluster.address)
    with once_fitting(marks, cluster.end_workers):
        failed = run_in(own.root, "train", "--force")
    assert failed.exit_code == 2
    gone = f"The workers of the Dask scheduler at {cluster.address} are gone, with what they were"
    assert f'{gone} at ("own")' in failed.output
    assert store.champion(own.models) == champion
    cluster.add_worker()
    cluster.add_worker()  # as other tests have two
    with_own_candidate()
    result = run_in(own.root, "train", "--force")
    assert result.exit_code == 0, result.output


def test_when_the_scheduler_is_gone_the_champion_stays_and_the_next_run_goes_on(
    own, with_own_candidate, tmp_path
):
    marks, champion = with_own_candidate(seconds=1.0), store.champion(own.models)
    with started(tmp_path, workers=1) as cluster:
        on(own, cluster.address)
        with once_fitting(marks, cluster.end_scheduler):
            failed = run_in(own.root, "train", "--force")
        assert failed.exit_code == 2
        assert failed.output.splitlines()[-1].startswith(
            f"Error: The Dask scheduler at {cluster.address} is gone, with what its workers were"
        )
        assert store.champion(own.models) == champion
        cluster.end_workers()  # as they do themselves, and whoever has started them starts others
        cluster.start_scheduler()
        cluster.add_worker()
        result = run_in(own.root, "train", "--force")
    assert result.exit_code == 0, result.output
    assert store.champion(own.models) == champion  # train promotes nobody
