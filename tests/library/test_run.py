"""The commands, as their user types them."""

import contextlib
import json
import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from click.testing import CliRunner
from mlsteps.deployment.log_tables import PREDICTIONS, TABLES
from mlsteps.deployment.prediction_log import (
    find_predictions,
    open_log,
    prediction_rows,
    write_feedback,
    write_rows,
)
from mlsteps.modeling import store
from project import FOLDER, TEMPLATE, edit, package, part, run_in


def results(project):
    return json.loads((project.reports / "metrics.json").read_text(encoding="utf-8"))


def test_run_trains_judges_and_promotes(project):
    version = store.champion(project.models)
    files = {path.name for path in (project.models / version).iterdir()}
    assert files >= {"model.skops", "schema.json", "metrics.json", "card.md", "run.json"}
    page = (project.reports / "index.html").read_text(encoding="utf-8")
    assert "<script src" not in page
    assert page.count("<section") == 8


def test_metrics_have_intervals_and_a_baseline_beside_them(project):
    found = results(project)
    assert found["version"] == store.champion(project.models)
    for numbers in found["test"].values():
        assert numbers["low"] <= numbers["value"] <= numbers["high"]
    assert found["metric"] in found["baseline"]
    assert {line["model"] for line in found["leaderboard"]} == set(
        project.definition.models.candidates
    )


def test_a_second_run_skips_everything(own):
    again = run_in(own.root, "run")
    assert again.exit_code == 0
    assert again.output.count("unchanged, skipped") == 6
    assert store.versions(own.models) == [store.champion(own.models)]


def test_force_repeats_and_the_same_seed_gives_the_same_numbers(own):
    before = results(own)
    assert run_in(own.root, "run", "--force").exit_code == 0
    after = results(own)
    assert len(store.versions(own.models)) == 2
    assert after["test"] == before["test"]
    assert [line["cv_mean"] for line in after["leaderboard"]] == [
        line["cv_mean"] for line in before["leaderboard"]
    ]


def test_a_new_bar_is_judged_without_training_again(own):
    impossible = 1e12 if own.definition.problem.minimum < 0 else -1e12
    edit(own, problem={"minimum": impossible})
    failed = run_in(own.root, "run")
    assert failed.exit_code == 1
    assert "FAILED" in failed.output
    assert failed.output.count("unchanged, skipped") == 4  # all but define and evaluate
    assert results(own)["gate"]["reasons"]


def test_a_model_that_fails_the_gate_leaves_the_champion_serving(own):
    champion = store.champion(own.models)
    impossible = 1e12 if own.definition.problem.minimum < 0 else -1e12
    edit(own, problem={"minimum": impossible})
    assert run_in(own.root, "run", "--force").exit_code == 1
    assert len(store.versions(own.models)) == 2
    assert store.champion(own.models) == champion


def test_a_version_that_failed_the_gate_is_promoted_only_with_a_reason_that_is_kept(own):
    impossible = 1e12 if own.definition.problem.minimum < 0 else -1e12
    edit(own, problem={"minimum": impossible})
    failed = run_in(own.root, "run", "--force")
    version = store.newest_version(own.models)
    assert f'`promote {version} --anyway "the reason"` lets it serve' in failed.output
    refused = run_in(own.root, "promote", version)
    assert refused.exit_code == 2
    assert "is needed" in refused.output  # the reason of the gate
    assert f'`promote {version} --anyway "the reason"`' in refused.output
    assert run_in(own.root, "promote", version, "--anyway", " ").exit_code == 2
    assert store.champion(own.models) != version

    done = run_in(own.root, "promote", version, "--anyway", "there is nothing better ![](x)")
    assert done.exit_code == 0, done.output
    assert store.champion(own.models) == version
    last = store.read_history(own.models)[-1]
    assert last["reason"] == "by hand, though it failed the gate: there is nothing better ![](x)"
    assert (
        "there is nothing better ![](x); it failed the gate: " in run_in(own.root, "status").output
    )
    assert "there is nothing better" in (own.reports / "index.html").read_text(encoding="utf-8")
    card = own.models / version / store.CARD
    assert card.read_text(encoding="utf-8").count("there is nothing better") == 1
    assert r"!\[\](x)" in card.read_text(encoding="utf-8")
    run_in(own.root, "evaluate", "--force")
    assert card.read_text(encoding="utf-8").count("there is nothing better") == 1


