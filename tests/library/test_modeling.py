"""The search, and how a model is stored: honest about time, and never executed on loading."""

import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from typing import ClassVar
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pandas as pd
import pytest
import skops.io
from joblib import Parallel
from mlsteps import UserError
from mlsteps.files import read_json
from mlsteps.modeling import Candidate, parallel, store
from project import edit, part, run_in
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.feature_selection import chi2
from sklearn.gaussian_process.kernels import Matern
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier


@pytest.fixture
def candidates(problem_type):
    """The table of candidates of the project."""
    return part(problem_type, "modeling.candidates").CANDIDATES


def newest_run(project):
    return read_json(project.models / store.newest_version(project.models) / "run.json")


def test_a_search_tries_the_defaults_and_then_other_settings(own, candidates):
    edit(own, models={"candidates": ["logistic"]}, search={"method": "random", "iterations": 8})
    assert run_in(own.root, "train").exit_code == 0
    tried = {key for trial in newest_run(own)["trials"] for key in trial["settings"]}
    assert set(candidates["logistic"].space) <= tried
    assert newest_run(own)["leaderboard"][0] == newest_run(own)["trials"][0]


@pytest.fixture
def with_workers(monkeypatch):
    """Let so many fits run beside each other, whatever the cores."""

    def change(number):
        def with_number(jobs, **keys):
            return Parallel(number if jobs == parallel.ALL_CORES else jobs, **keys)

        monkeypatch.setattr(parallel, "Parallel", with_number)

    return change


def test_the_numbers_are_the_same_however_many_fits_run_beside_each_other(
    own, candidates, with_workers
):
    names = [name for name in candidates if name != "mlp"]
    named = [*names, "ensemble"]
    edit(own, models={"candidates": named}, search={"method": "random", "iterations": 1})
    found = []
    for workers in (1, 2, 8):
        with_workers(workers)
        assert run_in(own.root, "train", "--force").exit_code == 0
        run = newest_run(own)
        trials = [(t["model"], t["settings"], t["cv_mean"], t["cv_std"]) for t in run["trials"]]
        decision = read_json(own.models / run["version"] / "schema.json")["decision"]
        found.append((trials, decision))
    assert len(found[0][0]) == 2 * len(names) + 1
    assert found[0] == found[1] == found[2]


class Endless(ClassifierMixin, BaseEstimator):
    """A class of the project's own that takes longer than anybody waits."""

    begun, ended = threading.Event(), threading.Event()

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        if len(y) > 100:  # as many are tried before the search
            Endless.begun.set()
            Endless.ended.wait(60)
        return self


def press_ctrl_c():
    if Endless.begun.wait(60):
        os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_ends_a_search_while_fits_run(own, candidates, monkeypatch, with_workers):
    first, _ = own.definition.models.candidates
    monkeypatch.setitem(candidates, first, Candidate(Endless(), encoder=candidates[first].encoder))
    pipeline = part(own.definition.problem.type, "pipeline")
    monkeypatch.setattr(pipeline, "TRUSTED", [f"{__name__}.Endless"])
    with_workers(2)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
    threading.Thread(target=press_ctrl_c).start()
    started = time.monotonic()
    assert run_in(own.root, "train", "--force").exit_code == 130
    assert time.monotonic() - started < 20
    Endless.ended.set()
    signal.signal(signal.SIGINT, before)


def test_with_a_budget_the_search_goes_on_until_it_is_up(
    own, candidates, monkeypatch, with_workers
):
    with_workers(1)
    plain, values = candidates["logistic"], np.geomspace(1e-6, 10, 8000).tolist()
    many = Candidate(plain.estimator, {"C": values}, encoder=plain.encoder)
    monkeypatch.setitem(candidates, "logistic", many)
    edit(own, models={"candidates": ["logistic"]}, search={"method": "budget", "budget_seconds": 1})
    assert run_in(own.root, "train", "--force").exit_code == 0
    run = newest_run(own)
    assert run["search_seconds"] > 0.9
    assert run["left_out"] == {}
    first = next(trial for trial in run["trials"] if not trial["settings"])
    assert len(run["trials"]) == 1 or run["trials"][0]["cv_mean"] >= first["cv_mean"]
    assert run["seconds"]["logistic"] > sum(trial["fit_seconds"] for trial in run["trials"])


