"""Columns that appear, vanish or change their name from file to file: a stated mapping, and reported."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingested import JSONL, Run, block, ingest, jsonl, row

from pipelines import params
from pipelines.errors import ParamsError, SourceError
from pipelines.ingest.report import FileColumns, changes

EITHER = {"query": ["search.q", "search.term"]}
SOURCE: dict[str, Any] = JSONL | {"path": "data/*.jsonl", "columns": JSONL["columns"] | EITHER}
UNSTATED: dict[str, Any] = SOURCE | {"columns": JSONL["columns"] | {"query": "search.q"}}
TABLE: dict[str, Any] = {"columns": {"visitor_id": ["who", "cookie"], "ts": "at", "query": ["q", "term"]}}
CSV = TABLE | {"path": "data/*.csv", "format": "csv"}
PARQUET = TABLE | {"path": "data/*.parquet", "format": "parquet"}


def queries(run: Run) -> list[str | None]:
    """The queries in the order of their times."""
    return [event["query"] for event in sorted(run.events, key=lambda event: event["ts"])]


def source_of(run: Run) -> dict[str, Any]:
    (source,) = run.report["sources"]
    return dict(source)


def named(n: int, first: int = 0, every: int = 1, **search: str) -> str:
    """JSON lines, every ``every``-th of which has ``search``."""
    return jsonl(*(row(first + i, **({"search": search} if i % every == 0 else {})) for i in range(n)))


def test_the_first_source_column_that_holds_a_value_in_the_row_gives_it(tmp_path: Path) -> None:
    searches: list[Any] = [{"q": "a", "term": "b"}, {"q": "", "term": "b"}, {"q": None, "term": "b"}, {"term": "b"}, {}]
    run = ingest(tmp_path, {"a.jsonl": jsonl(*(row(i, search=s) for i, s in enumerate(searches)))}, [SOURCE])
    assert queries(run) == ["a", "b", "b", "b", None]
    assert source_of(run)["columns"]["query"] == {"search.q": 1, "search.term": 3}
    assert source_of(run)["columns"]["visitor_id"] == {"who": 5}
    assert source_of(run)["missing_columns"] == {}


def test_what_is_nested_counts_only_where_it_would_give_the_value(tmp_path: Path) -> None:
    source = JSONL | {"path": "data/a.jsonl", "columns": JSONL["columns"] | {"visitor_id": ["who", "cookie"]}}
    rows = [row(1, cookie=["x"]), row(2, who="", cookie=["x"]), row(3, who={"x": 1}, cookie="c"), row(4, who="[text]")]
    run = ingest(tmp_path, {"a.jsonl": jsonl(*rows, row(5, who=None, cookie="c"))}, [source])
    assert run.reasons == [(2, "bad_visitor_id"), (3, "bad_visitor_id")]
    assert source_of(run)["columns"]["visitor_id"] == {"who": 2, "cookie": 1}


def test_properties_too_may_come_under_another_name(tmp_path: Path) -> None:
    source = JSONL | {"path": "data/a.jsonl", "columns": JSONL["columns"] | {"properties": ["props", "extra.more"]}}
    rows = [row(1, props={"a": [1]}), row(2, extra={"more": '{"b": 2}'}), row(3, props=None, extra={"more": {"c": 3}})]
    run = ingest(tmp_path, {"a.jsonl": jsonl(*rows)}, [source])
    assert sorted(event["properties"] for event in run.events) == ['{"a":[1]}', '{"b": 2}', '{"c":3}']


def test_a_stated_rename_leaves_the_events_as_they_were_and_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"a.jsonl": named(30, q="loan"), "b.jsonl": named(30, 30, q="loan"), "c.jsonl": named(30, 60, q="card")}
    renamed = files | {"b.jsonl": named(30, 30, term="loan"), "c.jsonl": named(30, 60, term="card")}
    before, after = (ingest(tmp_path / name, made, [SOURCE]) for name, made in (("q", files), ("term", renamed)))
    assert after.events == before.events
    assert source_of(before)["changes"] == []
    assert source_of(after)["changes"] == [
        {"file": "data/b.jsonl", "column": "query", "from": "search.q", "to": "search.term"}
    ]
    assert source_of(after)["columns"]["query"] == {"search.q": 30, "search.term": 60}
    assert source_of(after)["unmapped"] == {}
    assert "warning" not in capsys.readouterr().out


def test_a_rename_that_nobody_stated_is_warned_of_and_no_value_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rare = {"every": 40}  # its first 100 rows hold the new name three times, those of the second file never
    files = {"a.jsonl": named(1200, q="loan", **rare), "b.jsonl": named(150) + named(1200, 200, term="loan", **rare)}
    run = ingest(tmp_path, {**files, "c.jsonl": named(1200, 2000, term="loan", **rare)}, [UNSTATED], bots=False)
    assert source_of(run)["changes"] == [{"file": "data/b.jsonl", "column": "query", "from": "search.q", "to": None}]
    assert source_of(run)["unmapped"] == {"data/b.jsonl": ["search.term"]}
    vanished, new = [line for line in capsys.readouterr().out.splitlines() if line.startswith("ingest: warning: ")]
    assert "data/b.jsonl: query has no value any more (search.q gave it before)" in vanished
    assert "data/b.jsonl: new since the first file" in new
    assert new.endswith("search.term; query vanished in the same file")
    assert "loan" not in vanished + new


def test_a_csv_may_lack_some_of_the_names_but_not_all_of_a_required_one(tmp_path: Path) -> None:
    files = {
        "a.csv": "who,at,q\nv,2026-01-05T10:00:00Z,loan\n",
        "b.csv": "at,term,cookie\n2026-01-05T10:00:01Z,card,v\n",
        "c.csv": "term,q,who,at\n,both,v,2026-01-05T10:00:02Z\nnew,,v,2026-01-05T10:00:03Z\n",
    }
    run = ingest(tmp_path, files, [CSV])
    assert queries(run) == ["loan", "card", "both", "new"]
    found = source_of(run)
    assert found["missing_columns"] == {}
    assert found["columns"]["query"] == {"q": 2, "term": 2}
    assert found["columns"]["visitor_id"] == {"who": 3, "cookie": 1}
    with pytest.raises(SourceError, match=r"d.csv: column `who` or `cookie`, mapped to visitor_id, is missing"):
        ingest(tmp_path, {"d.csv": "uid,at,q\nv,2026-01-05T10:00:04Z,loan\n"}, [CSV])


def test_an_optional_column_that_one_header_lacks_is_null_there_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "v,2026-01-05T10:00:0{},{}\n"
    files = {
        "a.csv": "who,at,q\n" + line.format(1, "loan"),
        "b.csv": "who,at,search\n" + line.format(2, "card"),
        "c.csv": "who,at,q\n" + line.format(3, "home"),
    }
    run = ingest(tmp_path, files, [CSV])
    assert queries(run) == ["loan", None, "home"]
    assert source_of(run)["missing_columns"] == {"data/b.csv": ["q", "term"]}
    assert source_of(run)["changes"] == [
        {"file": "data/b.csv", "column": "query", "from": "q", "to": None},
        {"file": "data/c.csv", "column": "query", "from": None, "to": "q"},
    ]
    assert source_of(run)["unmapped"] == {"data/b.csv": ["search"]}
    assert capsys.readouterr().out.count("ingest: warning: data/b.csv") == 2


def test_a_name_of_ingests_own_may_be_a_csv_columns_name(tmp_path: Path) -> None:
    source = CSV | {"columns": {"visitor_id": "line", "ts": "problem", "query": ["text", "file"]}}
    run = ingest(tmp_path, {"a.csv": "file,line,problem,text\nf,v,2026-01-05T10:00:00Z,\n"}, [source])
    assert queries(run) == ["f"]


def stored(root: Path, name: str, **columns: Sequence[Any] | pa.Array) -> None:
    (root / "data").mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), root / "data" / name)


def test_parquet_files_may_differ_in_names_order_and_types(tmp_path: Path) -> None:
    at = "2026-01-05T10:00:0{}Z".format
    stored(tmp_path, "a.parquet", who=["v"], at=[at(0)], q=["loan"])
    stored(tmp_path, "b.parquet", term=["card"], at=[at(1)], cookie=["v"])
    stored(tmp_path, "c.parquet", q=pa.array([7], pa.int64()), at=[at(2)], who=["v"])
    stored(tmp_path, "d.parquet", at=[at(3)], who=["v"], extra=[{"term": "x"}])
    run = ingest(tmp_path, {}, [PARQUET])
    assert queries(run) == ["loan", "card", "7", None]
    found = source_of(run)
    assert found["columns"]["query"] == {"q": 2, "term": 1}
    assert found["missing_columns"] == {"data/d.parquet": ["q", "term"]}
    assert [(one["file"][5:6], one["column"], one["from"], one["to"]) for one in found["changes"]] == [
        ("b", "visitor_id", "who", "cookie"), ("b", "query", "q", "term"),
        ("c", "visitor_id", "cookie", "who"), ("c", "query", "term", "q"),
        ("d", "query", "q", None),
    ]  # fmt: skip
    assert found["unmapped"] == {"data/d.parquet": ["extra.term"]}


def test_a_parquet_column_may_have_another_type_from_file_to_file(tmp_path: Path) -> None:
    stored(tmp_path, "a.parquet", who=["v"], at=["2026-01-05T10:00:00Z"], q=["loan"])
    stored(tmp_path, "b.parquet", who=["v"], at=["2026-01-05T10:00:01Z"], q=[7])
    assert queries(ingest(tmp_path, {}, [PARQUET])) == ["loan", "7"]


def test_formats_without_a_mapping_have_nothing_to_report(tmp_path: Path) -> None:
    found = source_of(ingest(tmp_path, {"a.seq": "1 1\n"}, [{"path": "data/*", "format": "sequences", "names": ["x"]}]))
    assert (found["columns"], found["changes"], found["unmapped"]) == ({}, [], {})


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ([], "maps query to nothing: name a source column"),
        ("", "maps query to nothing"),
        (["q", ""], "maps query to nothing"),
        (["q", "term", "q"], "maps query to a list that names a source column twice"),
        ([["q"]], "columns.query"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(repository: Path, query: object, message: str) -> None:
    values = params.load(repository / "params.yaml").model_dump(by_alias=True)
    values["ingest"]["sources"] = [CSV | {"columns": {"visitor_id": "v", "ts": "t", "query": query}}]
    with pytest.raises(ParamsError, match=message):
        params.validate(values, "params.yaml")


def test_a_list_comes_back_from_params_as_it_was_written() -> None:
    assert block([SOURCE]).model_dump()["sources"][0]["columns"]["query"] == ["search.q", "search.term"]


def fed(*files: tuple[int, Mapping[str, int]], has_header: bool = False) -> list[tuple[int, str | None, str | None]]:
    """The changes of a column that may come from q or term: (file, from, to); files are (rows, values by column)."""
    read = [
        (str(i), FileColumns({"query": ("q", "term")}, {"query": ("q", "term")} if given or not has_header else {},
                             n_rows=n_rows, given={"query": dict(given)}))
        for i, (n_rows, given) in enumerate(files)
    ]  # fmt: skip
    return [(int(change["file"]), change["from"], change["to"]) for change in changes(read)]


def test_a_column_vanishes_only_where_its_values_were_due() -> None:
    assert fed((1000, {"q": 10}), (1000, {})) == [(1, "q", None)]
    assert fed((1000, {"q": 10}), (999, {})) == []
    assert fed((1000, {"q": 9}), (1000, {})) == []
    assert fed((1001, {"q": 10}), (1000, {})) == []
    assert fed((5, {"q": 5}), (5000, {})) == []
    assert fed((1000, {"q": 10}), (400, {}), (0, {}), (400, {}), (400, {})) == [(1, "q", None)]
    assert fed((1000, {"q": 10}), (900, {}), (900, {"q": 1}), (900, {})) == []
    assert fed((1000, {"q": 20}), (900, {"q": 20}), (1900, {}), (9, {"q": 1})) == [(2, "q", None), (3, None, "q")]
    assert fed((10, {"q": 1}), (10, {}), (10, {"q": 1}), has_header=True) == [(1, "q", None), (2, None, "q")]


def test_a_column_appears_with_its_first_value_in_a_later_file() -> None:
    assert fed((0, {}), (10, {"q": 1})) == []
    assert fed((10, {"q": 0}), (10, {"q": 1}), (10, {}), (10, {"q": 2})) == [(1, None, "q")]


def test_another_column_feeds_once_it_gives_twice_the_values() -> None:
    assert fed((9, {"q": 9}), (9, {"q": 5, "term": 4}), (9, {"q": 3, "term": 6}), (9, {"q": 1, "term": 8})) == [
        (2, "q", "term")
    ]
    assert fed((9, {"q": 5, "term": 4}), (9, {"q": 4, "term": 5}), (9, {"q": 5, "term": 3})) == []
    assert fed((9, {"q": 9}), (9, {}), (9, {"term": 1})) == [(2, "q", "term")]


FILES = st.lists(
    st.tuples(st.integers(0, 3000), st.dictionaries(st.sampled_from(["q", "term"]), st.integers(0, 60), max_size=2)),
    max_size=12,
)


@given(FILES, st.booleans())
def test_changes_form_a_chain_in_reading_order(files: list[tuple[int, dict[str, int]]], has_header: bool) -> None:
    found = fed(*files, has_header=has_header)
    assert [position for position, _, _ in found] == sorted(position for position, _, _ in found)
    assert all(before != after for _, before, after in found)
    assert all(one[2] == other[1] for one, other in pairwise(found))


def test_a_rare_field_of_the_first_file_is_no_news(tmp_path: Path) -> None:
    first = jsonl(*(row(i, **({"error": {"code": 1}} if i == 150 else {})) for i in range(200)))
    later = jsonl(row(201, error={"code": 2}), row(202, consent="yes"), row(203, consent=None, theme=None))
    run = ingest(
        tmp_path, {"a.jsonl": first, "b.jsonl": later, "c.jsonl": jsonl(row(204, consent="no"))}, [UNSTATED], bots=False
    )
    assert source_of(run)["unmapped"] == {"data/b.jsonl": ["consent"]}


def test_keys_that_look_like_values_are_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = {f"item-{letter}": 1 for letter in "abcdefghij"}
    later = [
        row(2, cart=keys, seen={"jo@x.example": 1, 'quo"te': 1}, **{"4111 1111": 1, "": 2}),
        row(3, cart={"item-z": 1}, flags={"dark": {"on": True}}),
        "[" * 5000,
    ]
    files = {"a.jsonl": jsonl(row(1, seen={"mary@x.example": 1})), "b.jsonl": jsonl(*later)}
    found = ingest(tmp_path, files, [UNSTATED])
    assert source_of(found)["unmapped"] == {"data/b.jsonl": ["cart.…", "flags.dark.on"]}
    assert "x.example" not in found.written() + capsys.readouterr().out
