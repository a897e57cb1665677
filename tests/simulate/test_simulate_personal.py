"""Personal data planted in events: where, of what kind, and each form that can be read."""

import json
from collections import Counter
from urllib.parse import unquote, unquote_plus

import pytest
from simulated import block_of, made

from pipelines.simulate import personal
from pipelines.simulate.content import world
from pipelines.simulate.draws import Draws, Purpose
from pipelines.simulate.parcels import Group, Parcels
from pipelines.simulate.record import Client, Event

PAGE = world().pages["/"]
CLIENT = Client("cookie", "web", world().traffic.web_clients["laptop"][0], "Lakes")
VIEW = Event(0, CLIENT, "page_view", PAGE, "https://bank.example/", referrer="https://search.example/")
SEARCH = Event(0, CLIENT, "search", PAGE, "https://bank.example/search", query="loan")


@pytest.mark.parametrize("event", [VIEW, SEARCH, VIEW._replace(url="https://bank.example/?utm_campaign=a")])
def test_what_is_planted_is_told_in_each_form_in_which_it_can_be_read(event: Event) -> None:
    draws = Draws(7, Purpose.FAULT)
    for number in range(200):
        changed, written = personal.plant(event, number, draws)
        text = f"{changed.url} {changed.referrer} {changed.query}"
        assert written[-1] in text
        assert written[0] in {decode(written[-1]) for decode in (str, unquote, unquote_plus)}
        assert changed.url.count("?") <= 1
        assert changed.url.startswith(event.url)


def test_kinds_take_turns() -> None:
    draws = Draws(7, Purpose.FAULT)
    urls = [personal.plant(VIEW._replace(referrer=None), number, draws)[0].url for number in range(10)]
    names = [url.split("?")[1].split("=")[0] for url in urls]
    assert names == ["email", "phone", "card", "ssn", "ip"] * 2


@pytest.mark.parametrize("name", ["click", "login", "application_started", "pageview"])
def test_other_events_stay_as_they_are(name: str) -> None:
    event = VIEW._replace(name=name)
    assert personal.plant(event, 0, Draws(7, Purpose.FAULT)) == (event, [])


def test_only_people_on_the_website_leave_personal_data_and_all_of_it_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    planted: Counter[str] = Counter()
    plant = personal.plant

    def noted(event: Event, number: int, draws: Draws) -> tuple[Event, list[str]]:
        planted[event.client.platform] += 1
        return plant(event, number, draws)

    monkeypatch.setattr(personal, "plant", noted)
    block = block_of("people=100", "days=28")
    parcel = Parcels(block, 7).make(Group("people", 0, 100))
    lines = [json.loads(line) for line in parcel.lines]
    assert set(planted) == {"web"}
    app = json.dumps([line for line in lines if line["platform"] == "app"])
    web = json.dumps([line for line in lines if line["platform"] == "web"], ensure_ascii=False)
    assert not [text for text in parcel.canaries if text in app]
    readable = {decode(text) for text in parcel.canaries if text in web for decode in (unquote, unquote_plus)}
    assert parcel.canaries
    assert set(parcel.canaries) <= readable | {text for text in parcel.canaries if text in web}
    assert not Parcels(block, 7).make(Group("bots", 0, 2)).canaries


def test_no_planted_text_is_in_the_files_by_chance() -> None:
    lines, _ = made(block_of("people=20", "days=7"), seed=8)
    hosts = ("@example.", "@mail.example", "192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:", "555-01")
    clean = [line for line in lines if not any(host in json.dumps(line) for host in hosts)]
    assert len(clean) > 0.99 * len(lines)
