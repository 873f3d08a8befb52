"""What is particular to finding anomalies: labels, metrics, detectors, thresholds and reasons."""

import re

import numpy as np
import pandas as pd
import pytest
import skops.io
from mlsteps import UserError
from mlsteps.evaluation.bootstrap import measure
from mlsteps.files import read_json
from mlsteps.modeling import Neighbours, store
from mlsteps.modeling.anomaly_detection import describe_model
from mlsteps.preparation import Schema
from mlsteps.problem.anomaly_detection import METRICS, check_target, suggest_problem
from mlsteps.problem.columns import Column
from project import at, edit, load, log, part, project_toml, run_in
from sklearn import metrics as sklearn_metrics
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

PROBLEM_TYPES = ["anomaly_detection"]
CANDIDATES = part("anomaly_detection", "modeling.candidates").CANDIDATES
ROWS, STRANGE = 300, 15


@pytest.fixture
def places():
    """Rows of one cloud, the last of them far from it."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(ROWS, 3))
    rows[-STRANGE:] += 6 * random.choice([-1, 1], size=(STRANGE, 3))
    return rows


@pytest.fixture
def sensors(own, places):
    """A project whose data are readings of three sensors, the last of which are broken."""
    frame = pd.DataFrame(places, columns=["heat", "noise", "flow"])
    frame["shift"] = np.where(frame.index % 2, "day", "night")
    frame["state"] = np.where(frame.index >= ROWS - STRANGE, "broken", "fine")
    frame.to_csv(own.root / "sensors.csv", index=False)
    settings = {
        "problem": {"target": "state", "normal": "fine", "metric": "roc_auc", "minimum": 0.9},
        "data": {"path": "sensors.csv"},
        "columns": {"id": [], "date": "", "group": "", "drop": [], "kinds": {}},
        "split": {"by": "auto"},
        "evaluation": {"slices": []},
    }
    settings["columns"]["unknown_at_prediction"] = []
    return edit(own, **settings)


def test_metrics_agree_with_scikit_learn():
    random = np.random.default_rng(0)
    true = random.random(ROWS) < 0.1
    scores = random.normal(size=ROWS) + 2 * true
    flagged = scores > 1.5
    target = pd.Series(np.where(true, "anomaly", "normal")).astype("str")
    unknown = random.random(ROWS) < 0.2  # rows without a label do not count
    predictions = pd.DataFrame(
        {"prediction": np.where(flagged, "anomaly", "normal"), "score": scores}
    )
    found = measure(target.mask(unknown), predictions, METRICS, seed=0)
    true, scores, flagged = (part[~unknown] for part in (true, scores, flagged))
    assert {name: numbers["value"] for name, numbers in found.items()} == pytest.approx(
        {
            "roc_auc": sklearn_metrics.roc_auc_score(true, scores),
            "pr_auc": sklearn_metrics.average_precision_score(true, scores),
            "precision": sklearn_metrics.precision_score(true, flagged),
            "recall": sklearn_metrics.recall_score(true, flagged),
        }
    )


@pytest.mark.parametrize("name", CANDIDATES)
def test_every_candidate_finds_what_is_far_from_the_others(places, name):
    detector = clone(CANDIDATES[name].estimator).fit(places[:-STRANGE])
    scores = detector.score(places)
    true = np.arange(ROWS) >= ROWS - STRANGE
    assert sklearn_metrics.roc_auc_score(true, scores) > 0.99
    assert np.median(scores[~true]) == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize("name", CANDIDATES)
def test_a_threshold_of_part_of_the_rows_holds_for_all(name):
    rows = np.random.default_rng(0).normal(size=(1000, 3))
    new = np.random.default_rng(1).normal(size=(4000, 3))
    part, whole = (clone(CANDIDATES[name].estimator).fit(rows[:n]) for n in (700, 1000))
    threshold = np.quantile(part.score(rows[700:]), 0.9)
    assert np.mean(whole.score(new) > threshold) == pytest.approx(0.1, abs=0.05)


WRONG = {
    "flagged_share = 0.0": "flagged_share is 0.0, but should be greater than 0",
    "flagged_share = 1.0": "flagged_share is 1.0, but should be less than 0.5",
    'normal = "okay"': 'normal is "okay", a label that no row has',
    'target = ""': "takes labels, but target names no column of them",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_definition_ends_with_one_sentence_and_exit_code_2(sensors, line):
    path = sensors.root / "project.toml"
    key = line.partition(" ")[0]
    text = re.sub(rf"(?m)^{key} = .*$", line, path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    failed = run_in(sensors.root, "define")
    assert failed.exit_code == 2
    assert WRONG[line] in failed.output
    assert "Traceback" not in failed.output
    assert len(failed.output.strip().splitlines()) <= 2  # the line of `collect`, and the sentence


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_a_share_that_flags_nothing_or_half_of_all_is_refused(define, share):
    with pytest.raises(UserError, match=rf"flagged_share is {share}, but should be"):
        define(problem={"flagged_share": share})


def test_a_normal_label_that_no_row_has_is_refused(define):
    problem = define(problem={"normal": "okay"}).problem
    with pytest.raises(UserError, match=r'normal is "okay", a label that no row has; .* fine, bad'):
        check_target(pd.Series(["fine"] * 90 + ["bad"] * 10), problem, folds=5)


def test_labels_that_are_all_normal_are_refused_by_a_metric_that_takes_both(define):
    problem = define(problem={"normal": "fine", "metric": "pr_auc"}).problem
    with pytest.raises(UserError, match=r'all 100 labels are "fine"; set metric to "stability"'):
        check_target(pd.Series(["fine"] * 100), problem, folds=5)


@pytest.mark.parametrize("changes", [{"metric": "roc_auc"}, {"learn_from": "normal"}])
def test_what_takes_labels_is_refused_without_a_column_of_them(define, changes):
    with pytest.raises(UserError, match="takes labels, but target names no column of them"):
        define(problem={"target": "", **changes})


def test_too_few_normal_rows_to_learn_from_are_refused(define):
    problem = define(problem={"normal": "fine", "learn_from": "normal"}).problem
    with pytest.raises(UserError, match='learn_from is "normal", which leaves 8 rows'):
        check_target(pd.Series(["fine"] * 8 + ["bad"] * 4 + [None] * 90), problem, folds=5)


@pytest.mark.parametrize(
    ("learn_from", "learnt"),
    [("all", "1111"), ("not_anomalies", "1011"), ("normal", "1001")],
)
def test_known_anomalies_are_learnt_from_only_if_all_rows_are(define, learn_from, learnt):
    problem = define(problem={"normal": "1", "learn_from": learn_from}).problem
    target = problem.as_target(pd.Series(["1", "0", None, "normal"], dtype="str"))
    assert target.tolist()[:2] == ["normal", "anomaly"]
    assert "".join(str(int(x)) for x in problem.learns_from(target)) == learnt


@pytest.mark.parametrize(
    ("share", "metric"), [(0.2, "roc_auc"), (0.01, "pr_auc"), (0, "stability")]
)
def test_rare_anomalies_are_measured_by_how_pure_the_top_is(share, metric):
    broken = round(1000 * share)
    found = suggest_problem(1000, pd.Series(["fine"] * (1000 - broken) + ["bad"] * broken))
    assert found["metric"][0] == metric


def test_labels_suggest_the_share_and_the_metric_and_none_suggest_stability():
    found = suggest_problem(100, pd.Series(["fine"] * 96 + ["bad"] * 4))
    suggested = {key: value for key, (value, _) in found.items()}
    assert suggested["normal"] == "fine"
    assert suggested["flagged_share"] == pytest.approx(0.04)
    assert suggested["metric"] == "pr_auc"
    assert suggest_problem(100, pd.Series([None] * 100, dtype="str"))["metric"][0] == "stability"


@pytest.mark.parametrize("learn_from", ["all", "normal"])
def test_every_row_is_judged_by_a_model_that_has_not_seen_it(sensors, learn_from):
    edit(sensors, problem={"learn_from": learn_from, "flagged_share": 0.05})
    done = run_in(sensors.root, "run")
    assert done.exit_code == 0, done.output
    results = read_json(sensors.reports / "metrics.json")
    assert results["test"]["roc_auc"]["value"] > 0.99
    assert results["tested_on"] == "all rows, each by a model that has not seen it"
    assert results["outcome"]["flagged"] == "15 rows (5.0%)"
    page = (sensors.reports / "index.html").read_text(encoding="utf-8")
    for title in ("Scores", "ROC", "The flagged rows"):
        assert title in page


def test_a_prediction_names_what_makes_a_row_strange(sensors):
    assert run_in(sensors.root, "run").exit_code == 0
    usual = {"heat": 0.0, "noise": 0.0, "flow": 0.0, "shift": "day"}
    rows = pd.DataFrame([usual, usual | {"heat": 9.0}, usual | {"heat": -9.0, "flow": 9.0}])
    predictions = load(sensors).predict(rows)
    assert predictions["prediction"].tolist() == ["normal", "anomaly", "anomaly"]
    assert predictions["reasons"].tolist()[:2] == ["", "high heat"]
    assert set(predictions["reasons"][2].split("; ")) == {"low heat", "high flow"}
    assert predictions["score"].is_monotonic_increasing


def test_a_distance_that_is_better_closes_the_gate(sensors, places):
    """Anomalies that are alike: each has neighbours, so that it looks normal to LOF."""
    random = np.random.default_rng(1)
    clump = random.normal(20, 0.1, size=(100, 3))
    frame = pd.DataFrame(np.vstack([places[:-STRANGE], clump]), columns=["heat", "noise", "flow"])
    frame["state"] = np.where(frame.index < ROWS - STRANGE, "fine", "broken")
    frame.to_csv(sensors.root / "sensors.csv", index=False)
    edit(sensors, problem={"minimum": 0.0}, models={"candidates": ["lof"]})
    failed = run_in(sensors.root, "run")
    assert failed.exit_code == 1, failed.output
    reasons = read_json(sensors.reports / "metrics.json")["gate"]["reasons"]
    assert any("must not be worse" in reason for reason in reasons)


def test_rare_faults_of_dated_readings_are_found_after_define(tmp_path):
    random, rows = np.random.default_rng(0), 2000
    mixed = random.normal(size=(rows, 2)) @ random.normal(size=(2, 6))
    readings = mixed + 0.3 * random.normal(size=(rows, 6))
    for row in range(0, rows, 100):  # two sensors no longer go with the others
        readings[row, random.choice(6, 2, replace=False)] += random.choice([-4, 4], 2)
    frame = pd.DataFrame(readings, columns=[f"sensor {k}" for k in range(6)])
    frame["read"] = pd.date_range("2025-01-01", periods=rows, freq="h").strftime("%Y-%m-%d %H:%M")
    frame["state"] = np.where(np.arange(rows) % 100, "fine", "broken")
    frame.to_csv(tmp_path / "sensors.csv", index=False)
    (tmp_path / "project.toml").write_text(project_toml("anomaly_detection"), encoding="utf-8")
    done = run_in(tmp_path, "define", "--data", "sensors.csv", "--target", "state")
    assert "Good enough is PR AUC clearly better than chance" in done.output
    models, search = {"candidates": ["isolation_forest", "covariance"]}, {"method": "none"}
    edit(at(tmp_path), models=models, search=search | {"folds": 3})
    done = run_in(tmp_path, "run")
    assert done.exit_code == 0, done.output
    results = read_json(tmp_path / "reports" / "metrics.json")
    assert results["test"]["pr_auc"]["value"] > 0.9
    assert results["test"]["recall"]["value"] > 0.8


def test_feedback_becomes_labels_that_the_next_round_learns_from(sensors):
    assert run_in(sensors.root, "run").exit_code == 0
    rows = pd.read_csv(sensors.root / "sensors.csv").tail(40)
    labels = rows["state"].map({"fine": "normal", "broken": "anomaly"})
    log(sensors, rows.assign(heat=rows["heat"] + 0.01), labels)
    done = run_in(sensors.root, "improve")
    assert done.exit_code == 0, done.output
    prepared = pd.concat(
        [pd.read_parquet(sensors.prepared / f"{part}.parquet") for part in ("train", "test")]
    )
    known = prepared[~prepared[" key"].duplicated()]["state"].value_counts()
    assert known.to_dict() == {"normal": ROWS - STRANGE + 25, "anomaly": 2 * STRANGE}


def test_without_labels_a_model_is_judged_by_its_stability(sensors):
    edit(sensors, problem={"target": "", "metric": "stability", "minimum": 0.5})
    edit(sensors, columns={"drop": ["state"]})
    done = run_in(sensors.root, "run")
    assert done.exit_code == 0, done.output
    results = read_json(sensors.reports / "metrics.json")
    assert results["test"]["stability"]["low"] > 0.5
    assert "roc_auc" not in results["test"]


def test_a_rare_digit_is_found_among_grey_values_without_labels(sensors):
    """A search by stability chose a one-class SVM, whose ROC AUC is 0.21 here."""
    images, digits = load_digits(return_X_y=True)
    rows = np.concatenate([np.flatnonzero(digits != 8), np.flatnonzero(digits == 8)[:20]])
    rows = np.random.default_rng(0).permutation(rows)
    frame = pd.DataFrame(images[rows], columns=[f"pixel {k}" for k in range(64)])
    frame.to_csv(sensors.root / "sensors.csv", index=False)
    edit(sensors, problem={"target": "", "metric": "stability", "minimum": "none"})
    edit(sensors, preparation={"scaling": "auto"}, models={"candidates": [*CANDIDATES]})
    for step in ("define", "collect", "prepare"):
        assert run_in(sensors.root, step).exit_code == 0
    done = run_in(sensors.root, "train")
    assert "mean_of_ranks is taken" in done.output
    assert "left out: isolation_forest, lof, svm, covariance, no label tells" in done.output
    assert "columns of numbers have one unit, as 42 reach from 0 to 16" in done.output
    version = sensors.models / store.newest_version(sensors.models)
    scores = pd.read_parquet(version / store.OUT_OF_FOLD)["score"]
    assert sklearn_metrics.roc_auc_score(digits[rows] == 8, scores.sort_index()) > 0.85


@pytest.mark.parametrize("known", [2, ROWS])
def test_labels_choose_be_they_few_or_many(sensors, known):
    path = sensors.root / "sensors.csv"
    rows = pd.read_csv(path)
    rows["state"] = rows["state"].where((rows.index < known) | (rows.index >= ROWS - known // 2))
    rows.to_csv(path, index=False)
    names = ["svm", "isolation_forest"]
    edit(sensors, problem={"metric": "stability", "minimum": "none"}, models={"candidates": names})
    assert run_in(sensors.root, "run").exit_code == 0
    version = sensors.models / store.newest_version(sensors.models)
    trained = read_json(version / store.RUN)
    assert trained["metric"] == "roc_auc"
    assert {line["model"] for line in trained["leaderboard"]} == set(names)
    assert trained["trials"][0]["cv_mean"] == max(line["cv_mean"] for line in trained["trials"])


def test_local_outlier_factors_are_those_of_scikit_learn(places):
    near, far = places[:200], places[200:]
    known = LocalOutlierFactor(n_neighbors=20, novelty=True).fit(near)
    found = Neighbours([5, 20]).fit(near)
    assert found.score_samples(far)[:, 3] == pytest.approx(known.score_samples(far))
    assert found.training_scores_[:, 3] == pytest.approx(known.negative_outlier_factor_)


def test_of_far_rows_the_further_is_the_stranger(places):
    detector = clone(CANDIDATES["mean_of_ranks"].estimator).fit(places)
    scores = detector.score(np.outer([0, 3, 10, 100, 1000, 1e6], np.ones(3)))
    assert (np.diff(scores) > 0).all()


def test_many_rows_are_held_against_a_sample_of_them_and_that_is_said():
    rows = np.random.default_rng(0).normal(size=(30_000, 3))
    detector = clone(CANDIDATES["mean_of_ranks"].estimator)
    with pytest.warns(UserWarning, match="among 5,000 of 30,000 rows, drawn at random"):
        detector.fit(rows)
    kept = skops.io.dumps(detector)
    assert len(kept) < 1e7
    assert np.median(detector.score(rows[:2000])) == pytest.approx(0, abs=0.1)


def test_reasons_know_the_feature_of_each_number_whatever_the_encoder_is_made_of():
    random = np.random.default_rng(0)
    rows = pd.DataFrame({"heat": random.normal(size=50), "flow": random.normal(size=50)})
    rows["shift"] = pd.Series(np.where(rows.index % 2, "day", "night"), dtype="str")
    encoder = ColumnTransformer(
        [
            ("labels", OneHotEncoder(sparse_output=False), ["shift"]),
            ("axes", PCA(1), ["heat", "flow"]),
            ("kept", "passthrough", ["heat"]),
        ]
    ).fit(rows)
    kinds = {"heat": "number", "flow": "number", "shift": "category"}
    examples = {"heat": 0.5, "flow": 0.5, "shift": "day"}
    columns = [Column(name=n, kind=kind, example=examples[n]) for n, kind in kinds.items()]
    schema = Schema(
        problem="anomaly_detection", target="", inputs=columns, features=columns, ignored=[]
    )
    known = describe_model(make_pipeline(encoder), rows, schema)
    assert known["positions"] == {"heat": [2, 3], "flow": [2], "shift": [0, 1]}