def test_a_budget_that_ends_before_any_candidate_is_scored_is_an_error(own):
    edit(own, search={"budget_seconds": 1e-6})
    failed = run_in(own.root, "train")
    assert failed.exit_code == 2
    assert "the time budget ended first" in failed.output
    assert "Raise [search] budget_seconds = 1e-06" in failed.output


def test_a_candidate_that_fails_is_left_out_with_its_reason(own, candidates, monkeypatch):
    first, second = own.definition.models.candidates
    fails = Candidate(KNeighborsClassifier(n_neighbors=9999), encoder=candidates[first].encoder)
    monkeypatch.setitem(candidates, first, fails)
    done = run_in(own.root, "train", "--force")
    assert done.exit_code == 0, done.output
    assert f"left out: {first}" in done.output
    assert [line["model"] for line in newest_run(own)["leaderboard"]] == [second]
    assert "Expected n_neighbors <= n_samples_fit" in newest_run(own)["left_out"][first]
    monkeypatch.setitem(candidates, second, fails)
    failed = run_in(own.root, "train", "--force")
    assert failed.exit_code == 2
    assert "No candidate could be scored" in failed.output


class Mistaken(ClassifierMixin, BaseEstimator):
    """A class of the project's own, with a mistake in it."""

    def fit(self, X, y):
        self.classes_ = sorted(set(y))
        return self

    def predict_proba(self, X):
        return X.reshape(3, -1, 7)


def test_a_class_of_ones_own_has_to_be_trusted_and_a_mistake_in_it_keeps_its_traceback(
    own, candidates, monkeypatch
):
    first, _ = own.definition.models.candidates
    mistaken = Candidate(Mistaken(), encoder=candidates[first].encoder)
    monkeypatch.setitem(candidates, first, mistaken)
    refused = run_in(own.root, "train", "--force")
    assert refused.exit_code == 2
    assert f'"{first}" needs the types {__name__}.Mistaken, which are not' in refused.output
    pipeline = part(own.definition.problem.type, "pipeline")
    monkeypatch.setattr(pipeline, "TRUSTED", [f"{__name__}.Mistaken"])
    failed = run_in(own.root, "train", "--force")
    assert isinstance(failed.exception, ValueError)
    frames = []
    trace = failed.exception.__traceback__
    while trace:
        frames.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert frames[-1] == "predict_proba"


class Part:
    """What a model of the project's own holds once it is fitted."""


class Holder(LogisticRegression):
    """A class of the project's own that shows only after a fit what it is made of."""

    fits: ClassVar[list[int]] = []

    def fit(self, X, y):
        self.fits.append(len(X))
        self.part_ = Part()
        return super().fit(X, y)


def test_a_type_that_shows_after_a_fit_is_told_before_the_search(own, candidates, monkeypatch):
    first, _ = own.definition.models.candidates
    holder = Candidate(Holder(), encoder=candidates[first].encoder)
    monkeypatch.setitem(candidates, first, holder)
    pipeline = part(own.definition.problem.type, "pipeline")
    monkeypatch.setattr(pipeline, "TRUSTED", [f"{__name__}.Holder"])
    refused = run_in(own.root, "train", "--force")
    assert refused.exit_code == 2
    assert f'"{first}" needs the types {__name__}.Part, which are not' in refused.output
    assert len(Holder.fits) == 1
    assert Holder.fits[0] < 120 < len(pd.read_parquet(own.prepared / "train.parquet"))


