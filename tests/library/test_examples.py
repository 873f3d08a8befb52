"""Each example in a docstring of the library does what it shows."""

import doctest
import importlib
import os
import pkgutil
from unittest import mock

import mlsteps
import pytest

MODULES = ["mlsteps", *(m.name for m in pkgutil.walk_packages(mlsteps.__path__, "mlsteps."))]


def of_its_own(module):
    """Return what a module defines: a reader of an example cannot see what it imports."""
    return {
        name: value
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__
    }


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_do_what_they_show(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    with mock.patch.dict(os.environ):
        result = doctest.testmod(module, globs=of_its_own(module) | {"__name__": name})
    assert result.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = [t for name in MODULES for t in finder.find(importlib.import_module(name))]
    assert sum(bool(test.examples) for test in tests) >= 20
