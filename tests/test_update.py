"""A project takes what the template learns later, whichever engine it was started with."""

import json
import re
import shutil
import subprocess
import tomllib
import urllib.request
from pathlib import Path

import copier
import pytest
import yaml
from combinations import CHOICES, FEW, title
from compatibility import done
from conftest import PACKAGE, REPOSITORY, Environment, Template, commit, files, git

OWN_LINE = b"# A line of the user's own.\n"
EDITED = ["CONTRIBUTING.md", "src/my_model/preparation/clean.py"]


@pytest.fixture(scope="module")
def released(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A template with two releases; the older one is checked out."""
    path = tmp_path_factory.mktemp("released") / "ml-template"
    shutil.copytree(template.path, path)
    with (path / "template" / "CHANGELOG.md").open("a", encoding="utf-8") as file:
        file.write("- Something that {{ cookiecutter.project_name }} learnt.\n")
    (path / "template" / "new.txt").write_text("new\n", encoding="utf-8")
    library = path / "template" / "vendor" / "mlsteps"
    for module in library.rglob("*.py"):
        with module.open("a", encoding="utf-8") as file:
            file.write("\nCHANGED = True\n")
    (library / "new.py").write_text('"""Something new."""\n', encoding="utf-8")
    (library / "README.md").unlink()
    commit(path, "Release")
    git(path, "tag", "2.0.0")
    git(path, "checkout", "--quiet", "1.0.0")
    return Template(path)


def begin(released: Template, folder: Path, **answers: str) -> Path:
    """Start a project with cookiecutter, and change it as its user would."""
    project = released.cookiecutter(folder, **answers)
    for name in EDITED:
        append(project / name, OWN_LINE)
    (project / "src" / "my_model" / "own.py").write_bytes(OWN_LINE)
    commit(project, "Begin")
    return project


def append(path: Path, text: bytes) -> None:
    """Add a line to a file that is there."""
    path.write_bytes(path.read_bytes() + text)


def replace(path: Path, old: str, new: str) -> None:
    """Change a file as its user would."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def update(project: Path, **answers: str) -> None:
    """Update a project as `copier update` does, and commit."""
    copier.run_update(project, data=answers, defaults=True, overwrite=True, quiet=True)
    done("updated by copier", project)
    commit(project, "Update")


def fresh(released: Template, folder: Path, **answers: str) -> dict[str, bytes]:
    """Return the files of a project made now, with the user's changes."""
    expected = files(released.copier(folder, version="2.0.0", **answers))
    package = answers.get("package_name", PACKAGE)
    for name in EDITED:
        expected[name.replace(PACKAGE, package)] += OWN_LINE
    return expected | {f"src/{package}/own.py": OWN_LINE}


def test_an_update_brings_what_is_new_and_keeps_what_is_the_users(
    released: Template, tmp_path: Path
) -> None:
    project = begin(released, tmp_path)
    update(project)
    assert files(project) == fresh(released, tmp_path / "fresh")


def test_a_project_started_with_copier_updates_as_well(released: Template, tmp_path: Path) -> None:
    project = released.copier(tmp_path / "project", version="1.0.0")
    commit(project, "Begin")
    update(project)
    assert files(project) == files(released.copier(tmp_path / "fresh", version="2.0.0"))


def test_a_changed_slug_goes_where_it_is_named_and_keeps_what_is_the_users(
    released: Template, tmp_path: Path
) -> None:
    project = begin(released, tmp_path)
    update(project, project_slug="churn")
    assert files(project) == fresh(
        released, tmp_path / "fresh", project_slug="churn", package_name="my_model"
    )


def test_a_changed_package_is_refused_until_its_files_are_moved(
    released: Template, tmp_path: Path
) -> None:
    project = begin(released, tmp_path)
    before = files(project)
    with pytest.raises(ValueError, match='package_name is "churn"') as refusal:
        update(project, package_name="churn")
    assert files(project) == before

    steps = str(refusal.value)
    command = re.search("`(git mv [^`]*)`", steps)
    assert command, steps
    assert "replace my_model by churn in every file that names the package" in steps
    subprocess.run(command.group(1).split(), cwd=project, check=True)
    for name in git(project, "ls-files").splitlines():
        path = project / name
        path.write_bytes(path.read_bytes().replace(b"my_model", b"churn"))
    commit(project, "Rename")
    update(project)
    expected = fresh(released, tmp_path / "fresh", package_name="churn")
    assert files(project) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("deployment", "manifest", "table", "cluster", "old", "own"),
    [
        (
            *("docker", "compose.yaml", "services", {"scheduler", "worker"}),
            *("mem_limit: 512m", "mem_limit: 1g"),
        ),
        (
            *("kubernetes", "deploy/kubernetes/base/kustomization.yaml", "resources"),
            *({"dask.yaml"}, "batch/in.csv", "batch/new.csv"),
        ),
    ],
    ids=["docker", "kubernetes"],
)
def test_a_cluster_comes_and_goes_with_the_answer_and_edits_beside_it_stay(
    released: Template,
    tmp_path: Path,
    deployment: str,
    manifest: str,
    table: str,
    cluster: set[str],
    old: str,
    own: str,
) -> None:
    def edit(project: Path) -> None:
        replace(project / manifest, old, own)
        replace(project / "project.toml", "port = 8000", "port = 9000")

    project = begin(released, tmp_path, deployment=deployment)
    edit(project)
    commit(project, "Edit")
    for compute in ("dask", "single"):
        update(project, compute=compute)
        made = tmp_path / compute
        expected = fresh(released, made, deployment=deployment, compute=compute)
        edit(made)
        expected |= {name: (made / name).read_bytes() for name in (manifest, "project.toml")}
        assert files(project) == expected
        listed = yaml.safe_load((project / manifest).read_text(encoding="utf-8"))[table]
        settings = tomllib.loads((project / "project.toml").read_text(encoding="utf-8"))
        assert cluster & set(listed) == (cluster if compute == "dask" else set())
        assert ("compute" in settings) == (compute == "dask")


