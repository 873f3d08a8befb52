"""The part of large_log.py that runs inside a project: fill its log, in the database itself.

`python fill_log.py 1000000 NEWEST SHARE` makes the log anew. Each row of it looks as the service
writes it: an id that says nothing of the order, the inputs and the prediction of a row of the
sample. A share of the predictions, in sixteenths, has a true label as the commands leave it, but
for the newest ones, whose labels are late. Indexes are made at the end, which is several times as
quick.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa
from mlsteps import open_project
from mlsteps.deployment.log_tables import TABLES
from mlsteps.deployment.prediction_log import open_log, prediction_rows
from mlsteps.modeling.store import champion_folder
from my_model.modeling.predictor import load_model

DIFFERENT = 1000  # rows, which come again and again
POOL = "CREATE TEMPORARY TABLE pool (p INTEGER UNIQUE, i TEXT, o TEXT, a TEXT)"
SQL: dict[str, Any] = {
    "sqlite": {
        "before": ["PRAGMA cache_size = -2000000"],  # 2 GB
        "predictions": """
            INSERT INTO predictions (id, at, version, inputs, prediction)
            WITH RECURSIVE n(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM n WHERE k < :rows - 1)
            SELECT lower(hex(randomblob(16))),
                strftime('%Y-%m-%d %H:%M:%f000', :start, (k / 1000.0) || ' seconds'), :version, i, o
            FROM n JOIN pool ON p = k % :different
        """,
        "feedback": """
            INSERT INTO feedback (prediction_id, at, actual, version, predicted_at)
            SELECT id, at, a, version, at
            FROM predictions JOIN (SELECT i, min(a) AS a FROM pool GROUP BY i) labels ON i = inputs
            WHERE id < :below AND at <= :until
        """,
        "after": [],
    },
    "postgresql": {
        "before": ["ALTER TABLE predictions DROP CONSTRAINT predictions_pkey"],
        "predictions": """
            INSERT INTO predictions (id, at, version, inputs, prediction)
            SELECT md5(random()::text || k), CAST(:start AS timestamp) + k * interval '1 ms',
                :version, CAST(i AS json), CAST(o AS json)
            FROM generate_series(0, :rows - 1) k JOIN pool ON p = k % :different
        """,
        "feedback": """
            INSERT INTO feedback (prediction_id, at, actual, version, predicted_at)
            SELECT id, at, CAST(a AS json), version, at
            FROM predictions
            JOIN (SELECT i, min(a) AS a FROM pool GROUP BY i) labels ON i = CAST(inputs AS text)
            WHERE id < :below AND at <= CAST(:until AS timestamp)
        """,
        "after": [
            "SET maintenance_work_mem = '2GB'",
            "ALTER TABLE predictions ADD PRIMARY KEY (id)",
            "ANALYZE",  # as its daemon does
        ],
    },
}


def fill(rows: int, newest: int, labelled: float) -> None:
    """Make the log anew with so many predictions, of which the newest have no label."""
    project = open_project()
    predictor = load_model(champion_folder(project.models))
    definition = project.definition
    names = [column.name for column in predictor.schema.inputs]
    sample = pd.read_csv(project.root / definition.data.path)
    sample = sample.sample(DIFFERENT, random_state=0)
    actual = [json.dumps(value) for value in sample[definition.problem.target].tolist()]
    inputs = sample[names]
    predictions = predictor.predict(inputs).to_dict("records")
    given = inputs.astype(object).where(inputs.notna(), None).to_dict("records")
    made = prediction_rows(
        predictor.version, given, {str(k): row for k, row in enumerate(predictions)}
    )
    start = datetime.now(UTC).replace(tzinfo=None) - timedelta(milliseconds=rows)
    pool = [
        {"p": k, "i": row["inputs"], "o": row["prediction"], "a": label}
        for k, (row, label) in enumerate(zip(made, actual, strict=True))
    ]
    given_to = {
        "rows": rows,
        "different": DIFFERENT,
        "start": str(start),
        "version": predictor.version,
    }
    until = start + timedelta(milliseconds=rows - newest)
    which = {"until": str(until), "below": f"{int(labelled * 16):x}"}
    indexes = [index for table in TABLES.sorted_tables for index in table.indexes]
    with open_log(project) as log:
        TABLES.drop_all(log)
        TABLES.create_all(log)
        sql = SQL[log.dialect.name]
        with log.begin() as connection:
            for index in indexes:
                index.drop(connection)
            for statement in sql["before"]:
                connection.execute(sa.text(statement))
            connection.execute(sa.text(POOL))
            connection.execute(sa.text("INSERT INTO pool VALUES (:p, :i, :o, :a)"), pool)
            connection.execute(sa.text(sql["predictions"]), given_to)
            connection.execute(sa.text(sql["feedback"]), which)
            for statement in sql["after"]:
                connection.execute(sa.text(statement))
            for index in indexes:
                index.create(connection)


if __name__ == "__main__":
    fill(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
