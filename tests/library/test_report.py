"""The report: cards become one page that needs nothing else, with plots in one style."""

import re
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from mlsteps import plots, report

VOID = {"br", "hr", "img", "input", "link", "meta"}
NASTY = "<script>alert('x')</script> & \"$y$\""


class Tags(HTMLParser):
    """Notes every start tag, and fails on an end tag that closes another element."""

    def __init__(self, text):
        super().__init__()
        self.seen, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def plot():
    figure, axes = plots.new_figure()
    plots.bars(axes, ["short", NASTY, "", "日本語"], [3, 2, 1, 0], ["3", "2", "1", "0"])
    return figure


@pytest.fixture
def page(tmp_path, plot):
    report.write_card(
        tmp_path,
        "evaluate",
        f"A result {NASTY}",
        report.facts({NASTY: NASTY, "rows": 12_345, "nothing": None}),
        report.table(pd.DataFrame({NASTY: [NASTY, "b"], "n": [1, 2]}), NASTY, mark="b"),
        report.notice(NASTY, "bad"),
        report.legend({NASTY: plots.BLUE}),
        report.columns(report.figure(plot, NASTY, NASTY), report.paragraph(NASTY)),
        report.details(NASTY, report.heading(NASTY), report.code(NASTY)),
    )
    return report.build(tmp_path, NASTY).read_text(encoding="utf-8")


def test_a_page_shows_every_step_and_the_result(page):
    tags = Tags(page).seen
    sections = [attributes["id"] for tag, attributes in tags if tag == "section"]
    assert sections == list(report.CARDS)
    assert page.count("has not run yet") == len(report.CARDS) - 1
    assert page.count("A result") == 2  # in the headline and on its card


def test_whatever_is_shown_is_escaped(page):
    assert "script" not in {tag for tag, _ in Tags(page).seen}
    assert "$y$" in page


def test_a_page_is_complete_in_itself(page):
    tags = Tags(page).seen
    assert not {"link", "script", "img", "iframe"} & {tag for tag, _ in tags}
    links = re.findall(r'(?:href|src)="([^"]*)"|url\(([^)]*)\)', page)
    assert all((a or b).startswith(("#", "data:image/png")) for a, b in links)
    assert "@import" not in page


def test_ids_are_unique_and_links_lead_somewhere(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) <= set(ids)


def test_two_plots_share_no_id(plot):
    other, axes = plots.new_figure()
    axes.plot([1, 2], [3, 4], "o-")
    shown = report.figure(plot, "a"), report.figure(other, "b")
    first, second = (set(re.findall(r' id="(.*?)"', text)) for text in shown)
    assert first
    assert second
    assert not first & second


def test_text_in_a_plot_stays_as_it_is():
    plot, axes = plots.new_figure()
    axes.set_title('0.123456 $a$ id="a_1"')
    svg = report.figure(plot, "A caption", "A title")
    assert '0.123456 $a$ id="a_1"' in svg
    assert 'aria-label="A title: A caption"' in svg


def test_a_plot_has_no_more_than_it_needs():
    plot, axes = plots.new_figure()
    axes.plot(np.arange(400), np.arange(400), "o")
    assert len(report.figure(plot, "points")) < 30_000


def test_a_card_is_replaced(tmp_path):
    for summary in ("The old result", "The new result"):
        report.write_card(tmp_path, "train", summary)
    page = report.build(tmp_path, "Title").read_text(encoding="utf-8")
    assert "The new result" in page
    assert "The old result" not in page
    assert [path.name for path in (tmp_path / "cards").iterdir()] == ["5-train.html"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.8731, "0.873"),
        (0.85, "0.85"),
        (-12.34, "−12.3"),
        (1234.5, "1,234"),
        (25_300_000, "25,300,000"),
        (0.0000123, "1.23e−05"),
        (1e300, "1e+300"),
        (float("inf"), "inf"),
        (float("nan"), "–"),
        (np.int64(7), "7"),
    ],
)
def test_a_number_has_the_digits_that_matter(value, text):
    assert report.number(value) == text


def test_numbers_of_a_column_share_their_decimals():
    frame = pd.DataFrame({"x": [12.3456, -0.5, np.nan], "when": pd.to_datetime(["2026-01-31"] * 3)})
    cells = re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", report.table(frame))
    assert cells[2::2] == ["12.35", "−0.50", "–"]
    assert set(cells[3::2]) == {"2026-01-31"}


def test_numbers_of_different_sizes_keep_their_own_digits():
    cells = re.findall(r"<th[^>]*row[^>]*>([^<]*)", report.table([{"x": 24_461.2}, {"x": 0.8812}]))
    assert cells == ["24,461", "0.881"]


def test_a_table_may_be_empty():
    Tags(report.table([]))
    Tags(report.table(pd.DataFrame({"a": []})))


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0, 10_000, 20_000], ["0", "10k", "20k"]),
        ([0, 0.25, 0.5], ["0", "0.25", "0.5"]),
        ([-1, 0, 1], ["−1", "0", "1"]),
        ([1990, 2000, 2010], ["1990", "2000", "2010"]),
        ([0, 1_500_000, 30_000_000], ["0", "1.5M", "30M"]),
    ],
)
def test_ticks_are_short(values, texts):
    _, axes = plots.new_figure()
    assert axes.xaxis.get_major_formatter().format_ticks(values) == texts


def test_the_style_of_plots_does_not_change_the_plots_of_others():
    before = dict(mpl.rcParams)
    plot, axes = plots.new_figure()
    plots.bars(axes, ["a"], [1], ["1"])
    report.figure(plot, "")
    assert dict(mpl.rcParams) == before
    assert axes.texts[0].get_fontsize() == plots.STYLE["font.size"] != before["font.size"]


def test_characters_that_svg_does_not_know_are_left_out():
    plot, axes = plots.new_figure()
    axes.set_title("a\x00b")
    assert "ab" in report.figure(plot, "")
