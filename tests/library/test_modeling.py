"""The search: honest about time, and about what was left out."""

import os
import signal
import threading
import time
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from joblib import Parallel
from mlsteps.files import read_json
from mlsteps.modeling import Candidate, parallel, store
from project import edit, part, run_in
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer


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
            Endless.ended.wait(600)
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
    assert time.monotonic() - started < 60
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


class Late(KNeighborsClassifier):
    """A class of the project's own that is asked to predict a moment after others."""

    def fit(self, X, y):
        time.sleep(0.5)
        return super().fit(X, y)


def test_candidates_that_fail_are_named_in_the_order_of_project_toml(
    own, candidates, monkeypatch, with_workers
):
    with_workers(2)
    first, second = own.definition.models.candidates
    for name, kind in ((first, Late), (second, KNeighborsClassifier)):
        fails = Candidate(kind(n_neighbors=9999), encoder=candidates[name].encoder)
        monkeypatch.setitem(candidates, name, fails)
    pipeline = part(own.definition.problem.type, "pipeline")
    monkeypatch.setattr(pipeline, "TRUSTED", [f"{__name__}.Late"])
    said = run_in(own.root, "train", "--force").output
    assert 0 < said.index(f": {first}, it fails with") < said.index(f"; {second}, it fails with")


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
