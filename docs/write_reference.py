"""Write the parts of docs/reference/ that are facts of the code: `uv run docs/write_reference.py`.

They stand between `<!-- from the code: NAME -->` and `<!-- end -->`; what is around them is written
by hand. A test tells when they are not those of the code.
"""

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from warnings import catch_warnings

import click
import copier
import yaml
from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from mlsteps.cli import command_line
from mlsteps.deployment.service import metrics
from mlsteps.deployment.service.forecast_requests import PARTS
from mlsteps.deployment.service.security import NO_KEY_NEEDED
from mlsteps.problem.columns import Column
from mlsteps.problem.definition import PROBLEM_TYPES, definition_model
from mlsteps.problem.settings import Table
from mlsteps.problem.sources import MISSING, SOURCES
from mlsteps.variants import of_type
from numpydoc.docscrape import NumpyDocString
from prometheus_client.metrics import MetricWrapperBase
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sphinx.pycode import ModuleAnalyzer

DOCS = Path(__file__).resolve().parent
REFERENCE = DOCS / "reference"
PART = re.compile(r"(<!-- from the code: (.*?) -->\n).*?(?=<!-- end -->)", re.DOTALL)
MUST_BE = re.compile(r"must be (.+?)\.(?: \{%|\n|$)")
NAME = re.compile(r"--\w+|\[\w+\] \w+|project\.toml")  # in what the code says
NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false"}
LIMITS = {
    Ge: "at least {0.ge}",
    Gt: "above {0.gt}",
    Le: "at most {0.le}",
    Lt: "below {0.lt}",
    MinLen: "at least {0.min_length} long",
    MaxLen: "at most {0.max_length} long",
}
JSON_NAMES = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "boolean": "true or false",
    "object": "object",
    "null": "null",
    "": "any",
}
Row = tuple[str, ...]
# What is asked in a project for the document of its service.
ASK = """
from fastapi.testclient import TestClient
from my_model.deployment.service.fastapi_app import app

print(TestClient(app, base_url="http://localhost").get("/openapi.json").text)
"""


