"""Adobe's data feed; deliveries are made by hand after the public column reference, but for the real sample."""

import gzip
import io
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ingested import ingest

from pipelines.errors import SourceError

FEED = {"path": "data", "format": "adobe_data_feed"}
COLUMNS = (
    "accept_language browser campaign cust_hit_time_gmt duplicate_events duplicate_purchase event_list evar5 "
    "exclude_hit geo_country hit_source hit_time_gmt hitid_high hitid_low mobileappid os page_url pagename "
    "post_campaign post_cust_hit_time_gmt post_evar5 post_event_list post_page_event post_page_event_var2 "
    "post_page_url post_pagename post_prop1 post_referrer post_visid_high post_visid_low prop1 user_agent visid_high "
    "visid_low visit_num zip"
)
NAMES = COLUMNS.split()
LOOKUPS = {
    "column_headers.tsv": "\t".join(NAMES) + "\n",
    "event.tsv": "1\tPurchase\n2\tProduct View\n200\tCustom Event 1\n",
    "browser.tsv": "7\tFirefox 26\n",
    "operating_systems.tsv": "9\tLinux\n",
}


def hit(number: int, **more: str) -> str:
    values = {
        "browser": "7", "os": "9", "exclude_hit": "0", "hit_source": "1", "hit_time_gmt": str(1767607200 + number),
        "hitid_high": "11", "hitid_low": str(number), "post_visid_high": "3", "post_visid_low": "4",
        "page_url": "https://bank.example/raw", "post_page_url": "https://bank.example/loans?x=1",
        "post_pagename": "loans", "post_page_event": "0", "user_agent": "Mozilla/5.0", "geo_country": "nor",
        "post_cust_hit_time_gmt": "0", "visit_num": "2", "duplicate_purchase": "0",
    } | more  # fmt: skip
    return "\t".join(values.get(name, "") for name in NAMES) + "\n"


