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
from xml.etree import ElementTree as ET

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
METADATA = ("Creator", "Date", "Format", "Type")  # which matplotlib would write into a plot
SUMMARY = '<p class="summary">'
LONG_TABLE = 12  # rows; a longer table scrolls
CONTROL = dict.fromkeys({*range(32)} - {9, 10})  # characters that XML does not know
NUMBER = re.compile(r"[-−+]?\d[\d,]*(\.\d+)?(e[-−+]\d+)?%?|\d{4}-\d\d-\d\d( [\d:]+)?")


def write_card(reports: Path, step: str, summary: str, *parts: str) -> None:
    """Store the card of a step, for `build` to put on the page."""
    now = datetime.now().astimezone()
    head = (
        f'<p class="made"><time datetime="{now.isoformat(timespec="seconds")}">'
        f"{_moment(now)}</time></p>\n"
        f"{SUMMARY}{html.escape(summary)}</p>\n"
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
    """Return an emphasised sentence."""
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
    """Return a table; numbers of a column share their digits, a long table scrolls."""
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

    Parameters
    ----------
    plot
        A figure of matplotlib, from `plots.new_figure` or made in any other way.
    caption, title
        Plain text.

    Returns
    -------
    str
        HTML, a section of a card.

    Examples
    --------
    >>> from mlsteps.plots import new_figure
    >>> plot, axes = new_figure()
    >>> bars = axes.bar(["a", "b"], [2, 1])
    >>> figure(plot, "Rows of each label.").endswith("</svg></figure>")
    True
    """
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from .plots import plot_style

    stream = io.StringIO()
    with plot_style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the page has fonts with more letters
        ConstrainedLayoutEngine().execute(plot)  # once; a figure of its own would be drawn twice
        plot.savefig(stream, format="svg", metadata=dict.fromkeys(METADATA))
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
    """Return whether a column is aligned to the right."""
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
    root = ET.fromstring(svg.translate(CONTROL))  # noqa: S314 - it was made a moment ago
    prefix = f"p{zlib.crc32(svg.encode()):x}-"  # two plots on a page must not share an id
    for element in list(root.iter()):
        for style in element.findall("{*}style"):
            element.remove(style)
        element.tag, element.tail = _local(element.tag), None
        element.attrib = {
            _local(name): _attribute(name, value, prefix)
            for name, value in element.attrib.items()
            if name != "id" or "_" not in value  # matplotlib's own names, line2d_7 say
        }
    for group in root.iter("g"):  # the points of a scatter repeat their style
        styles = {point.get("style") if point.tag == "use" else None for point in group}
        if len(styles) == 1 and None not in styles:
            group.set("style", str(styles.pop()))
            for point in group:
                del point.attrib["style"]
    return ET.tostring(root, encoding="unicode")


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _attribute(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return prefix + value
    if "#" in value and name != "style":  # a link to an id
        return value.replace("#", f"#{prefix}")
    short = re.sub(r"font-family: [^;]*;? ?|(\.\d\d)\d+", r"\1", value)
    return " ".join(short.split())


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
    summary = bodies["evaluate"].partition(SUMMARY)[2].partition("</p>")[0]
    done = sum(map(bool, bodies.values()))
    return summary or f"{done} of {len(CARDS)} steps have run; there is no result yet."


def _link(step: str, body: str) -> str:
    state = "" if body else ' class="waiting"'
    return f'<li><a href="#{step}"{state}>{CARDS[step]}</a></li>'


def _section(step: str, body: str) -> str:
    order = list(CARDS).index(step) + 1
    state = "card" if body else "card waiting"
    body = body or (
        f"{SUMMARY}This step has not run yet. The command <code>{step}</code> fills this card.</p>"
    )
    return (
        f'<section id="{step}" class="{state}" aria-labelledby="{step}-title">\n'
        f'<header><span class="order" aria-hidden="true">{order}</span>'
        f'<h2 id="{step}-title">{CARDS[step]}</h2></header>\n{body}</section>'
    )
