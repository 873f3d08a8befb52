"""Files of every kind become the same rows, and bad ones one sentence."""

import bz2
import gzip
import hashlib
import json
import lzma
import re
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from mlsteps.collection import Stream, collect, preview, read_raw
from mlsteps.collection.collect import LABELLED
from mlsteps.collection.file import read_table
from mlsteps.collection.labelled import join
from mlsteps.collection.stream import Source, without_secrets
from mlsteps.errors import UserError
from mlsteps.problem.project import Project
from mlsteps.problem.sources import Data
from project import collect_rows

ROWS = pd.DataFrame(
    {"city": ["Köln", "Zürich", None], "people": [1_087_000, 443_000, 5], "share": [2.5, 10.25, 0]}
)


@pytest.fixture
def read(tmp_path):
    """Write the content of a file, unless it is there, and read it."""

    def write_and_read(name, content=None, **options):
        if content is not None:
            data = content if isinstance(content, bytes) else content.encode()
            (tmp_path / name).write_bytes(data)
        return read_table(name, tmp_path, Data(source="file", **options))[0].to_pandas()

    return write_and_read


@pytest.fixture
def server(tmp_path):
    """The URL of an HTTP server for the files in tmp_path."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    serving = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path))
    threading.Thread(target=serving.serve_forever, args=[0.01]).start()
    yield f"127.0.0.1:{serving.server_port}"
    serving.shutdown()
    serving.server_close()


def as_csv(**options):
    return ROWS.to_csv(index=False, lineterminator="\n", **options)


@pytest.mark.parametrize(
    "content",
    [
        as_csv(),
        as_csv(sep="\t"),
        as_csv(sep="|", quoting=1),
        as_csv(sep=";", decimal=","),
        as_csv().replace("\n", "\r\n"),
        "\ufeff" + as_csv(),
        as_csv().encode("utf-16"),
        as_csv(sep=";").encode("cp1252"),
        'city , people, share\n Köln,"1,087,000", 2.5\nZürich,"443,000",10.25\nNA,5,0\n',
        "city;people;share\nKöln;1.087.000;2,5\nZürich;443.000;10,25\n?;5;0\n",
        "city;people;share\nKöln;1\u202f087\u202f000;2,5\nZürich;443\u202f000;10,25\n;5;0,0\n",
    ],
)
def test_csv_is_read_however_it_is_written(read, content):
    pd.testing.assert_frame_equal(read("a.csv", content), ROWS, check_dtype=False)


@pytest.mark.parametrize("suffix", ["parquet", "xlsx", "json", "jsonl"])
def test_other_formats_hold_the_same_rows(read, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        ROWS.to_parquet(path)
    elif suffix == "xlsx":
        ROWS.to_excel(path, index=False)
    else:
        ROWS.to_json(path, orient="records", lines=suffix == "jsonl")
    pd.testing.assert_frame_equal(read(path.name), ROWS, check_dtype=False)


@pytest.mark.parametrize(
    ("suffix", "compress"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)]
)
def test_files_may_be_compressed(read, suffix, compress):
    frame = read(f"a.csv.{suffix}", compress(as_csv().encode()))
    pd.testing.assert_frame_equal(frame, ROWS, check_dtype=False)


def zipped(*names):
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, as_csv() if name.endswith(".csv") else b"of a file system")
    return buffer.getvalue()


def test_a_zip_holds_one_file_of_data(read):
    names = ["__MACOSX/._a.csv.meta", ".DS_Store", "in/", "in/.hidden", "in/a.csv"]
    frame = read("a.csv.zip", zipped(*names))
    pd.testing.assert_frame_equal(frame, ROWS, check_dtype=False)
    with pytest.raises(UserError, match=r"b\.csv\.zip holds 2 files \(a\.csv, b\.csv\); unpack it"):
        read("b.csv.zip", zipped("a.csv", "b.csv"))


def test_codes_labels_and_dates_stay_as_they_are_written(read):
    frame = read("a.csv", "zip,on,yes,pair\n01067,2026-01-31,true,None\n10115,2026-02-01,false,-\n")
    assert frame.to_numpy().tolist() == [
        ["01067", "2026-01-31", "true", "None"],
        ["10115", "2026-02-01", "false", "-"],
    ]


def test_the_user_says_what_else_is_missing(read):
    frame = read("a.csv", "a,b\n-999,x\n1.5,none\n-999.0,y\n", missing=["none", "-999"])
    assert frame["a"].isna().tolist() == [True, False, True]
    assert frame["b"].isna().tolist() == [False, True, False]


def test_a_pattern_reads_files_in_the_order_of_their_names(read):
    read("b.csv", "x,y\n3,c\n")
    read("a.csv", "y,x\na,1\nb,2\n")
    assert read("?.csv").to_dict("list") == {"y": ["a", "b", "c"], "x": [1, 2, 3]}


def test_objects_in_json_become_columns_and_lists_become_text(read):
    frame = read("a.json", '[{"a": {"b": 1, "c": [2, "x"]}}]')
    assert frame.to_dict("list") == {"a.b": [1], "a.c": ['[2, "x"]']}


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_ids_that_a_fraction_would_round_are_exact_beside_a_missing_one(read, tmp_path, suffix):
    ids = [912_345_678_901_234_560 + k for k in range(400)]
    frame = pd.DataFrame({"id": pd.array([*ids, None], "Int64"), "x": 1})
    write = {"csv": frame.to_csv, "parquet": frame.to_parquet, "jsonl": frame.to_json}[suffix]
    options = {"orient": "records", "lines": True} if suffix == "jsonl" else {"index": False}
    write(tmp_path / f"a.{suffix}", **options)
    found = read(f"a.{suffix}")["id"]
    assert found.isna().tolist() == [False] * 400 + [True]
    assert found.dropna().tolist() == list(map(str, ids))


def test_a_column_of_mixed_types_becomes_text(read):
    frame = read("a.jsonl", '{"a": 1}\n{"a": "x"}\n{"a": 2.0}\n{"a": null}\n')
    assert frame["a"].tolist()[:3] == ["1", "x", "2"]
    assert frame["a"].isna().tolist() == [False, False, False, True]


CUT = gzip.compress("".join(f"{n},{n * 7 % 13}\n" for n in range(10_000)).encode())[:-100]
BAD = {
    "empty.csv": ("", "is empty"),
    "header.csv": ("a,b\n", "has a header but no rows"),
    "ragged.csv": ('a,b\n"1\n2",3\n4\n', "has 1 value in line 4, but 2 columns"),
    "long.csv": ("a,b\n1,2\n3,4,5\n", "has 3 values in line 3, but 2 columns"),
    "quote.csv": ('a,b\n1,2\n3,"4\n5,6\n', "has a quote in line 3 that does not end"),
    "twice.csv": ("a,b,a\n1,2,3\n", 'has 2 columns named "a"'),
    "unnamed.csv": (",b\n0,2\n", "has no name for column 1"),
    "mixed.csv": ("a,b\né,1\nü,2\n".encode() + b"\xe9,3\n", "is UTF-8 text, but damaged in line 4"),
    "late.csv": ("a;b;\n" + "1;2;\n" * 250_000 + "1;2;x\n", "has no name for column 3"),
    "binary.csv": (b"PK\x03\x04\0\0,\n", "is not text"),
    "cut.csv.gz": (CUT, "is damaged or cut off"),
    "plain.csv.gz": ("a,b\n1,2\n", "is damaged or cut off"),
    "cut.parquet": (ROWS.to_parquet()[:-20], "cannot be read as Parquet"),
    "no.xlsx": ("a,b\n1,2\n", "cannot be read as Excel"),
    "cut.jsonl": ('{"a": 1}\n{"a": ', "is damaged or cut off in line 2"),
    "number.json": ("[1]", "must hold one object for each row, but has 1"),
    "latin.csv": (
        "a,b\nä,1\n".encode() + b"\xe9,3\n\xe9,4\n",
        "is Windows-1252 text, but UTF-8 in line 2",
    ),
    "dates.csv": ("x\nDec 22, 2006\nAug 29, 2007\n", "has 1 value in line 1, but 2 in most"),
    "below.csv": ("a,b,c\n1,2,3\n4,5\n", "has 2 values in line 3, but 3 columns"),
    "cut.csv": ("a,b\nx,2\ny,3\nz", "has 1 value in line 4, but 2 columns"),
    "note.csv": ("a,b\n1,2\n# so far\n3,4\n", "has 1 value in line 3, but 2 columns"),
    "numbers.csv": ("5.1,3.5\n4.9,3.0\n", "has numbers in line 1, where names"),
    "row_names.csv": ('"x","y"\n"1",5,6\n"2",7,8\n', "has 2 values in line 1, but 3 in most"),
    "data.sav": ("a", 'has the suffix ".sav", which no reader knows; allowed: .csv'),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_one_sentence(read, name):
    content, expected = BAD[name]
    with pytest.raises(UserError) as caught:
        read(name, content)
    assert caught.value.message.startswith(f"{name} {expected}")


def test_names_of_files_are_checked(read, tmp_path):
    with pytest.raises(UserError, match=r"There is no file no\.csv"):
        read("no.csv")
    with pytest.raises(UserError, match=r"No file matches no\*\.csv"):
        read("no*.csv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=r"folder has no files; put \.csv, .* files into it"):
        read("folder")


def test_files_of_a_pattern_must_have_the_same_columns(read):
    read("a.csv", "x,y\n1,2\n")
    read("b.csv", "x,z\n1,2\n")
    with pytest.raises(UserError, match=r'b\.csv has other .* lacks "y" and has "z"'):
        read("*.csv")


def book(path, merged=(), **sheets):
    """Write sheets of cells, of which some are merged, and return the path."""
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
        for area in merged:
            sheet.merge_cells(area)
    made.save(path)
    return path


def test_a_sheet_is_read_by_name_or_number_and_the_others_are_named(read, tmp_path):
    more, cities = [["x"], [1]], [[*ROWS], ["Bern", 5, 1.5]]
    book(tmp_path / "a.xlsx", Cities=cities, More=more, Last=more)
    _, (source,) = read_table("a.xlsx", tmp_path)
    assert (source.note, source.left_out) == (
        'Excel sheet "Cities"',
        'the sheets beside "Cities": "More, Last"',
    )
    for sheet in ("More", 2):
        assert read("a.xlsx", sheet=sheet).to_dict("list") == {"x": [1]}
    for sheet in ("more", 4, 0):
        wanted = re.escape(f"has no sheet {sheet!r}; set [data] sheet to the name or number of one")
        with pytest.raises(UserError, match=wanted):
            read("a.xlsx", sheet=sheet)


def test_a_sheet_has_titles_merged_names_units_and_sums(tmp_path):
    rows = [
        [None, None, "Sales report 2024"],
        [],
        [None, "Region", "Spring", None, "Autumn", None],
        [None, None, "Weight", "Price", "Weight", "Price"],
        [None, None, "kg", "€", "kg", "€"],
        [None, "Nord", 1, 2.5, 3, 4],
        [None, None, None, None, 9, None],
        [None, "Süd", 5, 6, 7, 8.5],
        [None, "Total", 6, 8.5, 10, 12.5],
        [],
        ["Source: our own books"],
    ]
    book(tmp_path / "a.xlsx", Sales=rows)
    table, (source,) = read_table("a.xlsx", tmp_path)
    assert table.to_pydict() == {
        "Region": ["Nord", None, "Süd"],
        "Spring Weight": [1, None, 5],
        "Spring Price": [2.5, None, 6],
        "Autumn Weight": [3, 9, 7],
        "Autumn Price": [4, None, 8.5],
    }
    assert source.left_out == (
        'line 1 "Sales report 2024", line 5 "kg € kg €", line 9 "Total 6 8.5 10 12.5", '
        'line 11 "Source: our own books"'
    )


def test_a_label_that_is_merged_down_rows_of_a_sheet_is_that_of_each(read, tmp_path):
    months = [["Nord", "Jan", 1], [None, "Feb", 2], [None, "Mar", 3], [None, "Apr", 4]]
    rows = [["Report"], ["Region", "Month", "Sold"], *months, ["Süd", "Jan", 5], [None, "Feb", 6]]
    areas = ["A1:C1", "A3:A5", "A7:A8"]  # April has no region
    book(tmp_path / "a.xlsx", areas, A=rows)
    regions = ["Nord", "Nord", "Nord", "", "Süd", "Süd"]
    assert read("a.xlsx")["Region"].fillna("").tolist() == regions
    pairs = [["Region", "Sold"], *([region, sold] for region, _, sold in rows[2:])]
    book(tmp_path / "b.xlsx", ["A2:A4", "A6:A7"], A=pairs)
    assert read("b.xlsx").fillna("").to_dict("list") == {
        "Region": regions,
        "Sold": [1, 2, 3, 4, 5, 6],
    }


def test_numbers_in_texts_of_a_sheet_have_the_sign_that_all_show_together(read, tmp_path):
    rows = [["n", "m", "x"], ["1.234", "2,5", "0,5"], ["12.500", 3.125, 1.234], ["950", "k", 7]]
    book(tmp_path / "a.xlsx", A=rows)
    table, (source,) = read_table("a.xlsx", tmp_path)
    assert source.decimal == ","
    assert table.to_pydict() == {
        "n": ["1.234", "12.500", "950"],
        "m": ["2,5", "3,125", "k"],
        "x": ["0,5", "1,234", "7"],
    }


def test_a_sheet_whose_first_column_leaves_the_sign_open_says_so(tmp_path):
    book(tmp_path / "a.xlsx", A=[["price", "name"], ["1,234", "a"], ["12,500", "b"]])
    _, (source,) = read_table("a.xlsx", tmp_path)
    remedy = 'set [data] decimal = "." if it is 1234'
    assert source.doubt == f'has "1,234" in "price", which is read as 1.234; {remedy}'


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_texts_of_any_file_show_their_decimal_sign_together(tmp_path, suffix):
    rows = [{"n": "1.234", "m": "2,5"}, {"n": None, "m": "0,25"}]
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        pd.DataFrame(rows).to_parquet(path)
    else:
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    _, (source,) = read_table(path.name, tmp_path)
    assert (source.decimal, source.doubt) == (",", "")


def test_a_row_of_a_sheet_that_holds_marks_only_is_a_row(read, tmp_path):
    book(tmp_path / "a.xlsx", A=[["x", "y"], [1, "a"], ["NA", "?"], [], [2, "b"]])
    assert read("a.xlsx")["x"].fillna(0).tolist() == [1, 0, 2]


PLAIN = "region;kg;eur\nA;1;2,5\nB;3;4\n"
AROUND = {  # what people write around a table, and what is said to be left out
    "a title": ("Sales report 2024\n\n" + PLAIN, 'line 1 "Sales report 2024"'),
    "a title as wide as the table": ("Sales, 2024;;\n;;\n" + PLAIN, 'line 1 "Sales, 2024"'),
    "commas in a title": (
        "All in EUR, no tax, 2024\n" + PLAIN,
        'line 1 "All in EUR, no tax, 2024"',
    ),
    "a title over two lines": ('"Sales\n2024"\n' + PLAIN, 'line 1 "Sales 2024"'),
    "what the file is": ("By:;Jane;\n" + PLAIN, 'line 1 "By: Jane"'),
    "comments": (
        "# by me; today; at 5\n" + PLAIN + "# end\n",
        '# by me today at 5", line 5 "# end',
    ),
    "the delimiter, for Excel": ("sep=;\r\n" + PLAIN.replace("\n", "\r\n"), ""),
    "units": (PLAIN.replace("A", ";kg;€\nA", 1), 'line 2 "kg €"'),
    "units in brackets": (PLAIN.replace("A", "-;[kg];(EUR)\nA", 1), 'line 2 "- [kg] (EUR)"'),
    "a group of columns": (";Measured;\n" + PLAIN, 'line 1 "Measured"'),
    "groups of columns": ("Place;Measured;\n" + PLAIN, 'line 1 "Place Measured"'),
    "groups that are repeated": (
        "2023;2024;2024\n" + PLAIN,
        'line 1 "2023 2024 2024"',
    ),
    "a sum": (PLAIN + "Total;4;6,5\n", 'line 4 "Total 4 6,5"'),
    "a sum of some": (PLAIN + ";;\nGesamtsumme 2024:;;6,5", 'line 5 "Gesamtsumme 2024: 6,5"'),
    "a source": (PLAIN + "\nQuelle: Amt; 2024\n", 'line 5 "Quelle: Amt 2024"'),
    "a note": (PLAIN + "\nPrinted by me\nand by you\n", 'line 5 "Printed by me", line 6 "and by'),
    "blank rows": (PLAIN + ";;\n;;\n\n", ""),
    "delimiters at all ends": (PLAIN.replace("\n", ";;\n"), "2 empty columns without a name"),
    "delimiters at the ends of rows": (
        PLAIN.replace("\n", ";\n").replace(";\n", "\n", 1),
        "1 empty column without a name",
    ),
    "a delimiter after the names": (PLAIN.replace("\n", ";\n", 1), ""),
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("encode", [str.encode, partial(str.encode, encoding="utf-16")])
def test_what_stands_around_a_table_is_left_out_and_said(tmp_path, around, encode):
    content, said = AROUND[around]
    (tmp_path / "a.csv").write_bytes(encode(content))
    table, (source,) = read_table("a.csv", tmp_path)
    assert table.to_pydict() == {"region": ["A", "B"], "kg": [1, 3], "eur": [2.5, 4]}
    assert said in source.left_out
    assert bool(said) == bool(source.left_out)


WHOLE = {  # what looks like a title, a unit or a sum, and is a value
    "name,kg\nx,unknown\ny,3\nz,5\n": {"name": ["x", "y", "z"], "kg": ["unknown", "3", "5"]},
    "size,n\nm,1\nl,2\n": {"size": ["m", "l"], "n": [1, 2]},
    "brand,n\nShell,1\nTotal,3\nEsso,2\n": {"brand": ["Shell", "Total", "Esso"], "n": [1, 3, 2]},
    "id,a,b\nx,1,2\ny,,\n": {"id": ["x", "y"], "a": [1, None], "b": [2, None]},
    "#id,2023,2024\n1,2,3\n": {"#id": [1], "2023": [2], "2024": [3]},
    "#name,n\nBob,NA\nAl,3\n": {"#name": ["Bob", "Al"], "n": [None, 3]},
    "x\nlow\nA | B\nC, d\nno; e\n": {"x": ["low", "A | B", "C, d", "no; e"]},
    "x\nlow\nlower\nnone, I think\nA | B\n": {"x": ["low", "lower", "none, I think", "A | B"]},
    "class\nW\n50+\n50+\n": {"class": ["W", "50+", "50+"]},
    "class\nW\n3a\n3a\n": {"class": ["W", "3a", "3a"]},
    "0,1,2\n5,3,4\n": {"0": [5], "1": [3], "2": [4]},
    '"a\nb",c\n"x\nTotal",2\n': {"a\nb": ["x\nTotal"], "c": [2]},
    "x\nTotal\n\nSource\n": {"x": ["Total", "Source"]},
}


@pytest.mark.parametrize("content", WHOLE)
def test_values_that_look_like_notes_are_kept(tmp_path, content):
    (tmp_path / "a.csv").write_text(content, encoding="utf-8")
    table, (source,) = read_table("a.csv", tmp_path)
    assert (table.to_pydict(), source.left_out) == (WHOLE[content], "")


def test_an_empty_column_with_a_name_is_kept_beside_those_without_one(read):
    assert list(read("a.csv", "a;b\n1;;\n2;;\n3;;\n")) == ["a", "b"]


def test_the_user_says_where_the_names_stand(read, tmp_path):
    rows = "made on\n1.5;2.5\nx;y\nu;v\n"
    assert read("a.csv", rows, header=3).to_dict("list") == {"x": ["u"], "y": ["v"]}
    assert read("a.csv", rows, header=2).to_dict("list") == {"1.5": ["x", "u"], "2.5": ["y", "v"]}
    book(tmp_path / "a.xlsx", A=[["made on"], [], ["x", "y"], ["u", "v"]])
    assert read("a.xlsx", header=3).to_dict("list") == {"x": ["u"], "y": ["v"]}
    with pytest.raises(UserError, match=r"has no names in line 9, where \[data\] header says"):
        read("a.csv", rows, header=9)


def test_what_was_left_out_is_said_wherever_a_file_is_read(define, tmp_path):
    (tmp_path / "rows.csv").write_text("u;v\n\nOn;paper\n" + PLAIN, encoding="utf-8")
    project = Project(tmp_path, define(data={"header": 4}))
    said = 'rows.csv: left out line 1 "u v", line 3 "On paper".'
    assert collect_rows(project) == f"2 rows and 3 columns from rows.csv\n{said}"
    assert said in preview(project)


def test_a_url_is_read_and_its_secrets_are_not_kept(read, server, tmp_path, monkeypatch):
    read("a.csv", as_csv())
    url = f"http://me:secret@{server}/a.csv?key=secret"
    table, (source,) = read_table(url, tmp_path)
    pd.testing.assert_frame_equal(table.to_pandas(), ROWS, check_dtype=False)
    assert source.name == f"http://{server}/a.csv"
    monkeypatch.setenv("DATA_URL", url)
    _, (source,) = read_table("env:DATA_URL", tmp_path)
    assert source.name == "env:DATA_URL"


def test_a_url_that_fails_gets_one_sentence_without_secrets(server, tmp_path):
    with pytest.raises(UserError) as caught:
        read_table(f"http://me:secret@{server}/no.csv?key=secret", tmp_path)
    url = f"http://{server}/no.csv"
    reason = "there is nothing; see to that, or correct the address"
    assert caught.value.message == f"{url} cannot be read: {reason}."
    assert without_secrets("see s3://k:v@b/x.csv?t=1, or y") == "see s3://b/x.csv or y"


def test_collect_stores_rows_and_where_they_came_from(define, tmp_path):
    (tmp_path / "rows.csv").write_text(as_csv(), encoding="utf-8")
    project = Project(tmp_path, define())
    assert collect_rows(project) == "3 rows and 3 columns from rows.csv"
    pd.testing.assert_frame_equal(read_raw(project), ROWS, check_dtype=False)
    provenance = json.loads((project.raw / "provenance.json").read_text(encoding="utf-8"))
    stored = (project.raw / "data.parquet").read_bytes()
    assert provenance["sha256"] == hashlib.sha256(stored).hexdigest()
    assert provenance["columns"] == {"city": "str", "people": "int64", "share": "float64"}
    (source,) = provenance["sources"]
    assert source["sha256"] == hashlib.sha256(as_csv().encode()).hexdigest()


def test_nothing_is_written_when_the_source_is_bad(define, tmp_path):
    project = Project(tmp_path, define())
    (tmp_path / "rows.csv").write_text(as_csv(), encoding="utf-8")
    collect_rows(project)
    before = {path: path.read_bytes() for path in project.raw.iterdir()}
    (tmp_path / "rows.csv").write_text("a,b\n1\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 2"):
        collect_rows(project)
    assert {path: path.read_bytes() for path in project.raw.iterdir()} == before


KNOWN = {"n": [1, 2], "name": ["x", "y"]}
CHANGES = {  # what comes between the same two rows, and what all become
    "nothing": ({"n": [3], "name": ["z"]}, {"n": [1, 2, 3, 1, 2], "name": list("xyzxy")}),
    "a new column": (
        {"n": [3], "name": ["z"], "new": [1.5]},
        {"n": [1, 2, 3, 1, 2], "name": list("xyzxy"), "new": [None, None, 1.5, None, None]},
    ),
    "a column less": ({"n": [3]}, {"n": [1, 2, 3, 1, 2], "name": ["x", "y", None, "x", "y"]}),
    "decimals": ({"n": [0.5], "name": ["z"]}, {"n": [1.0, 2, 0.5, 1, 2], "name": list("xyzxy")}),
    "texts": ({"n": ["a"], "name": ["z"]}, {"n": list("12a12"), "name": list("xyzxy")}),
    "numbers": ({"n": [3], "name": [7]}, {"n": [1, 2, 3, 1, 2], "name": list("xy7xy")}),
    "no values": (
        {"n": [None], "name": [None]},
        {"n": [1, 2, None, 1, 2], "name": ["x", "y", None, "x", "y"]},
    ),
}


@pytest.mark.parametrize(("between", "expected"), CHANGES.values(), ids=CHANGES)
def test_columns_may_change_while_they_are_collected(define, tmp_path, between, expected):
    project, coming = Project(tmp_path, define()), []

    def read(_):
        for rows in coming:
            yield pa.table(rows)
        if len(coming) < 3:
            raise UserError("It has ended too early.")

    stream = Stream(read, [Source("a source")])
    coming += [KNOWN, between, KNOWN]
    collect(project, lambda _: stream)
    stored = project.raw / "data.parquet"
    pd.testing.assert_frame_equal(pd.read_parquet(stored), pd.DataFrame(expected))
    before = stored.read_bytes()
    coming.pop()
    with pytest.raises(UserError, match="too early"):
        collect(project, lambda _: stream)
    assert stored.read_bytes() == before
    assert not list(project.raw.glob(".*")), "what was spooled is taken away"


def test_rows_whose_labels_came_back_follow_the_collected_ones(define, tmp_path):
    project = Project(tmp_path, define())
    (tmp_path / "rows.csv").write_text(as_csv(), encoding="utf-8")
    collect_rows(project)
    new = pd.DataFrame({"share": [1.5], "city": ["Bern"], "noted": ["later"]})
    new.to_parquet(project.raw / LABELLED)
    rows = read_raw(project)
    assert list(rows) == list(ROWS)
    assert rows["city"].fillna("?").tolist() == ["Köln", "Zürich", "?", "Bern"]


def test_labelled_rows_are_written_as_the_source_writes_them():
    source = pd.DataFrame({"n": [1, 2], "day": ["31/01/2026", "28/02/2026"], "y": ["a", "b"]})
    asked = pd.DataFrame({"n": ["3"], "day": ["2026-03-31T10:00:00"], "y": ["a"]})
    both = join(source, asked, [])
    assert both["n"].tolist() == [1, 2, 3]
    assert both["day"].tolist() == ["31/01/2026", "28/02/2026", "31/03/2026"]


def test_times_are_those_of_their_place_and_a_date_of_noughts_is_missing(read, tmp_path):
    days = pd.date_range("2014-03-30", periods=3, tz="Europe/Berlin")
    pd.DataFrame({"day": days, "text": ["2014-01-01", "0000-00-00", None]}).to_parquet(
        tmp_path / "days.parquet"
    )
    found = read("days.parquet")
    assert found["day"].dt.strftime("%Y-%m-%d %H:%M").tolist() == [
        "2014-03-30 00:00",
        "2014-03-31 00:00",
        "2014-04-01 00:00",
    ]
    assert found["text"].isna().tolist() == [False, True, True]


def test_a_date_that_came_back_is_known_again_however_it_is_written():
    source = pd.DataFrame({"day": ["01/02/2026", "01/03/2026"], "y": [1, 2]})
    back = pd.DataFrame({"day": ["2026-02-03", "2026-03-03T00:00:00"], "y": [9, 3]})
    both = join(source, back, [], ["day"], {"day": "%m/%d/%Y"})
    assert both["day"].tolist() == ["01/02/2026", "01/03/2026", "02/03/2026", "03/03/2026"]
    again = join(both, back, [], ["day"], {"day": "%m/%d/%Y"})
    assert len(again) == 4


def test_a_labelled_row_that_the_source_has_by_now_is_left_out():
    source = pd.DataFrame({"id": ["p1", "p2"], "n": [1, 2], "y": ["a", "b"]})
    asked = pd.DataFrame({"n": [2.0, 2.0], "y": ["b", "a"]})
    both = join(source, asked, ["id"])
    assert both["y"].tolist() == ["a", "b", "a"]
    assert both["id"].isna().tolist() == [False, False, True]


def test_of_equal_rows_there_are_as_many_as_the_source_has_or_as_came_back():
    source = pd.DataFrame({"n": [1, 2, 2], "y": ["a", "b", "b"]})
    asked = pd.DataFrame({"n": [1, 1, 1, 2], "y": ["a", "a", "a", "b"]})
    both = join(source, asked, [])
    assert both["n"].tolist() == [1, 2, 2, 1, 1]
    assert len(join(source, asked, [], keep=True)) == 7, "who says that they differ keeps them all"
