"""Scoring a folder: each file once, whatever happens on the way, and nothing that is not ours."""

import shutil
import threading

import pandas as pd
import pytest
from mlsteps.deployment import score_folder
from mlsteps.deployment.prediction_log import open_log, read_predictions
from mlsteps.errors import UserError
from mlsteps.steps import lock
from project import edit, run_in, shadowed

FILES = 5


@pytest.fixture
def data(rows, tmp_path):
    """A folder of files with other rows each, and a mark as Spark leaves it."""
    folder = tmp_path / "in"
    folder.mkdir()
    for k in range(FILES):
        part_of(rows, k).to_parquet(folder / f"part-{k}.parquet")
    (folder / "_SUCCESS").touch()
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def part_of(rows, k):
    return rows.iloc[k * 40 : (k + 1) * 40 + k]


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name[0] not in "._")


def times(folder):
    return {name: (folder / name).stat().st_mtime_ns for name in names(folder)}


def logged(project):
    with open_log(project) as log:
        return list(read_predictions(log).metadata.index)


def refused(project, source, target):
    failed = run_in(project.root, "predict", source, target)
    assert failed.exit_code == 2, failed.output
    assert failed.output.count("\n") == 1
    return failed.output


def test_each_file_becomes_what_it_becomes_alone(own, data, out, tmp_path):
    done = run_in(own.root, "predict", data, out)
    assert done.exit_code == 0, done.output
    count = sum(len(pd.read_parquet(file)) for file in data.glob("part-*"))
    assert f"{count} rows scored by " in done.output
    assert f"into {out}, in {FILES} files, as many as were read, " in done.output
    assert names(out) == names(data)
    for name in names(out):
        alone = tmp_path / "alone.parquet"
        assert run_in(own.root, "predict", data / name, alone).exit_code == 0
        assert (out / name).read_bytes() == alone.read_bytes()


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_files_may_be_of_any_kind_that_can_be_written(own, rows, out, tmp_path, suffix):
    (tmp_path / "in").mkdir()
    for k in range(2):
        path = tmp_path / "in" / f"{k}{suffix}"
        if suffix == ".csv":
            part_of(rows, k).to_csv(path, index=False)
        else:
            part_of(rows, k).to_json(path, orient="records", lines=True)
    done = run_in(own.root, "predict", tmp_path / "in", out)
    assert done.exit_code == 0, done.output
    assert names(out) == [f"0{suffix}", f"1{suffix}"]


def test_what_is_finished_is_not_done_again_until_its_input_changes(own, data, out):
    run_in(own.root, "predict", data, out)
    before = times(out)
    again = run_in(own.root, "predict", data, out)
    assert f"in {FILES} files ({FILES} of them before), as many as were read\n" in again.output
    assert times(out) == before
    pd.read_parquet(data / "part-3.parquet").iloc[::-1].to_parquet(data / "part-3.parquet")
    assert f"({FILES - 1} of them before)" in run_in(own.root, "predict", data, out).output
    changed = {name for name, time in times(out).items() if time != before[name]}
    assert changed == {"part-3.parquet"}


@pytest.mark.parametrize("change", ["champion", "settings", "options", "code"])
def test_all_is_done_again_where_the_result_would_be_another(own, data, out, monkeypatch, change):
    run_in(own.root, "predict", data, out)
    options = []
    if change == "champion":
        run_in(own.root, "promote", shadowed(own))
    if change == "settings":
        edit(own, data={"missing": ["-777"]})
    if change == "options":
        options = ["--explain"]
    if change == "code":
        monkeypatch.setattr(score_folder, "code_digest", lambda _: "of an edited feature")
    done = run_in(own.root, "predict", data, out, *options)
    assert done.exit_code == 0, done.output
    assert "of them before" not in done.output


def test_a_file_that_cannot_be_scored_is_named_and_the_others_stay(own, rows, data, out):
    name = rows.select_dtypes("number").columns[0]
    wrong = part_of(rows, 2).astype({name: object})
    wrong[name] = ["many", *map(str, wrong[name][1:])]
    wrong.to_parquet(data / "part-2.parquet")
    (data / "part-4.parquet").write_bytes(b"cut off")
    said = refused(own, data, out)
    assert f"part-2.parquet: the column \"{name}\" has 'many' in row 1, but must be" in said
    assert "(neither can part-4.parquet be scored); 3 other files are in" in said
    assert names(out) == ["part-0.parquet", "part-1.parquet", "part-3.parquet"]
    for k in (2, 4):
        part_of(rows, k).to_parquet(data / f"part-{k}.parquet")
    assert f"in {FILES} files (3 of them before)" in run_in(own.root, "predict", data, out).output


