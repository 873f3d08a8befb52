"""What is particular to problems with a target, whatever it is."""

import numpy as np
import pandas as pd
import pytest
from mlsteps import UserError
from mlsteps.exploration.measures import rank_features
from mlsteps.preparation.schema import Schema
from mlsteps.problem.columns import Column, convert
from mlsteps.problem.suggest import suggest
from mlsteps.variants import of_type
from project import load, log, run_in

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
