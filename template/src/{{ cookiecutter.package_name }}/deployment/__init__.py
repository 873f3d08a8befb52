"""Step 7: the champion answers over HTTP, and what it answered is logged."""

from .{{ cookiecutter.serving }}_service import serve

__all__ = ["serve"]
