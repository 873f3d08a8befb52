"""The service."""

from .{{ cookiecutter.serving }}_app import serve

__all__ = ["serve"]
