"""What is particular to problems with a target, whatever it is."""

import numpy as np
import pandas as pd
import pytest
from mlsteps import UserError
from mlsteps.evaluation.bootstrap import measure
from mlsteps.exploration.measures import rank_features
from mlsteps.files import read_json
from mlsteps.modeling import store
from mlsteps.preparation.schema import Schema
from mlsteps.problem.columns import Column, column_of, convert
from mlsteps.problem.metric import all_metrics
from mlsteps.problem.suggest import suggest
from mlsteps.variants import of_type
from project import edit, load, log, run_in

PROBLEM_TYPES = ["classification", "regression"]
ROWS = 200


def test_errors_that_rise_raise_an_alarm(own, new_rows):
    """First every prediction comes true, then none does."""
    rows = pd.concat([new_rows] * 10, ignore_index=True)
    said = load(own).predict(rows)["prediction"]
    other = said.map(dict(zip(said.unique(), [*said.unique()[1:], said.iloc[0]], strict=True)))
    log(own, rows, said.where(rows.index < len(rows) // 2, other))
    done = run_in(own.root, "monitor")
    assert done.exit_code == 1
    assert "errors have risen" in done.output


def test_association_is_high_only_where_the_feature_tells(problem_type):
    kind = of_type("problem", problem_type).Problem.target_kind
    random = np.random.default_rng(0)
    target = pd.Series(random.choice([1.0, 2.0], ROWS), name="y").pipe(convert, kind)
    numbers = target.astype(float)
    rows = pd.DataFrame(
        {
            "copy": numbers,
            "bent": (numbers - numbers.mean()).abs() + numbers,
            "noise": random.normal(size=ROWS),
            "constant": 1.0,
            "ids": pd.Series([f"id{n}" for n in range(ROWS)], dtype="str"),
            "y": target,
        }
    )
    columns = [Column(name=name, kind="number") for name in rows.columns[:4]]
    columns.append(Column(name="ids", kind="category"))
    schema = Schema(problem=problem_type, target="y", inputs=columns, features=columns, ignored=[])
    strengths = rank_features(rows, schema)
    assert (strengths[["copy", "bent"]] > 0.95).all()
    assert (strengths[["noise", "ids"]] < 0.3).all()
    assert strengths["constant"] == 0


def test_without_a_target_other_problem_types_are_named(problem_type):
    frame = pd.DataFrame({"x": range(100), "kind": list("ab") * 50})
    with pytest.raises(UserError, match="so this is clustering") as raised:
        suggest(frame, "", problem_type)
    assert f"holds the code for {problem_type}" in str(raised.value)


@pytest.mark.parametrize(("how", "wider"), [("auto", 2**0.5), ("keep", 1)])
def test_rows_that_may_have_come_twice_make_no_interval_narrower(own, rows, how, wider):
    """As many different rows would halve the variance; as "keep" says that they are."""
    pd.concat([rows, rows], ignore_index=True).to_csv(own.root / "rows.csv", index=False)
    own = edit(own, preparation={"repetitions": how})
    for step in ("collect", "prepare", "evaluate"):
        done = run_in(own.root, step)
        assert done.exit_code in (0, 1), done.output
    name, test = own.definition.problem.metric, pd.read_parquet(own.prepared / "test.parquet")
    predictor, metric = load(own), all_metrics(own.definition.problem.type, {})[name]
    predictions = predictor.add_metric_columns(predictor.predict_features(test), test)
    target = column_of(test, predictor.schema.target)
    alone = measure(target, predictions, {name: metric}, seed=own.definition.search.seed)[name]
    found = read_json(own.reports / "metrics.json")["test"][name]
    ratio = (found["high"] - found["low"]) / (alone["high"] - alone["low"])
    assert ratio == pytest.approx(wider, rel=0.15)


def test_a_model_that_predicts_is_tested_on_rows_that_it_has_not_seen(own):
    path = own.root / "project.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines = ['by = "none"' if line.startswith("by =") else line for line in lines]
    path.write_text("\n".join(lines), encoding="utf-8")
    failed = run_in(own.root, "run")
    assert failed.exit_code == 2
    assert "has to be tested on rows that it has not seen" in failed.output


def test_monitor_raises_an_alarm_when_labels_are_not_what_was_promised(own, new_rows):
    predictions = load(own).predict(new_rows)
    chances = predictions.filter(like="probability_")
    if chances.empty:
        wrong = 10 * predictions["prediction"] + 1
    else:  # always the class that was thought least likely
        wrong = chances.idxmin(axis="columns").str.removeprefix("probability_")
    log(own, new_rows, wrong)
    done = run_in(own.root, "monitor")
    assert done.exit_code == 1
    assert "was promised" in done.output


def test_an_ensemble_is_held_against_its_members_and_predicts_their_weighted_mean(
    own, problem_type
):
    """A line that a tree needs many steps for, and steps that a line cannot follow."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.normal(size=(300, 3)), columns=["x1", "x2", "x3"])
    steps = 1.0 * (rows["x2"] * rows["x3"] > 0)
    rows["y"] = 3 * rows["x1"] + 2 * steps
    line, metric = "ridge", "rmse"
    if problem_type == "classification":
        line, metric = "logistic", "log_loss"
        noise = random.logistic(size=len(rows))
        rows["y"] = np.where(3 * rows["x1"] + 4 * steps + noise > 2, "yes", "no")
    rows.to_csv(own.root / "rows.csv", index=False)
    assert run_in(own.root, "define", "--data", "rows.csv", "--target", "y").exit_code == 0
    candidates = {"candidates": [line, "boosting", "ensemble"]}
    edit(own, problem={"metric": metric}, models=candidates, search={"method": "none"})
    for step in ("collect", "prepare", "train"):
        done = run_in(own.root, step)
        assert done.exit_code == 0, done.output
    assert "ensemble is best" in done.output
    assert "warns" not in done.output
    predictor = load(own, store.newest_version(own.models))
    run = read_json(predictor.folder / "run.json")
    weights = run["leaderboard"][0]["settings"]
    assert set(weights) == {line, "boosting"}
    assert sum(weights.values()) == pytest.approx(1)
    found = predictor.predict(rows)
    alone = pd.concat([predictor.predict(rows.iloc[[k]]) for k in range(5)])
    pd.testing.assert_frame_equal(alone, found.head(5))
    if problem_type == "regression":
        ensemble, numbers = predictor.pipeline[-1], predictor.numbers(predictor.features(rows))
        members = zip(ensemble.members, ensemble.columns, weights.values(), strict=True)
        mean = sum(weight * m.predict(numbers[:, slice(*own)]) for m, own, weight in members)
        np.testing.assert_allclose(found["prediction"], mean)
