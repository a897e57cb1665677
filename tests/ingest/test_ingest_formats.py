"""The other formats: sequences, access logs, Parquet, and the canonical table itself."""

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingested import conserved, ingest, jsonl

from pipelines.errors import SourceError
from pipelines.schemas import EVENTS, SEQUENCE_EPOCH

NAMES = ["front", "news", "tech"]
SEQUENCES = {"path": "data/*", "format": "sequences", "names": NAMES}
LOG = {"path": "data/access.log", "format": "combined_log"}
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/26.0"
MSNBC = (
    "frontpage news tech local opinion on-air misc weather msn-news health living business msn-sports sports summary "
    "bbs travel"
)


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def test_every_code_of_a_sequence_is_a_row_and_headers_are_none(tmp_path: Path) -> None:
    content = "% Categories:\r\n\r\nfront news tech\r\n\r\n% Sequences:\r\n1 1 \r\n\r\n3 9 x 2\r\n"
    run = ingest(tmp_path, {"a.seq": content}, [SEQUENCES])
    assert run.total["rows_read"] == 6
    assert run.reasons == [(8, "bad_code"), (8, "bad_code")]
    seconds = lambda event: (event["ts"] - SEQUENCE_EPOCH).total_seconds()  # noqa: E731
    found = sorted((event["event_id"], event["page"], seconds(event), event["event_type"]) for event in run.events)
    assert found == [
        ("s6_1", "front", 0, "page_view"),
        ("s6_2", "front", 1, "page_view"),
        ("s8_1", "tech", 0, "page_view"),
        ("s8_4", "news", 3, "page_view"),
    ]
    assert len({event["visitor_id"] for event in run.events}) == 2


def test_a_sequence_has_no_clock_so_neither_window_nor_rate_apply(tmp_path: Path) -> None:
    run = ingest(tmp_path, {"a.seq": "1 2 " * 100 + "\n"}, [SEQUENCES], window={"from": "2026-01-01"})
    assert run.total["accepted"] == 200