def test_a_candidate_that_cannot_be_read_again_is_told_before_the_search(
    own, candidates, monkeypatch
):
    first, _ = own.definition.models.candidates
    scaled = make_pipeline(FunctionTransformer(lambda X: X), candidates[first].estimator)
    monkeypatch.setitem(candidates, first, Candidate(scaled, encoder=candidates[first].encoder))
    pipeline = part(own.definition.problem.type, "pipeline")
    monkeypatch.setattr(pipeline, "TRUSTED", [f"{__name__}.<lambda>"])
    refused = run_in(own.root, "train", "--force")
    assert refused.exit_code == 2
    assert f'Candidate "{first}" cannot be stored and read again (' in refused.output


def test_a_candidate_without_an_encoder_is_named(own, candidates, monkeypatch):
    first, _ = own.definition.models.candidates
    monkeypatch.setitem(candidates, first, Candidate(candidates[first].estimator))
    failed = run_in(own.root, "train", "--force")
    assert failed.exit_code == 2
    assert f'Candidate "{first}" needs an encoder' in failed.output


def test_a_budget_that_ends_early_keeps_what_was_scored_and_says_so(own, candidates, monkeypatch):
    plain = candidates["logistic"]
    many = Candidate(plain.estimator, {"C": [1.0] * 8000}, encoder=plain.encoder)
    monkeypatch.setitem(candidates, "logistic", many)
    edit(
        own,
        models={"candidates": ["logistic"]},
        search={"method": "grid", "budget_seconds": 2.0},
    )
    assert run_in(own.root, "train").exit_code == 0
    assert "time budget ended" in newest_run(own)["left_out"]["logistic"]


class Slow(ClassifierMixin, BaseEstimator):
    """A class of the project's own that takes a while."""

    def fit(self, X, y):
        time.sleep(0.6)
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def test_a_slow_candidate_leaves_the_others_their_turn_and_is_named_with_the_reason(
    own, candidates, monkeypatch, with_workers
):
    with_workers(1)
    first, second = own.definition.models.candidates
    monkeypatch.setitem(candidates, first, Candidate(Slow(), encoder=candidates[first].encoder))
    pipeline = part(own.definition.problem.type, "pipeline")
    monkeypatch.setattr(pipeline, "TRUSTED", [f"{__name__}.Slow"])
    edit(own, search={"budget_seconds": 1.5})
    done = run_in(own.root, "train", "--force")
    assert done.exit_code == 0, done.output
    assert f"left out: {first}, the time budget ended first" in done.output
    assert [line["model"] for line in newest_run(own)["leaderboard"]] == [second]
    assert f"<p>{first}: the time budget" in (own.reports / "index.html").read_text("utf-8")
    edit(own, search={"budget_seconds": 6})  # enough for both, once the other had its turn
    assert "left out" not in run_in(own.root, "train", "--force").output
    assert {line["model"] for line in newest_run(own)["leaderboard"]} == {first, second}


def test_what_the_fit_of_the_best_warns_of_is_said_once(own, candidates, monkeypatch, recwarn):
    plain = candidates["logistic"]
    hasty = Candidate(LogisticRegression(max_iter=1), encoder=plain.encoder)
    monkeypatch.setitem(candidates, "logistic", hasty)
    edit(own, models={"candidates": ["logistic"]})
    said = run_in(own.root, "train", "--force").output
    assert said.count("the fit of logistic warns: lbfgs failed to converge") == 1
    assert not recwarn.list
    assert "logistic warns: lbfgs" in (own.reports / "index.html").read_text(encoding="utf-8")


def test_a_candidate_that_cannot_scale_is_left_out_and_the_report_says_so(
    own, candidates, monkeypatch
):
    first, second = own.definition.models.candidates
    small = Candidate(candidates[first].estimator, encoder=candidates[first].encoder, most_rows=10)
    monkeypatch.setitem(candidates, first, small)
    assert run_in(own.root, "train", "--force").exit_code == 0
    run = newest_run(own)
    assert [line["model"] for line in run["leaderboard"]] == [second]
    assert "more than its limit of 10" in run["left_out"][first]
    assert "more than its limit of 10" in (own.reports / "index.html").read_text(encoding="utf-8")


