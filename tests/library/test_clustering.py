"""What is particular to grouping rows: metrics, clusterers, profiles and the gate."""

import numpy as np
import pandas as pd
import pytest
from mlsteps import UserError
from mlsteps.evaluation.bootstrap import measure
from mlsteps.files import read_json
from mlsteps.modeling import Clusterer, store
from mlsteps.modeling.clustering import add_metric_columns, profile
from mlsteps.problem.clustering import METRICS, check_target
from mlsteps.problem.columns import Column
from project import at, edit, part, project_toml, run_in
from sklearn import metrics as sklearn_metrics
from sklearn.base import clone

PROBLEM_TYPES = ["clustering"]
CANDIDATES = part("clustering", "modeling.candidates").CANDIDATES
ROWS = 300


@pytest.fixture
def clouds():
    """Rows around three places, and the place of each."""
    random = np.random.default_rng(0)
    place = random.choice(3, ROWS, p=[0.5, 0.3, 0.2])
    centres = np.array([[0.0, 0, 0], [6, 6, 0], [-6, 6, 3]])
    return centres[place] + random.normal(size=(ROWS, 3)), place


def test_metrics_agree_with_scikit_learn(clouds):
    places, true = clouds
    clusters = CANDIDATES["kmeans"].estimator.fit(places).predict(places)
    predictions = add_metric_columns(pd.DataFrame({"prediction": clusters}), places)
    found = measure(pd.Series(true), predictions, METRICS, seed=0)
    assert {name: numbers["value"] for name, numbers in found.items()} == pytest.approx(
        {
            "silhouette": sklearn_metrics.silhouette_score(places, clusters),
            "davies_bouldin": sklearn_metrics.davies_bouldin_score(places, clusters),
            "calinski_harabasz": sklearn_metrics.calinski_harabasz_score(places, clusters),
            "ari": sklearn_metrics.adjusted_rand_score(true, clusters),
        }
    )


@pytest.mark.parametrize("name", CANDIDATES)
def test_every_candidate_finds_clear_clusters_and_puts_new_rows_into_them(clouds, name):
    places, true = clouds
    clusterer = clone(CANDIDATES[name].estimator).set_params(n_clusters=3).fit(places)
    assert clusterer.classes_ == ["1", "2", "3"]
    clusters, distances = clusterer.assign(places)
    assert sklearn_metrics.adjusted_rand_score(true, clusters) > 0.95
    assert np.bincount(clusters).tolist() == sorted(np.bincount(clusters), reverse=True)
    near, far = clusterer.assign(np.array([[6.0, 6, 0], [60.0, 60, 0]]))[1]
    assert near < distances.max() < far


def test_a_cluster_of_hardly_any_rows_is_an_outlier_and_no_cluster():
    rows = np.vstack([np.random.default_rng(0).normal(size=(ROWS, 2)), [[99.0, 99.0]]])
    with pytest.raises(ValueError, match="makes a cluster of 1 of 301 rows"):
        clone(CANDIDATES["hierarchical"].estimator).set_params(n_clusters=2).fit(rows)


def test_a_profile_says_what_is_high_low_and_typical():
    random = np.random.default_rng(0)
    inside = np.arange(ROWS) < 100
    features = pd.DataFrame(
        {
            "size": random.normal(size=ROWS) + np.where(inside, 5, 0),
            "noise": random.normal(size=ROWS),
            "colour": np.where(inside, "red", random.choice(["red", "blue"], ROWS)),
            "seen": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(ROWS), "D"),
        }
    )
    kinds = {"size": "number", "noise": "number", "colour": "category", "seen": "date"}
    columns = [Column(name=name, kind=kind) for name, kind in kinds.items()]
    words = profile(features, inside, columns)
    assert words.startswith("very high size (typically 5")
    assert "mostly colour red (100%" in words
    assert "early seen (typically 2026-02-19" in words
    assert "noise" not in words
    assert profile(features, inside | True, columns) == "typical in every column"


def test_more_clusters_than_rows_are_refused(define):
    target = pd.Series([None] * 12, dtype="str")
    with pytest.raises(UserError, match=r"clusters goes up to 10, but .* leaves 9 of the 12 rows"):
        check_target(target, define(problem={"clusters": [2, 10]}).problem, folds=5)


