"""Segment's calls and its table of pages; rows are made by hand after the public specification, but for the sample."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingested import ingest, jsonl

CALLS = {"path": "data/calls.json", "format": "segment"}
PAGES = {"path": "data/pages.csv", "format": "segment_pages"}
CONTEXT = {
    "page": {
        "url": "https://bank.example/loans?x=1",
        "title": "Loans",
        "path": "/loans",
        "referrer": "https://a.example/",
    },
    "campaign": {"source": "mail", "medium": "email", "name": "spring"},
    "userAgent": "Mozilla/5.0",
    "os": {"name": "Windows"},
    "ip": "192.0.2.7",
}


def call(number: int, kind: str = "track", **more: Any) -> dict[str, Any]:
    return {
        "messageId": f"m{number}",
        "type": kind,
        "anonymousId": "cookie-1",
        "userId": None,
        "timestamp": f"2026-01-05T10:00:{number:02}.250Z",
        "originalTimestamp": f"2026-01-05T09:00:{number:02}.000Z",
        "sentAt": f"2026-01-05T09:00:{number:02}.100Z",
        "receivedAt": f"2026-01-05T10:00:{number:02}.400Z",
        "context": CONTEXT,
    } | more


def test_calls_are_mapped_to_the_canonical_columns(tmp_path: Path) -> None:
    rows = [
        call(0, "page", name="Loans", properties=CONTEXT["page"] | {"search": "?x=1", "tier": 2}),
        call(1, event="Products Searched", properties={"query": "fixed rate"}),
        call(2, "screen", name="Accounts", context={"device": {"type": "ios"}, "os": {"name": "iOS"}}),
        call(3, "identify", userId="joan", traits={"email": "joan@x.example", "name": "Joan"}),
        call(4, event="Applied", userId="joan", timestamp=None, channel="mobile"),
        call(5, event="Approved", userId="joan", anonymousId=None, context={}),
    ]
    run = ingest(tmp_path, {"calls.json": jsonl(*rows)}, [CALLS])
    page, search, screen, identify, applied, approved = sorted(run.events, key=lambda one: one["event_id"])
    kept = {
        "event_id": "m0", "channel": "web", "event_type": "page_view", "page": "/loans", "title": "Loans",
        "url": "https://bank.example/loans", "referrer": "https://a.example/", "source": "mail", "medium": "email",
        "campaign": "spring", "os": "Windows", "customer_id": None, "query": None,
    }  # fmt: skip
    assert {name: page[name] for name in kept} == kept
    assert (page["ts"], page["received_ts"]) == (
        datetime(2026, 1, 5, 10, 0, 0, 250_000, tzinfo=UTC),
        datetime(2026, 1, 5, 10, 0, 0, 400_000, tzinfo=UTC),
    )
    assert json.loads(page["properties"]) == {"tier": 2}
    assert (search["event_type"], search["query"], search["properties"]) == ("Products Searched", "fixed rate", None)
    assert (screen["channel"], screen["event_type"], screen["page"], screen["device"]) == (
        "app", "screen_view", "Accounts", "ios"
    )  # fmt: skip
    assert (identify["event_type"], identify["properties"], identify["page"]) == ("identify", None, "/loans")
    assert identify["customer_id"] == applied["customer_id"] == approved["customer_id"] is not None
    assert identify["visitor_id"] == applied["visitor_id"] != approved["visitor_id"]
    assert (applied["channel"], applied["ts"].hour) == ("app", 9)
    for secret in ("joan", "Joan", "cookie-1", "192.0.2.7", "x=1"):
        assert secret not in run.written()


def test_calls_that_are_no_events_are_left_out_by_name(tmp_path: Path) -> None:
    rows = [
        call(0, event="Tapped"),
        call(1, "group", groupId="g", anonymousId=None),
        call(2, "alias", previousId="a", userId="b", anonymousId=None),
        call(3, "identify", traits={"plan": "x"}),
        call(4, "identify", userId="joan", anonymousId=None),
    ]
    run = ingest(tmp_path, {"calls.json": jsonl(*rows)}, [CALLS])
    assert run.total["filters"] == {"alias_call": 1, "group_call": 1, "identify_without_link": 2}
    assert run.total["accepted"] == 1


def test_what_own_columns_map_is_not_said_again(tmp_path: Path) -> None:
    source = CALLS | {"columns": {"customer_id": ["properties.user.login", "userId"], "element": "properties.button"}}
    properties = {"user": {"login": "joan", "tier": 2}, "button": "Go", "step": 1}
    run = ingest(tmp_path, {"calls.json": jsonl(call(0, event="Tapped", properties=properties))}, [source])
    (found,) = run.events
    assert (found["element"], found["customer_id"] is not None) == ("Go", True)
    assert json.loads(found["properties"]) == {"user": {"tier": 2}, "step": 1}


BAD: list[tuple[dict[str, object], str]] = [
    ({"type": "telex"}, "bad_call_type"),
    ({"type": None}, "bad_call_type"),
    ({"event": None}, "missing_event_type"),
    ({"properties": "words"}, "bad_properties"),
    ({"properties": [1]}, "bad_properties"),
    ({"timestamp": "soon"}, "bad_timestamp"),
    ({"receivedAt": "later"}, "bad_received_ts"),
    ({"anonymousId": None}, "missing_visitor_id"),
]


def test_what_cannot_be_read_goes_to_quarantine(tmp_path: Path) -> None:
    rows = [call(0, event="Tapped"), *(call(n, event="Tapped") | change for n, (change, _) in enumerate(BAD, start=1))]
    run = ingest(tmp_path, {"calls.json": jsonl(*rows)}, [CALLS])
    assert run.reasons == [(line, reason) for line, (_, reason) in enumerate(BAD, start=2)]
    assert run.total["accepted"] == 1


def test_the_table_of_pages(tmp_path: Path) -> None:
    content = (
        "id,anonymous_id,user_id,received_at,timestamp,url,title,search,context_user_agent\n"
        "p1,c1,,2026-01-05 10:00:01,2026-01-05 10:00:00,https://bank.example/a?q=x,A,?q=x,Mozilla/5.0\n"
        "p2,,u1,2026-01-05 10:00:02,2026-01-05 10:00:01,https://bank.example/b,B,,Googlebot/2.1\n"
        "p3,c1,,2026-01-05 10:00:02,soon,https://bank.example/b,B,,\n"
    )
    run = ingest(tmp_path, {"pages.csv": content}, [PAGES])
    assert (run.total["bot_rules"], run.reasons) == ({"declared": 1}, [(4, "bad_timestamp")])
    (found,) = run.events
    assert (found["event_id"], found["event_type"], found["channel"], found["page"], found["query"]) == (
        "p1", "page_view", "web", "/a", None
    )  # fmt: skip


def test_the_sample_of_the_table_of_pages(tmp_path: Path, shared_data: Path) -> None:
    path = shared_data / "formats" / "segment_pages" / "example_segment_pages.csv"
    (found,) = ingest(tmp_path, {}, [PAGES | {"path": str(path)}]).events
    assert found["ts"] == datetime(2015, 2, 23, 22, 28, 55, tzinfo=UTC)
    assert (found["title"], found["source"], found["medium"], found["campaign"]) == (
        "Product", "facebook", "social", "autumn_collection_2015"
    )  # fmt: skip
    assert (found["query"], found["properties"], found["customer_id"] is not None) == (None, None, True)
