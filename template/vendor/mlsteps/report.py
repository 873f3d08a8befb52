"""The report: each step leaves a card, and the cards make one self-contained page.

A part of a card is HTML, made by the functions below from plain values; they escape what they
are given. The page needs no network, no script and no other file.
"""

import io
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
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
MARKUP = re.compile(r"[\\`*_\[\]<>|#]")  # of Markdown
OF_NUMBERS = "0123456789.,:%e+-− "  # a cell of these is aligned to the right


def write_card(reports: Path, step: str, summary: str, *parts: str) -> None:
    """Store the card of a step, for `build` to put on the page."""
    now = datetime.now().astimezone()
    time = f'<time datetime="{now.isoformat(timespec="seconds")}">{_moment(now)}</time>'
    lines = [f'<p class="made">{time}</p>', f"{SUMMARY}{escape(summary)}</p>", *parts]
    write_text(_card_path(reports, step), "\n".join(lines) + "\n")


def build(reports: Path, title: str) -> Path:
    """Put all cards on one page, reports/index.html, and return its path."""
    paths = {step: _card_path(reports, step) for step in CARDS}
    cards = {step: p.read_text("utf-8") if p.is_file() else "" for step, p in paths.items()}
    result = cards["evaluate"].partition(SUMMARY)[2].partition("</p>")[0]
    done = sum(map(bool, cards.values()))
    page = Template(_resource("report.html")).substitute(
        title=escape(title),
        style=_resource("colours.css") + _resource("report.css"),
        headline=result or f"{done} of {len(CARDS)} steps have run; there is no result yet.",
        made=_moment(datetime.now().astimezone()),
        navigation="\n".join(
            f'<li><a href="#{step}" class="{_state(card)}">{CARDS[step]}</a></li>'
            for step, card in cards.items()
        ),
        cards="\n".join(_section(step, card) for step, card in cards.items()),
    )
    path = reports / "index.html"
    write_text(path, page)
    return path


def paragraph(text: str) -> str:
    """Return a paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def heading(text: str) -> str:
    """Return a heading within a card.

    Parameters
    ----------
    text
        Plain text, which is escaped.

    Returns
    -------
    str
        HTML.

    Examples
    --------
    >>> heading("Age & income")
    '<h3>Age &amp; income</h3>'
    """
    return f"<h3>{escape(text)}</h3>"


def notice(text: str, kind: Literal["good", "warn", "bad"]) -> str:
    """Return an emphasised sentence."""
    sign = {"good": "✓", "warn": "!", "bad": "✕"}[kind]
    return f'<p class="notice {kind}"><b aria-hidden="true">{sign}</b>{escape(text)}</p>'


def code(text: str) -> str:
    """Return text to be copied as it stands, such as a command."""
    return f"<pre>{escape(text)}</pre>"


def facts(values: Mapping[str, Any]) -> str:
    """Return a few key figures, each under its label."""
    pairs = (
        f"<div><dt>{escape(label)}</dt><dd>{escape(_cell(value))}</dd></div>"
        for label, value in values.items()
    )
    return f'<dl class="facts">{"".join(pairs)}</dl>'


def table(
    rows: pd.DataFrame | Sequence[Mapping[str, Any]], caption: str = "", mark: Any = None
) -> str:
    """Return a table, whose row that begins with `mark` stands out; a long table scrolls."""
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    texts = [_column(values) for _, values in frame.items()]
    numbers = [' class="number"' if _mostly_numbers(column) else "" for column in texts]
    head = "".join(
        f'<th scope="col"{number}>{escape(str(name))}</th>'
        for name, number in zip(frame.columns, numbers, strict=True)
    )
    body = []
    for first, *line in zip(*texts, strict=True):
        cells = [
            f"<td{number}>{escape(text)}</td>"
            for text, number in zip(line, numbers[1:], strict=True)
        ]
        style = ' class="mark"' if first == mark else ""
        title = f'<th scope="row"{numbers[0]}>{escape(first)}</th>'
        body.append(f"<tr{style}>{title}{''.join(cells)}</tr>")
    size = " long" if len(frame) > LONG_TABLE else ""
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    lines = "\n".join(body)
    return (
        f'<div class="table{size}" role="region" tabindex="0" '
        f'aria-label="{escape(caption or "Table")}"><table>{title}'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{lines}</tbody></table></div>"
    )


def figure(fig: "Figure", caption: str, title: str = "") -> str:
    """Return a plot as SVG that is part of the page, under its title and caption.

    Its text stays text: it can be searched, copied and read aloud.

    Parameters
    ----------
    fig
        A figure of matplotlib, from `plots.new_figure` or made in any other way.
    caption, title
        Plain text.

    Returns
    -------
    str
        HTML, a part of a card.

    Examples
    --------
    >>> from mlsteps.plots import new_figure
    >>> fig, axes = new_figure()
    >>> bars = axes.bar(["a", "b"], [2, 1])
    >>> figure(fig, "Rows of each label.").endswith("</svg></figure>")
    True
    """
    import matplotlib as mpl
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from .plots import plot_style

    label = f"{title}: {caption}" if title else caption
    stream = io.StringIO()
    # What a plot refers to has an id, which two plots of a page must not share.
    with plot_style(), mpl.rc_context({"svg.hashsalt": label}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the page has fonts with more letters
        ConstrainedLayoutEngine().execute(fig)  # once; a figure of its own would be drawn twice
        fig.savefig(stream, format="svg", metadata=dict.fromkeys(METADATA))
    width = fig.get_figwidth() * 96  # CSS pixels
    image = _slim(stream.getvalue())
    style = f"min-width: {0.65 * width:.0f}px"
    image.attrib |= {"role": "img", "aria-label": label, "style": style}
    strong = f"<b>{escape(title)}</b> " if title else ""
    return (
        f'<figure style="max-width: {1.15 * width:.0f}px"><figcaption>{strong}{escape(caption)}'
        f"</figcaption>{ET.tostring(image, encoding='unicode')}</figure>"
    )


def legend(colours: Mapping[str, str]) -> str:
    """Return what the colours of the plots that follow mean."""
    items = (
        f'<li><i style="background: {colour}"></i>{escape(label)}</li>'
        for label, colour in colours.items()
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


def columns(*parts: str) -> str:
    """Return parts side by side, as many as there is room for."""
    return f'<div class="columns">{"".join(f"<div>{part}</div>" for part in parts)}</div>'


def details(title: str, *parts: str) -> str:
    """Return parts that open when their title is clicked, and are always printed."""
    return f"<details><summary>{escape(title)}</summary>{''.join(parts)}</details>"


def in_markdown(value: Any) -> str:
    """Return a value as text: what comes of the data may look like Markdown or HTML."""
    return MARKUP.sub(r"\\\g<0>", " ".join(str(value).split()))


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


def counted(count: int, what: str) -> str:
    """Write how many of something there are: 1 row, 1,200 rows."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _decimals(largest: float) -> int:
    """Return the decimals that show three significant digits of `largest`."""
    return max(0, 2 - math.floor(math.log10(abs(largest)))) if 0 < abs(largest) < math.inf else 0