def saved(path, estimator):
    path.write_bytes(skops.io.dumps(Pipeline([("estimator", estimator)])))
    return path


def renamed(path, old, new):
    """Change the name of a class in a model file."""
    with ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    nodes = parts["schema.json"].decode()
    for key, before, after in zip(
        ("__module__", "__class__"), old.rsplit(".", 1), new.rsplit(".", 1), strict=True
    ):
        nodes = nodes.replace(f'"{key}": "{before}"', f'"{key}": "{after}"')
    with ZipFile(path, "w") as archive:
        for name, content in (parts | {"schema.json": nodes}).items():
            archive.writestr(name, content)


def fitted(estimator):
    return clone(estimator).fit([[0.0], [1.0]], [0, 1])


@pytest.mark.parametrize(
    "name",
    [
        "somewhere.else.Mine",
        "sklearn.datasets._base.load_files",
        "sklearn.model_selection._validation.partial",  # only imported there
    ],
)
def test_a_model_with_a_type_that_is_not_trusted_is_refused(tmp_path, name):
    path = saved(tmp_path / "model.skops", fitted(LinearRegression()))
    renamed(path, "sklearn.linear_model._base.LinearRegression", name)
    with pytest.raises(UserError, match=rf"{re.escape(name)}, which are not trusted"):
        store.load_pipeline(path)


def test_a_class_that_moved_still_loads(tmp_path, monkeypatch):
    new = "sklearn.linear_model._logistic.LogisticRegression"
    path = saved(tmp_path / "model.skops", fitted(LogisticRegression()))
    renamed(path, new, "mlsteps.gone.OldName")
    with pytest.raises(UserError):
        store.load_pipeline(path)
    monkeypatch.setitem(store.MOVED, "mlsteps.gone.OldName", new)
    assert isinstance(store.load_pipeline(path)[-1], LogisticRegression)


def test_the_new_names_of_classes_that_moved_are_trusted():
    assert all(name in store.TRUSTED or store.is_part(name) for name in store.MOVED.values())