@pytest.mark.parametrize("clusters", [[1, 5], [5, 2]])
def test_a_range_of_clusters_that_is_none_is_refused(define, clusters):
    with pytest.raises(UserError, match="it must be the fewest and the most that are tried"):
        define(problem={"clusters": clusters})


def test_every_number_of_clusters_is_tried_and_shown_with_its_stability(own):
    edit(own, problem={"clusters": [2, 4]}, models={"candidates": ["kmeans"]})
    assert run_in(own.root, "run").exit_code in (0, 1)
    run = read_json(own.models / store.newest_version(own.models) / "run.json")
    assert {trial["settings"]["n_clusters"] for trial in run["trials"]} == {2, 3, 4}
    assert all(trial["stability"] <= 1 for trial in run["trials"])
    page = (own.reports / "index.html").read_text(encoding="utf-8")
    for title in ("How many clusters", "Silhouettes", "Map", "What each cluster is like"):
        assert title in page


def test_four_groups_are_found_among_numbers_labels_and_a_date(tmp_path):
    random, rows = np.random.default_rng(0), 800
    group = random.integers(0, 4, rows)
    centres = np.array([[0.0, 0, 3, 0], [3, 0, 0, 3], [0, 3, 0, 3], [3, 3, 3, 0]])
    frame = pd.DataFrame(centres[group] + 0.8 * random.normal(size=(rows, 4)), columns=[*"abcd"])
    frame["channel"] = np.where(random.random(rows) < 0.7, group, random.integers(0, 4, rows))
    frame["channel"] = frame["channel"].map(dict(enumerate(["web", "shop", "app", "phone"])))
    frame["region"] = random.choice(["north", "south", "west"], rows)
    hours = pd.date_range("2024-01-01", periods=rows, freq="11h")
    frame.insert(0, "seen", hours.strftime("%Y-%m-%d %H:%M"))
    frame.assign(group=group).to_csv(tmp_path / "shoppers.csv", index=False)
    (tmp_path / "project.toml").write_text(project_toml("clustering"), encoding="utf-8")
    run_in(tmp_path, "define", "--data", "shoppers.csv", "--target", "group")
    edit(at(tmp_path), models={"candidates": ["kmeans"]}, search={"method": "none", "folds": 3})
    done = run_in(tmp_path, "run")
    assert done.exit_code == 0, done.output
    results = read_json(tmp_path / "reports" / "metrics.json")
    assert results["outcome"]["clusters"] == 4
    assert results["test"]["ari"]["value"] > 0.9


def test_clusters_that_do_not_hold_do_not_pass_the_gate(own):
    random = np.random.default_rng(0)
    noise = pd.DataFrame(random.normal(size=(200, 4)), columns=list("abcd"))
    noise.to_csv(own.root / "noise.csv", index=False)
    edit(
        own,
        problem={"target": "", "minimum": -1.0, "minimum_stability": 0.0},
        data={"path": "noise.csv"},
        columns={"id": [], "date": "", "group": "", "drop": [], "kinds": {}},
        evaluation={"slices": []},
    )
    failed = run_in(own.root, "run")
    assert failed.exit_code == 1, failed.output
    gate = read_json(own.reports / "metrics.json")["gate"]
    assert any("one_cluster" in reason for reason in gate["reasons"])


def test_a_model_goes_with_what_each_of_its_clusters_is_like(project):
    described = project.models / store.champion(project.models) / "schema.json"
    decision = read_json(described)["decision"]
    assert list(decision["profiles"]) == decision["classes"]
    assert all(decision["profiles"].values())


def test_clouds_are_cut_up_in_training_and_no_model_is_fitted_in_evaluate(own, monkeypatch):
    def refuse(self, X, y=None):
        raise AssertionError("a model was fitted")

    baselines = read_json(own.reports / "metrics.json")["baselines"]
    assert list(baselines) == ["one_cluster", "random"]
    monkeypatch.setattr(Clusterer, "fit", refuse)
    assert run_in(own.root, "evaluate", "--force").exit_code in (0, 1)
    assert read_json(own.reports / "metrics.json")["baselines"] == baselines
