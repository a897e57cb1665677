"""Snowplow's enriched TSV and its event table; rows are made by hand after the public schema of 131 columns."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingested import ingest, jsonl

from pipelines.ingest.formats.snowplow_tsv import NAMES

TSV = {"path": "data/*", "format": "snowplow_tsv"}
TABLE = {"path": "data/*", "format": "snowplow"}
SESSION = {
    "schema": "iglu:com.snowplowanalytics.snowplow/client_session/jsonschema/1-0-2",
    "data": {"userId": "phone-7"},
}


def unstruct(name: str, data: dict[str, Any]) -> str:
    inner = {"schema": f"iglu:com.snowplowanalytics.snowplow/{name}/jsonschema/1-0-1", "data": data}
    return json.dumps({"schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0", "data": inner})


def contexts(*data: dict[str, Any]) -> str:
    return json.dumps({"schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0", "data": [*data]})


def row(number: int, event: str = "page_view", **more: str) -> dict[str, str]:
    return {
        "app_id": "bank", "platform": "web", "collector_tstamp": f"2026-01-05 10:00:{number:02}.400",
        "derived_tstamp": f"2026-01-05 10:00:{number:02}.250", "dvce_created_tstamp": "2026-01-05 09:00:00.000",
        "event": event, "event_name": event, "event_id": f"00000000-0000-4000-8000-{number:012}",
        "domain_userid": "cookie-1", "user_ipaddress": "192.0.2.7", "geo_country": "NO", "geo_region_name": "Oslo",
        "page_url": "https://bank.example/loans?x=1", "page_title": "Loans", "page_referrer": "https://a.example/?q=s",
        "mkt_source": "mail", "mkt_medium": "email", "mkt_campaign": "spring", "useragent": "Mozilla/5.0",
        "br_name": "Chrome 99", "os_name": "Windows 10", "dvce_type": "Computer", "domain_sessionid": "s-1",
    } | more  # fmt: skip


ROWS = [
    row(0, user_id="joan"),
    row(1, "struct", event_name="event", se_category="calc", se_action="slide", se_label="years", se_value="12"),
    row(2, "unstruct", event_name="link_click", unstruct_event=unstruct("link_click", {"elementId": "go", "n": 1})),
    row(3, "unstruct", event_name="site_search", unstruct_event=unstruct("site_search", {"terms": ["fixed", "rate"]})),
    row(4, "unstruct", event_name="screen_view", platform="mob", domain_userid="", page_url="",
        unstruct_event=unstruct("screen_view", {"name": "Home"}), contexts=contexts(SESSION)),
    row(5, "page_ping"),
    row(6, "transaction_item"),
    row(7, "struct", platform="srv", domain_userid=""),
]  # fmt: skip


def tsv(*rows: dict[str, str]) -> str:
    return "".join("\t".join(one.get(name, "") for name in NAMES) + "\n" for one in rows)


def as_csv(*rows: dict[str, str]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, NAMES, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_parquet(*rows: dict[str, str]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([{name: one.get(name) or None for name in NAMES} for one in rows]), sink)
    return bytes(sink.getvalue().to_pybytes())


def test_the_schema_has_the_columns_of_the_vendor_in_its_order() -> None:
    assert (len(NAMES), len({*NAMES})) == (131, 131)
    places = {"event_id": 7, "domain_userid": 16, "page_url": 30, "contexts": 53, "unstruct_event": 59, "useragent": 78,
              "derived_tstamp": 125, "true_tstamp": 131}  # fmt: skip
    assert {name: NAMES.index(name) + 1 for name in places} == places


def test_enriched_rows_are_mapped_to_the_canonical_columns(tmp_path: Path) -> None:
    run = ingest(tmp_path, {"part-0": tsv(*ROWS)}, [TSV])
    assert run.total["filters"] == {"page_ping": 1, "server_side": 1, "transaction_item": 1}
    page, structured, click, search, screen = sorted(run.events, key=lambda one: one["event_id"])
    kept = {
        "event_id": "00000000-0000-4000-8000-000000000000", "channel": "web", "event_type": "page_view",
        "page": "/loans", "url": "https://bank.example/loans", "title": "Loans", "referrer": "https://a.example/",
        "source": "mail", "medium": "email", "campaign": "spring", "device": "Computer", "os": "Windows 10",
        "browser": "Chrome 99", "region": "Oslo", "query": None, "element": None,
    }  # fmt: skip
    assert {name: page[name] for name in kept} == kept
    assert page["ts"] == datetime(2026, 1, 5, 10, 0, 0, 250_000, tzinfo=UTC)
    assert page["received_ts"] == datetime(2026, 1, 5, 10, 0, 0, 400_000, tzinfo=UTC)
    assert (page["customer_id"] is None, structured["customer_id"]) == (False, None)
    assert json.loads(structured["properties"]) == {
        "se_category": "calc", "se_action": "slide", "se_label": "years", "se_value": "12", "domain_sessionid": "s-1"
    }  # fmt: skip
    assert (structured["element"], click["element"], search["query"]) == ("years", "go", "fixed rate")
    assert json.loads(click["properties"]) == {"elementId": "go", "n": 1, "domain_sessionid": "s-1"}
    assert (screen["channel"], screen["page"]) == ("app", "Home")
    assert screen["visitor_id"] != page["visitor_id"] == click["visitor_id"]
    for secret in ("joan", "cookie-1", "phone-7", "192.0.2.7", "x=1"):
        assert secret not in run.written()


@pytest.mark.parametrize("content", [as_csv(*ROWS), as_parquet(*ROWS), jsonl(*ROWS)], ids=["csv", "parquet", "jsonl"])
def test_the_table_says_the_same_whatever_it_is_stored_in(tmp_path: Path, content: str | bytes) -> None:
    enriched = ingest(tmp_path / "a", {"part-0": tsv(*ROWS)}, [TSV])
    table = ingest(tmp_path / "b", {"events": content}, [TABLE])
    assert table.events == enriched.events
    assert table.total["filters"] == enriched.total["filters"]


def test_wide_columns_of_the_loaders_are_read(tmp_path: Path) -> None:
    wide = row(0, "unstruct", event_name="link_click", platform="mob", domain_userid="")
    nested = {
        "unstruct_event_com_snowplowanalytics_snowplow_link_click_1": {"elementId": "go"},
        "contexts_com_snowplowanalytics_snowplow_client_session_1": [{"userId": "phone-7"}],
    }
    run = ingest(tmp_path, {"events.json": jsonl({k: v for k, v in wide.items() if v} | nested)}, [TABLE])
    (found,) = run.events
    assert found["element"] == "go"
    assert json.loads(found["properties"]) == {"elementId": "go", "domain_sessionid": "s-1"}


def test_what_own_columns_map_is_not_said_again(tmp_path: Path) -> None:
    source = TSV | {"columns": {"customer_id": "se_property"}}
    rows = [row(0, "struct", event_name="event", se_action="login", se_property="joan")]
    (found,) = ingest(tmp_path, {"part-0": tsv(*rows)}, [source]).events
    assert found["customer_id"] is not None
    assert json.loads(found["properties"]) == {"se_action": "login", "domain_sessionid": "s-1"}


BAD: list[tuple[dict[str, str], str]] = [
    ({"unstruct_event": "{no json"}, "bad_unstruct_event"),
    ({"contexts": "[1]"}, "bad_contexts"),
    ({"derived_tstamp": "soon"}, "bad_timestamp"),
    ({"collector_tstamp": "soon"}, "bad_received_ts"),
    ({"platform": "telex"}, "bad_channel"),
    ({"platform": ""}, "missing_channel"),
    ({"domain_userid": ""}, "missing_visitor_id"),
    ({"page_title": "a\ttab"}, "wrong_number_of_columns"),
]


def test_what_cannot_be_read_goes_to_quarantine(tmp_path: Path) -> None:
    rows = [row(0), *(row(number) | change for number, (change, _) in enumerate(BAD, start=1))]
    run = ingest(tmp_path, {"part-0": tsv(*rows)}, [TSV])
    assert run.reasons == [(line, reason) for line, (_, reason) in enumerate(BAD, start=2)]
    assert run.total["accepted"] == 1