def _column(values: pd.Series) -> list[str]:
    """Write a column of a table; fractions of a like size share their decimals."""
    if pd.api.types.is_float_dtype(values):
        sizes = values[(values != 0) & (values.abs() < math.inf)].abs()
        if (sizes % 1 > 0).any() and sizes.max() <= 100 * sizes.min():
            digits = max(_decimals(sizes.max()), _decimals(sizes.min()) - 1)
            texts = [f"{value:,.{digits}f}".replace("-", "−") for value in values]
            return ["–" if text == "nan" else text for text in texts]
    return [_cell(value) for value in values]


def _mostly_numbers(texts: list[str]) -> bool:
    filled = [text for text in texts if text not in ("", "–")]
    return 2 * sum(not text.strip(OF_NUMBERS) for text in filled) > len(filled)


def _cell(value: Any) -> str:
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


def _slim(svg: str) -> ET.Element:
    """Parse matplotlib's SVG; leave out what a page does not need, which is about half."""
    root = ET.fromstring(svg.translate(CONTROL))  # noqa: S314 - it was made a moment ago
    root.remove(root[0])  # a style, which would be that of the whole page
    for element in root.iter():
        element.tag, element.tail = _local(element.tag), None
        element.attrib = {
            _local(name): value
            for name, value in element.attrib.items()
            if name != "id" or element.tag != "g"  # nothing refers to a group
        }
    for group in root.iter("g"):  # the points of a scatter repeat their style
        styles = {point.get("style") if point.tag == "use" else None for point in group}
        if len(styles) == 1 and None not in styles:
            group.set("style", str(styles.pop()))
            for point in group:
                del point.attrib["style"]
    return root


def _local(name: str) -> str:
    """Return a name without its namespace, which HTML does not know."""
    return name.rpartition("}")[2]


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _card_path(reports: Path, step: str) -> Path:
    return reports / "cards" / f"{list(CARDS).index(step) + 1}-{step}.html"


def _moment(time: datetime) -> str:
    return f"{time.day} {time:%B %Y, %H:%M}"


def _state(card: str) -> str:
    return "done" if card else "waiting"


def _section(step: str, card: str) -> str:
    order, title = list(CARDS).index(step) + 1, CARDS[step]
    waiting = f"This step has not run yet. The command <code>{step}</code> fills this card."
    return (
        f'<section id="{step}" class="card {_state(card)}" aria-labelledby="{step}-title">\n'
        "<header>"
        f'<span class="order" aria-hidden="true">{order}</span><h2 id="{step}-title">{title}</h2>'
        f"</header>\n{card or f'{SUMMARY}{waiting}</p>'}</section>"
    )
