"""The search, and how a model is stored: honest about time, and never executed on loading."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io
from conftest import edit, run_in
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from {{ cookiecutter.package_name }}.errors import UserError
from {{ cookiecutter.package_name }}.files import read_json
from {{ cookiecutter.package_name }}.modeling import CANDIDATES, store
from {{ cookiecutter.package_name }}.modeling.candidate import Candidate
from {{ cookiecutter.package_name }}.modeling.predictor import load_predictor


def newest_run(project):
    return read_json(project.models / store.newest_version(project.models) / "run.json")


def test_every_candidate_is_judged_stored_and_read_again(own):
    edit(own, models={"candidates": list(CANDIDATES)})
    for name in CANDIDATES:
        edit(own, models={"candidates": [name]})
        done = run_in(own.root, "train")
        assert done.exit_code == 0, done.output
        folder = own.models / store.newest_version(own.models)
        test = pd.read_parquet(own.prepared / "test.parquet")
        answers = load_predictor(folder).answer(test)
        assert len(answers) == len(test)
        assert np.isfinite(answers.select_dtypes("number")).all(axis=None)


def test_a_search_tries_the_defaults_and_then_other_settings(own):
    name, space = next((name, c.space) for name, c in CANDIDATES.items() if c.space)
    edit(own, models={"candidates": [name]}, search={"method": "random", "iterations": 8})
    assert run_in(own.root, "train").exit_code == 0
    tried = {key for trial in newest_run(own)["trials"] for key in trial["settings"]}
    assert set(space) <= tried
    assert newest_run(own)["leaderboard"][0] == newest_run(own)["trials"][0]


def test_a_budget_that_ends_before_any_candidate_is_judged_is_an_error(own):
    edit(own, search={"budget_seconds": 1e-6})
    failed = run_in(own.root, "train")
    assert failed.exit_code == 2
    assert "the time budget ended first" in failed.output
    assert "Raise [search] budget_seconds = 1e-06" in failed.output


def test_a_candidate_that_fails_is_left_out_with_its_reason(own, monkeypatch):
    first, second = own.definition.models.candidates

    class NeedsMore(type(CANDIDATES[first].estimator)):
        def fit(self, X, y=None):
            raise ValueError("Expected n_neighbors <= n_samples_fit.\nMore is said here.")

    needs_more = Candidate(NeedsMore(**CANDIDATES[first].estimator.get_params(deep=False)))
    monkeypatch.setitem(CANDIDATES, first, needs_more)
    done = run_in(own.root, "train", "--force")
    assert done.exit_code == 0, done.output
    assert f"left out: {first}" in done.output
    assert [line["model"] for line in newest_run(own)["leaderboard"]] == [second]
    assert "Expected n_neighbors <= n_samples_fit)" in newest_run(own)["left_out"][first]
    monkeypatch.setitem(CANDIDATES, second, needs_more)
    failed = run_in(own.root, "train", "--force")
    assert failed.exit_code == 2
    assert "No candidate could be judged" in failed.output


def test_a_budget_that_ends_early_keeps_what_was_judged_and_says_so(own, monkeypatch):
    name, plain = next((name, c) for name, c in CANDIDATES.items() if c.space)
    key, values = next(iter(plain.space.items()))
    monkeypatch.setitem(CANDIDATES, name, Candidate(plain.estimator, {key: values * 2000}))
    edit(
        own,
        models={"candidates": [name]},
        search={"method": "grid", "budget_seconds": 2.0},
    )
    assert run_in(own.root, "train").exit_code == 0
    assert "time budget ended" in newest_run(own)["left_out"][name]


def test_a_candidate_that_cannot_scale_is_left_out_and_the_report_says_so(own, monkeypatch):
    first, second = own.definition.models.candidates
    small = Candidate(CANDIDATES[first].estimator, most_rows=10)
    monkeypatch.setitem(CANDIDATES, first, small)
    assert run_in(own.root, "train", "--force").exit_code == 0
    run = newest_run(own)
    assert [line["model"] for line in run["leaderboard"]] == [second]
    assert "more than its limit of 10" in run["left_out"][first]
    assert "more than its limit of 10" in (own.reports / "index.html").read_text(encoding="utf-8")


def test_a_model_with_a_type_that_is_not_trusted_is_refused(tmp_path):
    class Mine(LinearRegression):
        pass

    Mine.__module__ = "somewhere.else"
    Mine.__qualname__ = "Mine"
    path = tmp_path / "model.skops"
    estimator = Mine().fit([[0.0], [1.0]], [0.0, 1.0])
    path.write_bytes(skops.io.dumps(Pipeline([("estimator", estimator)])))
    with pytest.raises(UserError, match=r"somewhere\.else\.Mine, which are not trusted"):
        store.load_pipeline(path)


def test_a_pickle_is_not_executed(tmp_path):
    path = tmp_path / "model.skops"
    path.write_bytes(pickle.dumps({"harmless": True}))
    with pytest.raises(UserError, match="cannot be read"):
        store.load_pipeline(path)


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


def test_a_version_for_another_target_is_neither_promoted_nor_gone_back_to(own):
    first = store.champion(own.models)
    assert run_in(own.root, "run", "--force").exit_code == 0
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
