"""Each example in a docstring of the library does what it shows."""

import doctest
import importlib
import inspect
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


PACKAGES = [
    "mlsteps",
    *(m.name for m in pkgutil.walk_packages(mlsteps.__path__, "mlsteps.") if m.ispkg),
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_do_what_they_show(name, own, monkeypatch):
    monkeypatch.chdir(own.root)
    module = importlib.import_module(name)
    with mock.patch.dict(os.environ):
        result = doctest.testmod(module, globs=of_its_own(module) | {"__name__": name})
    assert result.failed == 0


@pytest.mark.parametrize("name", PACKAGES)
def test_each_public_function_says_what_it_takes_and_shows_a_call(name):
    package = importlib.import_module(name)
    for public in package.__all__:
        function = getattr(package, public)
        if inspect.isfunction(function):
            text = inspect.getdoc(function)
            assert "Parameters\n----------\n" in text, public
            assert "Examples\n--------\n" in text, public
