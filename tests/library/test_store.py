"""How models are stored: never executed on loading, and promoted one after the other."""

import json
import pickle
import re
import shutil
import subprocess
import sys
import warnings
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import skops.io
from mlsteps import UserError
from mlsteps.files import read_json
from mlsteps.modeling import store
from project import run_in
from sklearn.base import clone
from sklearn.feature_selection import chi2
from sklearn.gaussian_process.kernels import Matern
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier


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


def test_the_tenth_version_of_a_clock_that_was_put_back_is_the_newest(own):
    shutil.copytree(own.models / store.champion(own.models), own.models / "20990101-000000_9")
    for count in (10, 11):
        done = run_in(own.root, "run", "--force")
        assert done.exit_code == 0, done.output
        assert store.newest_version(own.models) == f"20990101-000000_{count}"
        assert (own.models / store.newest_version(own.models) / store.METRICS).is_file()


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