def test_an_interrupted_run_leaves_no_half_version(own, monkeypatch):
    before = store.versions(own.models), store.champion(own.models)

    def interrupt(pipeline, path):
        path.write_bytes(b"half a model")
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "save_pipeline", interrupt)
    assert run_in(own.root, "run", "--force").exit_code != 0
    assert (store.versions(own.models), store.champion(own.models)) == before
    assert not list(own.models.glob(".*.tmp"))


@pytest.mark.parametrize(
    ("table", "key", "value", "message"),
    [
        ("problem", "minimum", "low", "minimum is 'low', but should be a valid number or 'none'"),
        ("problem", "metrik", "luck", '[problem] metrik is not a known key; did you mean "metric"'),
        ("search", "fold", 3, '[search] fold is not a known key; did you mean "folds"?'),
        ("search", "folds", 1, "[search] folds is 1, but should be greater than or equal to 2"),
        ("problem", "metric", "luck", '[problem] metric is "luck"; allowed: '),
        ("models", "candidates", ["oracle"], '[models] candidates has "oracle"; known candidates'),
    ],
)
def test_a_wrong_key_or_value_is_one_sentence_with_exit_code_2(own, table, key, value, message):
    path = own.root / "project.toml"
    text = path.read_text(encoding="utf-8")
    text = "\n".join(x for x in text.splitlines() if not x.startswith(f"{key} ="))
    path.write_text(
        text.replace(f"[{table}]", f"[{table}]\n{key} = {json.dumps(value)}"), encoding="utf-8"
    )
    failed = run_in(own.root, "run")
    assert failed.exit_code == 2
    assert message in failed.output
    assert "Traceback" not in failed.output


@pytest.mark.parametrize(("key", "value"), [("folds", '"5"'), ("seed", "true"), ("folds", "nan")])
def test_a_value_of_another_type_is_refused(own, key, value):
    path = own.root / "project.toml"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines = [f"{key} = {value}" if line.startswith(f"{key} =") else line for line in lines]
    path.write_text("\n".join(lines), encoding="utf-8")
    failed = run_in(own.root, "run")
    assert failed.exit_code == 2
    assert f"[search] {key} is" in failed.output


@pytest.mark.parametrize("text", ["problem = 3", "[[problem]]\nx = 1"])
def test_a_table_that_is_none_is_refused(own, text):
    (own.root / "project.toml").write_text(text, encoding="utf-8")
    failed = run_in(own.root, "run")
    assert failed.exit_code == 2
    assert "but should be a table" in failed.output


def test_a_project_toml_with_a_byte_order_mark_is_read(own):
    path = own.root / "project.toml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert run_in(own.root, "run").exit_code == 0


@pytest.mark.parametrize(
    "name", ["data/prepared/train.parquet", "data/prepared/schema.json", "reports/steps.json"]
)
def test_a_run_makes_a_damaged_file_again(own, name):
    (own.root / name).write_bytes(b"damaged\xff")
    if "prepared" in name:
        failed = run_in(own.root, "train", "--force")
        assert failed.exit_code == 2
        assert "is damaged" in failed.output
    done = run_in(own.root, "run")
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("name", ["model.skops", "schema.json", "training_keys.npy"])
def test_a_damaged_version_is_trained_anew(own, name):
    version = store.champion(own.models)
    (own.models / version / name).write_bytes(b"damaged\xff")
    done = run_in(own.root, "run")
    assert done.exit_code == 0, done.output
    assert store.champion(own.models) != version


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 3}'])
def test_a_damaged_champion_json_is_said_and_made_again_once_it_is_moved_away(own, content):
    path = own.models / "champion.json"
    path.write_text(content, encoding="utf-8")
    failed = run_in(own.root, "status")
    assert failed.exit_code == 2
    assert "champion.json is damaged" in failed.output
    path.unlink()
    assert run_in(own.root, "run").exit_code == 0
    assert store.champion(own.models) == store.newest_version(own.models)


def test_the_model_card_names_classes_as_the_data_does(own):
    rows = pd.read_csv(own.root / "rows.csv").replace({"status": {"bad": "In Arrears"}})
    rows.to_csv(own.root / "rows.csv", index=False)
    edit(own, problem={"positive": "In Arrears"}, models={"candidates": ["tree"]})
    assert run_in(own.root, "run").exit_code in (0, 1)
    card = own.models / store.newest_version(own.models) / "card.md"
    assert '\nThreshold for "In Arrears": ' in card.read_text(encoding="utf-8")


