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
    clusters = clone(CANDIDATES["kmeans"].estimator).fit(places).predict(places)
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


def test_rows_that_would_be_a_cluster_of_hardly_any_are_set_aside(clouds):
    places, true = clouds
    rows = np.vstack([places, np.full((3, 3), 99.0) + np.eye(3)])
    for name in ("kmeans", "mixture", "hierarchical"):
        clusterer = clone(CANDIDATES[name].estimator).set_params(n_clusters=3).fit(rows)
        clusters, distances = clusterer.assign(rows)
        assert sklearn_metrics.adjusted_rand_score(true, clusters[:ROWS]) > 0.95
        assert (distances[ROWS:] > 5 * clusterer.reach_[clusters[ROWS:]]).all()


def test_an_estimator_that_makes_many_clusters_of_hardly_any_rows_fails():
    rows = np.append(np.random.default_rng(0).normal(size=300), np.arange(1, 41) * 1000.0)[:, None]
    with pytest.raises(ValueError, match=r"makes clusters of \d of 340 rows"):
        clone(CANDIDATES["kmeans"].estimator).set_params(n_clusters=8).fit(rows)


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


@pytest.fixture
def group(tmp_path):
    """Run a new project on rows that nothing is known of; return it, and what it printed."""

    def run(frame, clusters=(2, 8), candidates=("kmeans", "mixture")):
        frame.to_csv(tmp_path / "rows.csv", index=False)
        (tmp_path / "project.toml").write_text(project_toml("clustering"), encoding="utf-8")
        run_in(tmp_path, "define", "--data", "rows.csv")
        project = edit(
            at(tmp_path),
            problem={"clusters": list(clusters), "minimum": "none"},
            models={"candidates": list(candidates)},
            search={"method": "none"},
        )
        done = run_in(tmp_path, "run")
        assert done.exit_code in (0, 1), done.output
        return project, done.output, read_json(tmp_path / "reports" / "metrics.json")

    return run


def around(centres, rows, seed=0):
    """Return so many rows around each centre."""
    random = np.random.default_rng(seed)
    places = np.repeat(np.asarray(centres, dtype="float64"), rows, axis=0)
    frame = pd.DataFrame(places + random.normal(size=places.shape))
    return frame.rename(columns=lambda k: f"x{k}").sample(frac=1, random_state=seed + 1)


def test_a_far_handful_hides_no_clusters_and_is_named_as_outliers(group):
    rows = around([[0, 0, 0], [7, 0, 0], [0, 7, 0], [7, 7, 7]], 70)
    handful = around([[300, 300, 300]], 4)
    project, _, results = group(pd.concat([rows, handful]))
    assert results["outcome"]["clusters"] == 4
    assert results["outcome"]["outliers"] == "4 rows far from every cluster"
    page = (project.reports / "index.html").read_text(encoding="utf-8")
    outliers = page.split("Outliers</h")[1].split("</table>")[0]
    assert outliers.count("<tr>") == 1 + 4


def test_five_clusters_in_two_blobs_are_five(group):
    near = [[0, 0, 0], [6, 0, 0], [0, 6, 0]]
    project, output, results = group(around([*near, [60, 60, 60], [66, 60, 60]], 60))
    assert results["outcome"]["clusters"] == 5
    run = read_json(project.models / store.newest_version(project.models) / "run.json")
    silhouettes = {
        trial["settings"]["n_clusters"]: trial["silhouette"]
        for trial in run["trials"]
        if trial["model"] == "kmeans"
    }
    assert max(silhouettes, key=silhouettes.get) == 2  # which alone would have chosen two
    assert output.count("5 clusters, sure: so many come out in ") == 2  # of train and evaluate
    assert "of 200 draws of the rows; next best 6 (" in output
    card = project.models / store.newest_version(project.models) / "card.md"
    assert "5 clusters, sure: so many come out in " in card.read_text(encoding="utf-8")
    page = (project.reports / "index.html").read_text(encoding="utf-8")
    for word in ("share of draws", "Stability of the weakest cluster", "Gain in log density"):
        assert word in page


def test_one_cluster_is_said_to_be_none(group):
    _, output, results = group(around([[0, 0, 0, 0]], 300))
    assert output.count("There are no clusters: one describes the rows as well as several") == 2
    assert not results["gate"]["passed"]
    assert any("There are no clusters" in reason for reason in results["gate"]["reasons"])


def test_a_number_that_a_user_fixes_is_kept(group):
    _, output, results = group(around([[0, 0], [8, 0], [0, 8]], 60), clusters=(2, 2))
    assert results["outcome"]["clusters"] == 2
    assert "2 clusters: no other number was tried, or none was stable" in output


def test_labels_have_no_density_so_the_metric_chooses(group):
    random, kind = np.random.default_rng(0), np.repeat([0, 1, 2], 80)
    frame = pd.DataFrame(
        {
            name: np.where(random.random(240) < 0.95, kind, random.integers(0, 3, 240))
            for name in ("colour", "shape", "size", "origin")
        }
    ).map(lambda k: ["one", "two", "three"][k])
    _, output, results = group(frame, candidates=["kmeans"])
    assert "Silhouette alone has chosen: there is no column of numbers to describe" in output
    assert results["outcome"]["clusters"] == 3


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
