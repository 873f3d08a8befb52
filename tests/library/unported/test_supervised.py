"""What is particular to problems with a target, whatever it is."""

import numpy as np
import pandas as pd
import pytest
from conftest import run_in, serve

from {{ cookiecutter.package_name }}.errors import UserError
from {{ cookiecutter.package_name }}.exploration import rank_features
from {{ cookiecutter.package_name }}.modeling import store
from {{ cookiecutter.package_name }}.modeling.predictor import load_predictor
from {{ cookiecutter.package_name }}.preparation.schema import Schema
from {{ cookiecutter.package_name }}.problem import TARGET_KIND, TYPE
from {{ cookiecutter.package_name }}.problem.columns import Column, convert
from {{ cookiecutter.package_name }}.problem.suggest import suggest

ROWS = 200


def test_the_card_of_the_exploration_shows_the_target(project):
    card = (project.reports / "cards" / "4-explore.html").read_text(encoding="utf-8")
    assert "What tells about" in card
    assert "Features against" in card


def test_errors_that_rise_raise_an_alarm(own, new_rows):
    """First every prediction comes true, then none does."""
    rows = pd.concat([new_rows] * 10, ignore_index=True)
    said = load_predictor(store.champion_folder(own.models)).predict(rows)["prediction"]
    other = said.map(dict(zip(said.unique(), [*said.unique()[1:], said.iloc[0]], strict=True)))
    serve(own, rows, said.where(rows.index < len(rows) // 2, other))
    done = run_in(own.root, "monitor")
    assert done.exit_code == 1
    assert "errors have risen" in done.output


def test_association_is_high_only_where_the_feature_tells():
    random = np.random.default_rng(0)
    target = pd.Series(random.choice([1.0, 2.0], ROWS), name="y").pipe(convert, TARGET_KIND)
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
    schema = Schema(problem=TYPE, target="y", inputs=columns, features=columns, ignored=[])
    strengths = rank_features(rows, schema)
    assert (strengths[["copy", "bent"]] > 0.95).all()
    assert (strengths[["noise", "ids"]] < 0.3).all()
    assert strengths["constant"] == 0


def test_without_a_target_other_problem_types_are_named():
    frame = pd.DataFrame({"x": range(100), "kind": list("ab") * 50})
    with pytest.raises(UserError, match="so this is clustering") as raised:
        suggest(frame)
    assert f"holds the code for {TYPE}" in str(raised.value)


def test_a_model_that_predicts_is_tested_on_rows_that_it_has_not_seen(own):
    path = own.root / "project.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines = ['by = "none"' if line.startswith("by =") else line for line in lines]
    path.write_text("\n".join(lines), encoding="utf-8")
    failed = run_in(own.root, "run")
    assert failed.exit_code == 2
    assert "has to be tested on rows that it has not seen" in failed.output


def test_monitor_raises_an_alarm_when_the_truth_is_not_what_was_promised(own, new_rows):
    answers = load_predictor(store.champion_folder(own.models)).predict(new_rows)
    chances = answers.filter(like="probability_")
    if chances.empty:
        wrong = 10 * answers["prediction"] + 1
    else:  # always the class that was thought least likely
        wrong = chances.idxmin(axis="columns").str.removeprefix("probability_")
    serve(own, new_rows, wrong)
    done = run_in(own.root, "monitor")
    assert done.exit_code == 1
    assert "was promised" in done.output
