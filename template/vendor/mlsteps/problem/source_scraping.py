"""``[data]`` of a project that reads pages of the web."""

from typing import Literal, Self

from pydantic import Field, model_validator

from .settings import Table
from .secrets import refuse_secret



class Data(Table):
    """``[data]``: where the rows come from."""

    source: Literal["scraping"]
    path: str = ""
    missing: list[str] = []
    url: str = ""
    rows: str = ""
    fields: dict[str, str] = {}
    optional: list[str] = []
    table: str = ""
    next: str = ""
    decimal: Literal[".", ","] = "."
    contact: str = ""
    delay_seconds: float = Field(default=1, ge=0)
    cache_hours: float = Field(default=24, ge=0)
    max_pages: int = Field(default=1000, ge=1)
    timeout_seconds: float = Field(default=30, gt=0)
    attempts: int = Field(default=5, ge=1)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.path:
            return self
        if not self.url:
            raise ValueError('[data] path is "", so rows come from pages: set url')
        refuse_secret("url", self.url, "read pages that need none, or ask for the data")
        if not self.contact:
            raise ValueError(
                "[data] contact is not set; give an e-mail address or a page, so that the site can "
                "tell who reads it"
            )
        if not (self.contact.isascii() and self.contact.isprintable()):
            raise ValueError(
                f'[data] contact is "{self.contact}", but a header of HTTP holds ASCII only; '
                "write it without accents"
            )
        if bool(self.table) == bool(self.rows and self.fields):
            raise ValueError(
                "[data] needs either table, the selector of an HTML table, or rows and fields, the "
                "selectors of a row and of the values in it"
            )
        unknown = [name for name in self.optional if name not in self.fields]
        if unknown:
            raise ValueError(f'[data] optional names "{unknown[0]}", which is not among fields')
        return self
