"""GA4's export in both shapes; rows are made by hand after the vendor's public schema, but for the real samples."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingested import ingest, jsonl

from pipelines.errors import SourceError

GA4 = {"path": "data/*", "format": "ga4"}
AT = 1_767_607_200_000_000  # 2026-01-05T10:00:00Z


def parameter(key: str, value: object) -> dict[str, Any]:
    """One of event_params; BigQuery writes 64-bit integers as strings."""
    kinds = {str: "string_value", int: "int_value", float: "double_value"}
    given = {"string_value": None, "int_value": None, "float_value": None, "double_value": None}
    return {"key": key, "value": given | {kinds[type(value)]: str(value) if isinstance(value, int) else value}}


def event(
    name: str = "page_view", second: int = 0, *, params: dict[str, object] | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "event_date": "20260105",
        "event_timestamp": str(AT + second * 1_000_000),
        "event_name": name,
        "event_params": [parameter(key, value) for key, value in (params or {}).items()],
        "user_pseudo_id": "77.88",
        "user_id": None,
        "platform": "WEB",
        "device": {"category": "desktop", "operating_system": "Windows", "web_info": {"browser": "Chrome"}},
        "geo": {"country": "Norway", "region": "Oslo"},
        "privacy_info": {"analytics_storage": "Yes"},
        "traffic_source": {"source": "the first visit's", "medium": "m", "name": "n"},
        "event_bundle_sequence_id": "12",
    } | more


PAGE = {
    "page_location": "https://bank.example/loans/?utm_source=mail&email=jo@x.example",
    "page_title": "Loans",
    "page_referrer": "https://search.example/?q=x",
    "source": "mail",
    "ga_session_id": 1767607100,
    "percent": 0.5,
    "label": 'say "hi"',
    "gclid": "click-of-a-person",
}


def test_a_nested_event_is_mapped_to_the_canonical_columns(tmp_path: Path) -> None:
    rows = [
        event(params=PAGE, user_id="customer-9"),
        event("view_search_results", 1, params={"search_term": "fixed rate", "link_text": "Go"}),
        event("screen_view", 2, params={"firebase_screen": "Home"}, platform="IOS"),
    ]
    first, second, third = sorted(ingest(tmp_path, {"a.json": jsonl(*rows)}, [GA4]).events, key=lambda one: one["ts"])
    assert first["ts"] == datetime(2026, 1, 5, 10, tzinfo=UTC)
    kept = {
        "channel": "web", "event_type": "page_view", "page": "/loans", "title": "Loans", "device": "desktop",
        "url": "https://bank.example/loans/?utm_source=mail", "referrer": "https://search.example/", "source": "mail",
        "medium": None, "os": "Windows", "browser": "Chrome", "region": "Oslo", "query": None, "received_ts": None,
    }  # fmt: skip
    assert {name: first[name] for name in kept} == kept
    assert first["customer_id"] is not None
    properties = json.loads(first["properties"])
    assert properties.keys() == {"ga_session_id", "percent", "label", "event_bundle_sequence_id"}
    assert (properties["percent"], properties["label"]) == (0.5, 'say "hi"')
    assert (second["query"], second["element"], second["customer_id"]) == ("fixed rate", "Go", None)
    assert (third["channel"], third["page"], third["url"]) == ("app", "Home", None)


def test_the_shapes_agree_and_a_flat_row_finds_parameters_with_and_without_prefix(tmp_path: Path) -> None:
    nested = event(params={"page_location": "/a", "page_title": "A", "depth": "3"}, event_bundle_sequence_id=None)
    nested["device"].pop("web_info")
    flat = {
        "event_timestamp": nested["event_timestamp"], "event_name": "page_view", "user_pseudo_id": "77.88",
        "platform": "WEB", "param_page_location": "/a", "page_title": "A", "param_depth": "3",
        "device_category": "desktop", "device_operating_system": "Windows", "geo_region": "Oslo", "x": "1",
    }  # fmt: skip
    csv = ",".join(flat) + "\n" + ",".join(flat.values()) + "\n"
    table = pa.Table.from_pylist([nested])
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    contents: dict[str, str | bytes] = {
        "nested.json": jsonl(nested),
        "flat.json": jsonl(flat),
        "flat.csv": csv,
        "nested.parquet": sink.getvalue().to_pybytes(),
    }
    found = {name: ingest(tmp_path / name, {name: content}, [GA4]).events for name, content in contents.items()}
    assert found["flat.csv"][0]["title"] == "A"
    assert json.loads(found["flat.csv"][0]["properties"]) == {"depth": "3"}
    assert all(events == found["flat.csv"] for events in found.values())


def test_all_files_of_an_export_in_one_run_are_one_table(tmp_path: Path) -> None:
    run = ingest(tmp_path, {"1.json": jsonl(event()), "2.json": jsonl(event(), event(second=1))}, [GA4])
    assert (run.total["accepted"], run.total["duplicates"]) == (2, 1)


def test_what_is_no_event_for_us_is_left_out_by_name(tmp_path: Path) -> None:
    refused = {"user_pseudo_id": None, "privacy_info": {"analytics_storage": "No"}}
    run = ingest(tmp_path, {"a.json": jsonl(event(), event(**refused), event("user_engagement"))}, [GA4])
    assert run.total["filters"] == {"consent_denied": 1, "user_engagement": 1}
    assert run.total["accepted"] == 1


BAD: list[tuple[dict[str, object], str]] = [
    ({"user_pseudo_id": None}, "missing_visitor_id"),
    ({"event_timestamp": "soon"}, "bad_timestamp"),
    ({"event_timestamp": None}, "missing_ts"),
    ({"platform": "TELEX"}, "bad_channel"),
    ({"event_params": {"key": "page_title"}}, "bad_event_params"),
    ({"event_params": [{"value": {"string_value": "x"}}]}, "bad_event_params"),
    ({"event_params": "words"}, "bad_event_params"),
    ({"user_pseudo_id": ["a"]}, "bad_visitor_id"),
]


def test_what_cannot_be_read_goes_to_quarantine_never_to_null(tmp_path: Path) -> None:
    rows = [event(), *(event(second=number) | change for number, (change, _) in enumerate(BAD))]
    run = ingest(tmp_path, {"a.json": jsonl(*rows)}, [GA4])
    assert run.reasons == [(line, reason) for line, (_, reason) in enumerate(BAD, start=2)]
    assert run.total["accepted"] == 1


def test_two_equal_clicks_of_one_batch_are_two_events(tmp_path: Path) -> None:
    clicks = [event("click", batch_event_index=index, params={"link_text": "Go"}) for index in (1, 2, 2)]
    run = ingest(tmp_path, {"a.json": jsonl(*clicks)}, [GA4])
    assert (run.total["accepted"], run.total["duplicates"]) == (2, 1)


def test_a_parameter_that_comes_twice_or_has_no_value_is_no_error(tmp_path: Path) -> None:
    params = [parameter("a", 1), parameter("a", 2), {"key": "b", "value": None}, parameter("page_title", "T")]
    (found,) = ingest(tmp_path, {"a.json": jsonl(event() | {"event_params": params})}, [GA4]).events
    assert found["title"] == "T"
    assert json.loads(found["properties"]).get("a") == 2


def test_own_columns_take_the_place_of_the_mapping(tmp_path: Path) -> None:
    source = GA4 | {
        "columns": {"query": "event_params.my_search", "customer_id": "account"},
        "constants": {"channel": "app"},
    }
    params: dict[str, object] = {"my_search": "mortgage", "search_term": "no", "step": 1}
    rows = [event(params=params, account="c1", platform=None)]
    run = ingest(tmp_path, {"a.json": jsonl(*rows)}, [source])
    (found,) = run.events
    assert (found["query"], found["channel"], found["customer_id"] is not None) == ("mortgage", "app", True)
    assert json.loads(found["properties"]) == {"step": 1, "event_bundle_sequence_id": "12"}
    assert run.report["sources"][0]["columns"]["query"] == {"event_params.my_search": 1}


def test_a_file_that_is_no_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="`user_pseudo_id` or `client_id`, mapped to visitor_id, is missing"):
        ingest(tmp_path, {"a.csv": "url\n/a\n"}, [GA4])


def test_the_real_nested_event(tmp_path: Path, shared_data: Path) -> None:
    path = shared_data / "formats" / "ga4_export_nested" / "stg_events_source_jsonl"
    (found,) = ingest(tmp_path, {}, [GA4 | {"path": str(path)}]).events
    assert found["ts"] == datetime(2021, 4, 6, 6, 49, 50, 431476, tzinfo=UTC)
    assert (found["event_type"], found["channel"], found["os"], found["browser"]) == (
        "first_visit", "web", "Windows", "Chrome"
    )  # fmt: skip
    assert found["title"] == "Velir | Behavior-Driven Testing in Drupal 8"
    assert json.loads(found["properties"])["ga_session_number"] == 1


def test_the_flat_sample(tmp_path: Path, shared_data: Path) -> None:
    path = shared_data / "formats" / "ga4_export_flat" / "event_data.csv"
    run = ingest(tmp_path, {}, [GA4 | {"path": str(path)}])
    assert run.total["rows_read"] == run.total["accepted"] == 6
    assert sorted(one["event_type"] for one in run.events) == [
        "add_to_cart", "begin_checkout", "checkout", "purchase", "scroll", "view_item"
    ]  # fmt: skip
    assert [one["channel"] for one in run.events].count("app") == 3