def packed(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def delivery(part: str, folder: str = "lookup/") -> dict[str, str | bytes]:
    lookups = {f"{folder}{name}": text for name, text in LOOKUPS.items()}
    return {"01-suite_2026-01-05.tsv.gz": gzip.compress(part.encode()), "suite_2026-01-05.txt": "manifest\n"} | lookups


def test_a_delivery_is_mapped_to_the_canonical_columns(tmp_path: Path) -> None:
    part = (
        hit(
            0,
            post_event_list="2,200=3.5,200:serial",
            post_evar5="gold",
            evar5="raw",
            prop1="calc",
            post_campaign="spring",
        )
        + hit(1, post_page_event="100", post_page_event_var2="Apply now", browser="8", cust_hit_time_gmt="1767607190")
        + hit(2, post_event_list="1,2", post_mobileappid="x", mobileappid="Bank 1.0")
        + hit(3, post_event_list="1,2", duplicate_purchase="1", duplicate_events="2")
    )
    run = ingest(tmp_path, delivery(part), [FEED])
    page, link, bought, again = sorted(run.events, key=lambda one: one["event_id"])
    kept = {
        "event_id": "11_0", "channel": "web", "event_type": "page_view", "page": "/loans", "title": "loans",
        "url": "https://bank.example/loans", "campaign": "spring", "os": "Linux", "browser": "Firefox 26",
        "region": "nor", "customer_id": None, "query": None, "element": None,
    }  # fmt: skip
    assert {name: page[name] for name in kept} == kept
    assert page["ts"] == page["received_ts"] == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert json.loads(page["properties"]) == {
        "events": ["Product View", "Custom Event 1"], "evar5": "gold", "visit_num": "2"
    }  # fmt: skip
    assert (link["event_type"], link["element"], link["browser"], link["ts"].minute) == (
        "link_click",
        "Apply now",
        "8",
        59,
    )
    assert (bought["event_type"], bought["channel"]) == ("purchase", "app")
    assert (again["event_type"], json.loads(again["properties"]).get("events")) == ("page_view", None)
    assert page["visitor_id"] == link["visitor_id"]


def test_what_the_vendor_excludes_is_left_out_by_name(tmp_path: Path) -> None:
    part = hit(0) + hit(1, exclude_hit="4") + hit(2, hit_source="5") + hit(3, hit_source="9", post_visid_high="")
    run = ingest(tmp_path, delivery(part), [FEED])
    assert run.total["filters"] == {"data_source": 2, "exclude_hit": 1}
    assert run.total["rows_read"] == 4


BAD: list[tuple[dict[str, str], str]] = [
    ({"exclude_hit": "maybe"}, "bad_exclude_hit"),
    ({"hit_time_gmt": "soon"}, "bad_timestamp"),
    ({"hit_time_gmt": "0"}, "missing_ts"),
    ({"post_visid_low": "", "visid_low": ""}, "missing_visitor_id"),
    ({"pagename": "a\ttab\tor two"}, "wrong_number_of_columns"),
]


def test_what_cannot_be_read_goes_to_quarantine(tmp_path: Path) -> None:
    part = hit(0) + "".join(hit(number, **change) for number, (change, _) in enumerate(BAD, start=1))
    run = ingest(tmp_path, delivery(part), [FEED])
    assert run.reasons == [(line, reason) for line, (_, reason) in enumerate(BAD, start=2)]
    assert run.total["accepted"] == 1


def test_escaped_tabs_and_line_ends_are_inside_a_value(tmp_path: Path) -> None:
    part = hit(0, post_evar5="a\\\tb\\\nc\\\\") + hit(1) + "\n" + hit(2).rstrip("\n").rsplit("\t", 1)[0] + "\n"
    run = ingest(tmp_path, delivery(part + hit(3, post_pagename="x\ty")), [FEED])
    assert run.reasons == [(6, "wrong_number_of_columns")]
    events = sorted(run.events, key=lambda one: one["event_id"])
    assert json.loads(events[0]["properties"])["evar5"] == "a b c\\"
    assert [one["event_id"] for one in events] == ["11_0", "11_1", "11_2"]


@pytest.mark.parametrize("layout", ["beside", "in a folder", "in an archive", "with a header"])
def test_lookups_are_found_where_deliveries_have_them(tmp_path: Path, layout: str) -> None:
    part = LOOKUPS["column_headers.tsv"] + hit(0) if layout == "with a header" else hit(0)
    files = delivery(part, "" if layout == "beside" else "lookup/")
    if layout == "in an archive":
        files = {name: content for name, content in files.items() if not name.startswith("lookup/")}
        files["suite_2026-01-05-lookup_data.tar.gz"] = packed(LOOKUPS)
    run = ingest(tmp_path, files, [FEED])
    (found,) = run.events
    assert (found["browser"], run.total["rows_read"]) == ("Firefox 26", 1)


def test_a_part_without_its_column_headers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no column_headers\.tsv beside it"):
        ingest(tmp_path, {"01-suite.tsv": hit(0)}, [FEED])


def test_an_evar_may_hold_the_login(tmp_path: Path) -> None:
    source = FEED | {"columns": {"customer_id": "post_evar5", "query": "post_prop1"}}
    part = hit(0, post_evar5="joan", post_prop1="fixed rate") + hit(1)
    first, second = sorted(ingest(tmp_path, delivery(part), [source]).events, key=lambda one: one["event_id"])
    assert (first["customer_id"] is not None, second["customer_id"], first["query"]) == (True, None, "fixed rate")
    assert "joan" not in str(first)
    assert json.loads(first["properties"]) == {"visit_num": "2"}


def test_the_real_delivery(tmp_path: Path, shared_data: Path) -> None:
    folder = shared_data / "formats" / "adobe_data_feed"
    part = ingest(tmp_path / "part", {}, [FEED | {"path": str(folder / "01-suiteid_2015-02-10.tsv.gz")}])
    assert part.total["rows_read"] == part.total["accepted"] == 10
    assert {one["channel"] for one in part.events} == {"web"}
    assert sum(one["browser"] == "Safari 6.1.6" for one in part.events) >= 1
    assert min(one["ts"] for one in part.events).date() == datetime(2015, 2, 10, tzinfo=UTC).date()
    whole = ingest(tmp_path / "whole", {}, [FEED | {"path": str(folder / "*.tsv.*")}])
    # the same ten hits once more, under a header
    assert (whole.total["rows_read"], whole.total["accepted"], whole.total["duplicates"]) == (20, 10, 10)
