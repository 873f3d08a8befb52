"""Learning from the rows outside of the sample: from which, how that is compared, what is said."""

import json

import numpy as np
import pandas as pd
import pytest
from mlsteps.collection import read_raw, read_rest, storage
from mlsteps.errors import UserError
from mlsteps.modeling import Candidate, train
from mlsteps.preparation import cut_folds, prepare, take_test
from mlsteps.problem.keys import row_keys
from project import at, collect_rows, edit, load, part, project_toml, run_in
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeRegressor

ROWS, ASKED = 6000, 1000
METRIC = {"regression": "rmse", "classification": "roc_auc"}


@pytest.fixture(autouse=True)
def _small_row_groups(monkeypatch):
    """Let a few thousand rows be in several row groups, as millions are."""
    monkeypatch.setattr(storage, "GROUP_ROWS", 700)


@pytest.fixture
def waves():
    """Rows of a wave with so many turns that a thousand rows do not tell all of them."""
    drawn = np.random.default_rng(0)
    x = drawn.permutation(ROWS) / ROWS
    day = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(ROWS) // 20, "D")
    y = np.sin(60 * x) + 0.3 * drawn.normal(size=ROWS)
    return pd.DataFrame({"day": day, "x": x, "y": y.round(3)})


@pytest.fixture
def project(tmp_path):
    """Write rows and the project.toml that learns from a sample of them, and from the others."""

    def make(rows, problem_type="regression", **tables):
        rows.to_parquet(tmp_path / "rows.parquet", index=False)
        text = project_toml(problem_type)
        (tmp_path / "project.toml").write_text(text, encoding="utf-8")
        settings = {
            "problem": {"target": "y", "metric": METRIC[problem_type], "minimum": "none"},
            "data": {"path": "rows.parquet"},
            "columns": {"date": "", "id": [], "drop": [], "unknown_at_prediction": []},
            "split": {"sample_rows": ASKED, "all_rows": True},
            "models": {"candidates": ["tree"]},
            "search": {"method": "none", "folds": 3},
            "constraints": {"predict_milliseconds": 10_000},
        }
        for table, keys in tables.items():
            settings[table] = settings.get(table, {}) | keys
        project = edit(at(tmp_path), columns={"kinds": {}})
        return edit(project, **settings)

    return make


def rest_of(project):
    return pd.concat(map(pd.read_parquet, sorted((project.prepared / "rest").glob("*.parquet"))))


def run_json(project):
    return json.loads(max(project.models.glob("2*/run.json")).read_text("utf-8"))


def test_what_is_learnt_from_all_rows_is_better_than_from_the_sample(waves, project):
    project = project(waves.drop(columns="day"))
    done = run_in(project.root, "run")
    assert done.exit_code == 0, done.output
    run = run_json(project)
    assert run["model"] == "all_rows"
    assert [line["model"] for line in run["leaderboard"]] == ["all_rows", "tree"]
    sample, test = len(read_raw(project)), pd.read_parquet(project.prepared / "test.parquet")
    assert run["training_rows"] == ROWS - len(test), "all but the test"
    said = (
        f"all_rows is the mean of tree fitted to the sample and to 5 parts of the "
        f"{ROWS - sample:,} other rows"
    )
    assert said in done.output
    assert said in (project.reports / "index.html").read_text("utf-8")
    card = max(project.models.glob("2*/card.md")).read_text("utf-8")
    assert f"and {said}." in card
    model = load(project)
    assert len(model.pipeline[-1].members) == 6
    predicted = model.predict(test)["prediction"]
    error = np.sqrt(((predicted - test["y"]) ** 2).mean())
    told = json.loads((project.reports / "metrics.json").read_text("utf-8"))["test"]["rmse"]
    assert error == pytest.approx(told["value"])
    assert told["high"] < run["leaderboard"][1]["cv_mean"]


def test_expectations_see_all_rows_that_are_learnt_from(waves, project, monkeypatch):
    def check_rows(rows):
        if (rows["y"] > 100).any():
            raise UserError("y is above 100.")
        seen.extend(rows.index)

    monkeypatch.setattr(part("regression", "pipeline"), "check_rows", check_rows)
    seen = []
    made = project(waves)
    collect_rows(made)
    outside = waves.index.difference(read_raw(made).index)
    assert run_in(made.root, "define").exit_code == 0
    assert sorted(seen) == list(range(ROWS))
    waves.loc[outside[0], "y"] = 101.0
    made = project(waves)
    collect_rows(made)
    done = run_in(made.root, "define")
    assert (done.exit_code, "y is above 100." in done.output) == (2, True), done.output


