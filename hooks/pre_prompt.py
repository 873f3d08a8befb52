"""Give the tree the name that cookiecutter looks for, in cookiecutter's own temporary copy."""

from pathlib import Path

Path("template").rename("{{ cookiecutter.__folder }}")