@pytest.mark.parametrize(
    ("library", "name", "settings"),
    [
        ("lightgbm", "LGBMClassifier", {"n_estimators": 2, "verbose": -1}),
        ("lightgbm", "LGBMRegressor", {"n_estimators": 2, "verbose": -1}),
        ("xgboost", "XGBClassifier", {"n_estimators": 2}),
        ("xgboost", "XGBRFRegressor", {"n_estimators": 2}),
        ("sklearn.neighbors", "KNeighborsClassifier", {"metric": "manhattan"}),
        ("sklearn.neighbors", "KNeighborsClassifier", {"algorithm": "ball_tree"}),
        ("sklearn.neural_network", "MLPClassifier", {"solver": "sgd"}),
        ("sklearn.calibration", "CalibratedClassifierCV", {}),
        ("sklearn.feature_selection", "SelectKBest", {"k": 1}),
        ("sklearn.feature_selection", "SelectKBest", {"k": 1, "score_func": chi2}),
        ("sklearn.gaussian_process", "GaussianProcessClassifier", {}),
        ("sklearn.gaussian_process", "GaussianProcessRegressor", {"kernel": Matern()}),
        ("sklearn.linear_model", "TweedieRegressor", {"power": 0, "link": "log"}),
        ("sklearn.linear_model", "GammaRegressor", {}),
        ("sklearn.cluster", "BisectingKMeans", {"n_clusters": 2}),
        ("sklearn.cluster", "FeatureAgglomeration", {"n_clusters": 1}),
        (
            "sklearn.ensemble",
            "StackingClassifier",
            {"estimators": [("tree", DecisionTreeClassifier())]},
        ),
        (
            "sklearn.model_selection",
            "GridSearchCV",
            {"estimator": Ridge(), "param_grid": {"alpha": [1]}},
        ),
    ],
)
def test_what_is_used_most_can_be_stored(tmp_path, library, name, settings):
    estimator = getattr(pytest.importorskip(library), name)(**settings)
    rows, classes = [[float(k)] * 2 for k in range(60)], [k % 2 + 1 for k in range(60)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such rows teach nothing
        model = estimator.fit(rows, classes)
    assert type(store.load_pipeline(saved(tmp_path / "model.skops", model))[-1]) is type(estimator)


def test_a_pickle_is_not_executed(tmp_path):
    path = tmp_path / "model.skops"
    path.write_bytes(pickle.dumps({"harmless": True}))
    with pytest.raises(UserError, match="cannot be read"):
        store.load_pipeline(path)


def test_a_model_file_that_would_fill_the_memory_is_refused_before_it_is_read(tmp_path):
    path = saved(tmp_path / "model.skops", fitted(LinearRegression()))
    with ZipFile(path, "a", ZIP_DEFLATED) as archive, archive.open("0.npy", "w") as file:
        for _ in range(100):
            file.write(bytes(1_000_000))
    assert path.stat().st_size < 1e6
    with pytest.raises(UserError, match=r"cannot be read \(it unpacks to 100 MB, as no model"):
        store.load_pipeline(path)


def test_a_predictor_is_loaded_without_search_plots_and_evaluation(own):
    folder = store.champion_folder(own.models)
    code = f"""
import sys
from pathlib import Path
from mlsteps.modeling import load_predictor
load_predictor(Path({str(folder)!r}), lambda rows: rows, lambda predictions, rows: predictions)
heavy = ["matplotlib", "statsmodels", "mlsteps.evaluation", "mlsteps.modeling.search"]
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_rollback_goes_back_promotion_by_promotion(own):
    first = store.champion(own.models)
    assert run_in(own.root, "run", "--force").exit_code == 0
    second = store.champion(own.models)
    assert second != first
    assert run_in(own.root, "rollback").exit_code == 0
    assert store.champion(own.models) == first
    failed = run_in(own.root, "rollback")
    assert failed.exit_code == 2
    assert "no earlier champion" in failed.output
    assert run_in(own.root, "promote", second).exit_code == 0
    assert store.champion(own.models) == second


def test_what_is_said_of_a_damaged_champion_json_brings_back_all_champions(own):
    first = store.champion(own.models)
    second = f"{first}_2"
    shutil.copytree(own.models / first, own.models / second)
    store.promote(own, second, "better")
    pointer = own.models / store.CHAMPION
    pointer.write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="move it away and `promote`, in their order, the champion"):
        store.rollback(own, "by hand")
    pointer.rename(own.root / "damaged.json")
    lines = (own.models / store.HISTORY).read_text(encoding="utf-8").splitlines()
    for line in lines:
        store.promote(own, json.loads(line)["champion"], "by hand")
    assert store.champion(own.models) == second
    assert store.rollback(own, "by hand") == first


def test_a_version_for_another_target_is_neither_promoted_nor_gone_back_to(own):
    first = store.champion(own.models)
    second = f"{first}_2"
    shutil.copytree(own.models / first, own.models / second)
    assert run_in(own.root, "promote", second).exit_code == 0
    path = own.models / first / "schema.json"
    content = read_json(path) | {"target": "something else"}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert "no earlier champion" in run_in(own.root, "rollback").output
    refused = run_in(own.root, "promote", first)
    assert refused.exit_code == 2
    assert "made for another problem or target" in refused.output


def test_promote_names_the_versions_there_are(own):
    failed = run_in(own.root, "promote", "yesterday")
    assert failed.exit_code == 2
    assert f'no version "yesterday"; versions: {store.champion(own.models)}' in failed.output
