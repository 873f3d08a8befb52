"""True labels come back, and what is served is monitored."""

import numpy as np
import pandas as pd
import pytest
from mlsteps.deployment.prediction_log import open_log, read_predictions
from mlsteps.improvement.drift import adjust, compare_column
from mlsteps.improvement.performance import find_change
from project import edit, load, log, run_in, true_labels
from sqlalchemy import create_engine


@pytest.fixture
def labels(own, new_rows):
    """The true labels of predictions that are in the log, as a table of somebody else's."""
    log(own, new_rows)
    actual = true_labels(own, new_rows).to_numpy()
    return pd.DataFrame({"id": [f"{k:032d}" for k in range(len(new_rows))], "actual": actual})


def known(project):
    """Return the true labels that the log knows, by the id of their prediction."""
    with open_log(project) as engine:
        return read_predictions(engine, labelled=True).metadata["actual"].to_dict()


def test_labels_comes_by_file_in_any_order_and_every_case_is_counted(own, labels):
    shuffled = labels.sample(frac=1, random_state=0)
    twice = labels.iloc[[0, 0]]
    unknown = pd.DataFrame({"id": ["nobody"], "actual": labels["actual"].iloc[:1]})
    empty = labels.iloc[[1]].assign(actual=None)
    frame = pd.concat([shuffled, twice, unknown, empty]).astype({"actual": object})
    path = own.root / "labels.parquet"
    frame.astype({"actual": "str"}).to_parquet(path)
    done = run_in(own.root, "feedback", path)
    assert done.exit_code == 0, done.output
    assert f"{len(labels):,} new, 0 corrected" in done.output
    assert "2 repeated, 1 of unknown predictions, 0 wrong, 1 empty" in done.output
    assert known(own) == dict(zip(labels["id"], labels["actual"], strict=True))
    assert f"0 new, 0 corrected; left out: {len(labels) + 2:,} rep" in (
        run_in(own.root, "feedback", path).output
    )


def test_labels_that_is_corrected_later_replaces_the_first(own, labels):
    path = own.root / "labels.parquet"
    labels.to_parquet(path)
    run_in(own.root, "feedback", path)
    other = labels.loc[labels["actual"] != labels["actual"].iloc[0], "actual"].iloc[0]
    labels.assign(actual=[other, *labels["actual"].iloc[1:]]).to_parquet(path)
    assert "0 new, 1 corrected" in run_in(own.root, "feedback", path).output
    assert known(own)[labels["id"].iloc[0]] == other


def test_labels_that_the_target_cannot_have_is_counted_and_left_out(own, labels):
    path = own.root / "labels.parquet"
    wrong = ["perhaps", *labels["actual"].astype("str").iloc[1:]]
    labels.assign(actual=wrong).to_parquet(path)
    done = run_in(own.root, "feedback", path)
    assert "1 wrong (like 'perhaps' in row 1, not " in done.output
    assert len(known(own)) == len(labels) - 1


def test_labels_comes_from_a_database_by_a_query(own, labels):
    engine = create_engine(f"sqlite:///{own.root / 'claims.db'}")
    labels.rename(columns={"id": "prediction", "actual": "outcome"}).to_sql("claims", engine)
    engine.dispose()
    query = "SELECT prediction AS id, outcome AS actual FROM claims"
    edit(own, improvement={"labels": "sqlite:///claims.db", "labels_query": query})
    run_in(own.root, "monitor")  # which asks by itself
    assert len(known(own)) == len(labels)
    assert f"{len(labels):,} repeated" in run_in(own.root, "feedback").output


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "Name a FILE, or set [improvement] labels"),
        ({"labels": "nowhere.csv"}, "There is no file nowhere.csv"),
        ({"labels": "rows.csv"}, 'has no column "id"'),
        ({"labels": "sqlite:///x.db", "labels_query": "SELECT 1 FROM y"}, "no such table: y"),
        ({"labels": "nowhere", "labels_query": "SELECT 1"}, "is not the URL of a database"),
    ],
)
def test_labels_that_cannot_be_had_is_said_in_a_sentence(own, settings, said):
    edit(own, improvement=settings)
    done = run_in(own.root, "feedback")
    assert done.exit_code == 2
    assert said in done.output


