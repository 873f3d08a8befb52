"""``[data]`` of a project that reads a JSON API."""

from typing import Literal, Self

from pydantic import Field, model_validator

from .settings import Table
from .secrets import is_secret, refuse_secret



class Data(Table):
    """``[data]``: where the rows come from."""

    source: Literal["api"]
    path: str = ""
    missing: list[str] = []
    url: str = ""
    parameters: dict[str, str | int | float | bool] = {}
    records: str = ""
    auth: Literal["none", "bearer", "basic", "header"] = "none"
    auth_header: str = "X-API-Key"
    secret: str = "env:API_TOKEN"  # noqa: S105 - only where it is
    paging: Literal["none", "link", "cursor", "page", "offset"] = "none"
    next: str = ""
    page_parameter: str = "page"
    first_page: int = 1
    cursor: str = ""
    since_parameter: str = ""
    requests_per_second: float = Field(default=5, gt=0)
    timeout_seconds: float = Field(default=30, gt=0)
    attempts: int = Field(default=5, ge=1)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.path:
            return self
        if not self.url:
            raise ValueError('[data] path is "", so rows come from the API: set url')
        refuse_secret(
            "url",
            self.url,
            'put it into an environment variable, and name that in secret (for "user:password", '
            'with auth = "basic") or in parameters, as { key = "env:API_KEY" }',
        )
        for name, value in self.parameters.items():
            if isinstance(value, str) and is_secret(name) and not value.startswith("env:"):
                raise ValueError(
                    f"[data] parameters {name} holds the secret itself; put it into an environment "
                    f'variable, and write {name} = "env:API_KEY", with its name'
                )
        if not self.secret.startswith("env:"):
            raise ValueError(
                "[data] secret holds the secret itself; put it into an environment variable and "
                'write "env:API_TOKEN", with its name'
            )
        if self.paging == "cursor" and not self.next:
            raise ValueError(
                '[data] paging is "cursor", so next must say where the answer has the next cursor, '
                '"meta.next_cursor" say'
            )
        if bool(self.cursor) != bool(self.since_parameter):
            raise ValueError(
                "[data] cursor and since_parameter go together: the field that grows, and the "
                "parameter that asks for records since a value of it"
            )
        return self
