"""The commands, as their user types them: one run from end to end."""

import json

import pandas as pd
import pytest
from conftest import run_in

STEPS = ["collect", "define", "prepare", "explore", "train", "evaluate"]


def test_run_walks_all_steps_and_says_what_came_of_each(trained):
    _, run = trained
    lines = [line.split()[0] for line in run.output.splitlines() if not line.startswith(" ")]
    assert lines[: len(STEPS)] == STEPS
    assert lines[-1] == "report"


def test_run_leaves_a_report_that_needs_no_network(project):
    page = (project.reports / "index.html").read_text(encoding="utf-8")
    assert page.count("<section") == 8
    assert "<script src" not in page
    assert "<link" not in page


def test_a_version_holds_what_it_needs_to_serve(project, results):
    files = {path.name for path in (project.models / results["version"]).iterdir()}
    assert files >= {"model.skops", "schema.json", "metrics.json", "card.md", "run.json"}


def test_a_second_run_repeats_nothing(project, results):
    again = run_in(project.root, "run")
    assert again.output.count("unchanged, skipped") == len(STEPS) - (
        "collect" in [line.split()[0] for line in again.output.splitlines() if " s)" in line]
    )
    found = json.loads((project.reports / "metrics.json").read_text(encoding="utf-8"))
    assert found["version"] == results["version"]


def test_a_misspelt_setting_is_one_sentence(project, tmp_path):
    text = (project.root / "project.toml").read_text(encoding="utf-8")
    (tmp_path / "project.toml").write_text(text.replace("\nfolds =", "\nfold ="), "utf-8")
    run = run_in(tmp_path, "run")
    assert run.exit_code == 2
    assert 'did you mean "folds"?' in run.output
    assert "Traceback" not in run.output


def test_predict_keeps_the_rows_and_their_order(project, rows, tmp_path):
    given, scored = tmp_path / "new.parquet", tmp_path / "scored.parquet"
    if project.definition.problem.of_series:
        pytest.skip("a forecast has a row for each date ahead")
    rows.to_parquet(given)
    run = run_in(project.root, "predict", given, scored)
    assert run.exit_code == 0, run.output
    found = pd.read_parquet(scored)
    assert len(found) == len(rows)
    pd.testing.assert_frame_equal(
        found[rows.columns].reset_index(drop=True), rows.reset_index(drop=True), check_dtype=False
    )
    assert found["prediction"].notna().all()


def test_a_file_gets_the_predictions_that_the_model_gives(project, model, rows, tmp_path):
    if project.definition.problem.of_series:
        pytest.skip("a forecast has a row for each date ahead")
    given, scored = tmp_path / "new.parquet", tmp_path / "scored.parquet"
    rows.to_parquet(given)
    run_in(project.root, "predict", given, scored)
    expected = model.predict(rows)["prediction"]
    assert pd.read_parquet(scored)["prediction"].tolist() == expected.tolist()
