"""``[data]`` of project.toml: where the rows come from, a model for each source."""

import re
from typing import Any, ClassVar, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, model_validator

from .settings import Table

# What stands for a missing value where there is no other way to say so. "None" and "-" are not
# among them, because they can be honest labels.
MISSING = ["", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL"]
Parameters = dict[str, str | int | float | bool]
SECRET = re.compile(
    r"(api|app|access|auth|bearer|client|private|refresh|secret|subscription)?(key|token|secret)"
    r"|password|passwd|pwd|signature|sig|authorization|credentials"
)
DATASET = re.compile(
    r"openml:[\w.-]+|uci:\d+|kaggle:(competitions/)?[\w.-]+(/[\w.-]+)?|(https?|env):.+"
)


class Data(Table):
    """What every source has; all of it is stored with each version, so no secret may stand here."""

    REMEDY: ClassVar[str] = (
        'put the URL into an environment variable, DATA_URL say, and write "env:DATA_URL"'
    )

    source: str
    path: str = ""
    missing: list[str] = []
    keep: list[str] = []
    decimal: Literal["", ".", ","] = ""
    header: int = Field(default=0, ge=0)  # the line of the names; 0 finds it
    sheet: str | int = 1  # of a workbook, by name or number

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for key, value in self:
            secret = _secret_in(value) if isinstance(value, str) else ""
            if secret:
                remedy = self.REMEDY if key == "url" else Data.REMEDY
                raise ValueError(f"[data] {key} holds {secret}; {remedy}")
        for is_wrong, sentence in [] if self.path else self.mistakes():
            if is_wrong:
                raise ValueError(f"[data] {sentence}")
        return self

    def marks(self) -> list[str]:
        """Return the texts that stand for a missing value in CSV, Excel and HTML."""
        return [*(mark for mark in MISSING if mark not in self.keep), *self.missing]

    def mistakes(self) -> list[tuple[Any, str]]:
        """Return what may be wrong with the keys that fetch rows: whether it is, and a sentence."""
        return []


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

    def mistakes(self) -> list[tuple[Any, str]]:
        """Return what may be wrong with the keys that fetch rows."""
        needs = 'path is "", so rows come from the database: set table or query'
        return [
            (self.table and self.query, f"{needs}; both are set"),
            (not self.table and not self.query, f"{needs}; neither is set"),
            (self.parameters and self.table, "parameters are for a query, but query is not set"),
        ]


class ApiData(Data):
    """A JSON API."""

    REMEDY: ClassVar[str] = (
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

    def mistakes(self) -> list[tuple[Any, str]]:
        """Return what may be wrong with the keys that fetch rows."""
        secrets = {f"parameters {k}": v for k, v in self.parameters.items() if _is_secret(k)}
        secrets["secret"] = self.secret
        shown = [key for key, value in secrets.items() if not str(value).startswith("env:")]
        advice = 'put it into an environment variable and write "env:API_TOKEN", with its name'
        lacks_next = self.paging == "cursor" and not self.next
        half = bool(self.cursor) != bool(self.since_parameter)
        return [
            (shown, f"{' and '.join(shown)} holds the secret itself; {advice}"),
            (not self.url, 'path is "", so rows come from the API: set url'),
            (lacks_next, 'paging is "cursor", so next must say where a response has the next one'),
            (half, "cursor and since_parameter go together: set both or neither"),
        ]


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

    def mistakes(self) -> list[tuple[Any, str]]:
        """Return what may be wrong with the keys that fetch rows."""
        allowed = '"openml:31", "uci:53", "kaggle:owner/name", "kaggle:competitions/name" or a URL'
        wrong = not DATASET.fullmatch(self.dataset)
        return [(wrong, f'dataset is "{self.dataset}"; allowed: {allowed}')]


class ScrapingData(Data):
    """Pages of the web."""

    REMEDY: ClassVar[str] = "read pages that need none, or ask for the data"

    source: Literal["scraping"]
    url: str = ""
    rows: str = ""
    fields: dict[str, str] = {}
    optional: list[str] = []
    table: str = ""
    next: str = ""
    contact: str = Field(default="", pattern="^[ -~]*$")  # a header of HTTP holds ASCII only
    delay_seconds: float = Field(default=1, ge=0)
    cache_hours: float = Field(default=24, ge=0)
    max_pages: int = Field(default=1000, ge=1)
    timeout_seconds: float = Field(default=30, gt=0)
    attempts: int = Field(default=5, ge=1)

    def mistakes(self) -> list[tuple[Any, str]]:
        """Return what may be wrong with the keys that fetch rows."""
        either = bool(self.table) != bool(self.rows and self.fields)
        unknown = [name for name in self.optional if name not in self.fields]
        return [
            (not self.url, 'path is "", so rows come from pages: set url'),
            (not self.contact, "contact is not set; give an e-mail address or a page of yours"),
            (not either, "needs either table, or rows and fields: selectors of where values are"),
            (unknown, f'optional names "{"".join(unknown[:1])}", which is not among fields'),
        ]


SOURCES: dict[str, type[Data]] = {
    "file": FileData,
    "sql": SqlData,
    "api": ApiData,
    "open_data": OpenData,
    "scraping": ScrapingData,
}


def _is_secret(name: str) -> bool:
    """Tell whether a parameter of this name holds a secret, such as ``api_key``."""
    return bool(SECRET.fullmatch(re.sub(r"[-_. ]", "", name.lower())))


def _secret_in(url: str) -> str:
    """Say which secret a URL holds, if it does."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no URL: whoever opens it says so
        return ""
    # The user of a database is no secret; in a web address it may be a token.
    if parts.password or (parts.username and parts.scheme.startswith("http")):
        return "a password"
    names = [name for name, value in parse_qsl(parts.query) if value and _is_secret(name)]
    return f'a secret, "{names[0]}"' if parts.scheme and names else ""
