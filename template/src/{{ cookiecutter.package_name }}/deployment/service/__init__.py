"""The champion over HTTP. A framework carries the bytes; what is answered is the same in each."""

from .{{ cookiecutter.serving }}_service import serve

__all__ = ["serve"]
