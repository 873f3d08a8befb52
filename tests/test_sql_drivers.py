"""Databases other than PostgreSQL: in a file, and MariaDB where its server is installed."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import Environment, Template
from ports import free_port
from test_sql_source import (
    ENCODED,
    FROM_FILE,
    SECRET,
    collected,
    command,
    edit,
    interrupt,
    kill,
    table,
)

pytestmark = pytest.mark.slow

Run = Callable[[str], object]

ROWS, MORE = 150_000, 230_000  # two chunks, and another
TABLE = "CREATE TABLE growing (grows integer, g integer, code varchar(32))"
GROW = {  # three rows of each number
    "duckdb": "INSERT INTO growing SELECT g // 3, g, md5(g::text) FROM range({}, {} + 1) t(g)",
    "mariadb": "INSERT INTO growing SELECT seq DIV 3, seq, md5(seq) FROM seq_{}_to_{}",
}
SLOW = {
    "duckdb": "SELECT count(*) FROM range(10000000) a, range(1000000) b WHERE a.range < b.range",
    "mariadb": "SELECT sleep(0.01) FROM growing",
}
ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT sum(i) FROM n",
    "duckdb": SLOW["duckdb"],
    "mariadb": "SELECT seq, md5(seq) FROM seq_1_to_1000000000",  # its driver cannot be interrupted
}


@contextmanager
def mariadb(folder: Path) -> Iterator[tuple[str, Run]]:
    """Start a server on a free port; yield its URL, and what runs a statement in it."""
    programs = [shutil.which(name) for name in ("mariadb-install-db", "mariadbd", "mariadb")]
    install, server, client = programs
    if not (install and server and client):
        pytest.skip("MariaDB's server is not installed")
    data, file = folder / "data", folder / "socket"
    new = [
        install,
        "--no-defaults",
        f"--datadir={data}",
        "--auth-root-authentication-method=normal",
    ]
    subprocess.run(new, check=True, capture_output=True)
    port = free_port()
    place = [f"--datadir={data}", f"--socket={file}", "--bind-address=127.0.0.1", f"--port={port}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([server, "--no-defaults", *place, "--user=root"], stderr=log)

    def run(statement: str) -> int:
        done = [client, "--no-defaults", f"--socket={file}", "--user=root", "--execute", statement]
        return subprocess.run(done, capture_output=True, check=False).returncode

    try:
        deadline = time.monotonic() + 60
        while run("CREATE OR REPLACE DATABASE shop"):
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        assert not run(f"GRANT SELECT ON shop.* TO reader@'127.0.0.1' IDENTIFIED BY '{SECRET}'")
        yield (
            f"mysql+pymysql://reader:{ENCODED}@127.0.0.1:{port}/shop",
            lambda statement: run(f"USE shop; {statement}"),
        )
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def opened(kind: str, project: Path, environment: Environment) -> Iterator[tuple[str, Run]]:
    """Yield the URL of a database, and what runs a statement in it."""
    if kind == "mariadb":
        with mariadb(project.parent) as both:
            yield both
        return
    module = {"sqlite": "sqlite3"}.get(kind, kind)
    script = f"import {module}, sys; {module}.connect('shop').execute(sys.argv[1])"
    yield (
        f"{kind}:///shop",
        lambda statement: environment.run(project, "python", "-c", script, statement),
    )


@pytest.mark.parametrize("kind", GROW)
def test_a_table_is_collected_whole_and_what_is_wrong_gets_one_sentence(
    template: Template, environment: Environment, tmp_path: Path, kind: str
) -> None:
    project = template.cookiecutter(tmp_path, data_source="sql")
    tables = {'table = ""': 'table = "growing"', 'cursor = ""': 'cursor = "grows"'}
    edit(project, **{FROM_FILE: 'path = ""'}, **tables)
    with opened(kind, project, environment) as (address, run):
        url = {"DATABASE_URL": address}
        run(TABLE)
        run(GROW[kind].format(1, ROWS))
        said = command(environment, project, "collect", "--preview", **url).stdout
        assert f"{ROWS:,} rows and 3 columns; nothing was written" in said
        kill(environment, project, "data.parquet", "before", **url)
        command(environment, project, "collect", **url)
        assert collected(environment, project) == table(ROWS)
        run(GROW[kind].format(ROWS + 1, MORE))
        kill(environment, project, "data.parquet", "before", **url)
        assert collected(environment, project) == table(ROWS), "the last good data stays"
        said += command(environment, project, "collect", **url).stdout
        assert collected(environment, project) == table(MORE)

        query = {'table = "growing"': 'table = ""', 'query = ""': 'query = "slow.sql"'}
        edit(project, **query, **{"timeout_seconds = 600": "timeout_seconds = 1"})
        (project / "slow.sql").write_text(SLOW[kind])
        edit(project, **{'cursor = "grows"': 'cursor = ""'})
        said += failed(environment, project, address)
        assert "did not give query slow.sql within [data] timeout_seconds = 1" in said
        (project / "slow.sql").write_text("SELECT g FORM growing")
        said += failed(environment, project, address)
        assert "does not give query slow.sql: " in said
        if kind == "mariadb":
            said += failed(environment, project, address.replace(ENCODED, "wr0ng"))
            assert "Access denied for user 'reader'" in said
            said += failed(environment, project, address.replace("127.0.0.1", "nobody.invalid"))
            assert "nobody.invalid" in said
            said += failed(environment, project, f"{address}?nonsense=1")
            assert "[data] url has an option that its driver does not know" in said
    assert not [word for word in (SECRET, ENCODED, "Traceback", "Warning") if word in said]


@pytest.mark.parametrize("kind", ENDLESS)
def test_ctrl_c_is_heard_while_the_database_is_busy(
    template: Template, environment: Environment, tmp_path: Path, kind: str
) -> None:
    project = template.cookiecutter(tmp_path, data_source="sql")
    with opened(kind, project, environment) as (address, run):
        run(TABLE)
        interrupt(environment, project, ENDLESS[kind], address)


def failed(environment: Environment, project: Path, url: str) -> str:
    """Collect with a mistake, and return what is said about it."""
    done = command(environment, project, "collect", check=False, DATABASE_URL=url)
    assert done.returncode == 2, done.stderr
    return done.stdout + done.stderr
