import json
from datetime import date

from pipelines.simulate import tracker
from pipelines.simulate.content import ClientKind, world
from pipelines.simulate.record import Client, Event

KIND = ClientKind(device="mobile", os="iOS", browser="Safari", ua="Agent/1")
CLIENT = Client("cookie", "web", KIND, "Lakes", "person-1", "C1")


def test_a_line_is_nested_and_leaves_out_what_is_not_there() -> None:
    event = Event(61_001, CLIENT, "search", "https://bank.example/search", "Search", "Results", "none", query='a "é"')
    assert json.loads(tracker.Writer(date(2026, 1, 5)).line(event, "abc", 86_400_000)) == {
        "id": "abc",
        "sent_at": "2026-01-05T00:01:01.001Z",
        "received_at": "2026-01-06T00:00:00.000Z",
        "platform": "web",
        "client": {
            "id": "cookie",
            "ua": "Agent/1",
            "device": "mobile",
            "os": "iOS",
            "browser": "Safari",
            "region": "Lakes",
        },
        "event": {"name": "search"},
        "page": {"url": "https://bank.example/search", "title": "Search", "description": "Results"},
        "search": {"q": 'a "é"'},
    }


def test_login_target_props_and_marks_are_written_when_there() -> None:
    event = Event(
        0, CLIENT, "click", "/a", "A", "Text", "none", "C1", "go", {"product": "p"}, "/b", utm={"source": "mail"}
    )  # fmt: skip
    fields = json.loads(tracker.Writer(date(2026, 1, 5)).line(event, "abc", 1))
    assert fields["user"] == {"login": "C1"}
    assert fields["event"] == {"name": "click", "target": "go", "props": {"product": "p"}}
    assert fields["page"]["referrer"] == "/b"
    assert fields["utm"] == {"source": "mail"}


def test_events_arrive_after_they_happened_and_none_after_the_last_day() -> None:
    events = [Event(ms, CLIENT, "click", "/a", "A", "Text") for ms in range(0, 86_400_000, 20_000)]
    numbers = world().behaviour.tracker.model_copy(update={"duplicates": 0.5})
    arrived = tracker.arrivals(events, numbers, n_days=1, seed=7)
    assert [arrival.received_ms for arrival in arrived] == sorted(arrival.received_ms for arrival in arrived)
    assert all(events[arrival.event].sent_ms < arrival.received_ms < 86_400_000 for arrival in arrived)
    assert 1.4 < len(arrived) / len(events) < 1.6
    assert 0 < len(events) - len({arrival.event for arrival in arrived}) < 0.02 * len(events)


def test_ids_are_letters_and_differ() -> None:
    ids = tracker.event_ids(7, 5000)
    assert len(set(ids)) == 5000
    assert all(len(text) == 16 and text.isalpha() and text.islower() for text in ids)
