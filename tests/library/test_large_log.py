"""A log of any size: what is read of it does not grow with it, and nothing is fetched whole."""

import sqlite3
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pandas as pd
import pytest
import sqlalchemy as sa
from mlsteps.deployment import log_tables, prediction_log
from mlsteps.deployment.log_tables import FEEDBACK, PREDICTIONS
from mlsteps.deployment.prediction_log import (
    count_labels,
    count_predictions,
    find_predictions,
    open_log,
    prediction_rows,
    read_predictions,
    write_rows,
)
from mlsteps.improvement import feedback
from mlsteps.improvement.feedback import add_labelled_rows
from mlsteps.modeling import store
from project import edit, load, log, run_in, shadowed, true_labels

DAY = datetime(2020, 1, 1)  # noqa: DTZ001 -- in UTC, as all times of the log
STEPS = 100  # of SQLite's virtual machine, between two counts
BEFORE = """
CREATE TABLE predictions (
    id VARCHAR(32) NOT NULL, at DATETIME NOT NULL, version VARCHAR(100) NOT NULL,
    inputs JSON NOT NULL, prediction JSON NOT NULL, shadow_of VARCHAR(32), PRIMARY KEY (id));
CREATE INDEX ix_predictions_at ON predictions (at);
CREATE INDEX ix_predictions_shadow_of ON predictions (shadow_of);
CREATE TABLE feedback (
    number INTEGER NOT NULL, prediction_id VARCHAR(32) NOT NULL, at DATETIME NOT NULL,
    actual JSON NOT NULL, PRIMARY KEY (number));
CREATE INDEX ix_feedback_prediction_id ON feedback (prediction_id);
"""


def fill(project, rows, copies, labelled=1.0):
    """Put the same rows into the log again and again, older and older, as the service writes."""
    predictor, now = load(project), datetime.now(UTC).replace(tzinfo=None)
    inputs = prediction_log.records(rows[[column.name for column in predictor.schema.inputs]])
    predictions = prediction_log.records(predictor.predict(rows))
    actual = [f'"{value}"' for value in true_labels(project, rows)]
    with open_log(project) as engine:
        for k in range(copies):
            at = now - timedelta(minutes=k)
            made = dict(zip([uuid4().hex for _ in inputs], predictions, strict=True))
            lines = prediction_rows(predictor.version, inputs, made, at)
            labels = [
                {"prediction_id": key, "at": at, "actual": value}
                for key, value in zip(made, actual, strict=True)
            ][: int(labelled * len(made))]
            write_rows(engine, {PREDICTIONS: lines, FEEDBACK: labels}, once=True)


@contextmanager
def work_of_the_database():
    """Count what SQLite does: the instructions of its virtual machine, in hundreds."""
    counted = [0]

    def count():
        counted[0] += 1

    def watch(connection, _):
        if isinstance(connection, sqlite3.Connection):
            connection.set_progress_handler(count, STEPS)

    sa.event.listen(sa.Engine, "connect", watch)
    try:
        yield counted
    finally:
        sa.event.remove(sa.Engine, "connect", watch)


def work(project, *command):
    """Return how much the database does for a command."""
    with work_of_the_database() as counted:
        done = run_in(project.root, *command)
    assert done.exit_code == 0, done.output
    return counted[0]


@pytest.fixture
def grows(own, new_rows, monkeypatch):
    """Fill a log, and return what the database does for commands; then again with ten times it."""
    edit(own, improvement={"window": 100, "retrain": ["labels"], "new_labels": 10**6})
    monkeypatch.setattr(prediction_log, "MOST_COUNTED", 100)

    def measure(*commands, labelled=1.0):
        found = []
        for copies in (20, 200):
            fill(own, new_rows, copies, labelled)
            run_in(own.root, "status")  # completes the labels
            found.append([work(own, *command) for command in commands])
        return found

    return measure


@pytest.mark.parametrize("use", [lambda log: find_predictions(log, ["x"]), count_predictions])
def test_a_new_log_is_made_by_many_at_once(own, use):
    for _ in range(10):  # threads of a service, or commands beside it
        with open_log(own) as engine, ThreadPoolExecutor(4) as threads:
            writing = threads.submit(write_rows, engine, {}, once=True)
            for done in [writing, *(threads.submit(use, engine) for _ in range(3))]:
                done.result()
            engine.dispose()
        for file in own.root.glob("predictions.db*"):
            file.unlink()


def test_the_database_does_as_much_for_a_log_of_ten_times_the_rows(grows):
    few, many = grows(["status"], ["monitor"], ["improve"])
    for one, other in zip(few, many, strict=True):
        assert other <= 1.1 * one


def test_it_does_so_where_labels_are_rare_and_late(grows, own, new_rows):
    fill(own, new_rows.head(60), 1)  # the oldest by the end: all that come then are newer
    with open_log(own) as engine, engine.begin() as connection:
        past = DAY
        connection.execute(PREDICTIONS.update().values(at=past))
    few, many = grows(["monitor"], labelled=0)
    assert many[0] <= 1.1 * few[0]
    assert read(own, labelled=True)["at"].max() == past


def test_a_challenger_is_not_looked_for_before_it_was_there(own, new_rows):
    challenger = shadowed(own)
    log(own, new_rows, true_labels(own, new_rows), challenger)
    version, later = store.champion(own.models), datetime.now(UTC).replace(tzinfo=None)
    both = {"labelled": True, "challenger": challenger}
    with open_log(own) as engine:
        found = read_predictions(engine, version, 10, **both)
        assert len(found.shadow) == 10
        after = read_predictions(engine, version, since=later + timedelta(days=1), **both)
        assert len(after) == 0


