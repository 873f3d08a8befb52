"""The source is a JSON API that gives its records page by page."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa

from ..environment import FROM_ENVIRONMENT, from_environment
from ..errors import UserError
from ..problem.sources import ApiData as Data
from .arrow import from_records, plain_table
from .stream import Source, Stream, digest, quoted, without_secrets
from .web import Web, address, same_origin

BEGINNING = 1000  # characters; no more of a response are looked through for secrets

Page = tuple[str, dict[str, Any]]  # the address and parameters of a request, secrets apart


def open_stream(data: Data, root: Path, cache: Path) -> Stream:
    """Return the records of the API that ``[data]`` names, as a source."""
    shown = without_secrets(data.url)
    secrets = {
        name: from_environment(str(value), f"[data] parameters {name}")
        for name, value in data.parameters.items()
        if _is_secret(value)
    }
    web = Web(
        httpx2.Client(
            auth=_auth(data),
            timeout=data.timeout_seconds,
            follow_redirects=True,
            headers={"Accept": "application/json"},
            event_hooks={"request": [same_origin(data.url, shown)]},
        ),
        seconds=1 / data.requests_per_second,
        attempts=data.attempts,
        remedy=f"what [data] secret names ({data.secret}) is wrong or has expired, so renew it"
        if data.auth != "none"
        else "it wants credentials, so set [data] auth and secret",
    )

    def read(since: Any) -> Iterator[pa.Table]:
        page: Page | None = _first_page(data, since)
        before: list[dict[str, Any]] = []
        with web.client:
            while page:
                url = httpx2.URL(page[0]).copy_merge_params(page[1] | secrets)
                response = web.get(str(url))
                body = _json(response, shown)
                records = _records(body, data.records, shown)
                if records and records == before:
                    raise UserError(
                        f"{shown} gives the same page twice; hold [data] paging, next and "
                        "page_parameter against its documentation."
                    )
                yield plain_table(from_records(records), data.missing)
                page, before = _next_page(data, page, response, body, len(records)), records

    return Stream(
        read,
        sources=[Source(shown, note=f"JSON, new by {data.cursor}" if data.cursor else "JSON")],
        key=digest(data.model_dump()),
        cursor=data.cursor,
    )


def _auth(data: Data) -> httpx2.Auth | Callable[[httpx2.Request], httpx2.Request] | None:
    if data.auth == "none":
        return None
    secret = from_environment(data.secret, "[data] secret")
    if data.auth == "basic":
        user, _, password = secret.partition(":")
        return httpx2.BasicAuth(user, password)
    name, value = (
        ("Authorization", f"Bearer {secret}")
        if data.auth == "bearer"
        else (data.auth_header, secret)
    )

    def with_header(request: httpx2.Request) -> httpx2.Request:
        request.headers[name] = value
        return request

    return with_header


def _first_page(data: Data, since: Any) -> Page:
    parameters = {name: value for name, value in data.parameters.items() if not _is_secret(value)}
    if since is not None:
        parameters[data.since_parameter] = since
    if data.paging in {"page", "offset"}:
        parameters[data.page_parameter] = data.first_page if data.paging == "page" else 0
    return data.url, parameters


def _next_page(
    data: Data, page: Page, response: httpx2.Response, body: Any, count: int
) -> Page | None:
    (same, parameters), name = page, data.page_parameter
    if data.paging == "link":
        link = _at(body, data.next) if data.next else response.links.get("next", {}).get("url")
        if not link:
            return None
        url = address(_text(link, data), str(response.url))
        for parameter, value in data.parameters.items():
            if _is_secret(value):
                url = url.copy_remove_param(parameter)
        return str(url), {}
    if data.paging == "cursor":
        value = _at(body, data.next)
        return (same, parameters | {name: value}) if value else None
    if data.paging in {"page", "offset"} and count:
        step = 1 if data.paging == "page" else count
        return same, parameters | {name: parameters[name] + step}
    return None


def _text(link: object, data: Data) -> str:
    if not isinstance(link, str):
        raise UserError(
            f'[data] next is "{data.next}", where the answer has no address but a '
            f"{type(link).__name__}; say where the address of the next page is."
        )
    return link


def _is_secret(value: object) -> bool:
    return isinstance(value, str) and value.startswith(FROM_ENVIRONMENT)


def _json(response: httpx2.Response, shown: str) -> Any:
    try:
        return response.json()
    except ValueError:
        kind = quoted(response.headers.get("content-type", "of no type"))
        beginning = quoted(response.text[:BEGINNING])[:40]
        raise UserError(
            f"{shown} answers with no JSON ({kind}, beginning {beginning!r}); correct [data] url."
        ) from None


def _records(body: Any, path: str, shown: str) -> list[dict[str, Any]]:
    """Return the records inside of an answer."""
    records = _at(body, path)
    if isinstance(records, list) and all(isinstance(record, dict) for record in records):
        return records
    keys = f"keys {quoted(', '.join(body))}" if isinstance(body, dict) else ""
    found = keys or f"a {type(body).__name__}"
    where = f'at "{path}"' if path else "as a whole"
    raise UserError(
        f"{shown} gives no list of objects {where}; the answer has {found}, so correct [data] "
        "records."
    )


def _at(body: Any, path: str) -> Any:
    """Return what is at a path such as ``data.items``; None if nothing is."""
    for name in filter(None, path.split(".")):
        if isinstance(body, list) and name.isdigit():
            body = body[int(name)] if int(name) < len(body) else None
        else:
            body = body.get(name) if isinstance(body, dict) else None
    return body
