"""Refuse what copier would refuse, and leave out the files that it would leave out."""

import sys

if not "{{ cookiecutter.__folder | default('') }}":  # hooks/pre_prompt.py was not run
    sys.exit("This template needs cookiecutter 2.6 or newer; `uvx cookiecutter` gets the newest.")

import json
import shutil
import subprocess
from pathlib import Path

import yaml
from cookiecutter.config import get_user_config
from jinja2 import Environment

repository = Path(r"{{ cookiecutter._repo_dir | default('') }}")  # cookiecutter's temporary copy
context = json.loads(r"""{{ cookiecutter | tojson }}""")
answers = {name.removeprefix("__"): value for name, value in context.items()}
config = yaml.safe_load((repository / "copier.yml").read_text(encoding="utf-8"))
template = next(repository.glob("*cookiecutter.__folder*"))

# {% raw %}
# Cookiecutter tells an error of a file in a sentence, and then all answers, unless there are none.
# When a hook fails, it shows a traceback.
ERROR = "{% set done = cookiecutter.clear(), _cookiecutter.clear() %}{{ nothing.__class__(TEXT) }}"
# {% endraw %}


def render(text: str) -> str:
    """Render a text of copier.yml as copier does."""
    return Environment().from_string(text).render(answers)


def leave_out(path: Path) -> None:
    """Delete a file or folder of the temporary copy."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def forget(refused: dict[str, str]) -> str:
    """Take answers out of the replay, which then asks for them; say how to use the others."""
    path = Path(get_user_config()["replay_dir"]) / f"{repository.name}.json"
    replay = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if replay.get("cookiecutter") != context:  # it is kept elsewhere
        return "Nothing was written."
    folder = set() if "project_slug" in refused else {"__folder"}
    kept = {name for name in context if not name.startswith("_")} - refused.keys() | folder
    replay["cookiecutter"] = {name: context[name] for name in context if name in kept}
    path.write_text(json.dumps(replay, indent=2), encoding="utf-8")
    checkout = f" --checkout {context['_checkout']}" if context["_checkout"] else ""
    command = f"cookiecutter --replay{checkout} {context['_template']}"
    return f"Nothing was written; `{command}` keeps the other answers, and asks for these alone."


def refuse(*lines: str) -> None:
    """End with these sentences, and nothing written."""
    for path in template.iterdir():
        leave_out(path)
    error = ERROR.replace("TEXT", ascii("\n".join(filter(None, lines))))
    (template / "pyproject.toml").write_text(error, encoding="utf-8")
    sys.exit()


def is_checked_out(revision: str) -> bool:
    """Tell whether this is the commit that `revision` names."""
    command = ["git", "-C", str(repository), "rev-parse", "HEAD", f"{revision}^0"]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    return run.returncode == 0 and len({*run.stdout.split()}) == 1


checkout = context["_checkout"]  # cookiecutter heeds it only where it clones
if checkout and (repository / ".git").exists() and not is_checked_out(checkout):
    refuse(
        f"--checkout {checkout} does nothing in a folder, or in a clone that is used again: type "
        f'"git checkout --detach {checkout}" there first, or name an address (git+file:///...).'
    )

questions = {name: each for name, each in config.items() if "validator" in each}
refusals = {name: render(each["validator"]).strip() for name, each in questions.items()}
refused = {name: text for name, text in refusals.items() if text}
if "project_slug" in refused and answers["package_name"] == answers["suggested_package"]:
    refused["package_name"] = ""  # it was made of the slug, so the slug is what is wrong
if refused:
    refuse("not all answers can be used.", *refused.values(), forget(refused))

for pattern in filter(None, map(render, config["_exclude"])):
    for path in list(template.rglob(pattern)):
        leave_out(path)
