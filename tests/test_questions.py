"""Both engines ask the same questions, and refuse the same answers with the same words."""

import importlib.util
import json
import keyword
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import cookiecutter.main
import copier
import pytest
import yaml
from combinations import CHOICES, QUESTIONS
from conftest import DATA, REPOSITORY, Environment, Renders, Template, commit, files
from conversation import Conversation
from cookiecutter.exceptions import (
    FailedHookException,
    OutputDirExistsException,
    UndefinedVariableInTemplate,
)

CONFIG_FILE = REPOSITORY / "copier.yml"
CONFIG = yaml.safe_load(CONFIG_FILE.read_text(encoding="utf-8"))
ASKED = {
    name: question
    for name, question in CONFIG.items()
    if not name.startswith("_") and question.get("when") is not False
}

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
    "Test": "my-test",
    "conftest": "my-conftest",
    "Scikit Learn": "my-scikit-learn",
    "🚀": "ml",
    "模型": "ml",
    "long " * 40: "long-" * 9 + "long",
}

REFUSED = [
    ("project_name", "", "one line of text without invisible characters, and not empty"),
    ("project_name", "  ", "one line of text without invisible characters, and not empty"),
    ("project_name", "two\nlines", "one line of text without invisible characters, and not empty"),
    ("project_name", "gpj\u202e.model", "without invisible characters"),
    ("project_name", "zero\u200bwidth", "without invisible characters"),
    ("project_name", "joined\u200d", "without invisible characters"),
    ("project_name", "\ufeffmark", "without invisible characters"),
    ("project_name", "isolated\u2066", "without invisible characters"),
    ("project_slug", "Upper", "lowercase letters, digits and hyphens"),
    ("project_slug", "1st", "begin with a letter"),
    ("project_slug", "end-", "not end with a hyphen"),
    ("project_slug", "../up", "lowercase letters, digits and hyphens"),
    ("project_slug", "x" * 300, "at most 50 characters"),
    ("project_slug", "scikit-learn", "choose another"),
    ("project_slug", "scikit--learn", "choose another"),
    ("project_slug", "pytest", "choose another"),
    ("project_slug", "con", "choose another"),
    ("project_slug", "lpt1", "choose another"),
    ("package_name", "a-b", "lowercase letters, digits and underscores"),
    ("package_name", "_private", "begin with a letter"),
    ("package_name", "x" * 51, "at most 50 characters"),
    ("package_name", "class", "choose another"),
    ("package_name", "json", "choose another"),
    ("package_name", "sklearn", "choose another"),
    ("package_name", "mlsteps", "choose another"),
    ("package_name", "tests", "choose another"),
    ("package_name", "vendor", "choose another"),
    ("package_name", "test", "choose another"),
    ("package_name", "conftest", "choose another"),
    ("package_name", "test_features", "choose another"),
    ("description", "a\x1bb", "one line of text without invisible characters, or empty"),
    ("description", "two\u2028lines", "one line of text without invisible characters, or empty"),
    ("author_name", "a\tb", "one line of text without invisible characters, or empty"),
    ("author_email", "nobody", "an address such as"),
    ("author_email", "a b@example.org", "an address such as"),
    ("author_email", "a\u200b@example.org", "an address such as"),
]


def test_both_engines_ask_the_same_questions_in_the_same_order() -> None:
    assert list(ASKED) == list(QUESTIONS)
    choices = {
        name: [*question["choices"].values()]
        for name, question in ASKED.items()
        if "choices" in question
    }
    assert choices == CHOICES
    assert all(ASKED[name]["default"] == first for name, (first, *_) in CHOICES.items())


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


