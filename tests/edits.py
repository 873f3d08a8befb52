"""The changes that a page of the documentation shows, made in a project as its reader would."""

import ast
import re
from pathlib import Path

import tomlkit
from conftest import REPOSITORY

HOW_TO = REPOSITORY / "docs" / "how-to"
BLOCK = re.compile(
    r"^(?:With \w+, in|In) `([^`]+)`[^\n]*:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL
)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
Statement = ast.stmt


def shown(page: str, words: str) -> str:
    """Return the block of Python of a how-to that has these words."""
    text = (HOW_TO / page).read_text(encoding="utf-8")
    (code,) = (code for code in PYTHON.findall(text) if words in code)
    return str(code)


def apply(project: Path, page: str) -> set[str]:
    """Make the changes of a how-to; return the files of src/ that they touch."""
    changes = BLOCK.findall((HOW_TO / page).read_text(encoding="utf-8"))
    mine = [change for change in changes if (project / change[0]).exists()]  # of this framework
    for name, code in mine:
        change_file(project / name, code)
    return {name for name, _ in mine if name.startswith("src/")}


def change_file(path: Path, code: str) -> None:
    """Put what a block shows into a file."""
    merge = merge_toml if path.suffix == ".toml" else merge_python
    path.write_text(merge(path.read_text(encoding="utf-8"), code), encoding="utf-8")


def merge_toml(text: str, change: str) -> str:
    """Set the keys of `change` in a TOML file, as its reader would."""
    document = tomlkit.parse(text)
    for table, keys in tomlkit.parse(change).unwrap().items():
        document[table].update(keys)
    return document.as_string()


def merge_python(text: str, change: str) -> str:
    """Put the statements of `change` into a module, as its reader would.

    Imports go to the imports; a function or a variable that is there already is replaced; what is
    new stands before the next that is replaced, or else at the end.
    """
    for names, kind, code in statements(change):
        body = ast.parse(text).body
        lines = text.splitlines()
        same = [part for part in body if names & defined(part)]
        if kind in (ast.Import, ast.ImportFrom):
            last = max(
                p.end_lineno or 0 for p in body if isinstance(p, ast.Import | ast.ImportFrom)
            )
            lines[last:last] = code.splitlines()
        elif same:
            start, end = first_line(same[0]), same[0].end_lineno
            lines[start - 1 : end] = code.splitlines()
        else:
            known = {name for part in body for name in defined(part)}
            later = [part for part in statements(change) if part[0] & known]
            place = next((p for p in body if later and defined(p) & later[0][0]), None)
            uses = place is not None and any(name in later[0][2] for name in names)
            at = (
                first_line(place) - 1
                if place is not None and uses and is_value(place)
                else len(lines)
            )
            lines[at:at] = ["", "", *code.splitlines(), "", ""]
        text = "\n".join(lines) + "\n"
    return text


def statements(code: str) -> list[tuple[set[str], type[Statement], str]]:
    """Return the names, the kind and the text of each statement."""
    lines = code.splitlines()
    return [
        (defined(part), type(part), "\n".join(lines[first_line(part) - 1 : part.end_lineno]))
        for part in ast.parse(code).body
    ]


def defined(part: Statement) -> set[str]:
    if isinstance(part, ast.FunctionDef | ast.ClassDef):
        return {part.name}
    targets = part.targets if isinstance(part, ast.Assign) else [getattr(part, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def is_value(part: Statement) -> bool:
    return isinstance(part, ast.Assign | ast.AnnAssign)


def first_line(part: Statement) -> int:
    return min([part.lineno, *(d.lineno for d in getattr(part, "decorator_list", []))])
