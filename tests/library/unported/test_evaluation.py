"""Intervals and the gate."""

import numpy as np
import pandas as pd
import pytest

from {{ cookiecutter.package_name }}.evaluation import checks
from {{ cookiecutter.package_name }}.evaluation.bootstrap import (
    measure,
    resamples,
)
from {{ cookiecutter.package_name }}.evaluation.gate import judge
from {{ cookiecutter.package_name }}.modeling.predictor import load_predictor
from {{ cookiecutter.package_name }}.modeling.store import champion_folder
from {{ cookiecutter.package_name }}.problem import METRICS
from {{ cookiecutter.package_name }}.problem.columns import column_of


@pytest.fixture
def judged(project):
    """True values of the test rows, and what the champion answers them."""
    test = pd.read_parquet(project.prepared / "test.parquet")
    predictor = load_predictor(champion_folder(project.models))
    answers = predictor.answer(test)
    return column_of(test, predictor.schema.target), predictor.measurable(answers, test)


def test_intervals_narrow_with_the_number_of_rows(judged):
    target, answers = judged
    few = measure(target, answers, seed=0)
    many = measure(
        pd.concat([target] * 16, ignore_index=True),
        pd.concat([answers] * 16, ignore_index=True),
        seed=0,
    )
    many.pop("calinski_harabasz", None)  # of more rows it is larger by itself
    for name, numbers in many.items():
        assert numbers["value"] == pytest.approx(few[name]["value"], rel=0.01)
        width = numbers["high"] - numbers["low"]
        assert width <= 0.5 * (few[name]["high"] - few[name]["low"]) + 1e-9


def test_rows_of_a_group_are_drawn_together():
    group = pd.Series(["a", "a", "b", "b", "c", "c"])
    for drawn in resamples(6, seed=0, most=200, group=group):
        pairs = np.asarray(drawn).reshape(-1, 2)
        assert {tuple(pair) for pair in pairs} <= {(0, 1), (2, 3), (4, 5)}


def gate(definition, value, *, spread=0.01, baseline, rows=50, **costs):
    name = definition.problem.metric
    sure = {"value": 1.0, "low": 1.0, "high": 1.0}
    test = {
        "stability": sure,
        name: {"value": value, "low": value - spread, "high": value + spread},
    }
    tested = pd.DataFrame({"y": ["yes", "no"] * (rows // 2)})
    answers = pd.DataFrame(index=tested.index)
    others = checks(tested, answers, test, definition)
    cheap = {"train_seconds": 1, "model_megabytes": 1, "predict_milliseconds": 1}
    return judge(test, {"guess": {name: baseline}}, cheap | costs, others, definition)


@pytest.fixture
def bar(define):
    """A definition whose minimum is 0.5, and the sign of better."""
    definition = define(problem={"minimum": 0.5})
    return definition, 1 if METRICS[definition.problem.metric].higher_is_better else -1


def test_the_gate_opens_for_a_model_above_the_bar(bar):
    definition, better = bar
    found = gate(definition, 0.5 + 0.1 * better, baseline=0.5)
    assert found["passed"]
    assert found["reasons"] == []


def test_the_gate_asks_for_the_minimum(bar):
    definition, better = bar
    found = gate(definition, 0.5 - 0.1 * better, baseline=0.5 - 0.4 * better)
    assert len(found["reasons"]) == 1
    assert "0.5 is asked for" in found["reasons"][0]


def test_the_gate_asks_for_the_whole_interval_to_beat_the_baseline(bar):
    definition, better = bar
    found = gate(definition, 0.5 + 0.1 * better, spread=0.2, baseline=0.5)
    assert len(found["reasons"]) == 1
    assert "the whole interval has to be better" in found["reasons"][0]


def test_the_gate_holds_the_constraints(bar):
    definition, better = bar
    found = gate(definition, 0.5 + 0.1 * better, baseline=0.5, model_megabytes=61.5)
    assert found["reasons"] == ["model megabytes: 61.5; at most 60 allowed"]


def test_the_gate_asks_for_enough_rows_to_tell(bar):
    definition, better = bar
    found = gate(definition, 0.5 + 0.1 * better, baseline=0.5, rows=6)
    assert len(found["reasons"]) == 1
    assert found["reasons"][0].startswith("6 ")
