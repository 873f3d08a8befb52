"""How Sphinx makes a site of these pages, which stay readable without it."""

import importlib
import inspect
import os
import re
import shutil
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parent
DECLARED = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = DECLARED["urls"]["Repository"]
SECTION = re.compile(r"^\*\*(.+?)\*\*(.*?)(?=^\*\*|\Z)", re.MULTILINE | re.DOTALL)
PAGE = re.compile(r"\]\(([\w/-]+)\.md\)")
PACKAGE = re.compile(r"^## `([\w.]+)`$.*?(?=\n+(?:## |\Z))", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"`([A-Za-z]\w*)`")
OUTSIDE = re.compile(r"\]\(((?:\.\./)+[^)#\s]+)")  # of docs/, or of a part of it

project = DECLARED["name"]
release = version = os.environ.get("VERSION", DECLARED["version"])
author = copyright = "the authors of ml-template"  # noqa: A001 -- Sphinx's name for it

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc"]
root_doc = "README"
exclude_patterns = ["examples"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!mlsteps).*")]  # of other libraries, which are not built here
myst_heading_anchors = 3
autodoc_typehints = "none"  # the docstrings say what is taken, in words
autodoc_default_options = {"exclude-members": "model_config"}
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"{project} {version}"
html_copy_source = False
html_theme_options = {"source_repository": REPOSITORY, "source_directory": "docs/"}


def navigation(text: str) -> str:
    """Return the tables of contents that the lists of an index page stand for."""
    parts = []
    for title, body in SECTION.findall(text) or [("](", text)]:
        caption = "" if "](" in title else f":caption: {title}\n"
        pages = dict.fromkeys(PAGE.findall(title + body))
        parts.append("\n".join(["\n\n```{toctree}", f":hidden:\n{caption}", *pages, "```"]))
    return "".join(parts)


def link_outside(match: re.Match[str], page: str) -> str:
    """Return a link to a file of the repository that is no page of the site."""
    path = Path(os.path.normpath((DOCS / page).parent / match[1]))
    if path.is_relative_to(DOCS):
        return match[0]
    kind = "tree" if path.is_dir() else "blob"
    return f"]({REPOSITORY}/{kind}/main/{path.relative_to(DOCS.parent).as_posix()}"


def read_source(_: Sphinx, page: str, source: list[str]) -> None:
    """Add to a page what it has on the site alone."""
    text = OUTSIDE.sub(lambda match: link_outside(match, page), source[0])
    if page.endswith("README"):
        text += navigation(text)
    if page == "reference/library":
        described: set[str] = set()
        text = PACKAGE.sub(lambda match: describe(match, described), text)
    source[0] = text


def describe(match: re.Match[str], described: set[str]) -> str:
    """Return the section of a package, with the docstrings of what it is the first to name."""
    names = [name for name in NAME.findall(match[0].rpartition("\n\n")[2]) if name not in described]
    described.update(names)
    shown = "\n".join(directive(match[1], name) for name in names)
    return f"{match[0]}\n\n```{{eval-rst}}\n{shown}```\n\n"


def directive(package: str, name: str) -> str:
    """Return the directive that shows the docstring of a name."""
    value = getattr(importlib.import_module(package), name)  # which may be loaded only now
    kinds = {"class": inspect.isclass, "function": inspect.isroutine, "data": lambda _: True}
    kind = next(kind for kind, is_it in kinds.items() if is_it(value))
    members = "   :members:\n" if kind == "class" else ""
    return f".. auto{kind}:: {package}.{name}\n{members}\n"


def is_skipped(*member: object) -> bool | None:
    """Leave out what scikit-learn adds to each estimator; None leaves it to Sphinx."""
    return re.fullmatch(r"set_\w+_request", str(member[2])) is not None or None


def write_indexes(app: Sphinx, error: Exception | None) -> None:
    """Let the address of a folder show its README, as GitHub does."""
    if not error and app.builder.format == "html":
        for page in Path(app.outdir).rglob("README.html"):
            shutil.copy(page, page.with_name("index.html"))


def setup(app: Sphinx) -> None:
    """Tell Sphinx."""
    app.connect("source-read", read_source)
    app.connect("autodoc-skip-member", is_skipped)
    app.connect("build-finished", write_indexes)
