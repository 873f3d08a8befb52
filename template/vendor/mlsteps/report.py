"""The report: each step leaves a card, and the cards make one self-contained page.

A part of a card is HTML, made by the functions below from plain values; they escape what they
are given. The page needs no network, no script and no other file.
"""

import html
import io
import math
import re
import warnings
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from .files import write_text

if TYPE_CHECKING:  # matplotlib takes a second to load, and only plots need it
    from matplotlib.figure import Figure

CARDS = {
    "define": "Problem definition",
    "collect": "Data collection",
    "prepare": "Data preparation",
    "explore": "Exploration",
    "train": "Modelling",
    "evaluate": "Evaluation",
    "serve": "Deployment",
    "improve": "Continuous improvement",
}
LONG_TABLE = 12  # rows; a longer table scrolls
TAG = re.compile(r"<[^>]*>")
NUMBER = re.compile(r"[-−+]?\d[\d,]*(\.\d+)?(e[-−+]\d+)?%?|\d{4}-\d\d-\d\d( [\d:]+)?")


def write_card(reports: Path, step: str, summary: str, *parts: str) -> None:
    """Store the card of a step, for `build` to put on the page.

    Parameters
    ----------
    reports
        The folder of the report.
    step
        A key of `CARDS`.
    summary
        One line of plain text: what came out.
    parts
        What the card shows, made by the functions of this module.
    """
    now = datetime.now().astimezone()
    head = (
        f'<p class="made"><time datetime="{now.isoformat(timespec="seconds")}">'
        f"{_moment(now)}</time></p>\n"
        f'<p class="summary">{html.escape(summary)}</p>\n'
    )
    write_text(_card_path(reports, step), head + "\n".join(parts) + "\n")


def build(reports: Path, title: str) -> Path:
    """Put all cards on one page, reports/index.html, and return its path."""
    bodies = {step: _read(_card_path(reports, step)) for step in CARDS}
    page = Template(_resource("report.html")).substitute(
        title=html.escape(title),
        style=_resource("colours.css") + _resource("report.css"),
        headline=_headline(bodies),
        made=_moment(datetime.now().astimezone()),
        navigation="\n".join(_link(step, body) for step, body in bodies.items()),
        cards="\n".join(_section(step, body) for step, body in bodies.items()),
    )
    path = reports / "index.html"
    write_text(path, page)
    return path


def paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def heading(text: str) -> str:
    """Return a heading within a card."""
    return f"<h3>{html.escape(text)}</h3>"


def notice(text: str, kind: Literal["good", "warn", "bad"]) -> str:
    """Return a sentence that stands out."""
    sign = {"good": "✓", "warn": "!", "bad": "✕"}[kind]
    return f'<p class="notice {kind}"><b aria-hidden="true">{sign}</b>{html.escape(text)}</p>'


def code(text: str) -> str:
    """Return text to be copied as it stands, such as a command."""
    return f"<pre>{html.escape(text)}</pre>"


def facts(values: Mapping[str, Any]) -> str:
    """Return a few key figures, each under its label."""
    pairs = "".join(
        f"<div><dt>{html.escape(label)}</dt><dd>{html.escape(_cell(value))}</dd></div>"
        for label, value in values.items()
    )
    return f'<dl class="facts">{pairs}</dl>'


def table(
    rows: pd.DataFrame | Sequence[Mapping[str, Any]], caption: str = "", mark: Any = None
) -> str:
    """Return a table; numbers of a column share their digits, a long table scrolls.

    Parameters
    ----------
    rows
        A frame, whose index is shown if it has a name, or one mapping for each row.
    caption
        What the table shows.
    mark
        The row whose first cell is this is emphasised.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    texts = [_column(frame.iloc[:, k]) for k in range(frame.shape[1])]
    right = [_mostly_numbers(column) for column in texts]
    head = "".join(
        _tag("th", str(name), right[k], ' scope="col"') for k, name in enumerate(frame.columns)
    )
    body = []
    for n in range(len(frame)):
        cells = "".join(
            _tag("td" if k else "th", texts[k][n], right[k], "" if k else ' scope="row"')
            for k in range(len(texts))
        )
        chosen = ' class="mark"' if mark is not None and frame.iloc[n, 0] == mark else ""
        body.append(f"<tr{chosen}>{cells}</tr>")
    label = html.escape(caption or "Table", quote=True)
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    size = " long" if len(frame) > LONG_TABLE else ""
    lines = "\n".join(body)
    return (
        f'<div class="table{size}" role="region" tabindex="0" aria-label="{label}"><table>{title}'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{lines}</tbody></table></div>"
    )


def figure(plot: "Figure", caption: str, title: str = "") -> str:
    """Return a plot as SVG that is part of the page, under its title and caption.

    Its text stays text: it can be searched, copied and read aloud.
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    stream = io.StringIO()
    with warnings.catch_warnings():  # the page has fonts with more letters than matplotlib's
        warnings.filterwarnings("ignore", message="Glyph")
        ConstrainedLayoutEngine().execute(plot)  # once; a figure of its own would be drawn twice
        plot.savefig(stream, format="svg")
    width = plot.get_figwidth() * 96  # CSS pixels
    label = html.escape(f"{title}: {caption}" if title else caption, quote=True)
    shape = f'<svg role="img" aria-label="{label}" style="min-width: {0.65 * width:.0f}px" '
    svg = _slim(stream.getvalue()).replace("<svg ", shape, 1)
    strong = f"<b>{html.escape(title)}</b> " if title else ""
    return (
        f'<figure style="max-width: {1.15 * width:.0f}px">'
        f"<figcaption>{strong}{html.escape(caption)}</figcaption>{svg}</figure>"
    )


