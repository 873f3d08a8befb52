"""Metrics are numbers, whatever rows they are asked of."""

import math

import pandas as pd
import pytest
from mlsteps.problem import all_metrics

from {{ cookiecutter.package_name }}.problem.metrics import METRICS


@pytest.fixture
def metrics(project):
    return all_metrics(project.definition.problem.type, METRICS)


def test_the_metric_of_the_problem_is_measured_with_its_interval(project, results):
    found = results["test"][project.definition.problem.metric]
    assert found["low"] <= found["value"] <= found["high"]


def test_every_metric_of_the_report_is_known(metrics, results):
    assert set(results["test"]) <= set(metrics)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_of_ones_own_is_reported(name, results):
    assert math.isfinite(results["test"][name]["value"])


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_of_ones_own_is_a_number_of_any_part_of_the_rows(name, model, project, rows):
    target = rows[project.definition.problem.target]
    predictions = model.predict(rows)
    for part in (slice(0, 1), slice(0, 10), slice(None)):
        value = METRICS[name](target.iloc[part], pd.DataFrame(predictions).iloc[part])
        assert isinstance(value, float)