def read(project, **choice):
    with open_log(project) as engine:
        return read_predictions(engine, **choice).metadata


def test_the_newest_are_read_in_the_order_of_time(own, new_rows):
    fill(own, new_rows.head(5), 4)
    for choice in ({}, {"labelled": True}, {"version": store.champion(own.models)}):
        whole, some = read(own, **choice), read(own, last=7, **choice)
        assert whole["at"].is_monotonic_increasing
        pd.testing.assert_frame_equal(some, whole.tail(7))


def test_a_log_of_before_is_brought_up_to_date(own, new_rows, monkeypatch):
    monkeypatch.setattr(log_tables, "AT_ONCE", 2)
    target = true_labels(own, new_rows)
    with closing(sqlite3.connect(own.root / "predictions.db")) as database:
        database.executescript(BEFORE)
    log(own, new_rows.head(9), target.head(9))
    status = run_in(own.root, "status").output
    assert "made 9 predictions, 9 with true labels" in status
    with closing(sqlite3.connect(own.root / "predictions.db")) as database:
        names = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    wanted = {index.name for table in (PREDICTIONS, FEEDBACK) for index in table.indexes}
    assert wanted <= names


def test_a_label_of_what_is_not_in_the_log_is_none_until_it_is(own, new_rows):
    fill(own, new_rows.head(1), 1)
    label = {"prediction_id": "later", "at": DAY, "actual": '"x"'}
    with open_log(own) as engine:
        write_rows(engine, {FEEDBACK: [label]})
        assert len(read_predictions(engine, labelled=True)) == 1
        line = prediction_rows("v", [{}], {"later": {}})
        write_rows(engine, {PREDICTIONS: line})
        assert len(read_predictions(engine, labelled=True)) == 2
        assert count_labels(engine, DAY + timedelta(days=1)) == 1
        assert count_labels(engine, DAY - timedelta(days=1)) == 2


def test_counting_stops_at_a_million(own, new_rows, monkeypatch):
    monkeypatch.setattr(prediction_log, "MOST_COUNTED", 5)
    fill(own, new_rows.head(6), 1, labelled=5 / 6)
    said = run_in(own.root, "status").output
    assert "the champion made more than 5 predictions, 5 with true labels" in said


def test_labelled_rows_are_written_part_by_part(own, new_rows, monkeypatch):
    fill(own, new_rows.head(25), 4)
    add_labelled_rows(own)
    path = own.raw / "labelled.parquet"
    whole = pd.read_parquet(path)
    assert len(whole) == 100
    monkeypatch.setattr(prediction_log, "ROWS_AT_ONCE", 7)
    add_labelled_rows(own)
    pd.testing.assert_frame_equal(pd.read_parquet(path), whole)


def test_a_column_of_labelled_rows_has_one_type_whatever_a_part_holds(own, monkeypatch):
    monkeypatch.setattr(prediction_log, "ROWS_AT_ONCE", 1)
    given = [{"a": 1, "b": 1}, {"a": 0.5, "b": "x"}, {"a": None, "b": None}, {"b": True, "c": 1}]
    made = {f"{k}": {"prediction": "x"} for k in range(4)}
    now = datetime.now(UTC).replace(tzinfo=None)
    labels = [{"prediction_id": key, "at": now, "actual": '"x"'} for key in made]
    with open_log(own) as engine:
        lines = prediction_rows("v", given, made)
        write_rows(engine, {PREDICTIONS: lines, FEEDBACK: labels}, once=True)
    add_labelled_rows(own)
    found = pd.read_parquet(own.raw / "labelled.parquet")
    assert found["a"].fillna(-1).tolist() == [1, 0.5, -1, -1]
    assert found["b"].fillna("").tolist() == ["1", "x", "", "True"]
    assert found["c"].fillna(0).tolist() == [0, 0, 0, 1]


def test_memory_for_labelled_rows_does_not_grow_with_them(own, new_rows, monkeypatch):
    monkeypatch.setattr(prediction_log, "ROWS_AT_ONCE", 500)
    peaks = []
    for copies in (20, 200):
        fill(own, new_rows, copies)
        add_labelled_rows(own)
        tracemalloc.start()
        add_labelled_rows(own)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_labels_of_a_query_are_taken_part_by_part(own, new_rows, monkeypatch):
    log(own, new_rows.head(30))
    actual = [*true_labels(own, new_rows.head(30)), "no such class"]
    ids = [f"{k:032d}" for k in range(30)]
    engine = sa.create_engine(f"sqlite:///{own.root / 'claims.db'}")
    frame = pd.DataFrame({"id": [*ids, ids[0]], "actual": actual})
    pd.concat([frame, frame.head(2)]).to_sql("claims", engine)
    engine.dispose()
    query = {"labels": "sqlite:///claims.db", "labels_query": "SELECT id, actual FROM claims"}
    monkeypatch.setattr(feedback, "ROWS_AT_ONCE", 10)
    edit(own, improvement=query)
    said = run_in(own.root, "feedback").output
    assert "30 new, 0 corrected" in said
    assert "2 repeated, 0 of unknown predictions, 1 wrong (like 'no such class' in row 31" in said
