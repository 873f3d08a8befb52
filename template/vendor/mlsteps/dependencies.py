"""Which files of a project's code a function depends on, told from their imports."""

import ast
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Code = ast.Module | ast.FunctionDef


def code_files(function: Callable[..., Any]) -> list[Path]:
    """Return the modules of the project that a function uses, directly or through others.

    Of its own module only what the function names counts, so that the steps of a pipeline in one
    file do not depend on each other's imports; of every other module all imports count. Modules
    of libraries are left out.
    """
    own = Path(inspect.getfile(function))
    package = _package_folder(own, function.__module__)
    module = ast.parse(own.read_text(encoding="utf-8"))
    waiting = list(_used(module, function.__name__, own, package))
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            code = ast.parse(path.read_text(encoding="utf-8"))
            waiting += [target for _, target in _imports(code, path, package)]
    return sorted(found)


def source_of(function: Callable[..., Any]) -> str:
    """Return the text of a function and of the functions of its module that it calls."""
    module = ast.parse(Path(inspect.getfile(function)).read_text(encoding="utf-8"))
    return "\n".join(ast.unparse(part) for part in _functions(module, function.__name__))


def _package_folder(path: Path, module: str) -> Path:
    depth = module.count(".") + (path.name == "__init__.py")
    return path.parents[max(depth - 1, 0)]


def _used(module: ast.Module, name: str, path: Path, package: Path) -> Iterator[Path]:
    """Yield the modules that a function names, or imports inside."""
    imported: dict[str, list[Path]] = {}
    for alias, target in _imports(module, path, package):
        imported.setdefault(alias, []).append(target)
    for function in _functions(module, name):
        for node in ast.walk(function):
            if isinstance(node, ast.Name):
                yield from imported.get(node.id, [])
        yield from (target for _, target in _imports(function, path, package))


def _functions(module: ast.Module, name: str) -> list[ast.FunctionDef]:
    """Return a function of a module, and those of the module that it names."""
    known = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    found: dict[str, ast.FunctionDef] = {}
    waiting = [name]
    while waiting:
        this = waiting.pop()
        if this in known and this not in found:
            found[this] = known[this]
            waiting += [node.id for node in ast.walk(known[this]) if isinstance(node, ast.Name)]
    return list(found.values())


def _imports(code: Code, path: Path, package: Path) -> Iterator[tuple[str, Path]]:
    """Yield the names that code imports from its own package, each with the module behind it."""
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            for alias in node.names:
                for target in _modules(package.parent, alias.name.split("."), package):
                    yield alias.asname or alias.name.split(".")[0], target
        elif isinstance(node, ast.ImportFrom):
            base = path.parents[node.level - 1] if node.level else package.parent
            parts = node.module.split(".") if node.module else []
            for alias in node.names:
                for target in _modules(base, [*parts, alias.name], package):
                    yield alias.asname or alias.name, target


def _modules(base: Path, parts: list[str], package: Path) -> Iterator[Path]:
    """Yield the files of the package that importing `parts` from `base` runs."""
    here = base
    for part in parts:
        here = here / part
        for path in (here.with_suffix(".py"), here / "__init__.py"):
            if path.is_relative_to(package) and path.is_file():
                yield path
