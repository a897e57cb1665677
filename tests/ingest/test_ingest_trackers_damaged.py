"""Damaged files of the named trackers: whatever a line holds, it costs itself only, and none is lost."""

import gzip
import json
import random
from pathlib import Path

import pytest
from ingested import ingest

from pipelines.ingest.formats.snowplow_tsv import NAMES

HEADERS = ("hit_time_gmt", "visid_high", "visid_low", "page_event", "page_url")
ENRICHED = {
    "event_id": "e{n}", "event": "page_view", "platform": "web", "domain_userid": "c", "page_url": "/loans",
    "derived_tstamp": "2026-01-05 10:00:0{n}.000", "collector_tstamp": "2026-01-05 10:00:00.100",
}  # fmt: skip
LINES = {
    "ga4": json.dumps(
        {"event_timestamp": "176760720000000{n}", "event_name": "page_view", "user_pseudo_id": "a", "platform": "WEB",
         "event_params": [{"key": "page_location", "value": {"string_value": "/loans"}}]}
    ),
    "segment": json.dumps(
        {"messageId": "m{n}", "type": "page", "anonymousId": "a", "timestamp": "2026-01-05T10:00:0{n}Z",
         "properties": {"url": "/loans", "deep": {"a": [1]}}}
    ),
    "snowplow": json.dumps(ENRICHED),
    "segment_pages": json.dumps(
        {"id": "p{n}", "anonymous_id": "a", "timestamp": "2026-01-05 10:00:0{n}", "url": "/loans"}
    ),
    "snowplow_tsv": "\t".join(ENRICHED.get(name, "") for name in NAMES),
    "adobe_data_feed": "176760720{n}\t1\t2\t0\t/loans",
}  # fmt: skip
BAD_LINES = (
    b"\xff\xfe\x00junk", b"a\x00b", b"words and no more", b"{", b'{"a": ', b"[" * 2000, b'{"a":' * 2000,
    b'{"event_params": {"key": 1}}', "\u202e\u0645\u0631\u062d\u0628\u0627".encode(), b"\\", b'"unclosed',
)  # fmt: skip


def sound(form: str, number: int) -> bytes:
    return LINES[form].replace("{n}", str(number)).encode()


def source(root: Path, form: str) -> dict[str, str]:
    (root / "data").mkdir(parents=True, exist_ok=True)
    (root / "data" / "column_headers.tsv").write_text("\t".join(HEADERS) + "\n", encoding="utf-8")
    return {"path": "data/part*", "format": form}


@pytest.mark.parametrize("form", LINES)
def test_bad_lines_cost_themselves_only(tmp_path: Path, form: str) -> None:
    content = b"\n".join([sound(form, 0), *BAD_LINES, b"", sound(form, 1), b"   "])
    run = ingest(tmp_path, {"part-0": content}, [source(tmp_path, form)])
    # a backslash at the end of a line of Adobe's joins it to the next, which is bad too
    n_rows = 2 + len(BAD_LINES) - (form == "adobe_data_feed")
    assert (run.total["accepted"], run.total["rows_read"]) == (2, n_rows)
    assert run.total["quarantined"] == n_rows - 2


@pytest.mark.parametrize("form", LINES)
def test_bytes_changed_at_random_lose_no_row(tmp_path: Path, form: str) -> None:
    draw = random.Random(7)
    content = bytearray(b"\n".join(sound(form, 1) for _ in range(150)))
    for _ in range(300):
        content[draw.randrange(200, len(content))] = draw.randrange(256)
    first = sound(form, 0) + b"\n"
    run = ingest(tmp_path, {"part-0": first + bytes(content)}, [source(tmp_path, form)], bots=False)
    assert run.total["accepted"] >= 1
    assert run.total["quarantined"] >= 1


@pytest.mark.parametrize("form", LINES)
def test_a_cut_archive_keeps_the_rows_before_the_cut(tmp_path: Path, form: str) -> None:
    draw = random.Random(7)
    rows = [sound(form, 1).replace(b"/loans", f"/{draw.randrange(10**9)}".encode()) for _ in range(2000)]
    whole = gzip.compress(b"\n".join(rows))
    run = ingest(tmp_path, {"part-0.gz": whole[: len(whole) // 2]}, [source(tmp_path, form)], bots=False)
    assert [reason for _, reason in run.reasons].count("truncated_file") == 1
    assert run.total["rows_read"] > 200
