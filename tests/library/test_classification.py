"""What is particular to predicting a class: metrics, calibration and the threshold."""

import json

import numpy as np
import pandas as pd
import pytest
from mlsteps import UserError
from mlsteps.evaluation.bootstrap import measure
from mlsteps.modeling.classification import default_decision, learn_decision
from mlsteps.problem.classification import METRICS, arrays, check_target
from mlsteps.problem.project import open_project
from mlsteps.problem.suggest import SAMPLES
from project import edit, run_in
from scipy.special import expit
from sklearn import metrics as sklearn_metrics

ROWS = 4000
CHOICES = ("problem", "evaluation")  # tables that were filled for the sample


@pytest.fixture
def scored():
    """Classes and the honest probability of "yes" that each was drawn with."""
    generator = np.random.default_rng(0)
    probability = expit(generator.normal(-1, 1.5, ROWS)).round(3)
    target = np.where(generator.random(ROWS) < probability, "yes", "no")
    return pd.Series(target), probability


def predictions(probability, threshold=0.5):
    return pd.DataFrame(
        {
            "prediction": np.where(probability >= threshold, "yes", "no"),
            "probability_no": 1 - probability,
            "probability_yes": probability,
        }
    )


def test_metrics_agree_with_scikit_learn(scored):
    target, probability = scored
    true, predicted = target == "yes", probability >= 0.5
    found = {
        name: x["value"]
        for name, x in measure(target, predictions(probability), METRICS, seed=0).items()
    }
    assert found == pytest.approx(
        {
            "roc_auc": sklearn_metrics.roc_auc_score(true, probability),
            "pr_auc": sklearn_metrics.average_precision_score(true, probability),
            "accuracy": sklearn_metrics.accuracy_score(true, predicted),
            "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(true, predicted),
            "f1": sklearn_metrics.f1_score(true, predicted),
            "log_loss": sklearn_metrics.log_loss(true, probability),
            "brier": sklearn_metrics.brier_score_loss(true, probability),
        }
    )


def test_metrics_of_three_classes_agree_with_scikit_learn():
    generator = np.random.default_rng(1)
    target = pd.Series(generator.choice(["a", "b", "c"], 500))
    probabilities = generator.dirichlet([1, 1, 1], 500)
    names = np.array(["a", "b", "c"])
    frame = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in names])
    predicted = names[probabilities.argmax(axis=1)]
    frame.insert(0, "prediction", predicted)
    found = measure(target, frame, METRICS, seed=0)
    auc = sklearn_metrics.roc_auc_score(target, probabilities, multi_class="ovr")
    assert found["roc_auc"]["value"] == pytest.approx(auc)
    f1 = sklearn_metrics.f1_score(target, predicted, average="macro")
    assert found["f1"]["value"] == pytest.approx(f1)


def test_calibration_mends_probabilities_that_are_too_sure(scored, define):
    target, probability = scored
    definition = define(problem={"positive": "yes"})
    sure = probability**3 / (probability**3 + (1 - probability) ** 3)  # three times the log odds
    decision = learn_decision(target, predictions(sure), definition)
    assert decision["slope"] == pytest.approx(1 / 3, abs=0.05)
    assert default_decision(target, definition)["classes"] == ["no", "yes"]


def test_few_rows_that_are_all_predicted_right_do_not_make_probabilities_certain(define):
    target, definition = pd.Series(["no", "yes"] * 20), define(problem={"positive": "yes"})
    right = predictions(np.where(target == "yes", 0.8, 0.2))
    slope = learn_decision(target, right, definition)["slope"]
    assert 1 < slope < 5  # 0.8 becomes 0.999 at most


def test_calibration_can_be_switched_off(scored, define):
    target, probability = scored
    definition = define(evaluation={"calibrate": False})
    assert learn_decision(target, predictions(probability), definition)["slope"] == 1