def legend(colours: Mapping[str, str]) -> str:
    """Return what the colours of the plots that follow mean."""
    items = "".join(
        f'<li><i style="background: {colour}"></i>{html.escape(label)}</li>'
        for label, colour in colours.items()
    )
    return f'<ul class="legend">{items}</ul>'


def columns(*parts: str) -> str:
    """Return parts side by side, as many as there is room for."""
    return f'<div class="columns">{"".join(f"<div>{part}</div>" for part in parts)}</div>'


def details(title: str, *parts: str) -> str:
    """Return parts that open when their title is clicked, and are always printed."""
    return f"<details><summary>{html.escape(title)}</summary>{''.join(parts)}</details>"


def number(value: float) -> str:
    """Write a number with the digits that matter: 0.87, 12.4, 1,234, 25,300,000, 1.2e−05."""
    if math.isnan(value):
        return "–"
    if abs(value) >= 1e15 or 0 < abs(value) < 0.001:
        text = f"{value:.3g}"
    else:
        text = f"{value:,.{_decimals(value)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−")


def _decimals(largest: float) -> int:
    """Return the decimals that show three significant digits of `largest`."""
    return max(0, 2 - math.floor(math.log10(abs(largest)))) if 0 < abs(largest) < math.inf else 0


def _column(values: pd.Series) -> list[str]:
    """Write a column of a table; fractions of a like size share their decimals."""
    cells = [_cell(value) for value in values]
    if not pd.api.types.is_float_dtype(values) or (values.dropna() % 1 == 0).all():
        return cells
    sizes = values[(values != 0) & (values.abs() < math.inf)].abs()
    if sizes.max() > 100 * sizes.min():
        return cells
    digits = max(_decimals(sizes.max()), _decimals(sizes.min()) - 1)
    return [
        f"{value:,.{digits}f}".replace("-", "−") if abs(value) < math.inf else cell
        for value, cell in zip(values, cells, strict=True)
    ]


def _mostly_numbers(texts: list[str]) -> bool:
    """Tell whether a column is aligned to the right."""
    filled = [text for text in texts if text not in ("", "–")]
    return 2 * sum(bool(NUMBER.fullmatch(text)) for text in filled) > len(filled)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or value is pd.NaT or value is pd.NA:
        return "–"
    if hasattr(value, "item"):  # numpy's scalars
        value = value.item()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").removesuffix(" 00:00:00")
    return str(value)


def _tag(name: str, text: str, right: bool, attributes: str) -> str:
    aligned = ' class="number"' if right else ""
    return f"<{name}{aligned}{attributes}>{html.escape(text)}</{name}>"


def _slim(svg: str) -> str:
    """Leave out of matplotlib's SVG what a page does not need, which is more than half."""
    svg = svg[svg.index("<svg ") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = TAG.sub(_slim_tag, svg)
    svg = re.sub(r"\s*\n\s*", "", svg)
    # Points of a scatter repeat the style of their group.
    svg = re.sub(r'<g( clip-path="[^"]*")?>((?:<use [^>]*/>)+)</g>', _slim_points, svg)
    # Two plots on a page must not share an id.
    prefix = f"p{zlib.crc32(svg.encode()):x}-"
    ids = {name: f"{prefix}{n}" for n, name in enumerate(re.findall(r'<[^>]* id="(\w+)"', svg))}

    def rename(tag: re.Match[str]) -> str:
        pattern = r'(id="|href="#|url\(#)(\w+)'
        return re.sub(pattern, lambda found: found[1] + ids.get(found[2], found[2]), tag[0])

    return TAG.sub(rename, svg)


def _slim_tag(tag: re.Match[str]) -> str:
    text = re.sub(r' id="[\w.]+_\d+"| transform="rotate\(-0 [^)]*\)"', "", tag[0])
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    text = re.sub(r"(\.\d\d)\d+", r"\1", text)
    return text.replace(" \n", " ").replace("\n", "").replace("xlink:href", "href")


def _slim_points(group: re.Match[str]) -> str:
    clip, points = group[1] or "", group[2]
    styles = set(re.findall(r' style="[^"]*"', points))
    if len(styles) != 1:
        return group[0]
    style = styles.pop()
    return f"<g{clip}{style}>{points.replace(style, '')}</g>"


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _card_path(reports: Path, step: str) -> Path:
    return reports / "cards" / f"{list(CARDS).index(step) + 1}-{step}.html"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _moment(time: datetime) -> str:
    return f"{time.day} {time:%B %Y, %H:%M}"


def _headline(bodies: Mapping[str, str]) -> str:
    """Return the result of the evaluation, or how far the project has come."""
    found = re.search(r'<p class="summary">(.*?)</p>', bodies["evaluate"])
    if found:
        return found[1]
    done = sum(map(bool, bodies.values()))
    return f"{done} of {len(CARDS)} steps have run; there is no result yet."


def _link(step: str, body: str) -> str:
    state = "" if body else ' class="waiting"'
    return f'<li><a href="#{step}"{state}>{CARDS[step]}</a></li>'


def _section(step: str, body: str) -> str:
    order = list(CARDS).index(step) + 1
    state = "card" if body else "card waiting"
    body = body or (
        f'<p class="summary">This step has not run yet. '
        f"The command <code>{step}</code> fills this card.</p>"
    )
    return (
        f'<section id="{step}" class="{state}" aria-labelledby="{step}-title">\n'
        f'<header><span class="order" aria-hidden="true">{order}</span>'
        f'<h2 id="{step}-title">{CARDS[step]}</h2></header>\n{body}</section>'
    )
