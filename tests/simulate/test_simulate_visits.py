"""How a visit to the website goes: pages, searches, forum questions, where it came from."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from simulated import is_browsing, lives

from pipelines.simulate.content import NO_NEED, world
from pipelines.simulate.draws import Draws, Purpose
from pipelines.simulate.record import Event
from pipelines.simulate.visits import _mistyped
from pipelines.simulate.website import Website

N_PEOPLE = 300


def web_events(name: str) -> list[Event]:
    visits = [done for life in lives("default", N_PEOPLE) for done in life if is_browsing(done)]
    return [event for done in visits for event in done.events if event.name == name]


def edits(one: str, other: str) -> bool:
    """Whether ``other`` is ``one`` with a letter left out, doubled or swapped with the next."""
    out = {one[:at] + one[at + 1 :] for at in range(len(one))}
    twice = {one[:at] + one[at] + one[at:] for at in range(len(one))}
    swapped = {one[:at] + one[at + 1 : at + 2] + one[at] + one[at + 2 :] for at in range(len(one))}
    return other in out | twice | swapped


@pytest.mark.parametrize("query", ["a", "loan", "mortgage rates"])
def test_a_slip_leaves_out_doubles_or_swaps_a_letter(query: str) -> None:
    draws = Draws(7, Purpose.WEB)
    typed = {_mistyped(query, draws) for _ in range(300)}
    assert all(text and edits(query, text) for text in typed)
    assert {len(text) - len(query) for text in typed} == ({-1, 0, 1} if len(query) > 1 else {0, 1})


def test_searches_are_the_needs_own_common_misspelt_or_hostile() -> None:
    traffic, kinds = world().traffic, Counter[str]()
    for event in web_events("search"):
        assert event.query
        own = world().needs[event.need].queries if event.need in world().needs else []
        if event.query in own:
            kinds["own"] += 1
        elif event.query in traffic.common_queries:
            kinds["common"] += 1
        elif event.query in traffic.hostile_queries:
            kinds["hostile"] += 1
        else:
            assert any(edits(query, event.query) for query in [*own, *traffic.common_queries])
            kinds["misspelt"] += 1
    total = kinds.total()
    assert kinds["misspelt"] / total == pytest.approx(world().behaviour.web.typo, abs=0.05)
    assert kinds["own"] > kinds["common"] > 0.1 * total
    assert kinds["hostile"] < 0.03 * total


def test_forum_questions_have_titles_of_their_own_that_mostly_fit_the_need() -> None:
    titles = {question.title: question.needs for question in world().traffic.community_titles}
    viewed = [event for event in web_events("page_view") if event.page.path.endswith("/{question}")]
    assert len(viewed) > 50
    of_address = defaultdict(set)
    for event in viewed:
        of_address[event.url.split("?")[0]].add(event.title)
    assert all(len(found) == 1 for found in of_address.values())
    assert {event.title for event in viewed} <= {*titles, *world().traffic.hostile_titles}
    fits = [event.need in titles[event.title] for event in viewed if event.title in titles and event.need != NO_NEED]
    by_lot = np.mean([len(needs) for needs in titles.values()]) / len(world().needs)
    assert 0.95 > np.mean(fits) > 4 * by_lot


def test_numbers_fill_the_paths_that_have_room_for_them() -> None:
    assert not any("{" in event.url for event in web_events("page_view"))


def test_only_the_first_event_says_where_a_visit_came_from() -> None:
    campaigns = world().traffic.campaigns
    for life in lives("default", N_PEOPLE):
        for done in life:
            assert all(event.utm is None for event in done.events[1:])
            if is_browsing(done):
                campaign = (done.events[0].utm or {}).get("campaign")
                assert campaign is None or campaign in campaigns
                assert (f"utm_campaign={campaign}" in done.events[0].url) == (campaign is not None)


def test_a_campaign_lands_in_its_area_and_mostly_fits_the_need() -> None:
    campaigns, fits = world().traffic.campaigns, []
    for life in lives("default", N_PEOPLE):
        for done in life:
            first = done.events[0]
            campaign = (first.utm or {}).get("campaign")
            if campaign and is_browsing(done) and first.need != NO_NEED:
                assert first.page.area == campaigns[campaign]
                pages = [page for page in world().pages.values() if page.area == campaigns[campaign]]
                fits.append(max(page.needs.get(str(first.need), 0) for page in pages) >= 2)
    assert len(fits) > 100
    assert 0.6 < np.mean(fits) < 0.98


def test_a_walk_stays_in_its_area_more_often_than_by_lot() -> None:
    website, draws = Website(world()), Draws(7, Purpose.WEB)
    hub = world().pages["/home-loans"]
    near = [website.next_page(draws, "refinance", hub, set()).area == hub.area for _ in range(2000)]
    far = [website.next_page(draws, "refinance", world().pages["/"], set()).area == hub.area for _ in range(2000)]
    assert np.mean(near) > np.mean(far) + 0.1


def test_no_walk_leads_to_a_page_that_is_not_yet_there() -> None:
    viewed = {event.page.path for event in web_events("page_view")}
    assert viewed <= world().pages.keys()
    assert len(viewed) > 0.9 * len(world().pages)
