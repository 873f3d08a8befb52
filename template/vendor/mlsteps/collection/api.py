"""The source is a JSON API that gives its records page by page."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa

from ..environment import FROM_ENVIRONMENT, from_environment
from ..errors import UserError
from ..problem.sources import ApiData as Data
from .arrow import from_records, plain_table
from .stream import Source, Stream, digest, quoted, without_secrets
from .web import Web, address

Page = tuple[httpx2.URL, dict[str, Any]]  # an address and parameters, secrets apart


def open_stream(data: Data, root: Path, cache: Path) -> Stream:
    """Return the records of the API that ``[data]`` names, as a source."""
    shown = without_secrets(data.url)
    secrets = {
        name: from_environment(value, f"[data] parameters {name}")
        for name, value in data.parameters.items()
        if isinstance(value, str) and value.startswith(FROM_ENVIRONMENT)
    }
    remedy = "it wants credentials, so set [data] auth and secret"
    if data.auth != "none":
        remedy = f"what [data] secret names ({data.secret}) is wrong or has expired, so renew it"
    headers = {"Accept": "application/json"} | _credentials(data)
    pace = 1 / data.requests_per_second
    web = Web(data, seconds=pace, remedy=remedy, home=data.url, headers=headers)

    def read(since: Any) -> Iterator[pa.Table]:
        parameters = {n: value for n, value in data.parameters.items() if n not in secrets}
        if since is not None:
            parameters[data.since_parameter] = since
        if data.paging in {"page", "offset"}:
            parameters[data.page_parameter] = data.first_page if data.paging == "page" else 0
        page: Page | None = address(data.url), parameters
        before: list[dict[str, Any]] = []
        with web.client:
            while page:
                response = web.get(str(page[0].copy_merge_params(page[1] | secrets)))
                body = _json(response, shown)
                records = _records(body, data.records, shown)
                if records and records == before:
                    raise UserError(
                        f"{shown} gives the same page twice; compare [data] paging, next and "
                        "page_parameter with its documentation."
                    )
                yield plain_table(from_records(records), data.missing)
                page, before = _next_page(data, page, response, body, len(records)), records

    return Stream(
        read,
        sources=[Source(shown, note=f"JSON, new by {data.cursor}" if data.cursor else "JSON")],
        key=digest(data.model_dump()),
        cursor=data.cursor,
    )


def _credentials(data: Data) -> dict[str, str]:
    """Return the header that says who sends the request."""
    if data.auth == "none":
        return {}
    secret = from_environment(data.secret, "[data] secret")
    if not (secret.isascii() and secret.isprintable()):
        raise UserError(
            f"[data] secret names {data.secret}, which no header can hold: it has a line break, or "
            "letters that are not ASCII."
        )
    if data.auth == "header":
        return {data.auth_header: secret}
    basic = b64encode(secret.encode()).decode()
    return {"Authorization": f"Bearer {secret}" if data.auth == "bearer" else f"Basic {basic}"}


def _next_page(
    data: Data, page: Page, response: httpx2.Response, body: Any, count: int
) -> Page | None:
    (url, parameters), name = page, data.page_parameter
    if data.paging == "link":
        link = _at(body, data.next) if data.next else response.links.get("next", {}).get("url")
        if not link:
            return None
        if not isinstance(link, str):
            raise UserError(f'[data] next is "{data.next}", where the response has no address.')
        return address(link, str(response.url)), {}
    if data.paging == "cursor":
        value = _at(body, data.next)
        return (url, parameters | {name: value}) if value else None
    if data.paging in {"page", "offset"} and count:
        step = 1 if data.paging == "page" else count
        return url, parameters | {name: parameters[name] + step}
    return None


def _json(response: httpx2.Response, shown: str) -> Any:
    try:
        return response.json()
    except ValueError:
        beginning = quoted(response.text[:1000])[:40]
        raise UserError(f"{shown} gives no JSON, but {beginning!r}; correct [data] url.") from None


def _records(body: Any, path: str, shown: str) -> list[dict[str, Any]]:
    """Return the records inside of a response."""
    records = _at(body, path)
    if isinstance(records, list) and all(isinstance(record, dict) for record in records):
        return records
    keys = f"keys {quoted(', '.join(body))}" if isinstance(body, dict) else ""
    raise UserError(
        f'{shown} gives no list of objects at "{path}"; the response has '
        f"{keys or f'a {type(body).__name__}'}, so correct [data] records."
    )


def _at(body: Any, path: str) -> Any:
    """Return what is at a path such as ``data.items``; None if nothing is."""
    for name in filter(None, path.split(".")):
        if isinstance(body, list) and name.isdigit():
            body = body[int(name)] if int(name) < len(body) else None
        else:
            body = body.get(name) if isinstance(body, dict) else None
    return body
