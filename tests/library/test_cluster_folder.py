"""Scoring a folder on the workers of a cluster: each row once, whoever is killed, and when."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pandas as pd
import pytest
from mlsteps.deployment.prediction_log import count_predictions, open_log
from project import FOLDER, edit, part, run_in

pytest.importorskip("distributed", reason="Dask is not installed; only compute = dask needs it")
from dask_cluster import SECONDS, on, started, with_children

pytestmark = pytest.mark.slow

FILES, ROWS = 40, 1_000_000
KILLS = 3  # of everything, one after the other


@pytest.fixture
def folders(tmp_path):
    """A folder to read and one to write."""
    (tmp_path / "in").mkdir()
    return tmp_path / "in", tmp_path / "out"


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    with started(tmp_path_factory.mktemp("cluster"), workers=0) as cluster:
        yield cluster


@pytest.fixture
def cluster(one):
    """A cluster with two workers, in the place of those that a test before has killed."""
    with_two_workers(one)
    return one


def with_two_workers(cluster):
    while len(cluster.workers) < 2:
        cluster.add_worker()


def fill(folder, rows, files, each):
    """Write files of numbered rows."""
    repeated = pd.concat([rows] * (each // len(rows) + 1), ignore_index=True).head(each)
    for k in range(files):
        number = range(k * each, (k + 1) * each)
        repeated.assign(number=number).to_parquet(folder / f"part-{k:02d}.parquet")


def until(condition):
    deadline = time.monotonic() + 4 * SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def names(folder):
    return sorted(path.name for path in folder.glob("part-*"))


def numbers(folder):
    return [n for name in names(folder) for n in pd.read_parquet(folder / name)["number"]]


def command(project, *arguments):
    """Start a command of the project in a process of its own."""
    package = part(project.definition.problem.type, "cli").__name__.partition(".")[0]
    return subprocess.Popen(
        [sys.executable, "-m", package, *map(str, arguments)],
        cwd=project.root,
        env=os.environ | {"PYTHONPATH": str(FOLDER)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_two_workers_write_what_one_machine_writes(own, rows, folders, cluster, tmp_path):
    own = edit(own, serving={"log_files": True})
    source, out = folders
    fill(source, rows, files=6, each=500)
    assert run_in(own.root, "predict", source, tmp_path / "single").exit_code == 0
    (own.root / "predictions.db").unlink()
    on(own, cluster.address)
    done = run_in(own.root, "predict", source, out)
    assert done.exit_code == 0, done.output
    assert "3,000 rows scored by " in done.output
    assert f"2 workers with 2 threads at {cluster.address}, busy for " in done.output
    assert names(out) == names(source)
    for name in names(out):
        assert (out / name).read_bytes() == (tmp_path / "single" / name).read_bytes()
    with open_log(own) as log:
        assert count_predictions(log)[0] == 3000


def test_a_bad_file_is_named_and_what_two_workers_finished_stays(own, rows, folders, cluster):
    source, out = folders
    fill(source, rows, files=4, each=100)
    (source / "part-02.parquet").write_bytes(b"cut off")
    on(own, cluster.address)
    failed = run_in(own.root, "predict", source, out)
    assert failed.exit_code == 2
    assert "part-02.parquet cannot be read" in failed.output
    assert "; 3 other files are in" in failed.output
    assert names(out) == ["part-00.parquet", "part-01.parquet", "part-03.parquet"]


def test_what_a_killed_worker_was_scoring_is_scored_by_another(own, rows, folders, cluster):
    source, out = folders
    fill(source, rows, files=8, each=50_000)
    on(own, cluster.address)

    def kill():
        until(lambda: list((out / ".predict").glob("*/part-*")))
        cluster.end_worker(next(iter(cluster.workers)))

    thread = threading.Thread(target=kill)
    thread.start()
    done = run_in(own.root, "predict", source, out)
    thread.join()
    assert done.exit_code == 0, done.output
    assert len(cluster.client.nthreads()) == 1
    assert numbers(out) == list(range(400_000))


def test_a_million_rows_are_there_once_whatever_is_killed_and_when(own, rows, folders, cluster):
    source, out = folders
    fill(source, rows, FILES, ROWS // FILES)
    on(own, cluster.address)
    chance, said = random.Random(os.environ.get("SEED", "0")), ""  # noqa: S311 - not secret
    for kills in [True] * KILLS + [False]:
        with_two_workers(cluster)
        done = len(names(out)) + chance.randrange(1, FILES // KILLS)
        driver = command(own, "predict", source, out)
        if kills:
            until(lambda done=done: len(names(out)) >= done)
            time.sleep(chance.uniform(0, 0.3))
            everything = [driver, cluster.scheduler, *cluster.workers.values()]
            for process in chance.sample(everything, len(everything)):
                with_children(process, signal.SIGKILL)
            cluster.workers.clear()
            cluster.client.close(timeout=2)
            cluster.start_scheduler()
            assert len(names(out)) < FILES
        said, _ = driver.communicate(timeout=4 * SECONDS)
    assert driver.returncode == 0, said
    assert f"{ROWS:,} rows scored by " in said
    assert " of them before), as many as were read" in said
    assert numbers(out) == list(range(ROWS))
    assert not [path for path in (out / ".predict").iterdir() if path.is_dir()]