def test_no_row_of_the_sample_or_equal_to_one_is_outside_of_it(waves, project):
    few = waves[["x", "y"]].round(2)  # many are equal, and may be one thing
    project = project(few)
    collect_rows(project)
    done = run_in(project.root, "prepare")
    assert done.exit_code == 0, done.output
    rest, chosen = rest_of(project), read_raw(project)
    assert f"{len(rest):,} rows outside of it for all_rows" in done.output
    assert set(rest["x"]) == set(few["x"]) - set(chosen["x"])


@pytest.mark.parametrize("how", ["drop", "auto"])
def test_a_row_that_came_several_times_is_outside_once(waves, project, how):
    """Also where it came in another part of the rows; with "auto" an id says that it is one."""
    rows = waves.drop(columns="day").assign(id=range(ROWS))
    ids = ["id"] if how == "auto" else []
    thrice = pd.concat([rows] * 3, ignore_index=True)
    made = project(thrice, preparation={"repetitions": how}, columns={"id": ids})
    collect_rows(made)
    done = run_in(made.root, "prepare")
    assert done.exit_code == 0, done.output
    assert rest_of(made)[" key"].is_unique
    assert len(rest_of(made)) == ROWS - len(read_raw(made).drop_duplicates())


def test_with_an_id_only_the_same_row_is_left_out(waves, project):
    rows = waves[["x", "y"]].round(2).assign(id=np.arange(ROWS) // 2 * 2)
    rows.loc[1::2, ["x", "y"]] = rows.loc[::2, ["x", "y"]].to_numpy()  # each row is there twice
    project = project(rows, columns={"id": ["id"]})
    collect_rows(project)
    assert run_in(project.root, "prepare").exit_code == 0
    chosen = set(read_raw(project)["id"])
    assert set(rest_of(project)[" key"]) <= set(row_keys(rows[~rows["id"].isin(chosen)]))


class Probe(LinearRegression):
    """A regression that notes how many rows it was fitted to, and the greatest of each column."""

    seen = []

    def fit(self, X, y):
        """Note the rows."""
        self.seen.append((len(X), *X.max(axis=0)))
        return super().fit(X, y)


def numbers(columns, definition):
    return ColumnTransformer([("x", "passthrough", ["x"])], verbose_feature_names_out=False)


def test_by_date_nothing_is_learnt_from_what_came_later(waves, project):
    """The column x is the day: what a model was fitted to ends before what it predicts begins."""
    waves["x"] = np.arange(ROWS) // 20.0
    project = project(waves, columns={"date": "day", "drop": []}, models={"candidates": ["probe"]})
    collect_rows(project)
    assert run_in(project.root, "prepare").exit_code == 0
    train_rows = pd.read_parquet(project.prepared / "train.parquet")
    test_rows = pd.read_parquet(project.prepared / "test.parquet")
    Probe.seen.clear()
    train(project, {"probe": Candidate(Probe(), encoder=numbers)}, cut_folds, {})
    by_day = train_rows.sort_values(" date", kind="stable").reset_index(drop=True)
    ends = [by_day["x"][fit].max() for fit, _ in cut_folds(by_day, project.definition)]
    ends.append(by_day["x"].max())
    assert len(set(ends)) == 4
    parts = [newest for _, newest in Probe.seen]
    found = pd.Series(parts).value_counts()
    assert set(found.index) <= set(ends)
    assert (found >= 5).all(), "all parts for each end, and some rows of the sample"
    assert max(found.index) < test_rows["x"].min()
    assert rest_of(project)["x"].max() > test_rows["x"].min(), "what was there to be left out"


def test_labels_that_the_sample_lacks_are_not_learnt(waves, project):
    rows = waves.drop(columns="day").assign(id=waves.index)
    rows["y"] = np.where(waves["y"] > 0, "up", "down")
    about = {"problem": {"positive": "up"}, "columns": {"group": "id"}}
    made = project(rows, "classification", **about)
    collect_rows(made)
    left = rows.index.difference(read_raw(made).index)
    rows.loc[left[:50], "y"] = "sideways"  # which changes no hash of a group
    made = project(rows, "classification", **about)
    done = run_in(made.root, "run")
    assert done.exit_code == 0, done.output
    assert (rest_of(made)["y"] == "sideways").sum() == 50
    test = pd.read_parquet(made.prepared / "test.parquet")
    run = run_json(made)
    assert run["model"] == "all_rows"
    assert run["training_rows"] == ROWS - len(test) - 50
    assert set(load(made).predict(test)["prediction"]) == {"up", "down"}


def test_a_part_that_lacks_a_label_is_a_sentence(waves, project):
    rows = waves.drop(columns="day").assign(id=waves.index)
    rows["y"] = np.where(waves["y"] > 0, "up", "down")
    made = project(rows, "classification", problem={"positive": "up"}, columns={"group": "id"})
    collect_rows(made)
    chosen = read_raw(made).index
    rows.loc[rows.index.difference(chosen), "y"] = "up"
    made = project(rows, "classification", problem={"positive": "up"}, columns={"group": "id"})
    done = run_in(made.root, "run")
    assert done.exit_code == 0, done.output
    why = 'left out: all_rows, a part of the rows outside of the sample has none of "down"'
    assert why in done.output
    assert run_json(made)["model"] == "tree"


def test_a_value_outside_of_the_sample_that_does_not_fit_is_a_sentence(waves, project):
    rows = waves.drop(columns="day").astype({"x": "str"})
    made = project(rows)
    collect_rows(made)
    left = rows.index.difference(read_raw(made).index)
    rows.loc[left[-7], "x"] = "much"  # with which it stays outside
    made = project(rows)
    collect_rows(made)
    done = run_in(made.root, "prepare")
    assert done.exit_code == 2
    assert 'Outside of the sample, the column "x" has' in done.output
    assert f"'much' in row {left[-7] + 1:,}, but must be a number" in done.output
    assert "set [split] all_rows to false" in done.output
    assert not list(made.prepared.glob("rest/*"))
    refused = run_in(made.root, "train")
    assert refused.exit_code == 2
    assert "schema.json does not exist yet; `run` makes it" in refused.output


def test_nothing_stays_of_a_preparation_that_was_killed(waves, project):
    made = project(waves.drop(columns="day"))
    collect_rows(made)
    (made.prepared / ".rest.1234.tmp").mkdir(parents=True)
    (made.prepared / ".train.parquet.1234.tmp").touch()
    assert run_in(made.root, "prepare").exit_code == 0
    assert not list(made.prepared.glob(".*"))


def test_steps_are_skipped_until_the_others_are_wanted_or_not(waves, project):
    made = project(waves.drop(columns="day"))
    assert run_in(made.root, "run").exit_code == 0
    again = run_in(made.root, "run")
    assert again.output.count("unchanged") >= 5, again.output
    next(made.prepared.glob("rest/*.parquet")).unlink()
    again = run_in(made.root, "prepare")
    assert "unchanged" not in again.output, "what was lost is made again"
    edit(made, split={"all_rows": False})
    done = run_in(made.root, "run")
    assert done.exit_code == 0, done.output
    assert "all_rows" not in done.output
    assert not (made.prepared / "rest").exists()
    assert run_json(made)["model"] == "tree"


def test_all_rows_without_a_sample_is_a_sentence(define):
    with pytest.raises(UserError, match=r"all_rows is true, but .*set sample_rows, or all_rows to"):
        define(split={"all_rows": True})


def test_all_rows_without_a_target_is_a_sentence(tmp_path):
    (tmp_path / "project.toml").write_text(project_toml("clustering"), encoding="utf-8")
    with pytest.raises(UserError, match=r"all_rows is true, but nothing is predicted"):
        edit(at(tmp_path), split={"all_rows": True, "sample_rows": 10})


def test_a_pipeline_that_does_not_give_the_others_is_told_how(waves, project):
    """As of a project that was made before, whose user has changed that line."""
    made = project(waves.drop(columns="day"))
    collect_rows(made)
    with pytest.raises(UserError, match=r"end its call with rest=map\(clean, read_rest\(project\)"):
        prepare(made, read_raw(made), take_test, lambda rows: rows)


def test_where_all_rows_are_in_the_sample_there_are_no_others(waves, project):
    made = project(waves.drop(columns="day"), split={"sample_rows": ROWS})
    collect_rows(made)
    read_raw(made)
    assert list(read_rest(made)) == []
    assert run_in(made.root, "prepare").exit_code == 0
    tree = {"tree": Candidate(DecisionTreeRegressor(), encoder=numbers)}
    assert train(made, tree, cut_folds, {}).startswith("tree is best")
