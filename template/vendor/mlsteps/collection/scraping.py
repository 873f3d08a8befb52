"""The source is pages of the web: their rows by CSS selectors, page after page."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import parsel
import pyarrow as pa
from cssselect import SelectorError
from protego import Protego

from ..errors import UserError
from ..files import write_text
from ..problem.sources import ScrapingData as Data
from .arrow import TEXT, check_names, plain_table
from .delimited import typed
from .stream import Source, Stream, digest, without_secrets
from .web import Web, address

AGENT = "ml-collector"  # what robots.txt may call us
NOT_THERE = range(400, 500)  # responses that mean there is no robots.txt

Rows = list[dict[str, str | None]]


def open_stream(data: Data, root: Path, cache: Path) -> Stream:
    """Return the pages that begin at ``[data] url``, as a source."""
    for selector in (data.rows, data.table, data.next, *data.fields.values()):
        try:
            parsel.css2xpath(selector or "*")
        except SelectorError as error:
            raise UserError(
                f'[data] has "{selector}", which is no CSS selector ({error}).'
            ) from None
    web = Web(
        data,
        seconds=data.delay_seconds,
        remedy="ask its owner for the data",
        headers={"User-Agent": f"{AGENT} (+{data.contact})"},
        follow_redirects=True,
        home=data.url,
    )
    robots: dict[httpx2.URL, Protego] = {}

    def fetch(url: str) -> str:
        kept = cache / f"{digest(url)[:16]}.html"
        if kept.is_file() and time.time() - kept.stat().st_mtime < 3600 * data.cache_hours:
            return kept.read_text(encoding="utf-8")
        _check_robots(web, url, robots)
        text = web.get(url).text
        write_text(kept, text)
        return text

    def read(_: object) -> Iterator[pa.Table]:
        url, pages = data.url, 0
        with web.client:
            while url:
                if pages == data.max_pages:
                    raise UserError(
                        f"{without_secrets(data.url)} has more pages than [data] max_pages = "
                        f"{pages}; raise it, or correct next if it goes round in circles."
                    )
                page, name = parsel.Selector(fetch(url), type="html"), without_secrets(url)
                rows = _table(page, data, name) if data.table else _rows(page, data, name)
                yield _typed(rows, data)
                url, pages = _next_page(page, data, url), pages + 1

    return Stream(read, sources=[Source(without_secrets(data.url), note="HTML")])


def _check_robots(web: Web, url: str, known: dict[httpx2.URL, Protego]) -> None:
    """Refuse an address that the robots.txt of its site forbids, and keep to the site's pace."""
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


def _rows(page: parsel.Selector, data: Data, name: str) -> Rows:
    """Return what the selectors find; a page without it is one that has changed."""
    found = [
        {field: _value(row, selector) for field, selector in data.fields.items()}
        for row in page.css(data.rows)
    ]
    lacking = [
        (f"fields {field}", selector)
        for field, selector in data.fields.items()
        if field not in data.optional and not any(row[field] for row in found)
    ]
    if lacking or not found:
        key, selector = lacking[0] if found else ("rows", data.rows)
        raise UserError(
            f'{name} has nothing that matches [data] {key} "{selector}"; if the site has changed, '
            "change the selector; a field that a page may lack stands in optional."
        )
    return found


def _value(row: parsel.Selector, selector: str) -> str | None:
    """Return the text that a selector finds: of an element all of it, of ``::text`` its own."""
    found = row.css(selector)[:1]
    value = found.get() if "::" in selector else found.xpath("normalize-space()").get()
    return value.strip() if value else None


def _table(page: parsel.Selector, data: Data, name: str) -> Rows:
    """Return the rows of an HTML table; the first one has the names of the columns."""
    lines = [
        [cell.xpath("normalize-space()").get() for cell in line.xpath("./th | ./td")]
        for line in page.css(data.table)[:1].xpath(".//tr")
    ]
    header, *rows = [line for line in lines if line] or [[]]
    names = check_names([text or "" for text in header])
    if not rows or any(len(row) != len(names) for row in rows):
        raise UserError(
            f"{name} has no table with a header and rows of as many cells at [data] table "
            f'"{data.table}"; change the selector, or select by rows and fields.'
        )
    return [dict(zip(names, row, strict=True)) for row in rows]


def _next_page(page: parsel.Selector, data: Data, url: str) -> str:
    """Return the address of the page that follows; "" if there is none."""
    selector = data.next if "::" in data.next else f"{data.next}::attr(href)"
    link = page.css(selector).get() if data.next else None
    return str(address(link, url)) if link else ""


def _typed(rows: Rows, data: Data) -> pa.Table:
    """Return rows as a table; a column becomes numbers as in a CSV file."""
    texts = {name: pa.array([row[name] for row in rows], TEXT) for name in rows[0]}
    marks, decimal = data.marks(), data.decimal or "."
    columns = {name: typed(column, marks, decimal) for name, column in texts.items()}
    return plain_table(pa.table(columns), data.missing)
