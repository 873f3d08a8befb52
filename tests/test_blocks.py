"""Every command and every piece of Python in the documentation is run as it stands there."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import other_data
import pandas as pd
import pytest
from blocks import TYPED, Block, Reader, blocks, is_shown
from combinations import CHOICES
from conftest import (
    QUICK,
    REPOSITORY,
    Environment,
    Renders,
    Template,
    change_settings,
    grow,
)
from edits import shown
from ports import free_port

DOCS = REPOSITORY / "docs"
PAGES = sorted([REPOSITORY / "README.md", *DOCS.rglob("*.md")])
LANGUAGES = TYPED | {"ini", "json", "none", "sql", "text", "toml"}
NEEDS = {"a cluster", "a Docker engine", "a share that root owns"}
EDITED = re.findall(
    r'(?:apply\(project|shown\()[^"]*"([\w-]+\.md)"',
    Path(__file__).with_name("test_edits.py").read_text(encoding="utf-8"),
)


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def is_run(page: Path, block: Block) -> bool:
    if name(page) in STORIES:
        return True
    if page.name == "more-machines.md":
        return block.text.startswith("openssl ")  # in library/test_cluster_tls.py
    if page.name == "dependency.md":
        return block.language == "python"  # below, and in test_edits
    return page.name in EDITED and block.language == "python"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_and_every_piece_of_python_is_run_or_says_what_it_needs(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    outside = re.sub(r"^ *```.*?```", "", text, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"\n\n {4}", outside), "a block says what it is: ```sh"
    for block in blocks(page):
        assert block.language in LANGUAGES, block
        assert block.need in NEEDS or not block.need, block
        if block.language in TYPED and not block.need:
            assert is_run(page, block), block


def test_what_a_page_shows_is_compared_but_for_numbers_and_what_they_make_the_best() -> None:
    printed = "train     logistic is best: ROC AUC 0.83 (1.5 s)\nreport    reports/index.html\n"
    assert is_shown("train  tree is best: ROC AUC 0.7731 (12 s)\n...\nreport reports", printed)
    assert not is_shown("train  logistic is best: PR AUC 0.83", printed)
    assert not is_shown("report reports ... train", printed)
    assert is_shown("drifted ('no' 78.3%, now 47.8%)", "drifted ('yes' 22.2%, now 53.6%)")


def test_probes_pass_a_dependency_that_asks_who_calls() -> None:
    fastapi = pytest.importorskip("fastapi")
    names = {"Annotated": Annotated, "Header": fastapi.Header, "Request": fastapi.Request}
    names["HTTPException"] = fastapi.HTTPException
    exec(shown("dependency.md", "request.url.path"), names)  # noqa: S102 -- a page of ours
    ask = names["require_tenant"]

    def request(path: str):
        return fastapi.Request({"type": "http", "path": path, "headers": [], "query_string": b""})

    assert ask(request("/health/live"), "") == ""
    assert ask(request("/predict"), "north") == "north"
    with pytest.raises(fastapi.HTTPException):
        ask(request("/predict"), "")


Desk = Callable[..., dict[str, Any]]  # what a story begins with: arguments of Reader


def tell_own_data(desk: Path, trained: Callable[[str], Path], **_: object) -> dict[str, Any]:
    give = {"data/customers.csv": customers(desk)}
    return {"folder": trained("fastapi"), "give": give}


def tell_project(trained: Callable[[str], Path], **_: object) -> dict[str, Any]:
    return {"folder": trained("fastapi")}


def tell_clusters(desk: Path, **_: object) -> dict[str, Any]:
    rows = other_data.clouds(np.random.default_rng(0), rows=200)
    return {"give": {"data/shoppers.csv": table(rows, desk / "shoppers.csv")}, "begin": quick}


def tell_forecast(**_: object) -> dict[str, Any]:
    return {"begin": quick}


def tell_application(desk: Path, trained: Callable[[str], Path], **_: object) -> dict[str, Any]:
    rows = pd.read_csv(trained("fastapi") / "data" / "sample" / "credit.csv").head(3)
    return {"folder": trained("fastapi"), "give": {"new.csv": table(rows, desk / "new.csv")}}


def tell_score_files(desk: Path, trained: Callable[[str], Path], **_: object) -> dict[str, Any]:
    folder = trained("fastapi")
    rows = pd.read_csv(folder / "data" / "sample" / "credit.csv")
    rows.to_parquet(desk / "new.parquet")
    rows.head(100).to_parquet(desk / "part.parquet")
    (desk / "actual.csv").write_text("id,actual\nof-no-prediction,good\n", encoding="utf-8")
    give = {name: desk / name for name in ("new.parquet", "actual.csv")}
    give |= {f"new/part-{k}.parquet": desk / "part.parquet" for k in range(2)}
    return {"folder": folder, "give": give}


def tell_readme(desk: Path, **_: object) -> dict[str, Any]:
    tested = {"python demo.py", "pip install uv && uv run pytest"}  # in test_projects
    give = {"customers.csv": customers(desk)}
    return {"give": give, "begin": quick, "compares": True, "apart": tested}


def tell_tutorial(**_: object) -> dict[str, Any]:
    typed = ["Churn", *[""] * (len(CHOICES) + 5)]
    answers = tuple((f"[{n}/{len(typed)}]", text) for n, text in enumerate(typed, 1))
    give = {f"data/{name}.py": DOCS / "examples" / f"{name}.py" for name in ("customers", "ask")}
    return {"answers": answers, "give": give, "begin": quick, "compares": True}


def tell_anomalies(desk: Path, **_: object) -> dict[str, Any]:
    rows = other_data.clouds(np.random.default_rng(0), rows=300).drop(columns="ward")
    rows["state"] = np.where(np.arange(300) % 30, "normal", "broken")
    rows.loc[::30, ["a", "b"]] -= 12.0
    return {"give": {"data/pumps.csv": table(rows, desk / "pumps.csv")}, "begin": quick}


def tell_mlflow(environment: Environment, render: Renders, **_: object) -> dict[str, Any]:
    def run(project: Path) -> None:
        quick(project)
        environment.run(project, "python", "-m", "churn", "run")

    return {"folder": render(tracking="mlflow", project_name="Churn"), "begin": run}


def tell_update(template: Template, desk: Path, **_: object) -> dict[str, Any]:
    released = Template(shutil.copytree(template.path, desk / "ml-template"))
    grow(released.path, "newer", "2.0.0")
    project = released.copier(desk / "churn", version="1.0.0", project_name="Churn")
    return {"folder": project, "template": released}


STORIES: dict[str, Desk] = {
    "README.md": tell_readme,
    "docs/tutorial.md": tell_tutorial,
    "docs/explanation/two-houses.md": tell_project,
    "docs/how-to/anomalies.md": tell_anomalies,
    "docs/how-to/ask-from-an-application.md": tell_application,
    "docs/how-to/clusters.md": tell_clusters,
    "docs/how-to/database.md": tell_project,
    "docs/how-to/forecast.md": tell_forecast,
    "docs/how-to/mlflow.md": tell_mlflow,
    "docs/how-to/own-data.md": tell_own_data,
    "docs/how-to/reasons.md": tell_application,
    "docs/how-to/score-files.md": tell_score_files,
    "docs/how-to/update.md": tell_update,
}


@pytest.mark.slow
@pytest.mark.parametrize("page", STORIES)
def test_who_types_what_a_page_says_sees_what_it_shows(
    page: str,
    template: Template,
    environment: Environment,
    render: Renders,
    trained: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    desk = tmp_path / "desk"
    desk.mkdir()
    known = {"template": template, "environment": environment, "render": render}
    story = STORIES[page](desk=desk, trained=trained, **known)
    folder, apart = story.pop("folder", None), story.pop("apart", set())
    work = tmp_path / "churn"  # as MLflow will call it
    shutil.copytree(folder, work) if folder else work.mkdir()
    story = {"environment": environment, "template": template, "port": free_port(), **story}
    reader = Reader(work, **story)
    with reader.open:
        reader.enter_project()
        reader.read(REPOSITORY / page, apart)


def customers(desk: Path) -> Path:
    """Make the customers of the tutorial."""
    script = DOCS / "examples" / "customers.py"
    subprocess.run([sys.executable, script], cwd=desk, check=True, capture_output=True)
    return desk / "customers.csv"


def table(rows: pd.DataFrame, path: Path) -> Path:
    """Write a file of rows."""
    rows.to_csv(path, index=False)
    return path


def quick(project: Path) -> None:
    """Search for no settings: the page is not about them."""
    change_settings(project, search=QUICK)
