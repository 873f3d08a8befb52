"""A metric of the user's own counts in the search, the intervals, the gate and the report."""

import json

import pytest
from mlsteps import UserError
from mlsteps.problem import Metric
from project import edit, part, run_in

PROBLEM_TYPES = ["classification", "regression", "forecasting"]


@pytest.fixture
def share_like(problem_type, monkeypatch):
    """Add a metric that the library does not know; it takes a Series and a frame, nothing else."""

    def share(target, predictions):
        assert list(target.index) == list(predictions.index)
        if problem_type == "classification":
            return float((predictions["prediction"] == target).mean())
        return float((abs(predictions["prediction"] - target) < target.abs() / 5).mean())

    metrics = part(problem_type, "problem.metrics").METRICS
    metric = Metric(share, higher_is_better=True, title="Share of my own")
    monkeypatch.setitem(metrics, "share_like", metric)


@pytest.mark.usefixtures("share_like")
def test_a_metric_of_ones_own_chooses_has_an_interval_and_passes_the_gate(own):
    edit(own, problem={"metric": "share_like", "minimum": 0.01}, models=one_candidate(own))
    done = run_in(own.root, "run", "--force")
    assert done.exit_code in (0, 1), done.output
    assert "is best: Share of my own" in done.output
    found = json.loads((own.reports / "metrics.json").read_text(encoding="utf-8"))
    share = found["test"]["share_like"]
    assert found["metric"] == "share_like"
    assert 0 <= share["low"] <= share["value"] <= share["high"] <= 1
    assert 0 <= found["leaderboard"][0]["cv_mean"] <= 1
    assert "share_like" in found["baseline"]
    assert "Share of my own" in (own.reports / "index.html").read_text(encoding="utf-8")

    edit(own, problem={"minimum": 1.1})
    failed = run_in(own.root, "evaluate")
    assert failed.exit_code == 1, failed.output
    assert "Share of my own" in failed.output


def one_candidate(project):
    return {"candidates": project.definition.models.candidates[:1]}


def test_rows_that_break_an_expectation_of_ones_own_end_in_its_sentence(own, monkeypatch):
    def check_rows(rows):
        raise UserError("Rows have to be of this year; collect them anew.")

    monkeypatch.setattr(part(own.definition.problem.type, "pipeline"), "check_rows", check_rows)
    failed = run_in(own.root, "define", "--force")
    assert failed.exit_code == 2
    assert "Error: Rows have to be of this year; collect them anew.\n" in failed.output
    assert "Traceback" not in failed.output


def test_an_exception_in_a_check_of_ones_own_keeps_its_traceback(own, monkeypatch):
    def check_rows(rows):
        return rows["a column that is not there"]

    monkeypatch.setattr(part(own.definition.problem.type, "pipeline"), "check_rows", check_rows)
    failed = run_in(own.root, "define", "--force")
    assert isinstance(failed.exception, KeyError)
