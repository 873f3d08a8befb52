"""Past one machine: on the workers of a Dask scheduler the search finds what it finds on one."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from mlsteps.collection import read_raw
from mlsteps.modeling import cross_validation
from mlsteps.modeling.forecasters.local import Exponential
from mlsteps.modeling.parallel import on_cluster
from mlsteps.preparation.panel import Panel
from mlsteps.problem.settings import Compute
from project import edit, load, part, run_in
from sklearn.base import clone

pytest.importorskip("distributed", reason="Dask is not installed; only compute = dask needs it")
from dask_cluster import newest_run, numbers, on, started
from mlsteps.modeling import cluster as module

pytestmark = pytest.mark.slow

PROBLEM_TYPES = [
    "classification",
    "regression",
    "clustering",
    "forecasting",
    "anomaly_detection",
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with started(tmp_path_factory.mktemp("cluster"), workers=2) as cluster:
        yield cluster


def test_the_leaderboard_is_that_of_one_machine(own, cluster):
    problem = own.definition.problem
    names = own.definition.models.candidates
    if problem.needs_target:
        names = [*names, "ensemble"]
    unhurried = {"method": "random", "iterations": 1, "budget_seconds": 3600}
    edit(own, models={"candidates": names}, search=unhurried)
    assert run_in(own.root, "train", "--force").exit_code == 0
    single = newest_run(own)
    on(own, cluster.address)
    result = run_in(own.root, "train", "--force")
    assert result.exit_code == 0, result.output
    assert f"2 workers with 2 threads at {cluster.address}; dashboard: http://" in result.output
    assert numbers(newest_run(own)) == numbers(single)


def test_a_candidate_that_somebody_has_fitted_is_tried_as_if_it_were_not(
    own, cluster, problem_type, monkeypatch
):
    if problem_type != "clustering":
        pytest.skip("a clusterer is sent without its method once it is fitted")
    candidates = part(problem_type, "modeling.candidates").CANDIDATES
    name = own.definition.models.candidates[0]
    edit(own, models={"candidates": [name]}, search={"budget_seconds": 3600})
    assert run_in(own.root, "train", "--force").exit_code == 0
    single = newest_run(own)
    fitted = clone(candidates[name].estimator).fit(np.random.default_rng(0).normal(size=(90, 2)))
    monkeypatch.setitem(candidates, name, replace(candidates[name], estimator=fitted))
    on(own, cluster.address)
    result = run_in(own.root, "train", "--force")
    assert result.exit_code == 0, result.output
    assert numbers(newest_run(own)) == numbers(single)


def test_parts_of_all_rows_are_fitted_by_the_workers_as_on_one_machine(
    own, cluster, problem_type, monkeypatch
):
    """With a class of the project's own, which the workers do not have."""
    if problem_type not in ("classification", "regression"):
        pytest.skip("only what predicts a class or a number learns from all rows")
    module = part(problem_type, "modeling.candidates")
    name = own.definition.models.candidates[0]
    candidate = module.CANDIDATES[name]
    kind = type(candidate.estimator)
    mine = type("Mine", (kind,), {"__module__": module.__name__})
    monkeypatch.setattr(module, "Mine", mine, raising=False)
    mine = mine(**candidate.estimator.get_params(deep=False))
    monkeypatch.setitem(module.CANDIDATES, name, replace(candidate, estimator=mine))
    trusted = part(problem_type, "modeling").TRUSTED
    monkeypatch.setattr(
        part(problem_type, "pipeline"), "TRUSTED", [*trusted, f"{module.__name__}.Mine"]
    )
    edit(
        own,
        split={"sample_rows": len(read_raw(own)) // 4, "all_rows": True},
        models={"candidates": own.definition.models.candidates[:1]},
        search={"method": "none", "budget_seconds": 3600},
    )
    assert run_in(own.root, "prepare").exit_code == 0
    assert run_in(own.root, "train", "--force").exit_code == 0
    single = newest_run(own)
    on(own, cluster.address)
    result = run_in(own.root, "train", "--force")
    assert result.exit_code == 0, result.output
    there = newest_run(own)
    assert "all_rows" in {trial["model"] for trial in single["trials"]}
    assert numbers(there) == numbers(single)
    assert there["all_rows"] == single["all_rows"]
    if there["model"] == "all_rows":
        monkeypatch.setattr(
            part(problem_type, "modeling.predictor"), "TRUSTED", [f"{module.__name__}.Mine"]
        )
        assert len(load(own, there["version"]).pipeline[-1].members) > 2


def test_folds_too_large_to_keep_are_made_by_workers_that_see_the_rows(
    own, cluster, problem_type, monkeypatch
):
    if problem_type == "forecasting":
        pytest.skip("only rows are encoded")
    monkeypatch.setattr(cross_validation, "MOST_NUMBERS", 1)
    edit(own, search={"method": "random", "iterations": 1, "budget_seconds": 3600})
    assert run_in(own.root, "train", "--force").exit_code == 0
    single = newest_run(own)
    on(own, cluster.address)
    there = run_in(own.root, "train", "--force")
    assert there.exit_code == 0, there.output
    assert ", busy for" in there.output
    assert numbers(newest_run(own)) == numbers(single)


def test_they_are_made_here_if_workers_see_other_rows(own, cluster, problem_type, monkeypatch):
    if problem_type != "regression":
        pytest.skip("one type will do")
    monkeypatch.setattr(cross_validation, "MOST_NUMBERS", 1)
    monkeypatch.setattr(module, "file_digest", lambda _: "of another machine's file")
    on(own, cluster.address)
    there = run_in(own.root, "train", "--force")
    assert there.exit_code == 0, there.output
    assert "has nothing to do in the search: the encoded folds are more than 1 n" in there.output
    assert f"share {own.prepared} with them, under the same path" in there.output
    assert "busy" not in there.output


@pytest.fixture
def panel(problem_type):
    """Series enough to be fitted in groups."""
    if problem_type != "forecasting":
        pytest.skip("only series are fitted in groups")
    generator, series, periods = np.random.default_rng(0), 45, 30
    history = 100 + generator.normal(size=(series, periods)).cumsum(axis=1)
    return Panel([f"{k:02d}" for k in range(series)], 0, history, np.zeros((series, 36, 0)))


def test_many_series_are_fitted_and_forecast_in_groups_on_the_workers(cluster, panel, capsys):
    here = Exponential().fit(panel)
    with on_cluster(Compute(scheduler=cluster.address), "mlsteps"):
        there = Exponential().fit(panel)
        forecast = there.forecast(panel, 6)
    assert (there.parameters_ == here.parameters_)[~np.isnan(here.parameters_)].all()
    assert (forecast == here.forecast(panel, 6)).all()
    assert "2 workers with 2 threads" in capsys.readouterr().out.splitlines()[-1]  # were busy


def test_a_search_of_many_series_gives_workers_trials_and_groups(own, cluster, panel):
    """Trials of what learns from all series at once, groups of series of what has a model each."""
    months = pd.period_range("2020-01", periods=panel.history.shape[1], freq="M").astype(str)
    frame = pd.DataFrame(panel.history.T, months, panel.names).rename_axis("month").reset_index()
    sold = frame.melt("month", var_name="article", value_name="sold")
    sold.to_csv(own.root / "sold.csv", index=False)
    names = ["stl_ar", "ridge", "boosting", "drift"]
    edit(
        own,
        problem={"target": "sold", "horizon": 4},
        data={"path": "sold.csv"},
        columns={"date": "month", "series": "article"},
        models={"candidates": names},
        search={"method": "random", "iterations": 1, "budget_seconds": 3600},
    )
    for step in (["collect"], ["define"], ["prepare"], ["train", "--force"]):
        done = run_in(own.root, *step)
        assert done.exit_code == 0, done.output
    single = newest_run(own)
    on(own, cluster.address)
    there = run_in(own.root, "train", "--force")
    assert there.exit_code == 0, there.output
    assert numbers(newest_run(own)) == numbers(single)
    given = cluster.client.run_on_scheduler(lambda dask_scheduler: {*dask_scheduler.task_prefixes})
    assert {"ridge", "boosting", "series"} <= given
    assert "stl_ar" not in given


def test_a_folder_is_scored_by_the_workers_as_on_one_machine(own, rows, cluster, tmp_path):
    """Of series, each file has all of some of them."""
    problem, columns = own.definition.problem, own.definition.columns
    by = rows[columns.series_names()[0]] if problem.of_series else np.arange(len(rows)) % 3
    (tmp_path / "in").mkdir()
    for name, part_of_them in rows.groupby(by):
        part_of_them.to_csv(tmp_path / "in" / f"{name}.csv", index=False)
    assert run_in(own.root, "predict", tmp_path / "in", tmp_path / "single").exit_code == 0
    on(own, cluster.address)
    done = run_in(own.root, "predict", tmp_path / "in", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert f"2 workers with 2 threads at {cluster.address}, busy for " in done.output
    written = sorted((tmp_path / "out").glob("*.csv"))
    assert len(written) == len(list((tmp_path / "in").iterdir())) > 1
    for path in written:
        assert path.read_bytes() == (tmp_path / "single" / path.name).read_bytes()


def test_local_starts_workers_and_ends_them(own, problem_type):
    if problem_type != "regression":
        pytest.skip("one problem type shows it")
    on(own, "local", workers=1, threads=2, memory="2GiB")
    edit(own, search={"method": "none"})
    result = run_in(own.root, "train", "--force")
    assert result.exit_code == 0, result.output
    assert "1 worker with 2 threads at tcp://127.0.0.1:" in result.output
    assert ", busy for " in result.output
