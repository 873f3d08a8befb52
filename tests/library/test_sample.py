"""Learning from a sample of the collected rows: which they are, and that it is said."""

import json
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from mlsteps.collection import memory, read_raw, storage
from mlsteps.errors import UserError
from mlsteps.problem.keys import row_keys
from mlsteps.problem.project import Project, open_project
from project import at, collect_rows, edit, project_toml, run_in, sample

ROWS = 3000
SAID = "of 3,000 rows, chosen by a hash of the row ([split] sample_rows)"


@pytest.fixture(autouse=True)
def _small_row_groups(monkeypatch):
    """Let a few thousand rows be in several row groups, as millions are."""
    monkeypatch.setattr(storage, "GROUP_ROWS", 500)


@pytest.fixture
def people():
    """Rows of 300 groups, some of them equal to others but for the id."""
    drawn = np.random.default_rng(0)
    score = drawn.normal(size=ROWS).round(2)
    return pd.DataFrame(
        {
            "id": np.arange(ROWS),
            "household": drawn.integers(0, 300, ROWS),
            "score": score,
            "city": drawn.choice(["Bern", "Köln", "Wien"], ROWS),
            "y": np.where(score + drawn.normal(size=ROWS) > 0, "yes", "no"),
        }
    )


@pytest.fixture
def store(define, tmp_path):
    """Write rows into a folder of files and collect them, with a definition of a test's own."""

    def make(rows, files=4, suffix=".parquet", name="rows", **changes):
        root = tmp_path / name
        folder = root / "rows"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for k in range(files):
            part = rows.iloc[k * len(rows) // files : (k + 1) * len(rows) // files]
            path = folder / f"part-{k}{suffix}"
            if suffix == ".csv":
                part.to_csv(path, index=False)
            else:
                part.to_parquet(path, index=False)
        (folder / "_SUCCESS").touch()
        (folder / ".part-0.crc").touch()
        project = Project(root, define(data={"path": "rows"}, **changes))
        collect_rows(project)
        return project

    return make


def sampled(asked, **columns):
    return {"split": {"sample_rows": asked}, "columns": columns}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_folder_is_read_file_by_file(people, store, suffix):
    project = store(people, suffix=suffix)
    pd.testing.assert_frame_equal(read_raw(project), people)
    sources = json.loads((project.raw / "provenance.json").read_text("utf-8"))["sources"]
    assert [source["name"] for source in sources] == [f"rows/part-{k}{suffix}" for k in range(4)]


def test_a_folder_that_cannot_be_read_is_one_sentence(people, store):
    project = store(people)
    (project.root / "rows/part-9.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"rows has files of several kinds, part-0\.parquet and"):
        collect_rows(project)
    (project.root / "rows/part-9.csv").unlink()
    (project.root / "rows/more").mkdir()
    with pytest.raises(UserError, match=r'rows has the folder "more" in it; name one without any'):
        collect_rows(project)
    shutil.rmtree(project.root / "rows")
    (project.root / "rows").mkdir()
    with pytest.raises(UserError, match=r"rows has no files; put \.csv, "):
        collect_rows(project)


@pytest.mark.parametrize("asked", [0, ROWS, 10 * ROWS])
def test_all_rows_are_used_unless_fewer_are_asked_for(people, store, asked):
    project = store(people, **sampled(asked))
    pd.testing.assert_frame_equal(read_raw(project), people)
    assert not list(project.raw.glob("sample/*"))


def test_the_sample_has_about_as_many_rows_as_are_asked_for_as_they_were_collected(people, store):
    rows = read_raw(store(people, **sampled(1000)))
    assert abs(len(rows) - 1000) < 100, "four deviations of a draw"
    pd.testing.assert_frame_equal(rows, people.loc[rows.index])
    assert abs(rows["score"].mean() - people["score"].mean()) < 0.15


def test_the_sample_is_the_same_in_whatever_order_files_are_read(people, store):
    same = read_raw(store(people, **sampled(1000)))["id"]
    mixed = people.sample(frac=1, random_state=1)
    others = read_raw(store(mixed, files=7, suffix=".csv", name="mixed", **sampled(1000)))["id"]
    assert sorted(same) == sorted(others)


def test_a_smaller_sample_is_part_of_a_larger_one(people, store):
    project = store(people, **sampled(1000))
    larger = set(read_raw(project).index)
    smaller = project.definition.model_copy(
        update={"split": project.definition.split.model_copy(update={"sample_rows": 300})}
    )
    assert set(read_raw(Project(project.root, smaller)).index) < larger


def test_of_equal_rows_the_same_share_is_chosen_as_of_others(people, store):
    few = people[["city", "y"]]  # six different rows, each there hundreds of times
    rows = read_raw(store(few, **sampled(1000)))
    shares = rows.value_counts() / few.value_counts()
    assert shares.between(0.32, 0.35).all()
    mixed = store(few.sample(frac=1, random_state=1), name="mixed", **sampled(1000))
    assert rows.value_counts().equals(read_raw(mixed).value_counts())


def test_groups_are_whole(people, store):
    rows = read_raw(store(people, **sampled(1000, group="household")))
    sizes, whole = rows["household"].value_counts(), people["household"].value_counts()
    assert sizes.equals(whole[sizes.index].rename("count"))
    assert 1000 <= len(rows) < 1000 + whole.max(), "one group less would be too few"


def test_new_rows_leave_the_sample_as_it_is_but_for_them(people, store):
    """What a champion has learnt from stays in the sample, if that is not asked to be smaller."""
    before = set(read_raw(store(people.iloc[:2000], **sampled(500)))["id"])
    after = set(read_raw(store(people, **sampled(750)))["id"])
    assert before == {row for row in after if row < 2000}


def test_rows_whose_labels_came_back_are_chosen_by_the_same_hash(people, store):
    project = store(people, **sampled(1000, group="household"))
    chosen = read_raw(project)
    back = people.assign(id=people["id"] + ROWS, score=people["score"] + 10)
    back.to_parquet(project.raw / "labelled.parquet")
    rows = read_raw(project)
    assert rows.index.is_unique
    assert set(rows["household"]) == set(chosen["household"]), "groups are whole or not there"
    assert len(rows) == 2 * len(chosen)
    pd.testing.assert_frame_equal(rows.loc[chosen.index], chosen, check_dtype=False)
    assert (rows.index[len(chosen) :] >= ROWS).all()


def test_labels_that_came_back_are_read_part_by_part(people, store):
    project = store(people, **sampled(1000))
    path, back = project.raw / "labelled.parquet", people.assign(score=people["score"] + 10)
    back["id"] += ROWS
    back = pd.concat([back, back.tail(100)])
    back.to_parquet(path)
    whole = read_raw(project)
    back.to_parquet(path, row_group_size=500)
    pd.testing.assert_frame_equal(read_raw(project), whole)
    assert len(whole) == pytest.approx(2000, rel=0.1)


def test_labels_that_came_back_and_do_not_fit_are_a_sentence(people, store, monkeypatch):
    project = store(people.head(100))
    people.to_parquet(project.raw / "labelled.parquet", row_group_size=500)
    monkeypatch.setattr(memory, "free_memory", lambda: 60_000.0)
    with pytest.raises(UserError, match=r"labelled.parquet has 3,000 rows.*set \[split\] sample"):
        read_raw(project)


def test_a_row_is_not_on_both_sides_of_the_split(people, store):
    grouped = sampled(1000, id=["id"], group="household", kinds={})
    project = toml_of(store(people, **grouped), grouped)
    done = run_in(project.root, "prepare")
    assert done.exit_code == 0, done.output
    train, test = (
        pd.read_parquet(project.prepared / f"{side}.parquet") for side in ("train", "test")
    )
    rows = read_raw(project)
    assert sorted([*train.index, *test.index]) == list(rows.index)
    households = people["household"]
    assert not set(households[train.index]) & set(households[test.index])
    assert not set(row_keys(people.loc[train.index])) & set(row_keys(people.loc[test.index]))


def toml_of(project, tables):
    """Write a project.toml for rows that are there."""
    path = project.root / "project.toml"
    path.write_text(project_toml("classification"), encoding="utf-8")
    return edit(
        at(project.root),
        problem={"target": "y", "positive": "yes", "minimum": "none"},
        data={"path": "rows"},
        models={"candidates": ["logistic"]},
        search={"method": "none", "folds": 3},
        constraints={"predict_milliseconds": 10_000},
        **tables,
    )


def test_it_is_said_everywhere_that_a_model_has_learnt_from_a_sample(people, store):
    project = toml_of(store(people), sampled(1000, id=["id"], kinds={}))
    done = run_in(project.root, "run")
    assert done.exit_code == 0, done.output
    rows = len(read_raw(project))
    assert done.output.count(f"{rows:,} {SAID}") == 2, done.output
    report = (project.reports / "index.html").read_text("utf-8")
    assert f"All 3,000 rows, and the {rows:,} of the sample" in report
    version = next(project.models.glob("2*"))
    run = json.loads((version / "run.json").read_text("utf-8"))
    assert run["sample"] == {"rows": rows, "collected": ROWS, "chosen_by": "the row"}
    assert f"Both are from {rows:,} {SAID}." in (version / "card.md").read_text("utf-8")
    again = run_in(project.root, "run")
    assert again.output.count("unchanged") >= 5, again.output
    edit(project, split={"sample_rows": 0})
    whole = run_in(project.root, "run")
    assert whole.exit_code == 0, whole.output
    assert "sample" not in whole.output
    version = max(project.models.glob("2*"))
    assert "sample" not in json.loads((version / "run.json").read_text("utf-8"))
    assert "hash" not in (version / "card.md").read_text("utf-8")


def test_what_the_sample_does_not_tell_is_said(people, store):
    grouped = sampled(300, id=["id"], group="household", kinds={})
    chosen = read_raw(store(people, **grouped)).index
    left = people.index.difference(chosen)
    people.loc[left[:2], "y"] = "perhaps"  # which changes no hash of a group
    people.loc[left[:5], "score"] = None
    people["town"] = np.where(people.index.isin(left[:7]), "Ur", "Rome")
    people["wait"] = pd.to_timedelta(people.index % 9, "min")
    # Neither dates nor numbers are labels, in whatever way they are written.
    people["opened"] = pd.date_range("2019-01-01", periods=ROWS).strftime("%d.%m.%Y")
    people["weight"] = (np.arange(ROWS) % 700).astype(str) + pd.Series([" kg"] * ROWS)
    people["lab"] = np.where(people.index == left[0], "yes ", "yes")
    project = toml_of(store(people, **grouped), grouped)
    done = run_in(project.root, "define")
    assert done.exit_code == 0, done.output
    assert (
        'none of the 2 rows whose "y" is "perhaps"; set [split] sample_rows higher' in done.output
    )
    assert (
        'No row of the sample lacks "score", but of all 3,000 rows up to 5 rows do' in done.output
    )
    assert f"{len(chosen):,} of 3,000 rows, chosen by a hash of the group" in done.output
    assert 'lacks labels of "town" that up to 7 rows of all 3,000 have; it teaches' in done.output
    assert run_in(project.root, "prepare").exit_code == 0
    assert run_in(project.root, "explore").exit_code == 0
    score = people["score"]
    for card in ("1-define", "4-explore"):
        shown = (project.reports / f"cards/{card}.html").read_text("utf-8")
        assert str(score.min()) in shown
        assert f"mean {score.mean():.4g}, deviation {score.std(ddof=0):.4g}" in shown
        assert "0:00:00 to 0:08:00" in shown
        assert f"&quot;Rome&quot; {1 - 7 / ROWS:.1%}, of 2 labels" in shown


def test_rows_that_cannot_be_in_memory_are_a_sentence(people, store, monkeypatch):
    project = store(people)
    monkeypatch.setattr(memory, "free_memory", lambda: 60_000.0)
    with pytest.raises(
        UserError,
        match=r"has 3,000 rows, which take about 0\.0 GB .*set \[split\] sample_rows, to 300 say",
    ):
        read_raw(project)
    monkeypatch.setattr(memory, "free_memory", lambda: 1.0)
    with pytest.raises(UserError, match=r"set \[split\] sample_rows, to 1 say"):
        read_raw(project)
    monkeypatch.setattr(memory, "free_memory", lambda: 60_000.0)
    project = store(people, **sampled(300))
    assert len(read_raw(project)) < 400


def test_define_looks_at_as_many_rows_as_memory_holds(people, store, monkeypatch):
    project = toml_of(store(people), sampled(0, kinds={}))
    monkeypatch.setattr(memory, "free_memory", lambda: 60_000.0)
    done = run_in(project.root, "define", "--data", "rows", "--target", "y")
    assert done.exit_code == 0, done.output
    assert "Memory does not hold all rows: [split] sample_rows is 300." in done.output
    definition = open_project(project.root).definition
    assert definition.split.sample_rows == 300
    assert (definition.data.path, definition.columns.id) == ("rows", ["id"])
    edit(at(project.root), split={"sample_rows": 0})
    done = run_in(project.root, "define", "--target", "y")  # of rows that are collected
    assert done.exit_code == 0, done.output
    assert "Memory does not hold all rows: [split] sample_rows is 300." in done.output
    monkeypatch.undo()
    monkeypatch.setattr(storage, "GROUP_ROWS", 500)
    done = run_in(project.root, "define")
    assert done.exit_code == 0, done.output
    assert " of 3,000 rows, chosen by a hash of the row" in done.output


def test_the_free_memory_of_this_machine_is_known():
    assert 1e7 < memory.free_memory() < 1e14


def test_a_sample_and_the_newest_rows_refuse_each_other(define):
    with pytest.raises(UserError, match=r"sample_rows and newest_rows are both set.*to 0\."):
        define(split={"sample_rows": 10, "newest_rows": 10})


def test_a_sample_without_a_row_is_one_sentence(people, store):
    parts = (people.iloc[first : first + 300] for first in range(0, ROWS, 300))
    unlucky = next(part for part in parts if row_keys(part).min() > 2**64 // 300)
    with pytest.raises(UserError, match="sample_rows = 1 chooses no row of 300; set it higher"):
        read_raw(store(unlucky, **sampled(1)))


def test_a_group_that_is_not_there_is_one_sentence(people, store):
    with pytest.raises(UserError, match=r'names "householt", .*did you mean "household"'):
        read_raw(store(people, **sampled(100, group="householt")))
    with pytest.raises(UserError, match="takes whole series and groups, but all rows are of one"):
        read_raw(store(people.assign(household=1), **sampled(100, group="household")))


def test_series_are_whole(tmp_path):
    root = tmp_path
    (root / "project.toml").write_text(project_toml("forecasting"), encoding="utf-8")
    rows = pd.read_csv(sample("forecasting"))
    rows.to_csv(root / "rows.csv", index=False)
    project = edit(at(root), data={"path": "rows.csv"}, split={"sample_rows": len(rows) // 3})
    collect_rows(project)
    chosen = read_raw(project)
    (series,) = project.definition.columns.series_names()
    sizes, whole = chosen[series].value_counts(), rows[series].value_counts()
    assert len(rows) // 3 <= len(chosen) < len(rows)
    assert sizes.equals(whole[sizes.index])
    done = run_in(root, "define")
    assert f"{len(chosen):,} of {len(rows):,} rows, chosen by a hash of the series" in done.output
    done = run_in(root, "prepare")
    assert done.exit_code == 0, done.output
    assert f"{len(sizes)} series" in done.output
    rows[rows[series] == rows[series][0]].to_csv(root / "rows.csv", index=False)
    project = edit(project, split={"sample_rows": 10})
    collect_rows(project)
    with pytest.raises(UserError, match="takes whole series and groups, but all rows are of one"):
        read_raw(project)
    with pytest.raises(UserError, match="takes whole series and groups, but all rows are of one"):
        read_raw(edit(project, columns={"series": "", "drop": [series]}))


MEASURE = """
    import sys
    from pathlib import Path
    from mlsteps.collection import collect, open_source, read_raw
    from mlsteps.problem.project import open_project
    project = open_project(Path(sys.argv[1]))
    {what}
    print(*(s for s in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in s))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="another system tells it in another way")
def test_memory_does_not_grow_with_the_rows(people, store):
    """Five times the rows take as much, where their frame would take 250 MB more."""
    peaks = {}
    for millions in (1, 5):
        project = toml_of(store(people, files=1), sampled(100_000))
        drawn = np.random.default_rng(0)
        for k in range(millions):
            numbers = {f"x{n}": drawn.normal(size=1_000_000).astype("float32") for n in range(6)}
            rows = pd.DataFrame(numbers | {"y": drawn.choice(["no", "yes"], 1_000_000)})
            rows.to_parquet(project.root / f"rows/part-{k}.parquet", index=False)
        for what in ("collect(project, open_source)", "assert 90_000 < len(read_raw(project))"):
            code = textwrap.dedent(MEASURE).format(what=what)
            done = subprocess.run(
                [sys.executable, "-c", code, project.root],
                capture_output=True,
                text=True,
                check=True,
                timeout=600,
            )
            peaks[what, millions] = int(done.stdout.split()[-2]) / 1024
    assert all(peaks[what, 5] < peaks[what, 1] + 120 for what, _ in peaks), peaks