@pytest.mark.slow
@pytest.mark.parametrize("combination", FEW, ids=title)
def test_an_update_with_other_answers_swaps_the_files(
    released: Template, tmp_path: Path, combination: dict[str, str]
) -> None:
    project = begin(released, tmp_path, **combination)
    changed = {
        name: choices[(choices.index(combination[name]) + 1) % len(choices)]
        for name, choices in CHOICES.items()
    }
    update(project, **changed)
    assert files(project) == fresh(released, tmp_path / "fresh", **changed)


@pytest.mark.slow
def test_a_changed_library_leaves_the_users_code_and_the_champion_alone(
    released: Template, environment: Environment, tmp_path: Path
) -> None:
    project = released.cookiecutter(tmp_path)
    sources = sorted((project / "src").rglob("*.py"))
    for path in sources:
        append(path, OWN_LINE)
    features = project / "src" / "my_model" / "preparation" / "features.py"
    replace(
        features, "    return rows\n", '    return rows.assign(own=rows["amount"] / rows["age"])\n'
    )
    replace(project / "project.toml", 'method = "random"', 'method = "none"')
    commit(project, "Begin")
    environment.run(project, "python", "-m", PACKAGE, "run")
    owned, before = files(project / "src"), predictions(project, environment)

    update(project)

    fresh = released.copier(tmp_path / "fresh", version="2.0.0")
    assert code(project / "vendor") == code(fresh / "vendor")
    assert files(project / "src") == owned
    assert not list(project.rglob("*.rej"))
    assert predictions(project, environment) == before
    with environment.serve(project) as address:
        served = json.loads(urllib.request.urlopen(f"{address}/model", timeout=30).read())
    champion = json.loads((project / "models" / "champion.json").read_text(encoding="utf-8"))
    assert served["version"] == champion["version"]
    environment.run(project, "python", "-m", PACKAGE, "run")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bound", "newer", "conflict"),
    [
        ('"ruff>=0.17,<0.18"', '"ruff>=0.18,<0.19"', False),
        ('"scipy>=1.16,<2"', '"scipy>=1.17,<2"', True),
    ],
)
def test_a_library_that_uv_has_added_stays_and_meets_only_its_neighbours(
    template: Template, tmp_path: Path, bound: str, newer: str, *, conflict: bool
) -> None:
    path = shutil.copytree(template.path, tmp_path / "ml-template")
    project = Template(path).copier(tmp_path / "my-model", version="1.0.0")
    subprocess.run(
        ["uv", "add", "--quiet", "--no-sync", "seaborn>=0.13.2"], cwd=project, check=True
    )
    commit(project, "Begin")
    replace(path / "template" / "pyproject.toml", bound, newer)
    commit(path, "Release")
    git(path, "tag", "2.0.0")

    update(project)

    text = (project / "pyproject.toml").read_text(encoding="utf-8")
    assert newer in text
    assert '    "seaborn>=0.13.2",\n' in text
    page = (REPOSITORY / "docs" / "how-to" / "update.md").read_text(encoding="utf-8")
    _, told, _ = re.split("```(?:text)?\n", page[page.index("```text\n<<<<<<<") :], maxsplit=2)
    assert (told in text) == ("<<<<<<<" in text) == conflict


def predictions(project: Path, environment: Environment) -> str:
    """Return what the champion predicts for the sample."""
    (sample,) = (project / "data" / "sample").glob("*.csv")
    target = project / "data" / "predictions.csv"
    environment.run(project, "python", "-m", PACKAGE, "predict", str(sample), str(target))
    text = target.read_text(encoding="utf-8")
    target.unlink()
    return text


def code(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder without Python's caches."""
    return {name: text for name, text in files(folder).items() if "__pycache__" not in name}
