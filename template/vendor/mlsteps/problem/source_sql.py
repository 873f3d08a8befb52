"""``[data]`` of a project that reads a database."""

from typing import Literal, Self

from pydantic import Field, model_validator

from .settings import Table



class Data(Table):
    """``[data]``: where the rows come from."""

    source: Literal["sql"]
    path: str = ""
    missing: list[str] = []
    url: str = "env:DATABASE_URL"
    table: str = ""
    query: str = ""
    parameters: dict[str, str | int | float | bool] = {}
    cursor: str = ""
    overlap: float = Field(default=0, ge=0)
    timeout_seconds: float = Field(default=600, gt=0)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not self.path and bool(self.table) == bool(self.query):
            found = "both are set" if self.table else "neither is set"
            raise ValueError(
                f'[data] path is "", so rows come from the database: set table or query; {found}'
            )
        if self.parameters and not self.query:
            raise ValueError("[data] parameters are for a query, but query is not set")
        return self