def main() -> None:
    """Write the pages."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


def pages() -> dict[Path, str]:
    """Return the pages as they should be."""
    parts = {
        "questions.md": {"questions": questions()},
        "project-toml.md": settings(),
        "commands.md": commands(),
        "http.md": http(),
    }
    return {REFERENCE / name: fill(REFERENCE / name, known) for name, known in parts.items()}


def fill(path: Path, parts: dict[str, str]) -> str:
    """Return a page with its parts, each of which must have its place."""
    text = path.read_text(encoding="utf-8")
    if missing := parts.keys() ^ {name for _, name in PART.findall(text)}:
        raise SystemExit(f"{path}: only the page or only the code has {', '.join(sorted(missing))}")
    return PART.sub(lambda match: f"{match[1]}\n{parts[match[2]]}\n\n", text)


def table(heads: Row, rows: Iterable[Row]) -> str:
    """Return a table of Markdown."""
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(value: object) -> str:
    """Return a value as TOML and JSON write it."""
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def coded(text: str) -> str:
    """Return a sentence in which options and keys are marked as code."""
    return NAME.sub(r"`\g<0>`", text)


# The questions


def questions() -> str:
    """Return what is asked, what is allowed and what is taken if nothing is said."""
    config = yaml.safe_load((DOCS.parent / "copier.yml").read_text(encoding="utf-8"))
    asked = {
        name: question
        for name, question in config.items()
        if not name.startswith("_") and question.get("when") is not False
    }
    rows = [
        (f"`{name}`", question["help"], allowed(question), default(question))
        for name, question in asked.items()
    ]
    return table(("name", "question", "allowed", "default"), rows)


def allowed(question: dict[str, Any]) -> str:
    """Return the choices, or what the validator says that an answer must be."""
    if "choices" in question:
        shown = (f"`{v}`{label.removeprefix(v)}" for label, v in question["choices"].items())
        return ", ".join(shown)
    return "; ".join(dict.fromkeys(MUST_BE.findall(question["validator"])))


def default(question: dict[str, Any]) -> str:
    """Return the default, or that it is made from another answer."""
    shown = question.get("placeholder", question["default"])
    made = re.fullmatch(r"\{\{ suggested_(\w+) \}\}", shown)
    return "made from the name before it" if made else f"`{shown}`" if shown else "empty"


# The commands


def commands() -> dict[str, str]:
    """Return how each command is called, what it does and what its options are."""
    parts = ("steps", "metrics", "load_model", "policy", "score", "serve")
    main = command_line(**dict.fromkeys(parts, dict))
    return {name: describe(command) for name, command in main.commands.items()}


def describe(command: click.Command) -> str:
    """Return the part of a command."""
    said = inspect.cleandoc(command.help or "")
    options = [one for one in command.params if isinstance(one, click.Option)]
    usage = " ".join(["churn", str(command.name), *map(signature, command.params)])
    blocks = [f"```text\n{usage}\n```", coded(re.sub(r"(?<!\n)\n(?!\n)", " ", said))]
    if options:
        blocks.append("\n".join(f"- `{signature(one)[1:-1]}`: {one.help}" for one in options))
    return "\n\n".join(blocks)


def signature(parameter: click.Parameter) -> str:
    """Return how an argument or an option is typed."""
    shown = parameter.metavar or parameter.human_readable_name.upper()
    if isinstance(parameter, click.Argument):
        return shown
    name = parameter.opts[0]
    return f"[{name}]" if getattr(parameter, "is_flag", False) else f"[{name} {shown}]"


# project.toml


def settings() -> dict[str, str]:
    """Return the keys of each table of project.toml."""
    kinds = {kind: definition_model(kind, "file") for kind in PROBLEM_TYPES}
    sources = {source: definition_model(PROBLEM_TYPES[0], source) for source in SOURCES}
    tables = {
        name: keys(name, sources if name == "data" else kinds)
        for name in definition_model(PROBLEM_TYPES[0], "file").model_fields
    }
    return {**tables, "missing values": ", ".join(f"`{mark}`" for mark in MISSING if mark)}


def keys(name: str, models: dict[str, Any]) -> str:
    """Return the tables of the keys that all variants have, and of those that only some have."""
    rows = {
        variant: list(fields(model.model_fields[name].annotation))
        for variant, model in models.items()
    }
    everywhere = [row for row in next(iter(rows.values())) if all(row in r for r in rows.values())]
    own: dict[tuple[Row, ...], list[str]] = {}
    for variant, found in rows.items():
        own.setdefault(tuple(row for row in found if row not in everywhere), []).append(variant)
    heads = ("key", "type and range", "if left out", "what it is")
    blocks = [table(heads, everywhere)] if everywhere else []
    for found, variants in own.items():
        if found:
            blocks += [f"**{', '.join(variants)}**", table(heads, found)]
    return "\n\n".join(blocks)


def fields(model: type[BaseModel]) -> Iterator[Row]:
    """Yield the row of each key of a table."""
    for key, field in model.model_fields.items():
        yield f"`{key}`", kind(model, key, field), without(field), said_of(model, key)


def said_of(model: type[BaseModel], key: str) -> str:
    """Return the comment of a key, which the model may have from another one."""
    for one in (one for one in model.__mro__ if issubclass(one, Table)):
        said = ModuleAnalyzer.for_module(one.__module__).find_attr_docs().get((one.__name__, key))
        if said:
            return " ".join(said).strip().replace("``", "`")
    raise SystemExit(f"{model.__name__}.{key} has no comment that begins with #:")


def kind(model: type[BaseModel], key: str, field: FieldInfo) -> str:
    """Return which values a key can have."""
    if key in ("type", "source"):
        return ", ".join(map(code, PROBLEM_TYPES if key == "type" else SOURCES))
    if key == "metric":
        known = of_type("problem", get_args(model.model_fields["type"].annotation)[0]).METRICS
        names = [code(name) for name, metric in known.items() if metric.selects]
        return ", ".join([*names, "or one of your own"])
    return limited(type_words(field.annotation), field.metadata)


def type_words(annotation: object) -> str:
    """Return the type of a value in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return limited(type_words(arguments[0]), arguments[1:])
    if origin is Literal:
        return ", ".join(map(code, arguments))
    if origin in (Union, UnionType):
        kinds = [one for one in arguments if one is not int or float not in arguments]
        *first, last = map(type_words, kinds)
        return f"{', '.join(first)}, or {last}"
    if origin is list:
        return f"list of {type_words(arguments[0])}s"
    if origin is dict:
        return f"table: name = {type_words(arguments[1])}"
    return NAMES[annotation]


