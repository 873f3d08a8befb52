"""Write down the answers as copier does, so that `copier update` works from here on."""

import json
import subprocess
from contextlib import suppress
from pathlib import Path

import yaml
from jinja2 import Environment

repository = Path(r"{{ cookiecutter._repo_dir }}")
context = json.loads(r"""{{ cookiecutter | tojson }}""")
config = yaml.safe_load((repository / "copier.yml").read_text(encoding="utf-8"))

answers = {name: value for name, value in context.items() if not name.startswith("_")}
origin = {"_src_path": context["_template"]}
git = ["git", "-C", str(repository), "describe", "--tags", "--always"]
with suppress(OSError, subprocess.CalledProcessError):  # an archive has no history, so no commit
    described = subprocess.run(git, check=True, capture_output=True, text=True)
    origin["_commit"] = described.stdout.strip()

with Path(".copier-answers.yml").open("a", encoding="utf-8", newline="\n") as file:
    yaml.dump(origin | answers, file, indent=4, allow_unicode=True, default_flow_style=False)

print(Environment().from_string(config["_message_after_copy"]).render(cookiecutter=answers))