@pytest.mark.parametrize(
    "text", ["{{ 7*7 }}", "{% raw %}", "{#", "{{ cookiecutter.x }} {% endraw %} ${{ x }} {{{"]
)
def test_jinja_in_an_answer_is_text(render: Renders, text: str) -> None:
    texts = {"project_name": text, "description": text, "author_name": text}
    made = render("cookiecutter", **texts)
    assert files(made) == files(render("copier", **texts))
    answers = yaml.safe_load((made / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert answers.items() >= texts.items()
    project = tomllib.loads((made / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["description"] == text
    assert project["authors"] == [{"name": text}]
    assert (made / "README.md").read_text(encoding="utf-8").startswith(f"# {text}\n\n{text}\n")
    assert text in (made / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "value", "words"), REFUSED)
def test_both_engines_refuse_with_the_same_sentence(
    template: Template, tmp_path: Path, name: str, value: str, words: str
) -> None:
    with pytest.raises(ValueError, match=name) as refusal:
        template.copier(tmp_path / "copier", **{name: value})
    with pytest.raises(UndefinedVariableInTemplate) as told:
        template.cookiecutter(tmp_path / "cookiecutter", **{name: value})
    sentence = str(refusal.value).split(": ", 1)[1]
    assert sentence.startswith(f"{name} is ")
    assert words in sentence
    assert sentence in told.value.error.message.splitlines()
    assert not files(tmp_path)
    assert not (tmp_path / "copier").exists()
    assert not [*(tmp_path / "cookiecutter").iterdir()]


def test_cookiecutter_tells_all_that_is_wrong_and_asks_again_for_that_alone(
    template: Template, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "cookiecutter", "--output-dir", str(tmp_path)]
    wrong = {"project_name": "a\u202eb", "project_slug": "Upper", "author_email": "nobody"}
    right = {"author_name": "Zoë", "ci": "none"}
    words = [f"{name}={value}" for name, value in (wrong | right).items()]
    refused = subprocess.run(
        [*command, "--no-input", str(template.path), *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert refused.returncode == 1
    assert "Traceback" not in refused.stdout + refused.stderr
    _, _, *sentences, kept = refused.stdout.partition("\nContext")[0].splitlines()
    assert [line.split(" is ")[0] for line in sentences] == list(wrong)
    again = f"cookiecutter --replay {template.path}"
    assert kept == (
        f"Nothing was written; `{again}` keeps the other answers, and asks for these alone."
    )
    assert not [*tmp_path.iterdir()]

    with Conversation([*command, "--replay", str(template.path)]) as conversation:
        conversation.answer("What is the project called?", "Churn")
        conversation.answer("What are its folder and its command called?", "churn")
        conversation.answer("What is its Python package called?", "churn")
        conversation.answer("Which e-mail address", "zoe@example.org")
        conversation.wait("Churn is ready")
    answers = yaml.safe_load((tmp_path / "churn" / ".copier-answers.yml").read_text("utf-8"))
    assert answers.items() >= {"project_name": "Churn", **right}.items()


def test_a_project_that_has_a_name_keeps_it_when_it_is_reserved_later(
    template: Template, tmp_path: Path
) -> None:
    answers = {"project_slug": "pandas", "package_folder": "src/pandas"}  # as after an update
    assert (template.copier(tmp_path, **answers) / "src" / "pandas").exists()


def test_no_reserved_name_is_missing(render: Renders, environment: Environment) -> None:
    """Or a package could hide a module that it needs, or be hidden by it."""
    code = "import importlib.metadata as m, json; print(json.dumps(m.packages_distributions()))"
    installed = json.loads(environment.run(Path.cwd(), "python", "-c", code).stdout)
    rows = {re.split("[<>=]", line)[0] for line in DATA}  # of these tests alone
    libraries = {name for name, distributions in installed.items() if not rows >= {*distributions}}
    distributions = {name for names in installed.values() for name in names} - rows
    commands = {path.stem for path in (environment.path / "bin").iterdir()}
    needed = python_modules() | libraries | distributions | commands
    needed |= {"mlsteps", *filter(str.islower, keyword.kwlist), *keyword.softkwlist}
    for kind in CHOICES["deployment"]:
        made = render(deployment=kind)
        needed |= {path.name for path in made.iterdir() if path.is_dir()}
        needed |= {path.stem for path in made.glob("*/*.py")}  # scripts, and modules of tests
    needed |= {"aux", "con", "nul", "prn"}  # of Windows
    needed |= {f"{device}{number}" for device in ("com", "lpt") for number in range(1, 10)}
    names = {name.lower().replace("-", "_") for name in needed}
    legal = {name for name in names if re.fullmatch("[a-z][a-z0-9_]*", name)}
    reserved = set(CONFIG["reserved_names"]["default"].split())
    if os.environ.get("RESERVE_NAMES"):
        reserve(reserved | legal)
    else:
        assert sorted(legal - reserved) == []


def python_modules() -> set[str]:
    """Return the modules of Python, of all versions and systems as mypy knows them."""
    (mypy,) = importlib.util.find_spec("mypy").submodule_search_locations
    versions = Path(mypy, "typeshed", "stdlib", "VERSIONS").read_text(encoding="utf-8")
    known = {line.partition(":")[0].partition(".")[0] for line in versions.splitlines()}
    return known | {*sys.stdlib_module_names, "idlelib", "test", "turtledemo"}


def reserve(names: set[str]) -> None:
    """Write the list into copier.yml."""
    lines = textwrap.fill(
        " ".join(sorted(names)),
        100,
        initial_indent=(indent := "    "),
        subsequent_indent=indent,
        break_long_words=False,
    )
    text = CONFIG_FILE.read_text(encoding="utf-8")
    block = r"(?<=\nreserved_names:\n  type: str\n  when: false\n  default: >-\n).*?(?=\n\n)"
    CONFIG_FILE.write_text(re.sub(block, lines, text, flags=re.DOTALL), encoding="utf-8")


def test_an_old_cookiecutter_is_told_which_is_needed(
    template: Template,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # It knows no hook that is run before the questions.
    monkeypatch.setattr(cookiecutter.main, "run_pre_prompt_hook", lambda path: path)
    with pytest.raises(FailedHookException):
        template.cookiecutter(tmp_path)
    assert "This template needs cookiecutter 2.6 or newer" in capfd.readouterr().err
    assert not files(tmp_path)


def test_cookiecutter_on_an_old_python_is_told_which_is_needed() -> None:
    code = "import runpy, sys; sys.version_info = (3, 9, 1); runpy.run_path('hooks/pre_prompt.py')"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    (sentence,) = run.stderr.splitlines()
    assert "needs Python 3.11 or newer, and cookiecutter runs on Python 3.9;" in sentence


def test_an_old_copier_is_told_which_is_needed(template: Template, tmp_path: Path) -> None:
    path = tmp_path / "ml-template"
    shutil.copytree(template.path, path)
    text = (path / "copier.yml").read_text(encoding="utf-8")
    needed = CONFIG["_min_copier_version"]
    (path / "copier.yml").write_text(text.replace(needed, "99.9"), encoding="utf-8")
    commit(path, "Need more")
    with pytest.raises(copier.errors.UserMessageError, match=r"requires Copier version >= 99\.9"):
        copier.run_copy(str(path), tmp_path / "made", defaults=True, vcs_ref="HEAD")


def test_cookiecutter_leaves_an_existing_folder_alone(template: Template, tmp_path: Path) -> None:
    (tmp_path / "my-model").mkdir()
    (tmp_path / "my-model" / "mine.txt").write_text("mine")
    with pytest.raises(OutputDirExistsException):
        template.cookiecutter(tmp_path)
    assert files(tmp_path) == {"my-model/mine.txt": b"mine"}


@pytest.mark.parametrize("kept", [{}, {"mine.txt": b"mine"}])
def test_an_existing_folder_is_filled_where_that_is_wanted(
    template: Template, render: Renders, tmp_path: Path, kept: dict[str, bytes]
) -> None:
    for engine in ("copier", "cookiecutter"):
        folder = tmp_path / engine / "my-model"
        folder.mkdir(parents=True)
        for name, content in kept.items():
            (folder / name).write_bytes(content)
    template.copier(tmp_path / "copier" / "my-model")
    template.cookiecutter(tmp_path / "cookiecutter", overwrite=True)
    for engine in ("copier", "cookiecutter"):
        assert files(tmp_path / engine / "my-model") == files(render()) | kept


TEXTS = ["called?", "command called?", "package called?", "What is it for", "Who", "Which e-mail"]
CHOSEN = ["licence?", "predicted?", "come from?", "served?", "it run?", "recorded?", "search run?"]
CHOSEN += ["checks every"]


def start(engine: str, template: Template, folder: Path) -> Conversation:
    """Start a project as somebody who is asked."""
    arguments = {
        "cookiecutter": ["--output-dir", str(folder), str(template.path)],
        "copier": ["copy", str(template.path), str(folder / "my-model")],
    }
    return Conversation([sys.executable, "-m", engine, *arguments[engine]])


@pytest.mark.parametrize("engine", ["cookiecutter", "copier"])
def test_who_only_types_enter_gets_the_defaults_and_reads_no_long_line(
    template: Template, render: Renders, tmp_path: Path, engine: str
) -> None:
    with start(engine, template, tmp_path) as conversation:
        for question in TEXTS + CHOSEN:
            conversation.answer(question, "")
        conversation.wait("My Model is ready")
    assert files(tmp_path / "my-model") == files(render())
    explained = CONFIG["_message_before_copy"].split()
    assert " ".join(explained) in " ".join(conversation.said.split())
    lines = conversation.lines()
    asked = lines[: next((k for k, line in enumerate(lines) if "Copying from" in line), None)]
    assert [line for line in asked if len(line) > 80] == []


@pytest.mark.parametrize("engine", ["cookiecutter", "copier"])
def test_what_is_typed_is_the_answer_and_nothing_before_it(
    template: Template, tmp_path: Path, engine: str
) -> None:
    typed = ["Churn", "my-churn", "churners", "Who leaves?", "Zoë", "zoe@example.org"]
    with start(engine, template, tmp_path) as conversation:
        for question, answer in zip(TEXTS, typed, strict=True):
            conversation.answer(question, answer)
        for question in CHOSEN:
            conversation.answer(question, "")
        conversation.wait("Churn is ready")
    (project,) = tmp_path.iterdir()
    answers = yaml.safe_load((project / ".copier-answers.yml").read_text(encoding="utf-8"))
    assert [answers[name] for name in list(ASKED)[:6]] == typed


def test_copier_refuses_at_the_question(template: Template, tmp_path: Path) -> None:
    with start("copier", template, tmp_path) as conversation:
        conversation.answer("called?", "Pandas")
        conversation.answer("command called?", "json")
        conversation.answer('project_slug is taken: "json"', Conversation.CLEAR)
        for question in TEXTS[2:] + CHOSEN:
            conversation.answer(question, "")
        conversation.wait("Pandas is ready")
    assert (tmp_path / "my-model" / "src" / "my_pandas" / "__init__.py").exists()
