"""What data/truth says, against what the files hold."""

import gzip
import json
import re
from collections import Counter, defaultdict
from datetime import datetime
from urllib.parse import unquote, unquote_plus

import numpy as np
import pytest
from simulated import Line, files, held, truth

from pipelines.paths import Workspace
from pipelines.simulate.content import NO_NEED, world
from pipelines.simulate.truth import TABLES


def test_truth_has_every_table_and_each_has_rows(bank: Workspace) -> None:
    assert {file.stem for file in bank.truth.glob("*.parquet")} == set(TABLES)
    assert all(truth(bank, name) for name in TABLES)


def test_intents_tell_the_need_of_every_human_event_with_an_id(bank: Workspace, events: list[Line]) -> None:
    needs = {row["event_id"]: row["need"] for row in truth(bank, "intents")}
    assert needs.keys() == {event["id"] for event in events if event["id"]}
    assert set(needs.values()) == {*world().needs, NO_NEED}


def test_most_steps_follow_the_need_and_not_all(bank: Workspace, events: list[Line]) -> None:
    needs = {row["event_id"]: row["need"] for row in truth(bank, "intents")}
    pages = {world().traffic.web_host + path: page for path, page in world().pages.items() if page.needs}
    viewed = [event for event in events if event["event"]["name"] == "page_view" and event["id"]]
    drawn = [
        pages[url].needs.get(needs[event["id"]], 0) > 0
        for event in viewed
        if (url := event["page"]["url"].split("?")[0]) in pages
    ]
    assert 0.75 < np.mean(drawn) < 0.97


def test_impressions_are_those_of_the_files_as_logged(bank: Workspace, events: list[Line]) -> None:
    shown = {
        event["event"]["props"]["impression_id"]: event["event"]["props"]
        for event in events
        if event["event"]["name"] == "home_impression"
    }
    rows = defaultdict(list)
    for row in truth(bank, "impressions"):
        rows[row["impression_id"]].append(row)
    assert rows.keys() == shown.keys()
    for impression_id, props in shown.items():
        assert [row["tile"] for row in rows[impression_id]] == props["tiles"]
        assert [row["propensity"] for row in rows[impression_id]] == props["propensities"]
        assert [row["position"] for row in rows[impression_id]] == list(range(5))
        assert 0 < sum(row["click_probability"] for row in rows[impression_id]) < 1


def test_sessions_hold_every_human_event_once_clocks_are_set_right(bank: Workspace, events: list[Line]) -> None:
    tables = {name: truth(bank, name) for name in ("sessions", "clocks")}
    found = held(events, tables)
    assert sum(len(session.lines) for session in found) > 0.999 * len(events)  # but those that two could have
    assert all(len(lines) <= session["n_events"] for session, lines in found)
    whole = [(session, lines) for session, lines in found if len(lines) == session["n_events"]]
    assert len(whole) > 0.95 * len(found)
    ahead = {row["client_id"]: row["ahead_ms"] for row in tables["clocks"]}
    off = 0
    for session, lines in whole:
        first = min(datetime.fromisoformat(line["sent_at"]) for line in lines)
        ahead_ms = ahead.get(session["client_id"], 0)
        off += ahead_ms != 0
        assert round((first - session["start_ts"]).total_seconds() * 1000) == ahead_ms
        assert all(line["platform"] == session["channel"] for line in lines)
    assert off > 30


def test_some_clocks_are_ahead_and_some_behind_by_a_day_at_most(bank: Workspace) -> None:
    ahead = [row["ahead_ms"] for row in truth(bank, "clocks")]
    assert min(ahead) < 0 < max(ahead)
    assert all(0 < abs(ms) <= 24 * 3_600_000 for ms in ahead)
    n_clients = len({row["client_id"] for row in truth(bank, "identity")})
    assert len(ahead) / n_clients == pytest.approx(world().behaviour.tracker.clock.share, rel=0.5)


def test_the_app_knows_its_customer_and_the_web_does_after_a_login(bank: Workspace, events: list[Line]) -> None:
    logins = defaultdict(set)
    for row in truth(bank, "identity"):
        logins[row["client_id"]].add(row["login"])
    logged_in = {event["client"]["id"] for event in events if event["event"]["name"] == "login"}
    n_web = n_unseen = 0
    for event in events:
        client, login = event["client"]["id"], event.get("user", {}).get("login")
        assert login is None or login in logins[client]
        assert event["platform"] == "web" or login
        n_web += event["platform"] == "web" and login is not None
        n_unseen += event["platform"] == "web" and login is not None and client not in logged_in
    assert n_unseen < 0.002 * n_web  # logins that arrived too late


def test_15_to_35_percent_of_cookies_ever_log_in(bank: Workspace, events: list[Line]) -> None:
    cookies = {event["client"]["id"] for event in events if event["platform"] == "web"}
    logged_in = {event["client"]["id"] for event in events if event["event"]["name"] == "login"}
    assert 0.15 < len(logged_in & cookies) / len(cookies) < 0.35


def test_people_have_several_cookies_and_a_few_cookies_two_people(bank: Workspace) -> None:
    identity = truth(bank, "identity")
    n_clients = Counter(row["person"] for row in identity)
    people = defaultdict(set)
    for row in identity:
        people[row["client_id"]].add(row["person"])
    assert 3 < np.mean(list(n_clients.values())) < 6
    assert len(identity) == len({(row["client_id"], row["person"]) for row in identity})
    shared = [numbers for numbers in people.values() if len(numbers) > 1]
    assert 0.002 < len(shared) / len(people) < 0.05
    assert all(max(numbers) - min(numbers) == 1 and min(numbers) % 2 == 0 for numbers in shared)  # one household


def test_planted_personal_data_is_in_the_files_and_listed(bank: Workspace) -> None:
    canaries = (bank.truth / "canaries.txt").read_text(encoding="utf-8").splitlines()
    raw = b"".join(gzip.decompress(file.read_bytes()) for file in files(bank)).decode(errors="replace")
    plain = [text for text in canaries if text in raw]
    encoded = [text for text in canaries if text not in raw]  # the plain form of what was written encoded
    assert len(plain) >= 20
    written = {decode(text) for text in plain for decode in (unquote, unquote_plus)}
    assert set(encoded) <= written
    for pattern in (
        r"@(example\.(com|org)|mail\.example)$",
        r"555.01\d\d",
        r"9\d\d-[0-4]\d-\d{4}",
        r"^(192\.0\.2|198\.51\.100|203\.0\.113|2001:db8:)",
        r"^(4111|4012|5555|5105|3782)",
    ):
        assert any(re.search(pattern, text) for text in canaries), pattern


def test_malformed_lines_are_where_truth_says_and_cannot_be_read(bank: Workspace) -> None:
    found, days = truth(bank, "malformed"), {}
    assert len({row["kind"] for row in found}) == 8
    for file in files(bank):
        days[file.name] = gzip.decompress(file.read_bytes()).split(b"\n")
    for row in found:
        with pytest.raises((ValueError, KeyError, TypeError)):
            _client_and_time(days[row["file"]][row["line"] - 1])
    share = len(found) / sum(len(lines) - 1 for lines in days.values())
    assert share == pytest.approx(world().behaviour.tracker.malformed, rel=0.4)


def _client_and_time(line: bytes) -> tuple[str, datetime]:
    fields = json.loads(line)
    client = fields["client"]["id"]
    if not isinstance(client, str):
        raise TypeError(client)
    return client, datetime.fromisoformat(fields["sent_at"])