@pytest.mark.parametrize("moment", ["write_log", "replace", "rmtree"])
def test_an_end_at_any_moment_leaves_whole_files_that_are_logged_once(
    own, data, out, monkeypatch, moment
):
    own = edit(own, serving={"log_files": True})
    where = {"write_log": score_folder, "replace": score_folder.Path, "rmtree": shutil}[moment]
    true, calls = getattr(where, moment), []

    def killed(*arguments, **options):
        if threading.current_thread() is threading.main_thread():  # of the command
            calls.append(arguments)
            if len(calls) == 3:
                raise KeyboardInterrupt
        return true(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(where, moment, killed)
        assert run_in(own.root, "predict", data, out).exit_code == 130
    assert 1 <= len(names(out)) < FILES
    done = run_in(own.root, "predict", data, out)
    assert done.exit_code == 0, done.output
    written = pd.concat([pd.read_parquet(out / name) for name in names(out)])
    assert sorted(written["prediction_id"]) == sorted(logged(own))
    assert [path.name for path in (out / ".predict").iterdir() if path.is_dir()] == []


def test_a_file_is_logged_once_also_where_another_command_has_scored_it(own, data, out, tmp_path):
    own = edit(own, serving={"log_files": True})
    run_in(own.root, "predict", data / "part-1.parquet", tmp_path / "alone.parquet")
    done = run_in(own.root, "predict", data, out)
    assert "; the prediction log had the rows of 1 file already" in done.output
    written = pd.concat([pd.read_parquet(out / name) for name in names(out)])
    assert sorted(written["prediction_id"]) == sorted(logged(own))


def test_what_was_changed_since_is_neither_taken_nor_overwritten(own, data, out):
    run_in(own.root, "predict", data, out)
    (out / "part-1.parquet").write_bytes(b"mine")
    said = refused(own, data, out)
    assert f"{out}/part-1.parquet is not as `predict` has written it; take it away" in said
    assert (out / "part-1.parquet").read_bytes() == b"mine"
    (out / "part-1.parquet").unlink()
    (out / "part-2.parquet").unlink()
    assert f"({FILES - 2} of them before)" in run_in(own.root, "predict", data, out).output
    assert names(out) == names(data)


def test_two_commands_do_not_write_one_folder_at_once(own, data, out):
    with lock(out / ".predict"):
        assert "Another process is at work on" in refused(own, data, out)
    assert names(out) == []
    assert run_in(own.root, "predict", data, out).exit_code == 0


def test_folders_that_cannot_be_read_are_refused(own, data, out):
    (data / "more").mkdir()
    assert 'has the folder "more" in it; name one without any' in refused(own, data, out)
    (data / "more").rmdir()
    (data / "rows.csv").write_text("a\n1\n", encoding="utf-8")
    assert "files of several kinds, part-0.parquet and rows.csv" in refused(own, data, out)
    for name in names(data):
        (data / name).unlink()
    assert f"{data} has no files; put .csv, .parquet, .jsonl files into it" in refused(
        own, data, out
    )
    (data / "rows.xlsx").touch()
    assert 'rows.xlsx, ends in ".xlsx"; allowed: .csv' in refused(own, data, out)
    assert not out.exists()


def test_folders_that_cannot_be_written_are_refused(own, data, out):
    inside = "one is in the other; name a folder beside it"
    for target in (data, data / "out", data.parent):
        assert inside in refused(own, data, target)
    out.mkdir()
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    assert "holds notes.txt, which `predict` has not made there of a file" in refused(
        own, data, out
    )
    (out / "notes.txt").rename(out / "part-0.parquet")
    assert "holds part-0.parquet, which" in refused(own, data, out)
    assert (out / "part-0.parquet").read_text(encoding="utf-8") == "mine"
    (out / "part-0.parquet").rename(out.parent / "file.parquet")
    assert "is a file; name a folder to write" in refused(own, data, out.parent / "file.parquet")


def test_a_result_whose_input_has_gone_is_named(own, data, out):
    run_in(own.root, "predict", data, out)
    (data / "part-0.parquet").unlink()
    assert "holds part-0.parquet, which" in refused(own, data, out)


def test_what_the_files_lack_is_added_up(own, rows, data, out):
    gaps = next(name for name in rows if rows[name].isna().any())
    part_of(rows, 1).drop(columns=gaps).to_parquet(data / "part-1.parquet")
    for _ in range(2):  # what was finished before counts as well
        done = run_in(own.root, "predict", data, out)
        assert f'; taken as missing in every row: "{gaps}" in 1 file' in done.output


def test_a_folder_that_a_worker_does_not_see_is_one_sentence(own, data, out, tmp_path):
    plan = score_folder.Plan(None, "", out, tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"There is no .*elsewhere on .*; the folder that is read"):
        score_folder._score(plan, data / "part-0.parquet")  # noqa: SLF001
