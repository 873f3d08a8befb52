"""Where the repositories of open data have a data set, by their documented HTTP interfaces.

OpenML: https://www.openml.org/apis. UCI: https://archive.ics.uci.edu/api. Kaggle:
https://www.kaggle.com/docs/api.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from ..environment import from_environment, remember
from ..errors import UserError
from ..files import read_json
from ..problem.sources import OpenData as Data
from .web import Web, address

KEY = "[data] dataset"


@dataclass(frozen=True)
class Found:
    """A data set, and what its publisher says of it.

    Attributes
    ----------
    url
        Of its one file, or of an archive.
    file
        What the file is called; its suffix says how it is read.
    """

    url: str
    file: str
    licence: str = ""
    citation: str = ""


def find_openml(web: Web, name: str, data: Data) -> Found:
    """Find a data set of OpenML by its number, or the newest active one of a name."""
    server = data.server or "https://www.openml.org"
    interface = f"{server}/api/v1/json/data"
    number = name
    if not name.isdigit():
        listed = _json(web, f"{interface}/list/data_name/{name}/status/active", name, "OpenML")
        known = listed["data"]["dataset"]
        number = max(known, key=lambda one: int(one["version"]))["did"]
    about = _json(web, f"{interface}/{number}", name, "OpenML")["data_set_description"]
    table = about.get("parquet_url")
    return Found(
        url=table or f"{server}/data/get_csv/{about['file_id']}",
        file=f"openml-{number}.{'parquet' if table else 'csv'}",
        licence=_text(about.get("licence")),
        citation=_text(about.get("citation"))
        or f"{about['name']}, version {about['version']}. OpenML. {server}/d/{number}",
    )


def find_uci(web: Web, name: str, data: Data) -> Found:
    """Find a data set of the UCI Machine Learning Repository by its number."""
    server = data.server or "https://archive.ics.uci.edu"
    response = _json(web, f"{server}/api/dataset?id={name}", name, "UCI")
    about = response.get("data") or {}
    if not about.get("data_url"):
        raise UserError(
            f'{KEY} "uci:{name}" has no table that can be imported; download it from '
            f"{server}/dataset/{name}, and name the file in [data] path."
        )
    doi, year = about.get("dataset_doi"), about.get("year_of_dataset_creation")
    parts = [
        f"{', '.join(about.get('creators') or ['UCI'])}{f' ({year})' if year else ''}",
        about["name"],
        f"UCI Machine Learning Repository.{f' https://doi.org/{doi}' if doi else ''}",
    ]
    return Found(
        url=about["data_url"],
        file=f"uci-{name}.csv",
        # The repository has this one for all data sets, unless one says otherwise.
        licence=_text(about.get("license")) or "CC BY 4.0",
        citation=". ".join(parts),
    )


def find_kaggle(web: Web, name: str, data: Data) -> Found:
    """Find a data set of Kaggle, or the files of a competition."""
    server = data.server or "https://www.kaggle.com"
    kind, _, short = name.rpartition("/")
    web.client.auth = kaggle_credentials()
    renew = "see that KAGGLE_API_TOKEN is set to a token that has not expired (kaggle.com/settings)"
    if kind == "competitions":
        web.remedy = f"accept the rules at {server}/competitions/{short}/rules, and {renew}"
        return Found(
            url=f"{server}/api/v1/competitions/data/download-all/{short}",
            file=f"{short}.zip",
            licence="the rules of the competition",
            citation=f"{short}. Kaggle. {server}/competitions/{short}",
        )
    page = f"{server}/datasets/{name}"
    web.remedy = f"accept its licence at {page} if it asks for that, and {renew}"
    about = _json(web, f"{server}/api/v1/datasets/view/{name}", name, "Kaggle")
    return Found(
        url=f"{server}/api/v1/datasets/download/{name}",
        file=f"{short}.zip",
        licence=_text(about.get("licenseName")),
        citation=f"{about.get('ownerName') or kind}. {about.get('title') or short}. Kaggle. {page}",
    )


def find_url(_: Web, name: str, data: Data) -> Found:
    """Take a URL as it is; what its publisher says of it stands in ``[data]``."""
    url = from_environment(name, KEY)
    file = address(url).path.rpartition("/")[2]
    return Found(url=url, file=file, licence=data.licence, citation=data.citation)


FINDERS: dict[str, Callable[[Web, str, Data], Found]] = {
    "openml": find_openml,
    "uci": find_uci,
    "kaggle": find_kaggle,
}


def find(web: Web, data: Data) -> Found:
    """Find the data set that ``[data] dataset`` names."""
    place, _, name = data.dataset.partition(":")
    if place in FINDERS:
        return FINDERS[place](web, name, data)
    return find_url(web, data.dataset, data)


def kaggle_credentials() -> Callable[[httpx2.Request], httpx2.Request] | httpx2.Auth:
    """Return what says who asks, from the environment or Kaggle's own file, if that does."""
    token = os.environ.get("KAGGLE_API_TOKEN")
    if token:
        remember(token)

        def with_token(request: httpx2.Request) -> httpx2.Request:
            request.headers["Authorization"] = f"Bearer {token}"
            return request

        return with_token
    user, key = os.environ.get("KAGGLE_USERNAME"), os.environ.get("KAGGLE_KEY")
    folder = Path(os.environ.get("KAGGLE_CONFIG_DIR") or Path.home() / ".kaggle")
    if not (user and key) and (folder / "kaggle.json").is_file():
        said = read_json(folder / "kaggle.json")
        user, key = said.get("username"), said.get("key")
    if not (user and key):
        return httpx2.Auth()
    remember(f"{user}:{key}")
    return httpx2.BasicAuth(user, key)


def _json(web: Web, url: str, name: str, where: str) -> Any:
    """Return what an interface says of a data set; each says in its own way that there is none."""
    response = web.get(url, allowed={404, 412})
    try:
        said = response.json()
    except json.JSONDecodeError:
        said = {}
    if not response.is_success or not said or said.get("status", 200) != 200:
        server = url.partition("/api")[0]
        raise UserError(f'{where} has no data set "{name}"; look at {server}, and correct {KEY}.')
    return said


def _text(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value or "").strip()