def test_monitor_looks_at_what_it_has_when_labels_cannot_be_had(own, new_rows):
    edit(own, improvement={"labels": "nowhere.csv"})
    log(own, new_rows, true_labels(own, new_rows))
    done = run_in(own.root, "monitor")
    assert done.exit_code == 0, done.output
    assert "no alarm" in done.output
    assert "no true labels were taken: There is no file nowhere.csv" in done.output


def test_monitor_says_when_there_is_not_enough_to_tell(own):
    done = run_in(own.root, "monitor")
    assert done.exit_code == 0
    assert "not enough yet" in done.output


def test_monitor_is_quiet_while_nothing_has_changed(own, new_rows):
    log(own, new_rows, true_labels(own, new_rows))
    done = run_in(own.root, "monitor")
    assert done.exit_code == 0, done.output
    assert "no alarm" in done.output


def test_monitor_raises_an_alarm_when_an_input_moves(own, new_rows):
    name = next(c.name for c in load(own).schema.inputs if c.kind == "number")
    moved = new_rows.assign(**{name: new_rows[name] + 3 * new_rows[name].std()})
    log(own, moved)
    done = run_in(own.root, "monitor")
    assert done.exit_code == 1
    assert f'"{name}" has drifted' in done.output
    assert f"{name}" in (own.reports / "index.html").read_text(encoding="utf-8")


def test_adjusting_for_many_columns_follows_holm():
    assert adjust([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_an_alarm_without_a_cause_is_rare_for_every_kind():
    generator = np.random.default_rng(0)
    for kind in ("number", "category"):
        alarms = 0
        for _ in range(200):
            before = pd.Series(generator.integers(0, 9, 1000).astype(float))
            now = pd.Series(generator.integers(0, 9, 300).astype(float))
            if kind == "category":
                before, now = before.astype(str), now.astype(str)
            alarms += compare_column("x", kind, before, now).p_value < 0.05
        assert alarms <= 20


def test_many_labels_raise_no_alarm_by_themselves():
    generator = np.random.default_rng(0)
    alarms = 0
    for _ in range(200):
        before, now = (
            pd.Series(generator.integers(0, 300, n).astype(str), dtype="str") for n in (1600, 300)
        )
        alarms += compare_column("x", "category", before, now).p_value < 0.05
    assert alarms <= 20


def test_a_label_that_was_never_seen_is_a_change():
    before = pd.Series(["a", "b"] * 500)
    now = pd.Series((["a", "b"] * 200) + ["c"] * 20)
    found = compare_column("x", "category", before, now)
    assert found.p_value < 0.001
    assert "20 rows with labels not seen before, like 'c'" in found.note


def test_a_few_values_beyond_the_range_are_a_change():
    generator = np.random.default_rng(0)
    before, now = (pd.Series(generator.random(n)) for n in (1000, 200))
    now[:8] = 1000.0
    found = compare_column("x", "number", before, now)
    assert found.p_value < 0.001
    assert "8 rows beyond" in found.note


def test_a_change_is_said_without_what_there_is_not_to_say():
    before = pd.Series(pd.date_range("2026-01-01", periods=200))
    drift = compare_column("day", "date", before, before + pd.Timedelta(days=900))
    assert drift.sentence().endswith(f"PSI {drift.psi:.2f})")
    high = pd.Series(1_358_750.0 + np.arange(200))
    one = compare_column("price", "number", high, pd.concat([high[1:], pd.Series([5e6])]))
    assert one.note == "median 1,358,850, now 1,358,850; 1 row beyond 1,358,750 to 1,358,949"


def test_errors_that_rise_are_found_and_others_are_not():
    generator = np.random.default_rng(0)
    calm = [(generator.random(600) < 0.2).astype(float) for _ in range(50)]
    assert not any(find_change(errors) for errors in calm)
    change = find_change(np.concatenate([calm[0], (generator.random(200) < 0.6)]))
    assert change is not None
    assert change.before < 0.25 < change.after
    assert 600 < change.rows < 700
    assert find_change(np.concatenate([generator.random(300) < 0.6, calm[0]])) is None  # it fell