def limited(words: str, metadata: Iterable[Any]) -> str:
    """Return the type of a value with its range."""
    found = [one for part in metadata for one in getattr(part, "metadata", [part])]
    said = [LIMITS[type(one)].format(one) for one in found if type(one) in LIMITS]
    text = ", ".join([words, *said]).replace("at least 1 long", "not empty")
    return re.sub(r"at least (\d+) long, at most \1 long", r"\1 of them", text)


def without(field: FieldInfo) -> str:
    """Return what holds without a key."""
    return "required" if field.is_required() else code(field.get_default())


# HTTP


def http() -> dict[str, str]:
    """Return the endpoints of a new project, their statuses, bodies and metrics."""
    document = described()
    schemas = document["components"]["schemas"]
    schemas["Input"]["properties"] |= inputs(schemas["Input"]["properties"])
    endpoints = {
        f"`{method.upper()} {path}`": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    rows = [
        (name, one["summary"], "no" if name.split()[1][:-1] in NO_KEY_NEEDED else "yes")
        for name, one in endpoints.items()
    ]
    shown = ("Predictions", "Prediction", "Explanation", "ModelDescription", "Measured", "Input")
    return {
        "endpoints": table(("request", "what it does", "key"), rows),
        "statuses": statuses(endpoints),
        "forecasts": table(("part", "what it is"), ((f"`{k}`", v) for k, v in PARTS.items())),
        **{name: properties(schemas[name]) for name in (*shown, "Readiness", "Mistake")},
        "metrics": table(("metric", "labels", "what it is"), measured()),
        "monitored": table(("metric", "labels", "what it is"), monitored()),
    }


def described() -> dict[str, Any]:
    """Return the OpenAPI document of a new project; a test holds Flask's to it."""
    with TemporaryDirectory() as folder, catch_warnings(action="ignore"):
        copier.run_copy(str(DOCS.parent), folder, defaults=True, quiet=True, vcs_ref="HEAD")
        command = [sys.executable, "-c", ASK]
        variables = os.environ | {"PYTHONPATH": os.pathsep.join(["src", "vendor"])}
        asked = subprocess.run(command, cwd=folder, env=variables, check=True, capture_output=True)
    return dict(json.loads(asked.stdout))


def inputs(known: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of an input, with what its docstring says of them."""
    said = {
        name: " ".join(one.desc)
        for one in NumpyDocString(inspect.cleandoc(Column.__doc__ or ""))["Parameters"]
        for name in one.name.split(", ")
    }
    return {name: one | {"description": said[name]} for name, one in known.items()}


def statuses(endpoints: dict[str, Any]) -> str:
    """Return when a status is sent, and by which requests."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, one in endpoints.items():
        for status, response in one["responses"].items():
            if status != "200":
                found.setdefault((status, response["description"]), []).append(name)
    rows = [
        (status, coded(said), ", ".join(names)) for (status, said), names in sorted(found.items())
    ]
    return table(("status", "why", "of"), rows)


def properties(schema: dict[str, Any]) -> str:
    """Return the table of the fields of a body."""
    rows = [
        (f"`{name}`", json_words(one), coded(one.get("description", "")))
        for name, one in schema["properties"].items()
    ]
    return table(("field", "type", "what it is"), rows)


def json_words(schema: dict[str, Any]) -> str:
    """Return the type of a field in words."""
    if "anyOf" in schema:
        return " or ".join(map(json_words, schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(map(code, schema["enum"]))
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if schema.get("type") == "array":
        return f"list of {json_words(schema['items'])}"
    inner = schema.get("additionalProperties")
    if isinstance(inner, dict):
        return f"object: name = {json_words(inner)}"
    return JSON_NAMES[schema.get("type", "")]


def measured() -> Iterator[Row]:
    """Yield what is counted in the process of a service."""
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            name = family.name + "_total" * (family.type == "counter")
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001
            yield f"`{name}`", labels, family.documentation


def monitored() -> Iterator[Row]:
    """Yield what the last `monitor` has found."""
    for name, (said, labels) in metrics.MONITORED.items():
        yield f"`model_{name}`", ", ".join(f"`{one}`" for one in ["version", *labels]), said


if __name__ == "__main__":
    main()
