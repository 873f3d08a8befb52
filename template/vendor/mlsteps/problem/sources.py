"""``[data]`` of project.toml: where the rows come from, a model for each source."""

import re
from typing import ClassVar, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, model_validator

from .settings import Table

Parameters = dict[str, str | int | float | bool]
SECRET = re.compile(
    r"(api|app|access|auth|bearer|client|private|refresh|secret|subscription)?(key|token|secret)"
    r"|password|passwd|pwd|signature|sig|authorization|credentials"
)
DATASET = re.compile(
    r"openml:[\w.-]+|uci:\d+|kaggle:(competitions/)?[\w.-]+(/[\w.-]+)?|(https?|env):.+"
)
TO_ENVIRONMENT = 'put the URL into an environment variable, DATA_URL say, and write "env:DATA_URL"'


class Data(Table):
    """What every source has; all of it is stored with each version, so no secret may stand here."""

    url_remedy: ClassVar[str] = TO_ENVIRONMENT

    source: str
    path: str = ""
    missing: list[str] = []

    @model_validator(mode="after")
    def _hold_no_secret(self) -> Self:
        for key, value in self:
            if isinstance(value, str):
                refuse_secret(key, value, self.url_remedy if key == "url" else TO_ENVIRONMENT)
        return self


class FileData(Data):
    """Files, or URLs of files."""

    source: Literal["file"]
    path: str = Field(min_length=1)


class SqlData(Data):
    """A table of a database, or a query."""

    source: Literal["sql"]
    url: str = "env:DATABASE_URL"
    table: str = ""
    query: str = ""
    parameters: Parameters = {}
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


class ApiData(Data):
    """A JSON API."""

    url_remedy: ClassVar[str] = (
        'put it into an environment variable, and name that in secret (for "user:password", with '
        'auth = "basic") or in parameters, as { key = "env:API_KEY" }'
    )

    source: Literal["api"]
    url: str = ""
    parameters: Parameters = {}
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
        secrets = {
            f"parameters {name}": v for name, v in self.parameters.items() if is_secret(name)
        }
        for key, value in {**secrets, "secret": self.secret}.items():
            if isinstance(value, str) and not value.startswith("env:"):
                raise ValueError(
                    f"[data] {key} holds the secret itself; put it into an environment variable "
                    'and write "env:API_TOKEN", with its name'
                )
        if self.paging == "cursor" and not self.next:
            raise ValueError(
                '[data] paging is "cursor", so next must say where the response has the next '
                'cursor, "meta.next_cursor" say'
            )
        if bool(self.cursor) != bool(self.since_parameter):
            raise ValueError(
                "[data] cursor and since_parameter go together: the field that only grows, and the "
                "parameter that requests records since a value of it"
            )
        return self


class OpenData(Data):
    """A data set of OpenML, UCI or Kaggle, or of any other publisher by its URL."""

    source: Literal["open_data"]
    dataset: str = ""
    file: str = ""
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    licence: str = ""
    citation: str = ""
    server: str = ""
    timeout_seconds: float = Field(default=60, gt=0)
    attempts: int = Field(default=5, ge=1)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not self.path and not DATASET.fullmatch(self.dataset):
            raise ValueError(
                f'[data] dataset is "{self.dataset}"; allowed: "openml:31" or "openml:credit-g", '
                '"uci:53", "kaggle:owner/name", "kaggle:competitions/name", or a URL'
            )
        return self


class ScrapingData(Data):
    """Pages of the web."""

    url_remedy: ClassVar[str] = "read pages that need none, or ask for the data"

    source: Literal["scraping"]
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


SOURCES = {
    "file": FileData,
    "sql": SqlData,
    "api": ApiData,
    "open_data": OpenData,
    "scraping": ScrapingData,
}


def is_secret(name: str) -> bool:
    """Tell whether a parameter of this name holds a secret, such as ``api_key``."""
    return bool(SECRET.fullmatch(re.sub(r"[-_. ]", "", name.lower())))


def refuse_secret(key: str, url: str, remedy: str) -> None:
    """Raise a ValueError if a URL in ``[data]`` holds a password or another secret."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no URL: whoever opens it says so
        return
    # The user of a database is no secret; in a web address it may be a token.
    if parts.password or (parts.username and parts.scheme.startswith("http")):
        raise ValueError(f"[data] {key} holds a password; {remedy}")
    names = [name for name, value in parse_qsl(parts.query) if value and is_secret(name)]
    if parts.scheme and names:
        raise ValueError(f'[data] {key} holds a secret, "{names[0]}"; {remedy}')
