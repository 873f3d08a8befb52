"""``[data]`` of a project that reads files."""

from typing import Literal

from pydantic import Field

from .settings import Table



class Data(Table):
    """``[data]``: where the rows come from."""

    source: Literal["file"]
    path: str = Field(min_length=1)
    missing: list[str] = []