def test_the_threshold_follows_the_costs(scored, define):
    """Elkan (2001): with honest probabilities it is the share of the false positive's cost."""
    target, probability = scored
    for missed, expected in ((1.0, 0.5), (4.0, 0.2), (0.25, 0.8)):
        definition = define(evaluation={"false_negative_cost": missed, "false_positive_cost": 1.0})
        decision = learn_decision(target, predictions(probability), definition)
        assert decision["threshold"] == pytest.approx(expected, abs=0.08)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([None, None], "missing in every row"),
        (["yes"] * 20, 'has one class, "yes"'),
        ([str(k) for k in range(101)], "101 classes, at most 100 are allowed"),
        (["good", "bad"] * 9, 'positive is "yes", but'),
        (["yes"] * 5 + ["no"] * 20, "more than \\[search\\] folds = 5 are needed"),
    ],
)
def test_a_target_that_cannot_be_learnt_is_refused(define, values, message):
    target = pd.Series(values, dtype="str")
    with pytest.raises(UserError, match=message):
        check_target(target, define().problem, folds=5)


def test_without_a_known_cost_misses_and_false_alarms_are_equally_many(define):
    """At 2 % positives equal costs would never find one."""
    generator = np.random.default_rng(0)
    probability = expit(generator.normal(-5, 1.5, ROWS))
    target = pd.Series(np.where(generator.random(ROWS) < probability, "yes", "no"))
    rare = target == "yes"
    assert 0.01 < rare.mean() < 0.03
    found = {}
    for cost in ("auto", 1.0):
        definition = define(evaluation={"calibrate": False, "false_negative_cost": cost})
        decision = learn_decision(target, predictions(probability), definition)
        found[cost] = probability >= decision["threshold"]
    assert found["auto"].sum() == pytest.approx(rare.sum(), abs=1)
    assert found[1.0].sum() < 0.1 * rare.sum()


def rare_project(own, cost):
    """Let 2 % of the rows be "bad", which two columns tell a little about."""
    generator = np.random.default_rng(0)
    strange = generator.normal(-5.2, 1.5, ROWS)
    bad = generator.random(ROWS) < expit(strange)
    other = generator.normal(size=ROWS)
    rows = pd.DataFrame(
        {"strange": strange, "other": other, "status": np.where(bad, "bad", "good")}
    )
    rows.to_csv(own.root / "rare.csv", index=False)
    edit(own, data={"path": f"{SAMPLES}credit.csv"}, problem={"minimum": 0.75})
    defined = run_in(own.root, "define", "--data", "rare.csv", "--target", "status")
    assert defined.exit_code == 0, defined.output
    if cost:
        edit(own, evaluation={"false_negative_cost": cost})
    edit(own, models={"candidates": ["logistic"]})
    return run_in(own.root, "run")


def test_what_was_set_for_the_sample_is_not_kept_for_other_data(own):
    done = rare_project(own, cost=None)
    problem, costs = (open_project(own.root).definition.model_dump()[k] for k in CHOICES)
    assert problem["minimum"] == "none"
    assert costs["false_negative_cost"] == "auto"
    assert 'Good enough is PR AUC clearly better than the baseline "prior".' in done.output
    found = json.loads((own.reports / "metrics.json").read_text(encoding="utf-8"))
    assert done.exit_code == 0, done.output
    assert found["test"]["f1"]["value"] > 0.1
    assert any("no [problem] minimum is set" in check["what"] for check in found["gate"]["checks"])


def test_a_model_that_never_says_yes_fails_the_gate_and_says_why(own):
    done = rare_project(own, cost=0.01)
    assert done.exit_code == 1
    assert 'The model predicts "good" for every test row' in done.output
    found = json.loads((own.reports / "metrics.json").read_text(encoding="utf-8"))
    assert any('"good" for every test row' in reason for reason in found["gate"]["reasons"])


def test_a_class_that_a_model_does_not_know_counts_against_it():
    target = pd.Series(["yes", "no", "new"])
    frame = pd.DataFrame(
        {
            "prediction": ["yes", "no", "yes"],
            "probability_no": [0.1, 0.9, 0.1],
            "probability_yes": [0.9, 0.1, 0.9],
        }
    )
    parts = arrays(target, frame)
    assert METRICS["accuracy"].function(*parts) == pytest.approx(2 / 3)
    assert METRICS["log_loss"].function(*parts) > 10
