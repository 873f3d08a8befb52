"""The source is pages of the web: their rows by CSS selectors, page after page."""

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import parsel
import pyarrow as pa
from cssselect import SelectorError
from protego import Protego

from ..errors import UserError
from ..files import write_text
from ..problem.sources import ScrapingData as Data
from .arrow import check_names, plain_table
from .delimited import MISSING, typed
from .stream import Source, Stream, digest, without_secrets
from .web import Web, address

AGENT = "ml-collector"  # what robots.txt may call us
NOT_THERE = range(400, 500)  # answers that mean there is no robots.txt

Rows = list[dict[str, str | None]]


def open_stream(data: Data, root: Path, cache: Path) -> Stream:
    """Return the pages that begin at ``[data] url``, as a source."""
    for selector in (data.rows, data.table, data.next, *data.fields.values()):
        _check_selector(selector)
    shown = without_secrets(data.url)
    web = Web(
        httpx2.Client(
            headers={"User-Agent": f"{AGENT} (+{data.contact})"},
            timeout=data.timeout_seconds,
            follow_redirects=True,
        ),
        seconds=data.delay_seconds,
        attempts=data.attempts,
        remedy="ask its owner for the data",
    )

    def read(_: object) -> Iterator[pa.Table]:
        url, pages, before = data.url, 0, ""
        check = _robots(web)
        with web.client:
            while url:
                page = parsel.Selector(_page(web, check, url, data, cache), type="html")
                name, pages = without_secrets(url), pages + 1
                rows = _table(page, data, name) if data.table else _rows(page, data, name)
                if digest(rows) == before:
                    raise UserError(f"{name} has the rows of the page before; mend [data] next.")
                before = digest(rows)
                yield _typed(rows, data)
                url = _next_page(page, data, url, pages)

    return Stream(read, sources=[Source(shown, note="HTML")])


def _check_selector(selector: str) -> None:
    try:
        parsel.css2xpath(selector or "*")
    except SelectorError as error:
        raise UserError(f'[data] has "{selector}", which is no CSS selector ({error}).') from None


def _robots(web: Web) -> Callable[[str], None]:
    """Return what refuses an address that the robots.txt of its site forbids."""
    known: dict[httpx2.URL, Protego] = {}

    def check(url: str) -> None:
        site = address(url).copy_with(path="/robots.txt", query=None, fragment=None)
        if site not in known:
            response = web.get(str(site), allowed=NOT_THERE)
            known[site] = Protego.parse(response.text if response.is_success else "")
            web.seconds = max(web.seconds, known[site].crawl_delay(AGENT) or 0)
        if not known[site].can_fetch(url, AGENT):
            raise UserError(
                f"{without_secrets(url)} must not be read by programs, says the site's robots.txt; "
                "ask its owner for the data, or read other pages."
            )

    return check


def _page(web: Web, check: Callable[[str], None], url: str, data: Data, cache: Path) -> str:
    """Return a page, from the cache if it is new enough."""
    kept = cache / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.html"
    if kept.is_file() and time.time() - kept.stat().st_mtime < 3600 * data.cache_hours:
        return kept.read_text(encoding="utf-8")
    check(url)
    text = web.get(url).text
    write_text(kept, text)
    return text


def _rows(page: parsel.Selector, data: Data, name: str) -> Rows:
    """Return what the selectors find; a page without it is one that has changed."""
    found = [
        {field: _value(row, selector) for field, selector in data.fields.items()}
        for row in page.css(data.rows)
    ]
    if not found:
        raise UserError(
            f'{name} has nothing that matches [data] rows "{data.rows}"; if the site has changed, '
            "change the selector."
        )
    for field in data.fields.keys() - set(data.optional):
        if not any(row[field] for row in found):
            raise UserError(
                f'{name} has no row in which [data] fields {field} "{data.fields[field]}" matches; '
                "if the site has changed, change the selector; if a page may lack it, name it in "
                "optional."
            )
    return found


def _table(page: parsel.Selector, data: Data, name: str) -> Rows:
    """Return the rows of an HTML table; the first one has the names of the columns."""
    lines = [
        [cell.xpath("normalize-space()").get() for cell in line.xpath("./th | ./td")]
        for line in page.css(data.table)[:1].xpath(".//tr")
    ]
    header, *others = [line for line in lines if line] or [[]]
    if not others:
        raise UserError(
            f'{name} has no rows in a table that matches [data] table "{data.table}"; if the site '
            "has changed, change the selector."
        )
    names = check_names([text or "" for text in header])
    for number, line in enumerate(others, start=1):
        if len(line) != len(names):
            raise UserError(
                f"{name} has {len(line)} cells in row {number} of the table, but {len(names)} in "
                "its header; select the rows by [data] rows and fields instead."
            )
    return [dict(zip(names, line, strict=True)) for line in others]


def _value(row: parsel.Selector, selector: str) -> str | None:
    """Return the text that a selector finds: of an element all of it, of ``::text`` its own."""
    found = row.css(selector)[:1]
    value = found.get() if "::" in selector else found.xpath("normalize-space()").get()
    return value.strip() if value else None


def _next_page(page: parsel.Selector, data: Data, url: str, pages: int) -> str:
    """Return the address of the page that follows the first `pages`; "" if there is none."""
    selector = data.next if "::" in data.next else f"{data.next}::attr(href)"
    link = page.css(selector).get() if data.next else None
    if not link:
        return ""
    if pages >= data.max_pages:
        raise UserError(
            f"{without_secrets(data.url)} has more pages than [data] max_pages = {pages}; raise "
            "it, or mend next if it goes round in circles."
        )
    return str(address(link, url))


def _typed(rows: Rows, data: Data) -> pa.Table:
    """Return rows as a table; a column becomes numbers as in a CSV file."""
    missing = [*MISSING, *data.missing]
    texts = {name: pa.array([row[name] for row in rows], pa.string()) for name in rows[0]}
    columns = {name: typed(column, missing, data.decimal) for name, column in texts.items()}
    return plain_table(pa.table(columns), data.missing)
