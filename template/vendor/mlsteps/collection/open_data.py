"""The source is an open data set of OpenML, UCI, Kaggle, or at a URL."""

import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import httpx2
import pyarrow as pa

from ..environment import masked
from ..errors import UserError
from ..files import file_digest, read_json, replacing, write_json
from ..problem.sources import OpenData as Data
from .file import read_table
from .formats import READERS
from .repositories import Found, find
from .stream import Stream, digest, without_secrets
from .web import Web

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
        found = Found(**read_json(folder / ABOUT))
        path = folder / found.file
        sha256 = file_digest(path)
        if data.sha256 and sha256 != data.sha256:
            shutil.rmtree(folder)
            raise UserError(
                f"{shown} has the SHA-256 {sha256}, but [data] sha256 is {data.sha256}; it was "
                "changed since, so look at it before you write the new one."
            )
        table, (source,) = read_table(found.file, folder, data.missing)
        stream.sources.append(
            replace(source, name=shown, licence=found.licence, citation=found.citation)
        )
        yield table

    return stream


def _download(data: Data, folder: Path, shown: str) -> None:
    """Put the file of a data set into the cache, and what is known of it beside it."""
    client = httpx2.Client(timeout=data.timeout_seconds, follow_redirects=True)
    with client:
        web = Web(client, attempts=data.attempts)
        found = find(web, data)
        path = folder / found.file
        web.download(found.url, path)
    if data.dataset.startswith("kaggle:"):
        name = _take_out(path, data.file, shown)
        path.unlink()
        found = replace(found, file=name)
    said = {"licence": masked(found.licence), "citation": masked(found.citation)}
    write_json(folder / ABOUT, asdict(replace(found, url=without_secrets(found.url), **said)))


def _take_out(archive: Path, wanted: str, shown: str) -> str:
    """Put one file of an archive beside it, and return its name."""
    try:
        with zipfile.ZipFile(archive) as files:
            names = [name for name in files.namelist() if not name.endswith("/")]
            tables = [name for name in names if Path(name).suffix.lower() in READERS]
            chosen = wanted or (TRAINING if TRAINING in tables else "")
            if not chosen and len(tables) == 1:
                chosen = tables[0]
            if chosen not in names:
                few = ", ".join(names[:10]) + ", …" * (len(names) > 10)
                raise UserError(f"{shown} has the files {few}; name one of them in [data] file.")
            target = archive.parent / Path(chosen).name
            with (
                files.open(chosen) as source,
                replacing(target) as temporary,
                temporary.open("wb") as copy,
            ):
                shutil.copyfileobj(source, copy)
            return target.name
    except zipfile.BadZipFile:
        raise UserError(f"{shown} is not an archive, or was cut off; try again.") from None
