"""Step 8: what is served is watched, retrained, and replaced only by what is better."""

from .{{ cookiecutter.tracking }}_tracking import track

__all__ = ["track"]