def test_a_name_that_the_terminal_cannot_write_is_no_reason_for_a_traceback(own, problem_type):
    rows = pd.read_csv(own.root / "rows.csv").rename(columns={"income": "収入"})
    rows.to_csv(own.root / "named.csv", index=False)
    edit(own, data={"path": "named.csv"}, columns={"unknown_at_prediction": ["収入"]})
    with contextlib.chdir(own.root):
        main = part(problem_type, "cli").main
        done = CliRunner(charset="cp1252").invoke(main, ["define"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert r"\u53ce\u5165" in done.stdout


def test_a_folder_that_may_not_be_written_is_named_with_the_user_who_wants_to(own, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", "models/champion.json")

    monkeypatch.setattr(store, "write_json", refuse)
    failed = run_in(own.root, "promote", copied(own))
    assert failed.exit_code == 2
    user = f"Permission denied for user {os.geteuid()}."
    assert failed.output.splitlines()[-1] == f"Error: models/champion.json: {user}"


PROCESS_1 = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]  # as in a container


@pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run([*PROCESS_1, "true"], check=False).returncode,
    reason="no process can be made the first of its namespace here",
)
@pytest.mark.parametrize("command", [["run", "--force"], ["serve", "--port", "0"], ["deaf"]])
def test_a_command_that_has_just_begun_ends_by_sigterm_also_as_process_1(own, command):
    # Before there is a handler, the system does not pass the signal on to a process 1.
    code = f"""
import os, signal, threading, time
def stop():
    while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        time.sleep(0.01)
    time.sleep(0.1)
    os.kill(1, signal.SIGTERM)
threading.Thread(target=stop).start()
from {package("classification").__name__}.cli import main
@main.command()
def deaf():
    try:
        time.sleep(600)
    except BaseException:  # as some libraries do while they are imported
        time.sleep(600)
main({command})
"""
    path = os.pathsep.join([str(FOLDER), str(TEMPLATE / "vendor")])
    ended = subprocess.run(
        [*PROCESS_1, sys.executable, "-c", code],
        cwd=own.root,
        env=os.environ | {"PYTHONPATH": path},
        check=False,
        timeout=60,
    )
    assert ended.returncode == 143


def test_files_of_training_rows_can_be_read_by_their_owner_alone(project):
    files = [*project.raw.glob("*.parquet"), *project.prepared.glob("*.parquet")]
    files += project.models.glob("*/reference.parquet")
    assert len(files) >= 4
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    served = [*project.models.glob("*/model.skops"), *project.models.glob("*/schema.json")]
    assert all(path.stat().st_mode & 0o400 for path in served)


def copied(own):
    version = store.champion(own.models)
    shutil.copytree(own.models / version, own.models / f"{version}_2")
    return f"{version}_2"


def test_outside_of_a_project_every_command_says_so(tmp_path):
    failed = run_in(tmp_path, "run")
    assert failed.exit_code == 2
    assert "No project.toml" in failed.output


def test_a_step_says_which_input_does_not_exist_yet(own):
    (own.prepared / "train.parquet").unlink()
    failed = run_in(own.root, "train")
    assert failed.exit_code == 2
    assert "data/prepared/train.parquet does not exist yet; `run` makes it" in failed.output


def test_status_marks_the_champion(own):
    shown = run_in(own.root, "status")
    assert f"* {store.champion(own.models)}" in shown.output


def test_status_counts_what_the_champion_predicted_and_whose_labels_are_known(own):
    champion = store.champion(own.models)
    made = prediction_rows(champion, [{}] * 3, {"a": {}, "b": {}, "c": {}})
    with open_log(own) as log:
        TABLES.create_all(log)
        write_rows(log, {PREDICTIONS: made + prediction_rows("another", [{}], {"d": {}})})
        for actual in ({"a": 1, "b": 1, "d": 1}, {"a": 2}):
            write_feedback(log, pd.Series(actual), find_predictions(log, list(actual)))
    shown = run_in(own.root, "status")
    assert "the champion made 3 predictions, 2 with true labels" in shown.output
