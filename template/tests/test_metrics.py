"""Metrics are numbers with an interval, those of your own as well."""

import pytest
from mlsteps.problem import all_metrics

from {{ cookiecutter.package_name }}.problem.metrics import METRICS


def test_the_metric_of_the_problem_is_measured_with_its_interval(project, results):
    found = results["test"][project.definition.problem.metric]
    assert found["low"] <= found["high"]


def test_every_metric_of_the_report_is_known(project, results):
    assert set(results["test"]) <= set(all_metrics(project.definition.problem.type, METRICS))


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_of_ones_own_is_reported_with_its_interval(name, results):
    if name not in results["test"]:
        pytest.skip("so few rows do not define it")
    assert results["test"][name]["low"] <= results["test"][name]["high"]
