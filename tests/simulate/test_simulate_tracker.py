"""How the tracker writes events, and what happens to them on their way."""

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.simulate import tracker
from pipelines.simulate.content import ClientKind, Page, Screen, world
from pipelines.simulate.draws import Draws, Purpose, generator
from pipelines.simulate.record import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, Client, Event
from pipelines.simulate.tracker import Fate, Post, Writer

KIND = ClientKind(device="mobile", os="iOS", browser="Safari", ua='Agent/1 "é"')
CLIENT = Client("cookie", "web", KIND, "Lakes")
CLIENTS = [CLIENT, CLIENT._replace(id="app", platform="app"), CLIENT._replace(id="fast", skew_ms=MS_PER_HOUR)]
PAGE = Page(path="/a", role="hub", area="a", popularity=1, title="A", text="Text.", needs={})
NUMBERS = world().behaviour.tracker
N_DAYS = 10
WRITER = Writer(date(2026, 1, 5), N_DAYS, NUMBERS)  # keeps parts from line to line
HOSTILE = [*world().traffic.hostile_queries, *world().traffic.hostile_titles, '"\\\n\t\u2028\u200b\u202e\x00\x7f']

texts = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(HOSTILE)
events = st.builds(
    Event,
    st.integers(0, N_DAYS * MS_PER_DAY - 1),
    st.sampled_from(CLIENTS),
    st.sampled_from(["page_view", "click"]),
    st.just(PAGE),
    texts,
    login=st.none() | st.just("C1234567"),
    target=st.none() | texts,
    props=st.none() | st.dictionaries(st.sampled_from(["product", "tiles"]), st.lists(st.floats(0, 1)) | st.just("p")),
    referrer=st.none() | texts,
    query=st.none() | texts,
    utm=st.none() | st.dictionaries(st.sampled_from(["source", "medium", "campaign"]), texts, min_size=1),
    title=st.none() | texts,
)


def time(ms: int) -> str:
    at = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(milliseconds=ms)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def nested(event: Event, event_id: str | None, received_ms: int) -> dict[str, Any]:
    """The event as a dictionary, written the plain way."""
    kind = event.client.kind
    client = {"id": event.client.id, "device": kind.device, "os": kind.os, "browser": kind.browser, "ua": kind.ua}
    fields: dict[str, Any] = {
        "id": event_id,
        "sent_at": time(event.sent_ms + event.client.skew_ms),
        "received_at": time(received_ms),
        "platform": event.client.platform,
        "client": {**client, "region": event.client.region},
    }
    if event.login:
        fields["user"] = {"login": event.login}
    fields["event"] = {"name": event.name}
    fields["event"] |= {"target": event.target} if event.target else {}
    fields["event"] |= {"props": event.props} if event.props else {}
    title = event.title or event.page.title
    fields["page"] = {"url": event.url, "title": title, "description": event.page.text}
    fields["page"] |= {"referrer": event.referrer} if event.referrer else {}
    if event.query:
        fields["search"] = {"q" if received_ms < 6 * MS_PER_DAY else "term": event.query}
    return fields | ({"utm": event.utm} if event.utm else {})


