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

    source: str  #: the one whose libraries the project installs; ``copier update`` changes it
    #: a file, a folder of files of one kind, a pattern, a URL, or ``env:NAME``; relative to the
    #: project; if ``""``, rows come from what the other keys of the source name
    path: str = ""
    #: texts that stand for a missing value in CSV, Excel and HTML, beside the usual ones
    missing: list[str] = []
    keep: list[str] = []  #: usual ones that are labels, such as "NA" for Namibia
    #: the decimal sign of numbers where a file does not show it; a file to score then has that of
    #: training; of pages it is the sign, "." if ``""``
    decimal: Literal["", ".", ","] = ""
    #: the line of the names of the columns, in CSV and Excel, also of files to score; 0 finds it
    header: int = Field(default=0, ge=0)
    #: of an Excel file, by name, or by number from 1 on; also of files to score
    sheet: str | int = 1

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
    #: a file, a folder of files of one kind, a pattern, a URL, or ``env:NAME``; relative to the
    #: project
    path: str = Field(min_length=1)


class SqlData(Data):
    """A table of a database, or a query."""

    source: Literal["sql"]
    #: of the database, as SQLAlchemy writes it, without a password; or ``env:NAME``
    url: str = "env:DATABASE_URL"
    table: str = ""  #: such as "customers" or "sales.customers"
    query: str = ""  #: a file with a query, instead of a table; relative to the project
    parameters: Parameters = {}  #: what ``:name`` in the query is bound to
    #: the column that only grows (a number, or a time): only new rows are fetched; ``""``: all
    cursor: str = ""
    #: how far before the greatest stored value of it rows are read again, in seconds of a time or
    #: units of a number
    overlap: float = Field(default=0, ge=0)
    timeout_seconds: float = Field(default=600, gt=0)  #: what a statement may take

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
    url: str = ""  #: what responds with JSON
    parameters: Parameters = {}  #: sent with each request; a secret comes by ``env:NAME``
    #: where the list of records is in the response, "data.items" say; ``""``: it is the list
    records: str = ""
    auth: Literal["none", "bearer", "basic", "header"] = "none"  #: how the project authenticates
    auth_header: str = "X-API-Key"  #: the header of ``auth = "header"``
    #: the token, the key, or ``user:password``, as ``env:NAME``
    secret: str = "env:API_TOKEN"  # noqa: S105 - only where it is
    #: how to ask for the next page
    paging: Literal["none", "link", "cursor", "page", "offset"] = "none"
    #: where a response has the next address (link; ``""`` is the header Link) or the next cursor
    next: str = ""
    page_parameter: str = "page"  #: for the cursor, page or offset
    first_page: int = 1  #: of ``paging = "page"``
    cursor: str = ""  #: the field that only grows: only new records are fetched; ``""``: all
    since_parameter: str = ""  #: takes the greatest stored value of it
    requests_per_second: float = Field(default=5, gt=0)  #: at most
    timeout_seconds: float = Field(default=30, gt=0)  #: what a response may take
    #: how often a request is made that is cut off, or that the server is too busy for
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
    #: "openml:" with a number or name, "uci:53", "kaggle:owner/name", "kaggle:competitions/name",
    #: or a URL
    dataset: str = ""
    file: str = ""  #: which one, where Kaggle has several
    #: 64 hexadecimal digits that the file must have; ``""``: any
    sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    licence: str = ""  #: of a URL; the others say it themselves
    citation: str = ""  #: of a URL
    server: str = ""  #: another one with the interface of the repository, a mirror say
    timeout_seconds: float = Field(default=60, gt=0)  #: what a response may take
    #: how often a request is made that is cut off, or that the server is too busy for
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
    url: str = ""  #: the first page
    rows: str = ""  #: the CSS selector of one row
    fields: dict[str, str] = {}  #: CSS selectors of the values in a row, by name
    optional: list[str] = []  #: fields that a whole page may lack
    table: str = ""  #: the selector of an HTML table, instead of rows and fields
    next: str = ""  #: the selector of the link to the next page; ``""``: there is one page
    #: an e-mail address or a page, for the site's owner; required
    contact: str = Field(default="", pattern="^[ -~]*$")
    #: between two requests; robots.txt may ask for more
    delay_seconds: float = Field(default=1, ge=0)
    cache_hours: float = Field(default=24, ge=0)  #: for how long a page is not fetched again
    max_pages: int = Field(default=1000, ge=1)  #: more are an error
    timeout_seconds: float = Field(default=30, gt=0)  #: what a response may take
    #: how often a request is made that is cut off, or that the server is too busy for
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
