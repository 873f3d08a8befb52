"""The source is an open data set of OpenML, UCI, Kaggle, or at a URL.

Each place is reached by its documented HTTP interface. OpenML: https://www.openml.org/apis. UCI:
https://archive.ics.uci.edu/api. Kaggle: https://www.kaggle.com/docs/api.
"""

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..environment import from_environment, masked, remember
from ..errors import UserError
from ..files import file_digest, read_json, write_json
from ..problem.sources import OpenData as Data
from .file import read_table
from .formats import READERS, members
from .stream import Source, Stream, digest, without_secrets
from .web import Web, address

Found = tuple[str, Source]  # where it can be downloaded, and what it is, named by its file

KEY = "[data] dataset"
ABOUT = "about.json"
TRAINING = "train.csv"  # what competitions call the rows with a target


def open_stream(data: Data, root: Path, cache: Path) -> Stream:
    """Return the data set that ``[data] dataset`` names, as a source."""
    shown = without_secrets(data.dataset)
    stream = Stream(lambda _: read())

    def read() -> Iterator[pa.Table]:
        folder = cache / digest(data.dataset, data.file, data.server)[:16]
        if not (folder / ABOUT).is_file():
            _download(data, folder, shown)
        found = Source(**read_json(folder / ABOUT))
        sha256 = file_digest(folder / found.name)
        if data.sha256 and sha256 != data.sha256:
            shutil.rmtree(folder)
            raise UserError(
                f"{shown} has the SHA-256 {sha256}, but [data] sha256 is {data.sha256}; it was "
                "changed since, so look at it before you write the new one."
            )
        table, (source,) = read_table(found.name, folder, data)
        about = replace(
            source, name=shown, sha256=sha256, licence=found.licence, citation=found.citation
        )
        stream.sources.append(about)
        yield table

    return stream


def _download(data: Data, folder: Path, shown: str) -> None:
    """Put the file of a data set into the cache, and what is known of it beside it."""
    web = Web(data, follow_redirects=True)
    with web.client:
        place, _, name = data.dataset.partition(":")
        if place in PLACES:
            find, server = PLACES[place]
            url, found = find(web, data.server or server, name)
        else:  # what its publisher says of it stands in [data]
            url = from_environment(data.dataset, KEY)
            file = address(url).path.rpartition("/")[2]
            found = Source(file, licence=data.licence, citation=data.citation)
        web.get(url, target=folder / found.name)
    if place == "kaggle":
        found = replace(found, name=_extract(folder / found.name, data.file, shown))
    found = replace(found, licence=masked(found.licence), citation=masked(found.citation))
    write_json(folder / ABOUT, asdict(found))


def _extract(archive: Path, wanted: str, shown: str) -> str:
    """Put one file of an archive in its place, and return the name of that file."""
    try:
        with zipfile.ZipFile(archive) as files:
            names = members(files)
            tables = [name for name in names if Path(name).suffix.lower() in READERS]
            only = tables[0] if len(tables) == 1 else ""
            chosen = wanted or (TRAINING if TRAINING in tables else only)
            if chosen not in names:
                few = ", ".join(names[:10]) + ", …" * (len(names) > 10)
                raise UserError(f"{shown} has the files {few}; name one of them in [data] file.")
            target = Path(files.extract(chosen, archive.parent))
    except zipfile.BadZipFile:
        raise UserError(f"{shown} is not an archive, or was cut off; try again.") from None
    archive.unlink()
    return target.relative_to(archive.parent).as_posix()


def _find_openml(web: Web, server: str, name: str) -> Found:
    """Find a data set of OpenML by its number, or the newest active one of a name."""
    interface, number = f"{server}/api/v1/json/data", name
    if not name.isdigit():
        listed = _json(web, f"{interface}/list/data_name/{name}/status/active", name)
        versions = listed["data"]["dataset"]
        number = max(versions, key=lambda one: int(one["version"]))["did"]
    about = _json(web, f"{interface}/{number}", name)["data_set_description"]
    table = about.get("parquet_url")
    return table or f"{server}/data/get_csv/{about['file_id']}", Source(
        f"openml-{number}.{'parquet' if table else 'csv'}",
        licence=_text(about.get("licence")),
        citation=_text(about.get("citation"))
        or f"{about['name']}, version {about['version']}. OpenML. {server}/d/{number}",
    )


def _find_uci(web: Web, server: str, name: str) -> Found:
    """Find a data set of the UCI Machine Learning Repository by its number."""
    about = _json(web, f"{server}/api/dataset?id={name}", name).get("data") or {}
    if not about.get("data_url"):
        raise UserError(
            f'{KEY} "uci:{name}" has no table that can be imported; download it from '
            f"{server}/dataset/{name}, and name the file in [data] path."
        )
    doi, year = about.get("dataset_doi"), about.get("year_of_dataset_creation")
    authors = ", ".join(about.get("creators") or ["UCI"]) + (f" ({year})" if year else "")
    link = f" https://doi.org/{doi}" if doi else ""
    return about["data_url"], Source(
        f"uci-{name}.csv",
        # The repository has this one for all data sets, unless one says otherwise.
        licence=_text(about.get("license")) or "CC BY 4.0",
        citation=f"{authors}. {about['name']}. UCI Machine Learning Repository.{link}",
    )


def _find_kaggle(web: Web, server: str, name: str) -> Found:
    """Find a data set of Kaggle, or the files of a competition."""
    kind, _, short = name.rpartition("/")
    if token := os.environ.get("KAGGLE_API_TOKEN"):
        remember(token)
        web.client.headers["Authorization"] = f"Bearer {token}"
    page = f"{server}/{name if kind == 'competitions' else f'datasets/{name}'}"
    web.remedy = (
        f"accept the rules or the licence at {page}, and see that KAGGLE_API_TOKEN is set to a "
        "token that has not expired (kaggle.com/settings)"
    )
    if kind == "competitions":
        url, licence = f"competitions/data/download-all/{short}", "the rules of the competition"
        title = short
    else:
        about = _json(web, f"{server}/api/v1/datasets/view/{name}", name)
        url, licence = f"datasets/download/{name}", _text(about.get("licenseName"))
        title = f"{about.get('ownerName') or kind}. {about.get('title') or short}"
    found = Source(f"{short}.zip", licence=licence, citation=f"{title}. Kaggle. {page}")
    return f"{server}/api/v1/{url}", found


PLACES: dict[str, tuple[Callable[[Web, str, str], Found], str]] = {
    "openml": (_find_openml, "https://www.openml.org"),
    "uci": (_find_uci, "https://archive.ics.uci.edu"),
    "kaggle": (_find_kaggle, "https://www.kaggle.com"),
}


def _json(web: Web, url: str, name: str) -> Any:
    """Return what an interface says of a data set; each says in its own way that there is none."""
    response = web.get(url, allowed={404, 412})
    try:
        said = response.json()
    except json.JSONDecodeError:
        said = {}
    if not response.is_success or not said or said.get("status", 200) != 200:
        server = url.partition("/api")[0]
        raise UserError(
            f'There is no data set "{name}" at {server}; look there, and correct {KEY}.'
        )
    return said


def _text(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value or "").strip()
