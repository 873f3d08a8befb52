"""The commands, as their user types them: one run from end to end."""

import json

import pandas as pd
import pytest
from conftest import edit, run_in

from {{ cookiecutter.package_name }}.pipeline import STEPS


def test_run_walks_all_steps_and_says_what_came_of_each(trained):
    _, run = trained
    said = [line.split()[0] for line in run.stdout.splitlines() if line[:1].strip()]
    assert said[: len(STEPS)] == [step.name for step in STEPS]
    assert said[-1] == "report"


def test_run_leaves_a_report_that_needs_no_network(project):
    page = (project.reports / "index.html").read_text(encoding="utf-8")
    assert page.count("<section") == 8
    assert "<script src" not in page
    assert "<link" not in page


def test_a_version_holds_what_it_needs_to_serve(project, results):
    files = {path.name for path in (project.models / results["version"]).iterdir()}
    assert files >= {"model.skops", "schema.json", "metrics.json", "card.md", "run.json"}


def test_a_second_run_repeats_nothing(project, results):
    again = run_in(project.root, "run").stdout
    # A source that does not tell whether it has changed is asked again.
    assert again.count("unchanged, skipped") >= len(STEPS) - 1
    found = json.loads((project.reports / "metrics.json").read_text(encoding="utf-8"))
    assert found["version"] == results["version"]


def test_a_misspelt_setting_is_one_sentence(project, tmp_path):
    text = (project.root / "project.toml").read_text(encoding="utf-8")
    (tmp_path / "project.toml").write_text(text, encoding="utf-8")
    edit(tmp_path / "project.toml", search={"fold": 3})
    run = run_in(tmp_path, "run")
    assert run.exit_code == 2
    assert 'did you mean "folds"?' in run.output
    assert "Traceback" not in run.output


def test_a_file_gets_the_predictions_of_the_model_beside_its_rows(project, model, rows, tmp_path):
    if project.definition.problem.of_series:
        pytest.skip("a forecast has a row for each date ahead")
    given, scored = tmp_path / "new.parquet", tmp_path / "scored.parquet"
    rows.to_parquet(given)
    run = run_in(project.root, "predict", given, scored)
    assert run.exit_code == 0, run.output
    found, expected = pd.read_parquet(scored).set_axis(rows.index), model.predict(rows)
    assert found["prediction"].tolist() == expected["prediction"].tolist()
    kept = rows.drop(columns=expected.columns, errors="ignore")
    pd.testing.assert_frame_equal(found[kept.columns], kept, check_dtype=False)
