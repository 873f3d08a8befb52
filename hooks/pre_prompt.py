"""Turn cookiecutter's own temporary copy into what it looks for: its tree, and its questions."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import yaml

if sys.version_info < (3, 11):  # noqa: UP036 -- cookiecutter may run on an older one
    sys.exit(
        "This template needs Python 3.11 or newer, and cookiecutter runs on Python "
        f"{sys.version_info[0]}.{sys.version_info[1]}; `uvx --python 3.12 cookiecutter` gets one."
    )

if tuple(map(int, version("cookiecutter").split(".")[:2])) < (2, 6):
    sys.exit(
        f"This template needs cookiecutter 2.6 or newer, and this is {version('cookiecutter')}; "
        "`uvx cookiecutter` gets the newest."
    )

from newest_release import start_from_release

if start_from_release():  # and now with the release's own hook, which finds it checked out
    sys.exit(subprocess.run([sys.executable, "hooks/pre_prompt.py"], check=False).returncode)

# Cookiecutter renders whatever is answered on its command line. While it asks, Jinja begins with a
# character that is no answer's, so that an answer is text; the tree is rendered as usual.
MARK = "\ufdd0"
STARTS = {"variable_start_string": "{{", "block_start_string": "{%", "comment_start_string": "{#"}

config = yaml.safe_load(Path("copier.yml").read_text(encoding="utf-8"))
context: dict[str, object] = {"_jinja2_env_vars": {k: MARK + v for k, v in STARTS.items()}}
prompts: dict[str, object] = {}
known = ""  # makes earlier answers known by copier's names


def add(key: str, text: str) -> None:
    """Add a question, or with two underscores before its name, what is computed."""
    for start in STARTS.values():
        text = text.replace(start, MARK + start)
    context[key] = text


for name, question in config.items():
    if name.startswith("_") or name == "cookiecutter":
        continue
    key = name if "help" in question else f"__{name}"
    labels = {value: label for label, value in question.get("choices", {}).items()}
    if labels:
        context[key] = list(labels)
        prompts[key] = {"__prompt__": question["help"], **labels}
    else:
        add(key, known + question["default"])
        prompts[key] = question.get("help")
    known += f"{{% set {name} = cookiecutter.{key} | default('') %}}"

wrong = f"{{% set wrong %}}{config['project_slug']['validator']}{{% endset %}}"
add("__folder", known + wrong + "{{ '.refused' if wrong.strip() else project_slug }}")
add("__jinja", "{{ cookiecutter._jinja2_env_vars.clear() }}")
context["__prompts__"] = prompts
Path("cookiecutter.json").write_text(json.dumps(context), encoding="utf-8")

shutil.rmtree("{{ cookiecutter.project_slug }}")
Path("template").rename("{{ cookiecutter.__folder }}")
if sys.stdin.isatty():
    print(config["_message_before_copy"])
