"""The files that the stage writes, read back as their readers would."""

import gzip
import json
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import numpy as np
import pytest
from simulated import FIRST_DAY, N_DAYS, Line, files, moment, truth, whole_lines

from pipelines.paths import Workspace
from pipelines.simulate.content import world

NAMES = {"page_view", "search", "click", "login", "home_impression", "tile_click"}
NAMES |= {"application_started", "application_submitted", "application_approved"}
DELAY_SECONDS = 5  # at most, of an event that is not late


def test_one_file_a_day_and_a_manifest_of_their_hashes(bank: Workspace) -> None:
    manifest = json.loads((bank.data / "demo_bank.json").read_text(encoding="utf-8"))
    found = {f"events/{file.name}": sha256(file.read_bytes()).hexdigest() for file in files(bank)}
    assert manifest["files"] == found
    assert [file.name for file in files(bank)] == [f"{FIRST_DAY + timedelta(d)}.jsonl.gz" for d in range(N_DAYS)]
    assert sorted(manifest["truth"]) == sorted(f"truth/{file.name}" for file in bank.truth.iterdir())


def test_a_line_has_the_documented_fields_and_null_is_only_an_id(lines: list[Line]) -> None:
    allowed = {
        "client": {"id", "ua", "device", "os", "browser", "region"},
        "user": {"login"},
        "event": {"name", "target", "props"},
        "page": {"url", "title", "description", "referrer"},
        "search": {"q", "term"},
        "utm": {"source", "medium", "campaign"},
    }
    for line in lines:
        assert {"id", "sent_at", "received_at", "platform", "client", "event", "page"} <= set(line)
        assert set(line) <= {"id", "sent_at", "received_at", "platform", *allowed}
        for block in allowed.keys() & line.keys():
            assert set(line[block]) <= allowed[block]
            assert None not in line[block].values()
        assert line["event"]["name"] in NAMES
        assert line["id"] is None or re.fullmatch("[a-z]{16}", line["id"])
    assert {line["event"]["name"] for line in lines} == NAMES


def test_every_line_is_what_a_json_writer_would_write(bank: Workspace) -> None:
    for line in whole_lines(bank):
        assert json.dumps(json.loads(line), separators=(",", ":"), ensure_ascii=False).encode() == line


def test_a_few_events_have_no_id(lines: list[Line]) -> None:
    share = np.mean([line["id"] is None for line in lines])
    assert 0 < share < 3 * world().behaviour.tracker.no_id


def test_files_hold_events_by_day_and_order_of_arrival(bank: Workspace, lines: list[Line]) -> None:
    arrivals = [line["received_at"] for line in lines]
    assert arrivals == sorted(arrivals)
    for file in files(bank):
        times = re.findall(rb'"received_at":"(\d{4}-\d\d-\d\d)', gzip.decompress(file.read_bytes()))
        assert {day.decode() for day in times} == {file.name.removesuffix(".jsonl.gz")}


def test_events_arrive_seconds_later_and_a_few_up_to_three_days(bank: Workspace, lines: list[Line]) -> None:
    ahead = {row["client_id"]: timedelta(milliseconds=row["ahead_ms"]) for row in truth(bank, "clocks")}
    delays = [
        moment(line["received_at"]) - moment(line["sent_at"]) + ahead.get(line["client"]["id"], timedelta())
        for line in lines
    ]
    assert timedelta() < min(delays)
    assert timedelta(hours=60) < max(delays) <= timedelta(hours=72, seconds=DELAY_SECONDS)
    late = np.mean([delay > timedelta(seconds=DELAY_SECONDS) for delay in delays])
    assert late == pytest.approx(world().behaviour.tracker.late.share, rel=0.2)


def test_a_duplicate_is_the_same_event_sent_again(lines: list[Line]) -> None:
    by_id = defaultdict(list)
    for line in lines:
        if line["id"]:
            by_id[line["id"]].append({key: value for key, value in line.items() if key != "received_at"})
    twice = [copies for copies in by_id.values() if len(copies) > 1]
    assert len(twice) == pytest.approx(world().behaviour.tracker.duplicates * len(by_id), rel=0.2)
    assert all(copies == [copies[0]] * 2 for copies in twice)


def test_the_field_of_searches_has_another_name_from_a_day_on(lines: list[Line]) -> None:
    renamed = world().behaviour.tracker.renamed
    day = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC)
    day += timedelta(days=int(N_DAYS * renamed.after_share))
    fields = defaultdict(set)
    for line in lines:
        if "search" in line:
            fields[moment(line["received_at"]) >= day].add(tuple(line["search"]))
    assert fields == {False: {("q",)}, True: {("term",)}}
    assert all(("search" in line) == (line["event"]["name"] == "search") for line in lines)


def test_impressions_show_five_tiles_and_get_at_most_one_click(bank: Workspace, events: list[Line]) -> None:
    shown = {props["impression_id"]: props for props in _props(events, "home_impression")}
    clicks = [event["event"] for event in events if event["event"]["name"] == "tile_click"]
    assert max(Counter(click["props"]["impression_id"] for click in clicks).values()) == 1
    assert len(clicks) > len(shown) / 4
    known = [click for click in clicks if click["props"]["impression_id"] in shown]  # the impression may never arrive
    assert len(known) >= len(clicks) - 10
    assert all(click["target"] in shown[click["props"]["impression_id"]]["tiles"] for click in known)
    assert all(len(set(props["tiles"])) == 5 for props in shown.values())


def test_clicks_come_as_often_as_their_chances_say(bank: Workspace, events: list[Line]) -> None:
    clicked = {e["event"]["props"]["impression_id"]: e["event"]["target"] for e in events if _is_click(e)}
    tiles = truth(bank, "impressions")
    surprises = defaultdict(list)
    for row in tiles:
        hit = clicked.get(row["impression_id"]) == row["tile"]
        surprises[int(row["click_probability"] * 10)].append((hit, row["click_probability"]))
    for values in surprises.values():
        hits, chances = np.array(values).T
        # a click that never arrived is one less: half a percent
        assert abs(np.sum(hits - chances)) < 4 * np.sqrt(np.sum(chances * (1 - chances))) + 0.005 * np.sum(chances) + 1


def test_a_need_moves_clicks_but_does_not_rule_them(bank: Workspace, events: list[Line]) -> None:
    clicked = {e["event"]["props"]["impression_id"]: e["event"]["target"] for e in events if _is_click(e)}
    outcomes = defaultdict(list)
    for row in truth(bank, "impressions"):
        factors = [world().needs[need].tiles.get(row["tile"], 1) for need in row["needs"] if need in world().needs]
        outcomes[max(factors, default=1) >= 4].append(clicked.get(row["impression_id"]) == row["tile"])
    wanted, other = np.mean(outcomes[True]), np.mean(outcomes[False])
    assert 2 < wanted / other < 5
    assert wanted < 0.5


def _props(events: list[Line], name: str) -> list[Line]:
    return [event["event"]["props"] for event in events if event["event"]["name"] == name]


def _is_click(event: Line) -> bool:
    return bool(event["event"]["name"] == "tile_click")
