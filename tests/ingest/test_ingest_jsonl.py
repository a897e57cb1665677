"""JSON lines: nested paths, broken lines, archives that end early, and no dependence on how rows lie in files."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingested import JSONL, compressed, ingest, jsonl, row

from pipelines.errors import SourceError

SOURCE = JSONL | {"path": "data/*"}
NESTED = {
    "path": "data/a.jsonl",
    "format": "jsonl",
    "columns": {
        "visitor_id": "client.id",
        "ts": "at",
        "properties": "event.props",
        "title": "page.title",
        "text": "x.y.z",
    },
}


def test_dots_descend_and_properties_stay_json(tmp_path: Path) -> None:
    props: list[Any] = [
        {"tiles": ["a", "b"], "p": [0.14285714285714285, 1]},
        [1, 2],
        '{"sent": "as text"}',
        "words",
        None,
    ]
    rows = [
        {"client": {"id": f"v{i}"}, "at": f"2026-01-05T10:00:0{i}Z", "event": {"props": value}}
        for i, value in enumerate(props)
    ]
    run = ingest(tmp_path, {"a.jsonl": jsonl(*rows, {"client": "v", "at": "2026-01-05T10:00:09Z"})}, [NESTED])
    stored = [event["properties"] for event in sorted(run.events, key=lambda event: event["ts"])]
    assert [json.loads(text) if text else None for text in stored] == [
        props[0],
        [1, 2],
        {"sent": "as text"},
        "words",
        None,
    ]
    assert run.reasons == [(6, "missing_visitor_id")]
    assert run.report["sources"][0]["missing_columns"] == {"data/a.jsonl": ["page.title", "x.y.z"]}


def test_every_broken_line_is_named_and_no_value_of_it_shown(tmp_path: Path) -> None:
    content = (
        jsonl(row(1))
        + "\n   \n"
        + '{"id":"e2","who":"Jane Miller","at":"2026-01-05T10\n'  # cut off
        + "[1, 2]\n"
        + "Error 500 for Jane Miller\n"
        + jsonl(
            row(3, who=["Jane Miller"]),
            row(4, at="Jane Miller"),
            row(5, at=None),
            row(6, who=""),
            row(7, at="2026-02-30"),
        )
    )
    run = ingest(tmp_path, {"a.jsonl": content.encode() + b'{"who":"\xff"}\n{"who":"\0"}'}, [SOURCE])
    assert run.reasons == [
        (4, "invalid_json"),
        (5, "not_an_object"),
        (6, "invalid_json"),
        (7, "bad_visitor_id"),
        (8, "bad_timestamp"),
        (9, "missing_ts"),
        (10, "missing_visitor_id"),
        (11, "bad_timestamp"),
        (12, "bad_encoding"),
        (13, "nul_byte"),
    ]
    assert run.quarantine[0]["excerpt"].startswith('{"id":"…","who":"…"')
    assert "Jane" not in run.written()
    assert all(len(found["excerpt"] or "") <= 200 for found in run.quarantine)
    assert run.total["accepted"] == 1


def test_times_are_iso_with_a_zone_or_in_the_sources_zone(tmp_path: Path) -> None:
    written = [
        "2026-01-05T10:00:00Z",
        "2026-01-05T11:00:00+01:00",
        "2026-01-05 15:30:00.25+0530",
        "2026-01-05T05:00",
        "2026-01-05",
    ]
    source = SOURCE | {"timezone": "America/New_York"}
    run = ingest(tmp_path, {"a.jsonl": jsonl(*(row(i, at=text) for i, text in enumerate(written)))}, [source])
    ten = datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert sorted(event["ts"] for event in run.events) == [
        datetime(2026, 1, 5, 5, tzinfo=UTC),
        *[ten] * 3,
        ten.replace(microsecond=250000),
    ]


@pytest.mark.parametrize(
    "text", ["infinity", "epoch", "1970-01-01T00:00:00Z", "9999-01-01", "1767607200", "2026-01-05T25:00:00Z", "now"]
)
def test_what_is_no_time_is_quarantined_never_null(tmp_path: Path, text: str) -> None:
    run = ingest(tmp_path, {"a.jsonl": jsonl(row(1), row(2, at=text))}, [SOURCE])
    assert run.reasons == [(2, "bad_timestamp")]
    assert [event["event_id"] for event in run.events] == ["e1"]


@pytest.mark.parametrize(
    ("timestamp_format", "value"),
    [("epoch_s", 1767607200.5), ("epoch_ms", 1767607200500), ("epoch_us", "1767607200500000")],
)
def test_epochs(tmp_path: Path, timestamp_format: str, value: object) -> None:
    run = ingest(
        tmp_path,
        {"a.jsonl": jsonl(row(1, at=value), row(2, at="x"))},
        [SOURCE | {"timestamp_format": timestamp_format}],
    )
    assert [event["ts"] for event in run.events] == [datetime(2026, 1, 5, 10, 0, 0, 500000, tzinfo=UTC)]
    assert run.reasons == [(2, "bad_timestamp")]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"timezone": "Mars/Base"}, "time zone"),
        ({"timestamp_format": "%Q"}, "strptime"),
        ({"timestamp_format": "date"}, "strptime"),
    ],
)
def test_a_zone_or_format_that_does_not_exist_is_refused(tmp_path: Path, bad: dict[str, str], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        ingest(tmp_path, {"a.jsonl": jsonl(row(1))}, [SOURCE | bad])


def test_a_present_value_that_does_not_fit_is_quarantined(tmp_path: Path) -> None:
    columns = {**SOURCE["columns"], "channel": "ch", "received_ts": "rec", "event_type": "type"}
    rows = [
        row(1, ch="Web", type="click"),
        row(2, ch="kiosk", type="x"),
        row(3, ch="web", type="x", rec="soon"),
        row(4, type="x"),
        row(5, ch="app"),
    ]
    run = ingest(tmp_path, {"a.jsonl": jsonl(*rows)}, [SOURCE | {"columns": columns}])
    assert run.reasons == [
        (2, "bad_channel"),
        (3, "bad_received_ts"),
        (4, "missing_channel"),
        (5, "missing_event_type"),
    ]
    assert [(event["channel"], event["event_type"]) for event in run.events] == [("web", "click")]


def test_a_cut_archive_keeps_the_rows_before_the_cut_and_adds_one_row(tmp_path: Path) -> None:
    whole = compressed("".join(jsonl(row(i, z=f"{i * 2654435761 % 2**32:x}")) for i in range(300)))
    run = ingest(tmp_path, {"a.jsonl.gz": whole[: len(whole) // 2]}, [SOURCE], bots=False)
    n = run.total["accepted"]
    assert 50 < n < 250
    assert sorted(int(event["event_id"][1:]) for event in run.events) == list(range(n))
    assert run.reasons == [(n + 1, "truncated_file")]


def test_a_damaged_archive_ends_at_the_damage(tmp_path: Path) -> None:
    whole = bytearray(compressed("".join(jsonl(row(i, z=f"{i * 2654435761 % 2**32:x}")) for i in range(300))))
    whole[len(whole) // 2] ^= 0xFF
    run = ingest(tmp_path, {"a.jsonl.gz": bytes(whole)}, [SOURCE], bots=False)
    assert run.quarantine[-1]["reason"] == "truncated_file"
    assert run.total["accepted"] > 20


def test_members_of_one_gzip_file_and_an_empty_one(tmp_path: Path) -> None:
    content = compressed(jsonl(row(1))) + compressed(jsonl(row(2))) + b"\0" * 8
    run = ingest(tmp_path, {"a.jsonl.gz": content, "b.jsonl.gz": gzip.compress(b""), "c.jsonl.gz": b""}, [SOURCE])
    assert run.total["accepted"] == 2
    assert [(found["file"], found["reason"]) for found in run.quarantine] == [("data/c.jsonl.gz", "truncated_file")]


def test_a_line_of_ten_megabytes_is_an_event_and_a_longer_one_is_quarantined(tmp_path: Path) -> None:
    long, too_long = row(1, unmapped="a" * 10_000_000), row(2, unmapped="a" * 17_000_000)
    run = ingest(tmp_path, {"a.jsonl": jsonl(long, too_long, row(3))}, [SOURCE])
    assert run.reasons == [(2, "line_too_long")]
    assert [event["event_id"] for event in run.events] == ["e1", "e3"]


def test_a_mapping_that_fits_no_row_is_refused_with_the_paths_found(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"`client.id`, mapped to visitor_id; found columns id, who, at, url"):
        ingest(tmp_path, {"a.jsonl": jsonl(row(1))}, [NESTED | {"path": "data/a.jsonl"}])


def test_a_byte_order_mark_is_no_part_of_a_row_in_files_that_were_joined_either(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    rows = [mark + json.dumps(row(number)).encode() for number in range(3)]
    found = ingest(tmp_path, {"a.jsonl": b"\n".join(rows)}, [SOURCE])
    assert found.total["accepted"] == 3


SOUND = st.builds(
    row, st.integers(0, 40), who=st.sampled_from(["v1", "v2"]), url=st.sampled_from(["/a", "/b?x=1", "/c/12"])
)
DIRTY = st.one_of(
    SOUND.map(lambda sound: json.dumps(sound).encode()),
    st.binary(max_size=20).map(
        lambda content: b"?" + content.replace(b"\n", b" ")
    ),  # `?`: never an archive's first bytes
    st.sampled_from(
        [
            b"",
            b"  ",
            b"{",
            b"null",
            b'{"who":"v","at":"x"}',
            b'{"who":"v"}',
            b'{"at":"2026-01-05"}',
            b"\r",
            b"\xef\xbb\xbf{}",
        ]
    ),
    st.sampled_from([json.dumps(row(50)).encode(), json.dumps(row(50, url="/other")).encode()]),
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(DIRTY, min_size=1, max_size=30), st.data())
def test_rows_end_the_same_however_they_are_cut_into_files(
    tmp_path_factory: pytest.TempPathFactory, texts: list[bytes], data: st.DataObject
) -> None:
    texts = [json.dumps(row(99)).encode(), *texts]
    cuts = sorted(data.draw(st.lists(st.integers(1, len(texts)), max_size=3)))
    parts = [texts[start:end] for start, end in zip([0, *cuts], [*cuts, len(texts)], strict=True)]
    one = ingest(tmp_path_factory.mktemp("one"), {"a.jsonl": b"\n".join(texts)}, [SOURCE])
    many = ingest(
        tmp_path_factory.mktemp("many"), {f"{i:02}.jsonl": b"\n".join(part) for i, part in enumerate(parts)}, [SOURCE]
    )
    assert many.events == one.events
    assert many.total == one.total
