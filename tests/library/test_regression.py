"""What is particular to predicting a quantity: metrics and intervals."""

import numpy as np
import pandas as pd
import pytest
from mlsteps import UserError
from mlsteps.evaluation.bootstrap import measure
from mlsteps.modeling.regression import learn_decision, predict
from mlsteps.problem.check import check
from mlsteps.problem.regression import METRICS, check_target
from sklearn import metrics as sklearn_metrics
from sklearn.base import BaseEstimator

PROBLEM_TYPES = ["regression"]
ROWS = 4000


class Given(BaseEstimator):
    """Predicts its only feature."""

    def predict(self, features):
        return features[:, 0]


@pytest.fixture
def noisy():
    """Predictions, and true values whose spread grows with them."""
    generator = np.random.default_rng(0)
    predicted = pd.DataFrame({"prediction": generator.uniform(10, 100, ROWS)})
    spread = generator.normal(size=ROWS) * predicted["prediction"] / 10
    return predicted, predicted["prediction"] + spread


def test_metrics_agree_with_scikit_learn(noisy):
    predicted, true = noisy
    guess = predicted["prediction"]
    frame = predicted.assign(low=guess - 5, high=guess + 5)
    found = {
        name: numbers["value"] for name, numbers in measure(true, frame, METRICS, seed=0).items()
    }
    pinball = sklearn_metrics.mean_pinball_loss
    assert found == pytest.approx(
        {
            "rmse": sklearn_metrics.root_mean_squared_error(true, guess),
            "mae": sklearn_metrics.mean_absolute_error(true, guess),
            "r2": sklearn_metrics.r2_score(true, guess),
            "mape": sklearn_metrics.mean_absolute_percentage_error(true, guess),
            "pinball": np.mean(
                [pinball(true, guess - 5, alpha=0.05), pinball(true, guess + 5, alpha=0.95)]
            ),
            "coverage": np.mean(np.abs(true - guess) <= 5),
        }
    )


def test_intervals_cover_nine_of_ten_new_rows_for_small_and_for_large_values(noisy, define):
    predicted, true = noisy
    half = ROWS // 2
    decision = learn_decision(true[:half], predicted[:half], define())
    predictions, target = predict(Given(), predicted[half:].to_numpy(), decision), true[half:]
    inside = (predictions["low"] <= target) & (target <= predictions["high"])
    large = predicted["prediction"][half:] > 55
    assert inside[large].mean() == pytest.approx(0.9, abs=0.03)
    assert inside[~large].mean() == pytest.approx(0.9, abs=0.03)
    width = predictions["high"] - predictions["low"]
    assert width[large].mean() > 1.5 * width[~large].mean()


def test_few_rows_have_one_interval_for_all(noisy, define):
    predicted, true = noisy
    decision = learn_decision(true[:30], predicted[:30], define())
    assert decision["edges"] == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([None, None], "missing in every row"),
        ([3.0] * 20, "is 3 in every row"),
        ([1.0, 2.0, 3.0], "more than \\[search\\] folds = 5 are needed"),
        ([1.0, np.inf] * 10, "must be a finite number"),
        (["cheap", "dear"] * 10, "copier update --data problem_type=classification"),
    ],
)
def test_a_target_that_cannot_be_learnt_is_refused(define, values, message):
    with pytest.raises(UserError, match=message):
        check_target(pd.Series(values, name="y"), define().problem, folds=5)


def test_a_target_that_is_mostly_zero_is_not_judged_by_mape(define):
    target = pd.Series([0.0] * 90 + list(range(1, 11)), name="y")
    problem = define(problem={"metric": "mape"}).problem
    with pytest.raises(UserError, match='metric "mape" leaves out rows'):
        check_target(target, problem, 3)


def test_large_numbers_are_written_with_all_their_digits(define):
    prices = 1_358_750.0 + np.arange(21)
    frame = pd.DataFrame({"x": range(21), "y": prices})
    task, _, bar, cost = check(
        define(problem={"minimum": 1_358_750}, constraints={"train_seconds": 1e7}), frame, {}
    ).sentences
    assert "a number from 1,358,750 to 1,358,770, typically 1,358,760, from 1 column of" in task
    assert "at most 1,358,750" in bar
    assert "10,000,000 s to fit" in cost