def test_sequences_in_a_zip_archive_in_several_files_and_cut(tmp_path: Path) -> None:
    one = ingest(tmp_path / "one", {"a.seq": "1 2\n3\n1\n"}, [SEQUENCES])
    other = {"a.zip": zipped({"x.seq": "1 2\n3", "__MACOSX/._x.seq": "junk"}), "b.seq": "1\n"}
    assert ingest(tmp_path / "many", other, [SEQUENCES]).events == one.events
    text = "\n".join(f"{1 + i % 3} {1 + i * i % 3}" for i in range(20_000))
    whole = zipped({"x.seq": text})
    cut = ingest(tmp_path / "cut", {"a.zip": whole[: len(whole) // 2]}, [SEQUENCES])
    assert cut.total["quarantined"] == 1
    assert cut.quarantine[0]["reason"] == "truncated_file"
    assert 1000 < cut.total["accepted"] < 40_000


def test_an_archive_of_several_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds 2 files, expected one"):
        ingest(tmp_path, {"a.zip": zipped({"a": "1", "b": "2"})}, [SEQUENCES])


def logged(request: str = "GET /a HTTP/1.1", status: int = 200, agent: str = BROWSER, second: int = 0) -> str:
    time, referrer = f"17/May/2015:10:05:{second:02} +0200", "http://s.example/?q=jo@x.example"
    return f'192.0.2.7 - - [{time}] "{request}" {status} 99 "{referrer}" "{agent}"\n'


def test_a_rule_of_a_format_that_is_switched_off_leaves_nothing_out(tmp_path: Path) -> None:
    content = logged("GET /style.css HTTP/1.1") + logged("POST /form HTTP/1.1", second=1) + logged(status=404, second=2)
    run = ingest(tmp_path, {"access.log": content}, [LOG | {"keep": ["asset", "status"]}])
    assert run.total["filters"] == {"method": 1}
    assert sorted(event["page"] for event in run.events) == ["/a", "/style.css"]
    with pytest.raises(SourceError, match=r"`keep` of combined_log names assets; .*: status, method, asset"):
        ingest(tmp_path, {}, [LOG | {"keep": ["assets"]}])


def test_an_access_log_keeps_pages_and_names_what_it_leaves_out(tmp_path: Path) -> None:
    content = (
        logged("GET /Blog/Post.html?id=9&utm_source=mail HTTP/1.1")
        + logged("GET /style.css?v=1 HTTP/1.1", second=1)
        + logged("POST /form HTTP/1.1", second=2)
        + logged(status=404, second=3)
        + logged(status=304, second=4)
        + logged("-", 200, second=5)
        + logged(agent="Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", second=6)
        + logged(second=7).replace('Firefox/26.0"', "Firefox/26.0")  # the closing quote is lost
        + '192.0.2.7 - joan [17/May/2015:10:06:00 +0200] "GET /common HTTP/1.0" 200 -\n'
        + "192.0.2.7 said nothing\n"
    )
    run = ingest(tmp_path, {"access.log": content}, [LOG])
    assert run.total["filters"] == {"asset": 1, "method": 2, "status": 1}
    assert run.total["bot_rules"] == {"declared": 1}
    assert run.reasons == [(8, "not_combined_log"), (10, "not_combined_log")]
    found = sorted((event["ts"].second, event["page"], event["url"], event["referrer"]) for event in run.events)
    assert found == [
        (0, "/blog/post.html", "/Blog/Post.html?utm_source=mail", "http://s.example/"),
        (0, "/common", "/common", None),
        (4, "/a", "/a", "http://s.example/"),
    ]
    assert min(event["ts"] for event in run.events) == datetime(2015, 5, 17, 8, 5, tzinfo=UTC)
    assert [event["customer_id"] is not None for event in run.events if event["page"] == "/common"] == [True]
    for secret in ("192.0.2.7", "joan", "jo@x", "Firefox"):
        assert secret not in run.written()


def test_parquet_with_structs_dotted_names_and_typed_times(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    times = pa.array([datetime(2026, 1, 5, 10), datetime(2026, 1, 5, 11), None], pa.timestamp("ms"))
    users = pa.array([{"id": "a", "n": 1}, {"id": None, "n": 2}, {"id": "c", "n": 3}])
    table = pa.table({"user": users, "when": times, "page.title": ["Home", "B", "C"], "tags": [["x"], [], None]})
    pq.write_table(table, tmp_path / "data" / "a.parquet")
    source = {
        "path": "data",
        "format": "parquet",
        "columns": {
            "visitor_id": "user.id",
            "ts": "when",
            "title": "page.title",
            "properties": "tags",
            "url": "user.url",
        },
        "timezone": "Europe/Berlin",
    }
    run = ingest(tmp_path, {}, [source])
    assert run.reasons == [(2, "missing_visitor_id"), (3, "missing_ts")]
    (event,) = run.events
    assert (event["title"], event["properties"], event["ts"]) == ("Home", '["x"]', datetime(2026, 1, 5, 9, tzinfo=UTC))
    assert run.report["sources"][0]["missing_columns"] == {"data/a.parquet": ["user.url"]}


def test_parquet_that_is_none_is_refused(tmp_path: Path) -> None:
    source = {"path": "data/a.parquet", "format": "parquet", "columns": {"visitor_id": "v", "ts": "t"}}
    with pytest.raises(SourceError, match="cannot be read as Parquet"):
        ingest(tmp_path, {"a.parquet": b"PAR1 and no more"}, [source])
    pq.write_table(pa.table({"x": [1]}), tmp_path / "data" / "a.parquet")
    with pytest.raises(SourceError, match=r"`v`, mapped to visitor_id, is missing; found columns x"):
        ingest(tmp_path, {}, [source])


def test_the_canonical_table_comes_back_as_it_was_but_for_its_ids(tmp_path: Path) -> None:
    rows = [
        {"event_id": f"e{i}", "visitor_id": "v", "ts": f"2026-01-05T10:00:0{i}Z", "channel": "app", "event_type": "tap",
         "page": "home screen", "title": "T", "properties": '{"a": 1}'}
        for i in range(3)
    ]  # fmt: skip
    first = ingest(tmp_path / "first", {"a.jsonl": jsonl(*rows)}, [{"path": "data/a.jsonl", "format": "native"}])
    stored = {"path": str(first.workspace.events), "format": "native"}
    again = ingest(tmp_path / "again", {}, [stored])
    ids = ("visitor_id", "customer_id")
    assert [{k: v for k, v in event.items() if k not in ids} for event in again.events] == [
        {k: v for k, v in event.items() if k not in ids} for event in first.events
    ]
    assert again.events[0]["visitor_id"] != first.events[0]["visitor_id"]
    assert pq.read_schema(next(again.workspace.events.rglob("*.parquet"))).equals(EVENTS)


def test_the_real_access_log(tmp_path: Path, shared_data: Path) -> None:
    run = ingest(tmp_path, {}, [LOG | {"path": str(shared_data / "access_log" / "apache_logs")}])
    assert run.total["rows_read"] == 10_000
    assert run.reasons == [(8899, "not_combined_log")]
    assert run.total["filters"]["asset"] > 5000
    assert 1500 < run.total["accepted"] < 2500
    assert run.report["sources"][0]["path"] == "apache_logs"


def test_the_real_sequences(tmp_path: Path, shared_data: Path) -> None:
    with (
        zipfile.ZipFile(shared_data / "msnbc" / "msnbc990928.zip") as archive,
        archive.open("msnbc990928.seq") as stream,
    ):
        head = b"".join(stream.readline() for _ in range(5007))
    run = ingest(tmp_path, {"a.seq": head}, [SEQUENCES | {"names": MSNBC.split()}])
    assert run.total["rows_read"] == run.total["accepted"] == sum(len(line.split()) for line in head.splitlines()[7:])
    assert len({event["visitor_id"] for event in run.events}) == 5000
    assert {event["page"] for event in run.events} == set(MSNBC.split())
    conserved(run.report)
