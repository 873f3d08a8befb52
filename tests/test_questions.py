"""Both engines ask the same questions, and refuse the same answers with the same words."""

import json
import keyword
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from combinations import CHOICES, QUESTIONS
from conftest import DATA, REPOSITORY, Environment, Renders, Template, files
from cookiecutter.exceptions import FailedHookException, OutputDirExistsException

CONFIG = yaml.safe_load((REPOSITORY / "copier.yml").read_text(encoding="utf-8"))
COPIER = {
    name: question
    for name, question in CONFIG.items()
    if not name.startswith("_") and question.get("when") is not False
}
COOKIECUTTER = {name: value for name, value in QUESTIONS.items() if not name.startswith("_")}

NAMES = {
    "X": "x",
    "Churn of customers, 2024": "churn-of-customers-2024",
    'The "best" model': "the-best-model",
    "O'Brien's model": "obriens-model",
    "Ünïcode façade": "unicode-facade",
    "Cafe\u0301": "cafe",
    "Größe \\ Œuvre": "grosse-oeuvre",
    "3D shapes": "ml-3d-shapes",
    "  spaces\u00a0 and — dashes ": "spaces-and-dashes",
    "<b>*bold*</b>": "b-bold-b",
    "true": "true",
    "2024": "ml-2024",
    "🚀": "ml",
    "模型": "ml",
    "long " * 40: "long-" * 9 + "long",
}

REFUSED = [
    ("project_name", "", "one line of text, and not empty"),
    ("project_name", "two\nlines", "one line of text, and not empty"),
    ("project_slug", "Upper", "lowercase letters, digits and hyphens"),
    ("project_slug", "1st", "begin with a letter"),
    ("project_slug", "end-", "not end with a hyphen"),
    ("project_slug", "../up", "lowercase letters, digits and hyphens"),
    ("project_slug", "x" * 300, "at most 50 characters"),
    ("project_slug", "scikit-learn", "choose another"),
    ("project_slug", "con", "choose another"),
    ("package_name", "a-b", "lowercase letters, digits and underscores"),
    ("package_name", "_private", "begin with a letter"),
    ("package_name", "x" * 51, "at most 50 characters"),
    ("package_name", "class", "choose another"),
    ("package_name", "json", "choose another"),
    ("package_name", "sklearn", "choose another"),
    ("package_name", "mlsteps", "choose another"),
    ("package_name", "tests", "choose another"),
    ("package_name", "vendor", "choose another"),
    ("description", "a\x1bb", "one line of text, or empty"),
    ("author_name", "a\tb", "one line of text, or empty"),
    ("author_email", "nobody", "an address such as"),
    ("author_email", "a b@example.org", "an address such as"),
]


def plain(text: object) -> str:
    """Return a default without what only one of the engines writes."""
    return " ".join(str(text).replace("cookiecutter.", "").split())


def test_both_engines_ask_the_same_questions_in_the_same_order() -> None:
    assert list(COPIER) == list(COOKIECUTTER)


@pytest.mark.parametrize("name", COPIER)
def test_a_question_is_the_same_in_both_engines(name: str) -> None:
    question, value = COPIER[name], COOKIECUTTER[name]
    choices = value if isinstance(value, list) else [value]
    assert question["help"] == QUESTIONS["__prompts__"][name]
    assert question.get("choices") == (value if isinstance(value, list) else None)
    assert plain(question["default"]) == plain(choices[0])


@pytest.mark.parametrize(("name", "slug"), NAMES.items())
def test_a_name_that_hurts_gives_a_sound_project(render: Renders, name: str, slug: str) -> None:
    made = render("cookiecutter", project_name=name)
    assert files(made) == files(render("copier", project_name=name))
    answers = yaml.safe_load((made / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert answers["project_name"] == name
    assert answers["project_slug"] == slug
    assert (made / "src" / slug.replace("-", "_") / "__init__.py").exists()
    assert tomllib.loads((made / "pyproject.toml").read_text(encoding="utf-8"))
    assert tomllib.loads((made / "project.toml").read_text(encoding="utf-8"))


def test_text_that_hurts_is_written_so_that_it_reads_back(render: Renders) -> None:
    texts = {
        "description": "Says \"yes\" & 'no' \\ \\n to <b>é</b> 🚀: # 100 %",
        "author_name": 'Zoë "O\'Brien" \\',
        "author_email": "zoe+o'b@example.org",
    }
    made = render("cookiecutter", **texts)
    assert files(made) == files(render("copier", **texts))
    project = tomllib.loads((made / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["description"] == texts["description"]
    assert project["authors"] == [{"name": texts["author_name"], "email": texts["author_email"]}]
    answers = yaml.safe_load((made / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert answers.items() >= texts.items()
    assert texts["author_name"] in (made / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "value", "words"), REFUSED)
def test_both_engines_refuse_with_the_same_sentence(
    template: Template,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    name: str,
    value: str,
    words: str,
) -> None:
    with pytest.raises(ValueError, match=name) as refusal:
        template.copier(tmp_path / "copier", **{name: value})
    with pytest.raises(FailedHookException):
        template.cookiecutter(tmp_path / "cookiecutter", **{name: value})
    sentence = str(refusal.value).split(": ", 1)[1]
    assert sentence.startswith(f"{name} is ")
    assert words in sentence
    assert sentence in capfd.readouterr().err.splitlines()
    assert not files(tmp_path)


def test_a_name_that_becomes_a_library_is_refused(template: Template, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='project_slug is "pandas"'):
        template.copier(tmp_path / "x", project_name="Pandas")


def test_no_package_can_hide_a_module_of_python_or_of_a_library(
    render: Renders, environment: Environment
) -> None:
    code = "import importlib.metadata as m, json; print(json.dumps(m.packages_distributions()))"
    installed = json.loads(environment.run(Path.cwd(), "python", "-c", code).stdout)
    rows = {re.split("[<>=]", line)[0] for line in DATA}  # of these tests alone
    libraries = {name for name, distributions in installed.items() if not rows >= {*distributions}}
    folders = {
        path.name
        for kind in CHOICES["deployment"]
        for path in render(deployment=kind).iterdir()
        if path.is_dir()
    }
    words = filter(str.islower, keyword.kwlist)
    needed = {"mlsteps", *words, *sys.stdlib_module_names, *libraries, *folders}
    legal = {name.lower() for name in needed if re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name)}
    reserved = set(CONFIG["reserved_names"]["default"].split())
    assert sorted(legal - reserved) == []


def test_cookiecutter_leaves_an_existing_folder_alone(template: Template, tmp_path: Path) -> None:
    (tmp_path / "my-model").mkdir()
    (tmp_path / "my-model" / "mine.txt").write_text("mine")
    with pytest.raises(OutputDirExistsException):
        template.cookiecutter(tmp_path)
    assert files(tmp_path) == {"my-model/mine.txt": b"mine"}


def test_copier_keeps_what_is_in_an_existing_folder(template: Template, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    made = files(template.copier(tmp_path))
    assert made["mine.txt"] == b"mine"
    assert "pyproject.toml" in made