@given(events, st.none() | st.just("abcdefghijklmnop"), st.integers(0, N_DAYS * MS_PER_DAY - 1))
@example(Event(0, CLIENT, "search", PAGE, "/s", query=HOSTILE[-1], title=HOSTILE[-1]), None, 0)
def test_a_line_is_what_json_dumps_writes(event: Event, event_id: str | None, received_ms: int) -> None:
    expected = nested(event, event_id, received_ms)
    line = WRITER.line(event, event_id, received_ms)
    assert json.loads(line) == expected
    assert line == json.dumps(expected, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_come_back_as_they_were(text: str) -> None:
    for event in (
        Event(0, CLIENT, "page_view", PAGE, "/a", title=text),
        Event(0, CLIENT, "search", PAGE, "/a", query=text),
    ):
        line = WRITER.line(event, "abc", 1)
        assert line.count(b"\n") == 1
        assert json.loads(line) == nested(event, "abc", 1)


def test_a_line_is_nested_and_leaves_out_what_is_not_there() -> None:
    event = Event(61_001, CLIENT, "search", PAGE, "https://bank.example/a", "none", query='a "é"')
    assert json.loads(WRITER.line(event, "abc", MS_PER_DAY)) == {
        "id": "abc",
        "sent_at": "2026-01-05T00:01:01.001Z",
        "received_at": "2026-01-06T00:00:00.000Z",
        "platform": "web",
        "client": {
            "id": "cookie",
            "ua": 'Agent/1 "é"',
            "device": "mobile",
            "os": "iOS",
            "browser": "Safari",
            "region": "Lakes",
        },
        "event": {"name": "search"},
        "page": {"url": "https://bank.example/a", "title": "A", "description": "Text."},
        "search": {"q": 'a "é"'},
    }


def test_a_path_that_website_and_app_share_shows_each_its_own_page() -> None:
    screen = Screen(path=PAGE.path, title="A", text="Another text.", weight=1)
    for shown in (PAGE, screen, PAGE):
        event = Event(0, CLIENT, "page_view", PAGE, "/a")._replace(page=shown)
        assert json.loads(WRITER.line(event, "abc", 1))["page"]["description"] == shown.text


@pytest.mark.parametrize("minutes", [-1440, -1, 1, 1440])
def test_a_clock_that_is_off_shifts_what_the_client_says_alone(minutes: int) -> None:
    for ms in (0, N_DAYS * MS_PER_DAY - 1):
        client = CLIENT._replace(id=str(minutes), skew_ms=minutes * MS_PER_MINUTE)
        fields = json.loads(WRITER.line(Event(ms, client, "click", PAGE, "/a"), "abc", ms))
        assert (fields["sent_at"], fields["received_at"]) == (time(ms + minutes * MS_PER_MINUTE), time(ms))


def test_the_search_field_is_renamed_by_the_day_of_arrival() -> None:
    event = Event(0, CLIENT, "search", PAGE, "/a", query="loan")
    change_ms = 6 * MS_PER_DAY  # three fifths of ten days
    searches = [json.loads(WRITER.line(event, "abc", ms))["search"] for ms in (change_ms - 1, change_ms)]
    assert searches == [{"q": "loan"}, {"term": "loan"}]


def test_fates_come_as_often_as_their_shares_and_one_at_a_time() -> None:
    fates = Counter(Post(NUMBERS).fates(100_000, generator(7, Purpose.ARRIVAL)))
    assert all(sum(fate) <= 1 for fate in fates)
    shares = {
        "no_id": NUMBERS.no_id,
        "personal": NUMBERS.personal,
        "late": NUMBERS.late.share,
        "twice": NUMBERS.duplicates,
    }
    for name, share in shares.items():
        assert fates[Fate(**{name: True})] / 100_000 == pytest.approx(share, abs=5 * (share / 100_000) ** 0.5)


def test_delays_follow_their_quantiles() -> None:
    delays_ms = Post(NUMBERS).delays_ms(100_000, generator(7, Purpose.ARRIVAL))
    table = NUMBERS.delay_seconds
    at_quantiles = np.quantile(delays_ms, np.linspace(0, 1, len(table))) / 1000
    assert at_quantiles == pytest.approx(table, rel=0.03)


def test_events_arrive_after_they_happened_twice_or_late_if_that_is_their_fate() -> None:
    post, draws, event = Post(NUMBERS), Draws(7, Purpose.ARRIVAL), Event(1000, CLIENT, "click", PAGE, "/a")
    for delay_ms in post.delays_ms(200, generator(7, Purpose.ARRIVAL)):
        (once,) = post.arrivals_ms(event, Fate(), delay_ms, draws)
        assert 1000 < once <= 1000 + 5000
        twice = post.arrivals_ms(event, Fate(twice=True), delay_ms, draws)
        assert len(twice) == 2
        assert all(1000 < ms <= 1000 + 5000 for ms in twice)
        (late,) = post.arrivals_ms(event, Fate(late=True), delay_ms, draws)
        assert 1000 + MS_PER_HOUR / 10 < late <= 1000 + 72 * MS_PER_HOUR + 5000


def test_ids_are_letters_differ_and_repeat_exactly() -> None:
    ids = [*tracker.event_ids(7, 0, 3000), *tracker.event_ids(7, 1, 2000)]
    assert len(set(ids)) == 5000
    assert all(len(text) == 16 and text.isalpha() and text.islower() for text in ids)
    assert tracker.event_ids(7, 0, 3000) == ids[:3000]
