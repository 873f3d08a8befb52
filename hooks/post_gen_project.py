"""Write down the answers as copier does, so that `copier update` works from here on."""

import json
import os
import re
import subprocess
from pathlib import Path

import yaml
from jinja2 import Environment

repository = Path(r"{{ cookiecutter._repo_dir }}")
context = json.loads(r"""{{ cookiecutter | tojson }}""")
config = yaml.safe_load((repository / "copier.yml").read_text(encoding="utf-8"))


def git(folder: Path, *arguments: str) -> str:
    """Return what git says of a folder's own history; nothing where it has none."""
    if not (folder / ".git").exists():
        return ""
    command = ["git", "-C", str(folder), *arguments]
    try:
        run = subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return run.stdout.strip()


def find_address(template: str) -> str:
    """Return where copier finds the commit that was rendered; nothing where nobody knows."""
    head = git(repository, "rev-parse", "HEAD")
    for place in places:
        if head and git(place, "rev-parse", "--verify", f"{head}^0"):
            return str(place)
    address = git(repository, "config", "remote.origin.url")  # it was cloned by cookiecutter
    short, _, name = template.partition(":")
    hosts = {"gh": "github.com", "gl": "gitlab.com"}  # the short names that copier knows as well
    typed = short in hosts and address == f"https://{hosts[short]}/{name}.git"
    return template if typed else address


answers = {name: value for name, value in context.items() if not name.startswith("_")}
template, output = context["_template"], Path(context["_output_dir"])
# Nobody tells a hook where cookiecutter was called: where the shell is, or above the project.
folders = [Path(os.environ.get("PWD", output)), output, *output.parents]
places = [place for folder in folders if (place := Path(folder, template)).exists()]
if address := find_address(template):
    origin = {"_src_path": address, "_commit": git(repository, "describe", "--tags", "--always")}
else:
    origin = {"_src_path": str(next(iter(places), template))}

environment = Environment(keep_trailing_newline=True)
environment.filters |= {  # copier has them
    "expanduser": os.path.expanduser,
    "realpath": os.path.realpath,
    "regex_replace": lambda text, pattern, new: re.sub(pattern, new, text),
    "to_nice_yaml": lambda data: yaml.dump(
        data, indent=4, allow_unicode=True, default_flow_style=False
    ),
}
known = {"cookiecutter": answers, "_copier_answers": origin | answers}
(tree,) = repository.glob("*cookiecutter.__folder*")
text = (tree / ".copier-answers.yml").read_text(encoding="utf-8")
with Path(".copier-answers.yml").open("w", encoding="utf-8", newline="\n") as file:
    file.write(environment.from_string(text).render(known))

print(environment.from_string(config["_message_after_copy"]).render(known))
