"""Refuse what copier would refuse, and leave out the files that it would leave out."""

import json
import shutil
import sys
from pathlib import Path

import yaml
from jinja2 import Environment

repository = Path(r"{{ cookiecutter._repo_dir }}")  # cookiecutter's temporary copy
answers = json.loads(r"""{{ cookiecutter | tojson }}""")
config = yaml.safe_load((repository / "copier.yml").read_text(encoding="utf-8"))


def render(text: str) -> str:
    """Render a text of copier.yml as copier does."""
    reserved_names = config["reserved_names"]["default"]
    return Environment().from_string(text).render(answers, reserved_names=reserved_names)


questions = [details for name, details in config.items() if not name.startswith("_")]
for question in questions:
    if refusal := render(question.get("validator", "")).strip():
        sys.exit(refusal)

template = next(repository.glob("*cookiecutter.__folder*"))
for pattern in filter(None, map(render, config["_exclude"])):
    for path in list(template.rglob(pattern)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
